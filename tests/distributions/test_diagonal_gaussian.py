import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import torch
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.distributions import (
    DiagonalGaussian,
    Distribution,
    StandardNormal,
    get_prior,
)
from keras_aevae.distributions.diagonal_gaussian import LOG_VAR_BOUND, soft_bound
from keras_aevae.distributions.posteriors import get_posterior

# Relative, against float64: some hundred roundings of 2^-24 each, of terms that don't cancel.
FLOAT32 = 1e-5
NUM_SAMPLES = 20_000


def random_parameters(seed, shape=(4, 3)):
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 2, shape).astype("float32")
    log_var = rng.uniform(-4, 3, shape).astype("float32")
    return mean, log_var


def torch_normal(mean, log_var):
    mean, log_var = torch.tensor(mean, dtype=torch.float64), torch.tensor(log_var).double()
    return torch.distributions.Normal(mean, torch.exp(0.5 * log_var))


def numpy_kl(p, q):
    """KL of diagonal Gaussians, by torch.distributions in float64, summed over the last axis."""
    kl = torch.distributions.kl_divergence(torch_normal(*p), torch_normal(*q))
    return kl.sum(-1).numpy()


class Opaque(Distribution):
    """A Gaussian that no closed form knows."""

    def __init__(self, gaussian):
        self.gaussian = gaussian

    def log_prob(self, z):
        return self.gaussian.log_prob(z)


# Log density


@pytest.mark.parametrize("sample_axes", [(), (5,), (2, 5)])
def test_log_prob_is_scipys(sample_axes):
    mean, log_var = random_parameters(0)
    z = np.random.default_rng(1).normal(0, 2, (*sample_axes, *mean.shape)).astype("float32")
    log_prob = DiagonalGaussian(mean, log_var).log_prob(z)
    expected = scipy.stats.norm.logpdf(z, mean, np.exp(0.5 * log_var.astype("float64"))).sum(-1)
    assert expected.shape == (*sample_axes, 4)
    assert_allclose(ops.convert_to_numpy(log_prob), expected, rtol=FLOAT32)


def test_standard_normal_log_prob_is_scipys():
    z = np.random.default_rng(2).normal(0, 3, (6, 4, 5)).astype("float32")
    log_prob = ops.convert_to_numpy(StandardNormal(5).log_prob(z))
    assert_allclose(log_prob, scipy.stats.norm.logpdf(z.astype("float64")).sum(-1), rtol=FLOAT32)


def test_mean():
    mean, log_var = random_parameters(3)
    q = DiagonalGaussian(mean, log_var)
    assert_array_equal(ops.convert_to_numpy(q.mean), mean)
    assert_array_equal(ops.convert_to_numpy(StandardNormal(3).mean), np.zeros(3))
    assert_array_equal(ops.convert_to_numpy(StandardNormal(3).log_var), np.zeros(3))


# KL


@pytest.mark.parametrize("seed", range(5))
def test_kl_is_that_of_torch_distributions(seed):
    p, q = random_parameters(seed), random_parameters(100 + seed)
    kl = ops.convert_to_numpy(DiagonalGaussian(*p).kl(DiagonalGaussian(*q)))
    assert_allclose(kl, numpy_kl(p, q), rtol=FLOAT32)
    kl = ops.convert_to_numpy(DiagonalGaussian(*p).kl(StandardNormal(3)))
    assert_allclose(kl, numpy_kl(p, (np.zeros(3), np.zeros(3))), rtol=FLOAT32)


def test_kl_per_dimension_sums_to_the_kl():
    p = DiagonalGaussian(*random_parameters(4))
    per_dimension = ops.convert_to_numpy(p.kl_per_dimension(StandardNormal(3)))
    assert per_dimension.shape == (4, 3)
    kl = ops.convert_to_numpy(p.kl(StandardNormal(3)))
    assert_allclose(kl, per_dimension.sum(-1), rtol=FLOAT32)


def test_kl_to_itself_is_zero():
    p = DiagonalGaussian(*random_parameters(5))
    assert_allclose(ops.convert_to_numpy(p.kl(p)), 0, atol=1e-6)  # 3 terms near 1, each rounded


@pytest.mark.parametrize("seed", range(3))
def test_kl_is_the_expected_difference_of_log_densities(seed):
    p, q = DiagonalGaussian(*random_parameters(seed)), DiagonalGaussian(*random_parameters(9))
    z = p.sample((NUM_SAMPLES,), seed=seed)
    terms = ops.convert_to_numpy(p.log_prob(z) - q.log_prob(z)).astype("float64")
    standard_error = terms.std(0) / np.sqrt(NUM_SAMPLES)
    kl = ops.convert_to_numpy(p.kl(q))
    assert np.all(np.abs(terms.mean(0) - kl) < 5 * standard_error)
    # Sharp enough to tell the KL from a wrong one: the reverse KL is far outside.
    assert np.all(np.abs(terms.mean(0) - ops.convert_to_numpy(q.kl(p))) > 5 * standard_error)


def test_kl_without_a_closed_form_is_the_estimate_at_the_sample():
    p, q = DiagonalGaussian(*random_parameters(6)), DiagonalGaussian(*random_parameters(7))
    z = p.sample((5,), seed=0)
    estimate = p.kl(Opaque(q), sample=z)
    assert estimate.shape == (5, 4)
    expected = ops.convert_to_numpy(p.log_prob(z) - q.log_prob(z))
    assert_array_equal(ops.convert_to_numpy(estimate), expected)
    with pytest.raises(ValueError, match=r"KL\(DiagonalGaussian \|\| Opaque\).*Pass `sample=`"):
        p.kl(Opaque(q))


# Draws


def test_moments_of_samples():
    q = DiagonalGaussian(*random_parameters(8))
    z = ops.convert_to_numpy(q.sample((NUM_SAMPLES,), seed=11)).astype("float64")
    assert z.shape == (NUM_SAMPLES, 4, 3)
    variance = np.exp(ops.convert_to_numpy(q.log_var).astype("float64"))
    # Five standard errors of a Gaussian's sample mean and sample variance.
    mean_bound = 5 * np.sqrt(variance / NUM_SAMPLES)
    variance_bound = 5 * variance * np.sqrt(2 / (NUM_SAMPLES - 1))
    assert np.all(np.abs(z.mean(0) - ops.convert_to_numpy(q.mean)) < mean_bound)
    assert np.all(np.abs(z.var(0, ddof=1) - variance) < variance_bound)
    # Every coordinate has noise of its own.
    correlation = np.corrcoef(z.reshape(NUM_SAMPLES, -1), rowvar=False) - np.eye(12)
    assert np.all(np.abs(correlation) < 5 / np.sqrt(NUM_SAMPLES))


def test_standard_normal_samples_are_normal():
    z = ops.convert_to_numpy(StandardNormal(3).sample((NUM_SAMPLES, 4), seed=12))
    assert z.shape == (NUM_SAMPLES, 4, 3) and z.dtype == "float32"
    # Kolmogorov-Smirnov; the seed is fixed, so this passes always or never.
    assert scipy.stats.kstest(z.ravel(), "norm").pvalue > 1e-4


def test_every_row_has_its_own_noise_when_one_parameter_is_shared():
    q = DiagonalGaussian(mean=np.zeros(3, "float32"), log_var=np.zeros((4, 3), "float32"))
    z = ops.convert_to_numpy(q.sample((5,), seed=0))
    assert z.shape == (5, 4, 3) and len(np.unique(z)) == 60


def test_an_integer_seed_repeats_a_draw_and_a_generator_moves_on():
    q = DiagonalGaussian(*random_parameters(9))
    first, again, other = (ops.convert_to_numpy(q.sample((5,), seed=s)) for s in (1, 1, 20_000))
    assert_array_equal(first, again)
    assert np.all(first != other)
    generator = keras.random.SeedGenerator(1)
    one, two = (ops.convert_to_numpy(q.sample((5,), seed=generator)) for _ in range(2))
    assert np.all(one != two)


# Gradients, against central differences in float64: their error (h^2 and 1e-16 / h) is below 1e-8.


def central_differences(f, x, h=1e-5):
    x = x.astype("float64")
    result = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        result[i] = (f(up) - f(down)) / (2 * h)
    return result


def test_gradient_of_the_reparameterisation(gradient):
    mean, log_var = random_parameters(10)
    log_var = log_var / 4  # a sine of a wide draw would magnify the rounding of z
    # The draw from N(0, I) with a seed is the noise that the same seed gives any other Gaussian.
    standard = DiagonalGaussian(np.zeros_like(mean), np.zeros_like(mean))
    noise = ops.convert_to_numpy(standard.sample((5,), seed=3)).astype("float64")

    def f(mean, log_var):
        return ops.sum(ops.sin(DiagonalGaussian(mean, log_var).sample((5,), seed=3)))

    def f64(mean, log_var):
        return np.sum(np.sin(mean + np.exp(0.5 * log_var) * noise))

    by_mean, by_log_var = gradient(f, mean, log_var)
    # Sums of 5 terms of order 1, which may cancel: an absolute tolerance.
    expected = central_differences(lambda m: f64(m, log_var.astype("float64")), mean)
    assert_allclose(by_mean, expected, atol=FLOAT32)
    expected = central_differences(lambda v: f64(mean.astype("float64"), v), log_var)
    assert_allclose(by_log_var, expected, atol=FLOAT32)


def test_gradient_of_the_kl(gradient):
    mean, log_var = random_parameters(11)
    other = random_parameters(12)
    by_mean, by_log_var = gradient(
        lambda m, v: ops.sum(DiagonalGaussian(m, v).kl(DiagonalGaussian(*other))), mean, log_var
    )
    expected = central_differences(lambda m: numpy_kl((m, log_var), other).sum(), mean)
    assert_allclose(by_mean, expected, rtol=FLOAT32, atol=1e-7)
    expected = central_differences(lambda v: numpy_kl((mean, v), other).sum(), log_var)
    assert_allclose(by_log_var, expected, rtol=FLOAT32, atol=1e-7)


def test_gradient_of_the_log_density(gradient):
    mean, log_var = random_parameters(13)
    z = np.random.default_rng(14).normal(size=mean.shape).astype("float32")
    gradients = gradient(
        lambda m, v, z: ops.sum(DiagonalGaussian(m, v).log_prob(z)), mean, log_var, z
    )
    arguments = [a.astype("float64") for a in (mean, log_var, z)]

    def f64(i, value):
        m, v, z = (value if i == j else a for j, a in enumerate(arguments))
        return scipy.stats.norm.logpdf(z, m, np.exp(0.5 * v)).sum()

    for i, got in enumerate(gradients):
        expected = central_differences(lambda a, i=i: f64(i, a), arguments[i])
        assert_allclose(got, expected, rtol=FLOAT32, atol=1e-6)


# Precision


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_inputs_are_computed_in_float32(dtype):
    mean, log_var = (ops.cast(a, dtype) for a in random_parameters(15))
    z = ops.cast(np.random.default_rng(16).normal(size=(4, 3)).astype("float32"), dtype)
    narrow = DiagonalGaussian(mean, log_var)
    wide = DiagonalGaussian(ops.cast(mean, "float32"), ops.cast(log_var, "float32"))
    prior = StandardNormal(3)
    for got, expected in [
        (narrow.log_prob(z), wide.log_prob(ops.cast(z, "float32"))),
        (narrow.kl(prior), wide.kl(prior)),
        (narrow.sample((5,), seed=0), wide.sample((5,), seed=0)),
        (prior.log_prob(z), prior.log_prob(ops.cast(z, "float32"))),
    ]:
        assert keras.backend.standardize_dtype(got.dtype) == "float32"
        assert_array_equal(ops.convert_to_numpy(got), ops.convert_to_numpy(expected))


def test_float64_arrays_meet_float32_ones():
    mean, log_var = random_parameters(17)
    wide = DiagonalGaussian(mean.astype("float64"), log_var.astype("float64"))
    narrow = DiagonalGaussian(mean, log_var)
    prior = StandardNormal(3)
    z = mean + 1
    for got, expected in [
        (wide.kl(prior), narrow.kl(prior)),
        (prior.kl(wide), prior.kl(narrow)),
        (wide.log_prob(z), narrow.log_prob(z)),
        (prior.log_prob(z.astype("float64")), prior.log_prob(z)),
    ]:
        assert_array_equal(ops.convert_to_numpy(got), ops.convert_to_numpy(expected))


@pytest.mark.parametrize("floatx", ["float16", "float64"])
def test_kerass_default_float_type_changes_nothing(floatx):
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        prior = StandardNormal(3)
        for tensor in (prior.mean, prior.log_var, prior.sample((5, 4), seed=0)):
            assert keras.backend.standardize_dtype(tensor.dtype) == "float32"
    finally:
        keras.config.set_floatx(before)


# From a network's outputs


def test_parameterize_splits_mean_and_log_var():
    raw = np.random.default_rng(18).normal(size=(5, 6)).astype("float32")
    parameters = DiagonalGaussian.parameterize(ops.convert_to_tensor(raw))
    assert tuple(parameters) == DiagonalGaussian.parameters == ("mean", "log_var")
    assert DiagonalGaussian.raw_size(3) == 6
    assert_array_equal(ops.convert_to_numpy(parameters["mean"]), raw[:, :3])
    # tanh(u) = u - u^3/3 + ..., so the bound moves a log-variance x by at most |x|^3 / (3 * 15^2).
    moved = np.abs(ops.convert_to_numpy(parameters["log_var"]) - raw[:, 3:])
    assert np.all(moved <= np.abs(raw[:, 3:]) ** 3 / (3 * LOG_VAR_BOUND**2) + 1e-6)


def test_soft_bound(gradient):
    x = np.linspace(-60, 60, 601).astype("float32")
    y = ops.convert_to_numpy(soft_bound(ops.convert_to_tensor(x), 15.0))
    assert np.all(np.diff(y) > 0)
    assert_allclose(y, 15 * np.tanh(x.astype("float64") / 15), rtol=FLOAT32)
    huge = np.array([-1e30, -1e4, 0, 1e4, 1e30], "float32")
    y = ops.convert_to_numpy(soft_bound(ops.convert_to_tensor(huge), 15.0))
    assert_array_equal(y, [-15, -15, 0, 15, 15])
    # Far outside, where a clip's gradient is 0. In float32, 1 - tanh^2 is good to 1e-7 absolute.
    x = np.array([0.0, 30.0, -60.0, 100.0], "float32")
    got = gradient(lambda x: ops.sum(soft_bound(x, 15.0)), x)
    assert np.all(got > 0)
    assert_allclose(got, 1 - np.tanh(x.astype("float64") / 15) ** 2, atol=3e-7)


def test_extreme_outputs_have_a_finite_kl_and_gradient(gradient):
    extremes = itertools.product([0, 1e4, -1e15], [0, 1e4, -1e4, 1e30, -1e30])
    raw = np.array(list(extremes), "float32")

    def kl(raw):
        return DiagonalGaussian(**DiagonalGaussian.parameterize(raw)).kl(StandardNormal(1))

    assert np.all(np.isfinite(ops.convert_to_numpy(kl(ops.convert_to_tensor(raw)))))
    assert np.all(np.isfinite(gradient(lambda raw: ops.sum(kl(raw)), raw)))


# By name


def test_names():
    assert get_posterior("diagonal_gaussian") is DiagonalGaussian
    assert isinstance(get_prior("standard_normal", 3), StandardNormal)
    assert get_prior("standard_normal", 3).latent_dim == 3


@pytest.mark.parametrize(
    "get, message",
    [
        (lambda: get_posterior("gaussian"), "posterior='gaussian'. .*diagonal_gaussian"),
        (lambda: get_posterior(None), "posterior=None. Valid: diagonal_gaussian, point."),
        (lambda: get_prior("normal", 2), "prior='normal'. .*standard_normal"),
        (lambda: get_prior(["standard_normal"], 2), r"prior=\['standard_normal'\]. .*standard"),
    ],
)
def test_unknown_names_list_the_nearest(get, message):
    with pytest.raises(ValueError, match=message):
        get()
