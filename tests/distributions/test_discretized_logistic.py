import math

import numpy as np
import pytest
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose

from keras_aevae.distributions import DiscretizedLogistic

EPSILON = 2.0**-24  # one rounding in float32


def scipy_log_probs(center, log_scale, num_values):
    """Log mass of each bin, in float64: (..., num_values). The first and the last bin are open."""
    logistic = scipy.stats.logistic(center[..., None], np.exp(log_scale)[..., None])
    edges = (np.arange(num_values - 1) + 0.5) / (num_values - 1)
    zero, one = np.zeros((*center.shape, 1)), np.ones((*center.shape, 1))
    below = np.concatenate([zero, logistic.cdf(edges), one], -1)
    above = np.concatenate([one, logistic.sf(edges), zero], -1)
    # The difference is taken on the side where the numbers are small: nothing cancels there.
    low_side = below[..., 1:] < above[..., :-1]
    return np.log(np.where(low_side, np.diff(below), -np.diff(above)))


def numpy_center_and_log_scale(params, num_values):
    """The documented map, in float64: an offset from 1/2, and log-scales from a fiftieth of a bin
    to exp(2), with exp(-2) at a raw 0."""
    low, high = -math.log(50 * (num_values - 1)), 2.0
    middle, half = (low + high) / 2, (high - low) / 2
    raw = params[..., 1] / half + math.atanh((-2 - middle) / half)
    return params[..., 0] + 0.5, middle + half * np.tanh(raw)


def random_params(seed, shape=(6, 4)):
    rng = np.random.default_rng(seed)
    params = np.stack([rng.normal(0, 0.5, shape), rng.normal(0, 1, shape)], -1)
    return params.astype("float32")


def log_probs_of(params, num_values):
    return ops.convert_to_numpy(
        DiscretizedLogistic(num_values).log_probs(ops.convert_to_tensor(params))
    )


@pytest.mark.parametrize("num_values", [2, 32])
def test_log_prob_is_a_difference_of_scipys_cdf(num_values):
    params = random_params(0)
    level = np.random.default_rng(1).integers(0, num_values, (6, 4))
    x = (level / (num_values - 1)).astype("float32")
    center, log_scale = numpy_center_and_log_scale(params.astype("float64"), num_values)
    expected = scipy_log_probs(center, log_scale, num_values)
    expected = np.take_along_axis(expected, level[..., None], -1)[..., 0].sum(-1)
    likelihood = DiscretizedLogistic(num_values)
    got = likelihood.log_prob(x, ops.convert_to_tensor(params.reshape(6, 8)))
    # An edge is known to 2^-24, hence in units of the scale to 2^-24 / scale; the scale itself
    # goes through tanh and exp, some ten roundings.
    assert_allclose(ops.convert_to_numpy(got), expected, rtol=1e-5)


def test_every_bin_of_an_8_bit_image_is_exact():
    # At the start of training. Taken as the difference of its edges, a bin of width 0.03 scales
    # would be wrong by up to 1.5e-5 nats, the same way for every pixel of an image.
    expected = scipy_log_probs(np.array([0.5]), np.array([-2.0]), 256)
    got = log_probs_of(np.zeros((1, 2), "float32"), 256)[0]
    assert_allclose(got, expected, atol=3e-6)  # numbers below 8, seven roundings of each


def test_scale_is_bounded_and_starts_at_its_start():
    likelihood = DiscretizedLogistic(256)
    params = np.array([[0, 0], [0.25, 1e30], [-0.5, -1e30]], "float32")
    center, log_scale = likelihood.center_and_log_scale(ops.convert_to_tensor(params))
    assert_allclose(ops.convert_to_numpy(center)[:, 0], [0.5, 0.75, 0], rtol=1e-6)
    expected = [-2, 2, -math.log(50 * 255)]
    assert_allclose(ops.convert_to_numpy(log_scale)[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("num_values", [2, 256])
def test_log_probs_are_finite_and_sum_to_one_at_extremes_too(num_values):
    centers = [0, 0.1, -0.5, 1, -50, 1e3, -1e30, 1e30]
    scales = [0, 3, -3, 1e3, -1e3, 1e30, -1e30]
    params = np.array([[c, s] for c in centers for s in scales], "float32")
    log_probs = log_probs_of(params, num_values).astype("float64")
    assert np.all(np.isfinite(log_probs))
    # Where two bins share the mass, each knows the edge between them to 2^-24 / scale.
    _, log_scale = numpy_center_and_log_scale(params.astype("float64"), num_values)
    error = np.abs(np.exp(log_probs[:, 0]).sum(-1) - 1)
    assert np.all(error <= 1e-6 + EPSILON * np.exp(-log_scale))


@pytest.mark.parametrize("num_values", [2, 32])
def test_mean_is_the_expectation_over_the_grid(num_values):
    params = random_params(2)
    center, log_scale = numpy_center_and_log_scale(params.astype("float64"), num_values)
    p = np.exp(scipy_log_probs(center, log_scale, num_values))
    got = DiscretizedLogistic(num_values).mean(ops.convert_to_tensor(params.reshape(6, 8)))
    expected = p @ (np.arange(num_values) / (num_values - 1))
    assert_allclose(ops.convert_to_numpy(got), expected, rtol=1e-5)


def test_gradient_is_that_of_the_cdf_differences(gradient):
    num_values, h = 32, 1e-6
    params = random_params(3)
    level = np.random.default_rng(4).integers(0, num_values, (6, 4))
    level[0, :2] = 0, num_values - 1  # both open ends
    x = (level / (num_values - 1)).astype("float32")
    likelihood = DiscretizedLogistic(num_values)
    got = gradient(lambda p: ops.sum(likelihood.log_prob(x, p)), params.reshape(6, 8))

    def f64(shift):
        moved = numpy_center_and_log_scale(params.astype("float64") + shift, num_values)
        return np.take_along_axis(scipy_log_probs(*moved, num_values), level[..., None], -1)[..., 0]

    for i, step in enumerate(np.eye(2) * h):
        expected = (f64(step) - f64(-step)) / (2 * h)  # good to 1e-9
        assert_allclose(got.reshape(6, 4, 2)[..., i], expected, rtol=1e-4, atol=1e-5)


def test_frequencies_of_samples():
    params = np.array([0.1, 0.5], "float32")
    center, log_scale = numpy_center_and_log_scale(params.astype("float64"), 4)
    p = np.exp(scipy_log_probs(center, log_scale, 4))
    batch = ops.convert_to_tensor(np.broadcast_to(params, (20_000, 2)))
    draws = ops.convert_to_numpy(DiscretizedLogistic(4).sample(batch, seed=0))
    frequencies = np.array([np.mean(draws == np.float32(k / 3)) for k in range(4)])
    assert frequencies.sum() == 1  # nothing but grid values
    assert np.all(np.abs(frequencies - p) < 5 * np.sqrt(p * (1 - p) / 20_000))


@pytest.mark.parametrize("num_values", [0, 1, 2.5])
def test_number_of_values_is_checked(num_values):
    with pytest.raises(ValueError, match=f"`num_values` must be .*num_values={num_values!r}"):
        DiscretizedLogistic(num_values)
