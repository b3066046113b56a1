import numpy as np
import pytest
import scipy.special
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.distributions import Categorical

rng = np.random.default_rng(0)
# 6 examples of 4 values on a grid of 5: the parameters of a value stand side by side.
LOGITS = rng.normal(0, 2, (6, 4, 5)).astype("float32")
PARAMS = LOGITS.reshape(6, 20)
LEVELS = rng.integers(0, 5, (6, 4))
X = (LEVELS / 4).astype("float32")
LOG_P = scipy.special.log_softmax(LOGITS.astype("float64"), axis=-1)


def test_log_prob_is_the_log_softmax_at_the_value():
    got = ops.convert_to_numpy(Categorical(5).log_prob(X, ops.convert_to_tensor(PARAMS)))
    expected = np.take_along_axis(LOG_P, LEVELS[..., None], axis=-1).sum((1, 2))
    assert_allclose(got, expected, rtol=1e-5)  # 4 terms of order 1 to 10, rounded at 2^-24 of each


def test_log_probs_sum_to_one_at_extremes_too():
    extremes = np.array([[0, 0, 0], [1e30, -1e30, 0], [-1e30] * 3, [1e4, 1e4, -1e4]], "float32")
    log_probs = ops.convert_to_numpy(Categorical(3).log_probs(ops.convert_to_tensor(extremes)))
    assert log_probs.shape == (4, 1, 3) and np.all(np.isfinite(log_probs))
    assert_allclose(np.exp(log_probs.astype("float64")).sum(-1), 1, rtol=1e-6)


def test_mean_is_the_expectation_over_the_grid():
    got = ops.convert_to_numpy(Categorical(5).mean(ops.convert_to_tensor(PARAMS)))
    assert_allclose(got, np.exp(LOG_P) @ (np.arange(5) / 4), rtol=1e-5)


def test_gradient_is_the_residual_of_each_probability(gradient):
    got = gradient(lambda p: ops.sum(Categorical(5).log_prob(X, p)), PARAMS)
    expected = np.eye(5)[LEVELS] - np.exp(LOG_P)
    assert_allclose(got.reshape(6, 4, 5), expected, atol=1e-6)  # numbers below 1, in float32


def test_frequencies_of_samples():
    logits = np.array([-1e4, 0.0, -2.0, 1.0], "float32")
    params = ops.convert_to_tensor(np.broadcast_to(logits, (20_000, 4)))
    draws = ops.convert_to_numpy(Categorical(4).sample(params, seed=0))
    p = scipy.special.softmax(logits.astype("float64"))
    frequencies = np.array([np.mean(draws == np.float32(k / 3)) for k in range(4)])
    assert frequencies.sum() == 1  # nothing but grid values
    assert np.all(np.abs(frequencies - p) <= 5 * np.sqrt(p * (1 - p) / 20_000))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_8_bit_value_has_its_own_level(dtype):
    x = np.arange(256, dtype="uint8").astype(dtype) / 255
    assert_array_equal(ops.convert_to_numpy(Categorical(256).level(x)), np.arange(256))


def test_values_between_grid_points_go_to_the_nearest():
    x = np.array([0.0, 0.24, 0.26, 0.74, 0.76, 1.0], "float32")
    assert_array_equal(ops.convert_to_numpy(Categorical(3).level(x)), [0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("num_values", [0, 1, -3, 2.5, "8", None, True])
def test_number_of_values_is_checked(num_values):
    with pytest.raises(ValueError, match=f"`num_values` must be .*num_values={num_values!r}"):
        Categorical(num_values)
