import numpy as np
import scipy.special
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.distributions import Bernoulli, get_likelihood

rng = np.random.default_rng(0)
LOGITS = rng.normal(0, 3, (6, 4, 5)).astype("float32")
BITS = rng.integers(0, 2, (6, 4, 5)).astype("float32")


def log_prob(x, logits):
    return ops.convert_to_numpy(Bernoulli().log_prob(x, ops.convert_to_tensor(logits)))


def test_log_prob_is_scipys():
    expected = scipy.stats.bernoulli.logpmf(BITS, scipy.special.expit(LOGITS.astype("float64")))
    # The largest of the 20 terms is about 10, rounded at 2^-24 of it.
    assert_allclose(log_prob(BITS, LOGITS), expected.sum((1, 2)), rtol=1e-5)


def test_grey_values_have_the_binary_cross_entropy():
    grey = rng.uniform(size=LOGITS.shape).astype("float32")
    p = scipy.special.expit(LOGITS.astype("float64"))
    expected = grey * np.log(p) + (1 - grey) * np.log1p(-p)
    for likelihood in (Bernoulli(), get_likelihood("binary_crossentropy")):
        got = ops.convert_to_numpy(likelihood.log_prob(grey, ops.convert_to_tensor(LOGITS)))
        assert_allclose(got, expected.sum((1, 2)), rtol=1e-5)


def test_sure_and_right_costs_nothing_sure_and_wrong_costs_the_logit():
    logits = np.array([[100.0], [1e4], [1e30], [-100.0], [-1e30]], "float32")
    right, wrong = (logits > 0).astype("float32"), (logits < 0).astype("float32")
    assert_allclose(log_prob(right, logits), 0, atol=1e-30)
    assert_array_equal(log_prob(wrong, logits), -np.abs(logits[:, 0]))


def test_mean_is_the_probability():
    expected = scipy.special.expit(LOGITS.astype("float64"))
    got = ops.convert_to_numpy(Bernoulli().mean(ops.convert_to_tensor(LOGITS)))
    assert_allclose(got, expected, rtol=1e-5)


def test_gradient_is_the_residual(gradient):
    got = gradient(lambda logits: ops.sum(Bernoulli().log_prob(BITS, logits)), LOGITS)
    expected = BITS - scipy.special.expit(LOGITS.astype("float64"))
    assert_allclose(got, expected, atol=1e-6)  # a difference of numbers below 1, in float32


def test_samples_are_bits_of_the_right_frequency():
    logits = np.array([-1e4, -3.0, 0.0, 2.0, 1e4], "float32")
    params = ops.convert_to_tensor(np.broadcast_to(logits, (20_000, 5)))
    draws = ops.convert_to_numpy(Bernoulli().sample(params, seed=0))
    assert set(np.unique(draws)) == {0, 1}
    p = scipy.special.expit(logits.astype("float64"))
    assert np.all(np.abs(draws.mean(0) - p) <= 5 * np.sqrt(p * (1 - p) / 20_000))
