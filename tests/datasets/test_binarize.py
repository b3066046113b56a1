import numpy as np
import pytest

from keras_aevae.datasets import binarize


def test_mean_approximates_the_grey_value():
    grey = np.linspace(0, 1, 11, dtype="float32")
    bits = binarize(np.broadcast_to(grey, (20_000, 11)), seed=0)
    assert bits.dtype == "float32" and set(np.unique(bits)) == {0, 1}
    five_sigma = 5 * np.sqrt(grey * (1 - grey) / 20_000)
    assert np.all(np.abs(bits.mean(0) - grey) <= five_sigma)  # at 0 and 1: exactly


def test_seed_decides():
    x = np.full((50, 8, 8, 1), 0.5, "float32")
    assert np.array_equal(binarize(x, seed=3), binarize(x, seed=3))
    assert not np.array_equal(binarize(x, seed=3), binarize(x, seed=4))


def test_bits_stay_as_they_are():
    bits = np.random.default_rng(0).integers(0, 2, (10, 5)).astype("float64")
    assert np.array_equal(binarize(bits), bits)


@pytest.mark.parametrize(
    "x, message",
    [
        (np.full((2, 3), 255, "uint8"), r'dtype uint8. .*x.astype\("float32"\) / 255'),
        (np.array([0.0, 1.5]), "from 0.0 to 1.5"),
        (np.array([-0.5, 1.0]), "from -0.5 to 1.0"),
        (np.array([0.5, np.nan]), "without NaN"),
    ],
)
def test_bad_values(x, message):
    with pytest.raises(ValueError, match=message):
        binarize(x)
