import hashlib

import numpy as np
import pytest

from keras_aevae.datasets import DSprites, load
from keras_aevae.datasets.sprites import draw_sprites

SQUARE, ELLIPSE, HEART = range(3)
dsprites = DSprites()


def render_along(name, shape=HEART, scale=5, orientation=3, x=10, y=20):
    """Images of every value of one factor, the others fixed."""
    factors = {"shape": shape, "scale": scale, "orientation": orientation, "x": x, "y": y}
    size = dict(zip(dsprites.factor_names, dsprites.factor_sizes))[name]
    factors[name] = np.arange(size)
    return dsprites.render(np.stack(np.broadcast_arrays(*factors.values()), axis=-1))[..., 0]


def centroid(images):
    area = images.sum((1, 2))
    row = (images.sum(2) * np.arange(64)).sum(1) / area
    column = (images.sum(1) * np.arange(64)).sum(1) / area
    return column, row


def overlap(a, b):
    """Intersection over union."""
    return np.minimum(a, b).sum((-2, -1)) / np.maximum(a, b).sum((-2, -1))


def test_grid():
    assert dsprites.num_images == np.prod(dsprites.factor_sizes) == 737_280
    assert tuple(dsprites.factor_values) == dsprites.factor_names
    assert tuple(map(len, dsprites.factor_values.values())) == dsprites.factor_sizes
    assert dsprites.factor_values["scale"] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    # the step of the published archive
    assert np.diff(dsprites.factor_values["orientation"]) == pytest.approx(2 * np.pi / 39)


def test_images_are_binary():
    images = dsprites.render(dsprites.sample_factors(100, rng=0))
    assert images.shape == (100, 64, 64, 1) and images.dtype == "float32"
    assert set(np.unique(images)) == {0, 1}


@pytest.mark.parametrize("shape", [SQUARE, ELLIPSE, HEART])
def test_x_and_y_move_the_centroid_one_pixel_a_step(shape):
    column, row = centroid(render_along("x", shape=shape))
    assert np.diff(column) == pytest.approx(1) and np.ptp(row) == pytest.approx(0)
    column, row = centroid(render_along("y", shape=shape))
    assert np.diff(row) == pytest.approx(1) and np.ptp(column) == pytest.approx(0)


def test_centroid_is_the_position():
    factors = dsprites.sample_factors(500, rng=0)
    column, row = centroid(dsprites.render(factors)[..., 0])
    assert column == pytest.approx(factors[:, 3] + 16, abs=0.25)
    assert row == pytest.approx(factors[:, 4] + 16, abs=0.25)


def test_area_grows_with_scale_squared_and_is_the_same_for_all_shapes():
    area = draw_sprites().sum((3, 4)).mean(2)  # (3, 6), averaged over orientation
    expected = area[:, -1:].mean() * dsprites.factor_values["scale"] ** 2
    np.testing.assert_allclose(area, np.broadcast_to(expected, area.shape), rtol=0.02)


def test_every_sprite_is_whole():
    # black on every edge of the frame at every extreme position, so nothing is cut off
    corners = np.array(np.meshgrid(range(3), range(6), range(40), [0, 31], [0, 31]))
    images = dsprites.render(corners.reshape(5, -1).T)[..., 0]
    for edge in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
        assert not edge.any()


def test_orientation_turns_counter_clockwise():
    # the heart's tip is its farthest point: below at 0, to the right a quarter turn later
    images = render_along("orientation", shape=HEART, x=15, y=15)
    column, row = centroid(images)
    extent = [np.argwhere(image) for image in images[[0, 10]]]
    below = extent[0][:, 0].max() - row[0], row[0] - extent[0][:, 0].min()
    right = extent[1][:, 1].max() - column[10], column[10] - extent[1][:, 1].min()
    assert below[0] > below[1] + 1 and right[0] > right[1] + 1


def test_symmetries():
    images = [render_along("orientation", shape=shape) for shape in (SQUARE, ELLIPSE, HEART)]
    # ten steps of 2 pi / 39: a quarter turn and 2.3 degrees; twenty: half a turn and 4.6
    quarter = [overlap(i[:-10], i[10:]).mean() for i in images]
    half = [overlap(i[:-20], i[20:]).mean() for i in images]
    assert quarter[SQUARE] > 0.93 and quarter[ELLIPSE] < 0.75 and quarter[HEART] < 0.85
    assert half[SQUARE] > 0.9 and half[ELLIPSE] > 0.9 and half[HEART] < 0.85
    for i in images:  # 0 and 2 pi
        assert np.array_equal(i[0], i[39])


def test_sprites_differ_beyond_their_symmetries():
    sprites = draw_sprites()
    assert len({s.tobytes() for s in sprites.reshape(720, -1)}) == 673
    assert len({s.tobytes() for s in sprites[HEART].reshape(240, -1)}) == 6 * 39


def test_sprites_never_change():
    assert (
        hashlib.sha256(draw_sprites().astype("uint8")).hexdigest()
        == "194490d61da1d3cac5771292a70abad0b8066a63b1f507ca54415c86de977f99"
    )


def test_index_and_factors_are_inverse():
    index = np.random.default_rng(0).integers(dsprites.num_images, size=1000)
    factors = dsprites.to_factors(index)
    assert np.array_equal(dsprites.to_index(factors), index)
    # y is fastest, shape slowest
    ends = dsprites.to_factors(np.array([0, 1, 32, 737_279]))
    assert ends.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [2, 5, 39, 31, 31]]


def test_sampled_factors_are_uniform():
    factors = dsprites.sample_factors(20_000, rng=0)
    for column, size in zip(factors.T, dsprites.factor_sizes):
        count = np.bincount(column, minlength=size)
        assert len(count) == size
        assert np.all(np.abs(count - 20_000 / size) < 5 * np.sqrt(20_000 / size))


def test_load_draws_disjoint_factors():
    (x_train, y_train), (x_test, y_test) = load("dsprites", num_train=600, num_test=200, seed=1)
    assert x_train.shape == (600, 64, 64, 1) and y_test.shape == (200, 5)
    assert y_train.dtype == "int64"
    index = dsprites.to_index(np.concatenate([y_train, y_test]))
    assert len(set(index)) == 800
    assert np.array_equal(dsprites.render(y_test), x_test)
    again = load("dsprites", num_train=600, num_test=200, seed=1)
    other = load("dsprites", num_train=600, num_test=200, seed=2)
    assert np.array_equal(again[0][1], y_train) and not np.array_equal(other[0][1], y_train)


def test_batches_visit_each_image_once_an_epoch():
    index = np.arange(0, 737_280, 7000)  # 106
    batches = dsprites.batches(batch_size=25, indices=index, seed=3)
    expected = sorted(image.tobytes() for image in dsprites.render(dsprites.to_factors(index)))
    orders = []
    for _ in range(2):
        epoch = [batch for (batch,) in batches]
        assert [len(batch) for batch in epoch] == [25, 25, 25, 25, 6]
        orders.append([image.tobytes() for image in np.concatenate(epoch)])
        assert sorted(orders[-1]) == expected
        batches.on_epoch_end()
    assert orders[0] != orders[1]


def test_batches_cover_the_grid_by_default():
    batches = dsprites.batches(batch_size=1024, shuffle=False)
    assert len(batches) == 720
    # unshuffled, a batch of 1024 is one sprite in every position
    assert len({image.tobytes() for image in batches[100][0]}) == 1024


@pytest.mark.parametrize(
    "factors, message",
    [
        ([[0, 6, 0, 0, 0]], r"'scale' with 0..5. Received: factors\[0, 1\]=6"),
        ([[0, 0, 0, -1, 0]], r"'x' with 0..31. Received: factors\[0, 3\]=-1"),
        ([0, 0, 0, 0, 0], r"shape \(n, 5\)"),
        ([[0.5, 0, 0, 0, 0]], "integer indices"),
    ],
)
def test_bad_factors(factors, message):
    with pytest.raises(ValueError, match=message):
        dsprites.render(factors)


def test_bad_index():
    with pytest.raises(ValueError, match=r"0..737279. Received: index from 0 to 737280"):
        dsprites.to_factors(np.array([0, 737_280]))
    with pytest.raises(ValueError, match="at most 737280"):
        load("dsprites", num_train=737_280, num_test=1)
