import keras
import numpy as np
import pytest
import torch
from keras import ops
from numpy.testing import assert_array_equal

from keras_aevae.layers import DepthToSpace, SpaceToDepth

rng = np.random.default_rng(0)


@pytest.fixture(params=["channels_last", "channels_first"], autouse=True)
def image_data_format(request):
    """Both of Keras's settings: the layers are channels last under either."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(request.param)
    yield
    keras.config.set_image_data_format(before)


def apply(layer, x):
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(x)))


def by_loops(x):
    """Row by row and pixel by pixel: a block's upper left, upper right, lower left, lower right."""
    batch, height, width, channels = x.shape
    result = np.zeros((batch, height // 2, width // 2, 4 * channels), x.dtype)
    for i in range(height):
        for j in range(width):
            start = (2 * (i % 2) + j % 2) * channels
            result[:, i // 2, j // 2, start : start + channels] = x[:, i, j]
    return result


@pytest.mark.parametrize("shape", [(3, 2, 2, 1), (2, 4, 6, 3)])
def test_values_are_those_of_the_loops(shape):
    x = rng.normal(size=shape).astype("float32")
    assert_array_equal(apply(SpaceToDepth(), x), by_loops(x))


@pytest.mark.parametrize("shape", [(3, 2, 2, 1), (2, 4, 6, 3)])
def test_each_is_the_others_inverse(shape):
    x = rng.normal(size=shape).astype("float32")
    assert_array_equal(apply(DepthToSpace(), apply(SpaceToDepth(), x)), x)
    deep = rng.normal(size=(*shape[:3], 4 * shape[3])).astype("float32")
    assert_array_equal(apply(SpaceToDepth(), apply(DepthToSpace(), deep)), deep)


def test_it_is_torchs_pixel_unshuffle_with_channels_in_another_order():
    batch, height, width, channels = shape = 2, 4, 6, 3
    x = rng.normal(size=shape).astype("float32")
    theirs = torch.nn.functional.pixel_unshuffle(torch.tensor(x).permute(0, 3, 1, 2), 2)
    # Theirs counts (channel, row, column), ours (row, column, channel).
    theirs = theirs.permute(0, 2, 3, 1).reshape(batch, height // 2, width // 2, channels, 2, 2)
    expected = theirs.permute(0, 1, 2, 4, 5, 3).reshape(batch, height // 2, width // 2, -1)
    assert_array_equal(apply(SpaceToDepth(), x), expected.numpy())


@pytest.mark.parametrize(
    "layer, before, after",
    [
        (SpaceToDepth, (28, 28, 1), (14, 14, 4)),
        (SpaceToDepth, (2, 10, 3), (1, 5, 12)),
        (DepthToSpace, (14, 14, 4), (28, 28, 1)),
        (DepthToSpace, (1, 5, 12), (2, 10, 3)),
    ],
)
def test_shapes(layer, before, after):
    assert layer()(keras.Input(before)).shape == (None, *after)
    assert layer().compute_output_shape((7, *before)) == (7, *after)


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (SpaceToDepth, (5, 4, 1), r"even height and width; pad .*shape \(None, 5, 4, 1\)"),
        (SpaceToDepth, (4, 7, 1), r"even height and width; pad .*shape \(None, 4, 7, 1\)"),
        (SpaceToDepth, (None, None, 3), r"known shape .*shape \(None, None, None, 3\)"),
        (SpaceToDepth, (4, 4), r"\(batch, height, width, channels\).*shape \(None, 4, 4\)"),
        (DepthToSpace, (2, 2, 5), r"channels that 4 divides. .*shape \(None, 2, 2, 5\)"),
        (DepthToSpace, (None, None, 4), r"known shape .*shape \(None, None, None, 4\)"),
        (DepthToSpace, (8,), r"\(batch, height, width, channels\).*shape \(None, 8\)"),
    ],
)
def test_bad_shapes(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer()(keras.Input(shape))


@pytest.mark.parametrize("layer", [SpaceToDepth, DepthToSpace])
def test_config_round_trip(layer):
    copy = layer.from_config(layer(name="up", dtype="bfloat16").get_config())
    assert copy.name == "up" and copy.compute_dtype == "bfloat16"
