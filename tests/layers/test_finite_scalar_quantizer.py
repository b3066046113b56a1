import itertools

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.layers import FiniteScalarQuantizer

rng = np.random.default_rng(0)


def call(layer, z):
    return [ops.convert_to_numpy(a) for a in layer(np.asarray(z, "float32"))]


def test_values_computed_by_hand():
    # 3 levels: tanh(z) * 0.999 to -1, 0, 1, in steps of 1. 4 levels: tanh(z + tan(1 / 2.997)) *
    # 1.4985 - 0.5 to -2, -1, 0, 1, in steps of 1/2.
    #   z = 0:   tanh(0.3467) * 1.4985 - 0.5 = -0.0004
    #   z = 0.5: tanh(0.8467) * 1.4985 - 0.5 = 0.534;   z = -1: tanh(-0.6533) * ... = -1.360
    z = [[0.0, 0.0], [0.5, 0.5], [0.6, -1.0], [-9.0, -9.0], [9.0, 9.0]]
    quantized, indices = call(FiniteScalarQuantizer((3, 4)), z)
    assert_array_equal(quantized, [[0, 0], [0, 0.5], [1, -0.5], [-1, -1], [1, 0.5]])
    # Digits (level + 1, level + 2): first + 3 * second.
    assert_array_equal(indices, [1 + 3 * 2, 1 + 3 * 3, 2 + 3 * 1, 0, 2 + 3 * 3])
    assert indices.dtype == "int32"


@pytest.mark.parametrize("levels", [(2,), (3, 2), (8, 5, 5), (4, 7, 2)])
def test_every_index_is_reached_and_comes_back(levels):
    layer = FiniteScalarQuantizer(levels)
    grid = [np.linspace(-6, 6, 49)] * len(levels)
    quantized, indices = call(layer, list(itertools.product(*grid)))
    assert_array_equal(np.unique(indices), np.arange(layer.num_codes))
    assert_array_equal(ops.convert_to_numpy(layer.embed(indices)), quantized)
    codes = ops.convert_to_numpy(layer.embed(np.arange(layer.num_codes)))
    assert len(np.unique(codes, axis=0)) == layer.num_codes == np.prod(levels)
    assert codes.min() == -1 and codes.max() <= 1
    for i, n in enumerate(levels):
        assert_allclose(np.unique(codes[:, i]), (np.arange(n) - n // 2) / (n // 2), rtol=1e-6)


@pytest.mark.parametrize("levels", [3, 4, 5, 6, 7, 8])
def test_zero_is_a_code(levels):
    # The shift of an even number of levels takes 0 to the middle of its interval.
    layer = FiniteScalarQuantizer((levels,))
    quantized, _ = call(layer, [[-0.05], [0.0], [0.05]])
    assert_array_equal(quantized, 0)


def test_gradient_passes_through_the_rounding(gradient):
    levels, z = (5, 8), rng.normal(size=(6, 2)).astype("float32")
    got = gradient(lambda z: ops.sum(FiniteScalarQuantizer(levels)(z)[0]), z)
    reach = np.array([4, 7]) * 0.999 / 2
    shift = np.tan(np.array([0, 0.5]) / reach)
    expected = (1 - np.tanh(z.astype("float64") + shift) ** 2) * reach / np.array([2, 4])
    assert_allclose(got, expected, rtol=1e-4, atol=1e-6)  # 1 - tanh^2 loses digits


def test_same_contract_as_the_vector_quantizer():
    layer, z = FiniteScalarQuantizer((8, 6, 5)), rng.normal(size=(2, 3, 4, 3)).astype("float32")
    quantized, indices = call(layer, z)
    assert quantized.shape == z.shape and indices.shape == (2, 3, 4)
    assert layer.num_codes == 240 and layer.term_names == ()
    assert layer.terms(z, quantized, indices) == {}
    assert layer.start_from(z) is None and not layer.variables
    assert layer.compute_output_shape((None, 7, 3)) == ((None, 7, 3), (None, 7))


def test_it_works_in_a_functional_model_and_reloads(tmp_path):
    inputs = keras.Input((None, 2))
    quantized, indices = FiniteScalarQuantizer((4, 3))(inputs)
    assert quantized.shape == (None, None, 2) and indices.shape == (None, None)
    assert indices.dtype == "int32"
    model = keras.Model(inputs, [quantized, indices])
    x = rng.normal(size=(5, 4, 2)).astype("float32")
    outputs = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    for got, expected in zip(copy.predict(x, verbose=0), outputs):
        assert_array_equal(got, expected)


def test_mixed_precision_rounds_in_float32():
    z = rng.normal(size=(50, 2)).astype("float32")
    quantized, indices = FiniteScalarQuantizer((8, 7), dtype="mixed_bfloat16")(z)
    assert keras.backend.standardize_dtype(quantized.dtype) == "float32"
    assert_array_equal(ops.convert_to_numpy(indices), call(FiniteScalarQuantizer((8, 7)), z)[1])


def test_config():
    layer = FiniteScalarQuantizer((8, np.int64(5)), name="q", dtype="mixed_float16")
    copy = FiniteScalarQuantizer.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config() and copy.levels == (8, 5)


@pytest.mark.parametrize(
    "levels, message",
    [
        ((8, 1), r"`levels` must be integers of at least 2: .*Received: levels=\(8, 1\)"),
        ((), "`levels` must be a tuple of positive integers.*not empty"),
        (8, "`levels` must be a tuple of positive integers.*Received: levels=8"),
        ((2.5, 2), "`levels` must be a positive integer. Received: levels=2.5"),
        ((2**16, 2**15), "product below 2\\^31.*the product 2147483648"),
    ],
)
def test_levels_are_checked(levels, message):
    with pytest.raises(ValueError, match=message):
        FiniteScalarQuantizer(levels)


def test_the_length_of_vectors_is_checked():
    message = r"put a Dense\(2\) before it. Received: shape \(4, 3\)"
    with pytest.raises(ValueError, match=message):
        FiniteScalarQuantizer((3, 3))(np.zeros((4, 3), "float32"))
