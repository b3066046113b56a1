import itertools
import math

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.objectives import importance_weighted_bound

rng = np.random.default_rng(0)
LOG_WEIGHTS = rng.normal(-90, 3, (7, 5)).astype("float32")


def bound(log_weights, **kwargs):
    return ops.convert_to_numpy(importance_weighted_bound(log_weights, **kwargs))


def test_one_sample_is_the_elbo_exactly():
    assert_array_equal(bound(LOG_WEIGHTS[:1]), LOG_WEIGHTS[0])


def test_it_is_the_log_of_the_mean_weight():
    expected = scipy.special.logsumexp(LOG_WEIGHTS.astype("float64"), axis=0) - math.log(7)
    assert_allclose(bound(LOG_WEIGHTS), expected, rtol=1e-6)  # numbers near 90: 4e-6 a rounding
    assert_allclose(bound(LOG_WEIGHTS.T, axis=-1), expected, rtol=1e-6)
    assert_allclose(bound(LOG_WEIGHTS.T, axis=1), expected, rtol=1e-6)


def test_equal_weights_add_nothing_and_order_does_not_matter():
    assert_allclose(bound(np.full((1000, 2), -90.5, "float32")), -90.5, rtol=1e-6)
    assert_allclose(bound(LOG_WEIGHTS[::-1].copy()), bound(LOG_WEIGHTS), rtol=1e-6)


def test_a_common_factor_comes_out_as_its_log():
    # 1024 is exact in float32 beside weights near 90 rounded to 2^-10.
    rounded = np.round(LOG_WEIGHTS * 1024) / 1024
    assert_allclose(bound(rounded - 1024) + 1024, bound(rounded), atol=1e-3)
    assert_allclose(bound(rounded + 1024) - 1024, bound(rounded), atol=1e-3)


@pytest.mark.parametrize("size", [-1e4, 1e4, -1e30])
def test_large_weights_neither_overflow_nor_vanish(size):
    assert_allclose(bound(np.full((3, 1), size, "float32")), size, rtol=1e-6)


def test_impossible_samples_count_as_zero_weights():
    some = LOG_WEIGHTS[:2].copy()
    some[0, 0] = -np.inf
    some[:, 1] = -np.inf
    got = bound(some)
    assert_allclose(got[0], some[1, 0] - math.log(2), rtol=1e-6)
    assert got[1] == -np.inf
    assert np.all(np.isfinite(got[2:]))


def test_gradient_is_the_normalised_weights(gradient):
    log_weights = LOG_WEIGHTS.copy()
    log_weights[0, 0] = -np.inf
    got = gradient(lambda w: ops.sum(importance_weighted_bound(w)), log_weights)
    expected = scipy.special.softmax(log_weights.astype("float64"), axis=0)
    assert expected[0, 0] == 0
    assert_allclose(got, expected, rtol=1e-5, atol=1e-7)  # exp of a number known to 4e-6


def test_expectation_grows_with_the_samples_towards_the_log_likelihood():
    # p(z) = N(0, 1), p(x|z) = N(z, 1), so log p(x) = log N(x; 0, 2); q is not the posterior.
    x, runs = 1.5, 4000
    q = scipy.stats.norm(0.3, 1.2)
    z = q.rvs((64, runs), random_state=1)
    joint = scipy.stats.norm.logpdf(z) + scipy.stats.norm.logpdf(x, z)
    log_weights = (joint - q.logpdf(z)).astype("float32")
    exact = scipy.stats.norm.logpdf(x, 0, math.sqrt(2))

    bounds = [bound(log_weights[:k]).astype("float64") for k in (1, 4, 16, 64)]
    for fewer, more in itertools.pairwise(bounds):
        gain = more - fewer
        assert gain.mean() > 5 * gain.std() / math.sqrt(runs)
    for estimate in bounds:
        assert estimate.mean() < exact + 5 * estimate.std() / math.sqrt(runs)
    # With 64 samples what is missing is var(w) / (2 * 64 * mean(w)^2), to first order.
    weights = np.exp(log_weights.astype("float64"))
    missing = weights.var() / weights.mean() ** 2 / 128
    standard_error = bounds[-1].std() / math.sqrt(runs)
    assert abs(bounds[-1].mean() + missing - exact) < 5 * standard_error + missing / 10


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_weights_are_computed_in_float32(dtype):
    narrow = ops.cast(LOG_WEIGHTS, dtype)
    got = importance_weighted_bound(narrow)
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    assert_array_equal(
        ops.convert_to_numpy(got),
        ops.convert_to_numpy(importance_weighted_bound(ops.cast(narrow, "float32"))),
    )
