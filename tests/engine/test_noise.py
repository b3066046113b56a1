import keras
import numpy as np
import pytest
from scipy import stats

from keras_aevae.engine.noise import normal, uniform


@pytest.mark.parametrize("draw", [normal, uniform])
def test_the_numbers_are_those_of_keras(draw):
    ours, theirs = keras.random.SeedGenerator(5), keras.random.SeedGenerator(5)
    function = getattr(keras.random, draw.__name__)
    for _ in range(3):  # the state of the generator moves on alike
        expected = keras.ops.convert_to_numpy(function((4, 3), seed=theirs))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(draw((4, 3), ours)), expected)
    expected = keras.ops.convert_to_numpy(function((4, 3), seed=7))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(draw((4, 3), 7)), expected)


@pytest.mark.parametrize("draw, family", [(normal, stats.norm), (uniform, stats.uniform)])
def test_distribution(draw, family):
    x = keras.ops.convert_to_numpy(draw((20_000,), keras.random.SeedGenerator(3)))
    assert x.dtype == "float32"
    assert stats.kstest(x, family.cdf).pvalue > 0.01
