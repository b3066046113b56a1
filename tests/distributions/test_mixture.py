"""Mixtures: density, gradients, draws and KL, against SciPy in float64."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.distributions import DiagonalGaussian, Mixture, StandardNormal

# Relative, against float64: some hundred roundings of 2^-24 each, of terms that don't cancel.
FLOAT32 = 1e-5
EPSILON = 2.0**-23  # of float32
NUM_SAMPLES = 20_000


def random_parameters(seed, num_components=4, latent_dim=3, log_var=(-3, 2)):
    """Means, log-variances and logits, float32."""
    rng = np.random.default_rng(seed)
    shape = (num_components, latent_dim)
    arrays = rng.normal(0, 2, shape), rng.uniform(*log_var, shape), rng.normal(0, 1, shape[:1])
    return [a.astype("float32") for a in arrays]


def make(means, log_vars, logits=None):
    return Mixture(DiagonalGaussian(means, log_vars), logits)


def log_prob_of_each64(z, means, log_vars):
    z, means, log_vars = (np.asarray(a, "float64") for a in (z, means, log_vars))
    return scipy.stats.norm.logpdf(z[..., None, :], means, np.exp(0.5 * log_vars)).sum(-1)


def log_prob64(z, means, log_vars, logits):
    weights = scipy.special.log_softmax(np.asarray(logits, "float64"))
    return scipy.special.logsumexp(weights + log_prob_of_each64(z, means, log_vars), axis=-1)


def draws_near(seed, means, log_vars, shape):
    """Draws from components chosen at random, in NumPy: codes where the mixture has mass."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(means), size=shape)
    noise = rng.normal(size=(*shape, means.shape[1]))
    return (means[chosen] + np.exp(0.5 * log_vars[chosen]) * noise).astype("float32")


# Log density


@pytest.mark.parametrize("axes", [(), (7,), (4,), (5, 7), (2, 5, 7)])
@pytest.mark.parametrize("weights", ["equal", "logits"])
def test_log_prob_is_scipys(axes, weights):
    means, log_vars, logits = random_parameters(0)
    logits = None if weights == "equal" else logits
    z = np.random.default_rng(1).normal(0, 2, (*axes, 3)).astype("float32")
    got = ops.convert_to_numpy(make(means, log_vars, logits).log_prob(z))
    expected = log_prob64(z, means, log_vars, np.zeros(4) if logits is None else logits)
    assert got.shape == axes and got.dtype == "float32"
    assert_allclose(got, expected, rtol=FLOAT32)


def test_log_prob_is_that_of_scipys_multivariate_normals():
    means, log_vars, logits = random_parameters(2)
    z = np.random.default_rng(3).normal(0, 2, (7, 3)).astype("float32")
    densities = [
        scipy.stats.multivariate_normal(mean, np.diag(np.exp(log_var))).pdf(z)
        for mean, log_var in zip(means.astype("float64"), log_vars.astype("float64"))
    ]
    expected = np.log(scipy.special.softmax(logits.astype("float64")) @ densities)
    got = ops.convert_to_numpy(make(means, log_vars, logits).log_prob(z))
    assert_allclose(got, expected, rtol=FLOAT32)


def test_the_docstrings_number():
    two = make([[-2.0], [2.0]], [[0.0], [0.0]])
    # Each component is 2 from the origin: log N(2; 0, 1).
    assert_allclose(ops.convert_to_numpy(two.log_prob([[0.0]])), scipy.stats.norm.logpdf([2.0]))


def test_the_logits_need_no_normalisation():
    means, log_vars, logits = random_parameters(4)
    z = np.random.default_rng(5).normal(0, 2, (7, 3)).astype("float32")
    one = ops.convert_to_numpy(make(means, log_vars, logits).log_prob(z))
    assert_allclose(ops.convert_to_numpy(make(means, log_vars, logits + 3).log_prob(z)), one, 1e-6)
    other = ops.convert_to_numpy(make(means, log_vars, 3 * logits).log_prob(z))
    assert np.abs(other - one).max() > 0.1  # but their differences count


def test_a_code_far_from_every_component_has_a_finite_log_density(gradient):
    means, log_vars, logits = random_parameters(6)
    z = np.array([[1e4, -1e4, 1e4]], "float32")
    got = ops.convert_to_numpy(make(means, log_vars, logits).log_prob(z))
    assert_allclose(got, log_prob64(z, means, log_vars, logits), rtol=FLOAT32)
    got = gradient(lambda z: ops.sum(make(means, log_vars, logits).log_prob(z)), z)
    expected = central_differences(lambda z: log_prob64(z, means, log_vars, logits), z)
    assert_allclose(got, expected, rtol=FLOAT32)


# Gradients, against central differences in float64. Their own error, h^2 times the third derivative
# and 1e-16 |f| / h, is below 1e-6 of what is compared.


def central_differences(f, x, h=1e-6):
    x = np.asarray(x, "float64")
    result = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        result[i] = np.sum(f(up) - f(down)) / (2 * h)
    return result


def weighted_sum(weights, tensor):
    return ops.sum(ops.convert_to_tensor(weights) * tensor)


def gradients_and_differences(gradient, f, f64, arguments):
    """Of each argument: the gradient of the scalar `f`, and the central differences of `f64`."""
    arguments = list(arguments)
    for i, got in enumerate(gradient(f, *arguments)):
        yield (
            got,
            central_differences(
                lambda a, i=i: f64(*arguments[:i], a, *arguments[i + 1 :]), arguments[i]
            ),
        )


@pytest.mark.parametrize("axes", [(6,), (2, 6)])
def test_gradients_of_the_log_density(gradient, axes):
    means, log_vars, logits = random_parameters(7)
    z = np.random.default_rng(8).normal(0, 2, (*axes, 3)).astype("float32")
    upstream = np.random.default_rng(9).normal(size=axes).astype("float32")
    pairs = gradients_and_differences(
        gradient,
        lambda z, m, v, w: weighted_sum(upstream, make(m, v, w).log_prob(z)),
        lambda z, m, v, w: upstream * log_prob64(z, m, v, w),
        (z, means, log_vars, logits),
    )
    for got, expected in pairs:
        # Sums over the codes, which may cancel: relative to the largest of the entries.
        assert_allclose(got, expected, rtol=FLOAT32, atol=FLOAT32 * np.abs(expected).max())


@pytest.mark.parametrize("axes", [(6,), (2, 6)])
def test_gradients_of_the_log_density_of_each(gradient, axes):
    means, log_vars, _ = random_parameters(10)
    z = np.random.default_rng(11).normal(0, 2, (*axes, 3)).astype("float32")
    upstream = np.random.default_rng(12).normal(size=(*axes, 4)).astype("float32")
    pairs = gradients_and_differences(
        gradient,
        lambda z, m, v: weighted_sum(upstream, DiagonalGaussian(m, v).log_prob_of_each(z)),
        lambda z, m, v: upstream * log_prob_of_each64(z, m, v),
        (z, means, log_vars),
    )
    for got, expected in pairs:
        assert_allclose(got, expected, rtol=FLOAT32, atol=FLOAT32 * np.abs(expected).max())


TINY = -9.0  # a standard deviation of 0.011: the codes of a sharp posterior


def tiny(seed):
    means, _, logits = random_parameters(seed)
    log_vars = np.full_like(means, TINY)
    return draws_near(seed + 1, means, log_vars, (8,)), means, log_vars, logits


def test_the_value_is_exact_where_variances_are_tiny():
    z, means, log_vars, logits = tiny(20)
    exact = log_prob_of_each64(z, means, log_vars)
    got = ops.convert_to_numpy(DiagonalGaussian(means, log_vars).log_prob_of_each(z))
    assert_allclose(got, exact, rtol=FLOAT32)
    got = ops.convert_to_numpy(make(means, log_vars, logits).log_prob(z))
    assert_allclose(got, log_prob64(z, means, log_vars, logits), rtol=FLOAT32)
    # The square multiplied out, of which only the gradient is taken, would not do.
    precision = np.exp(-log_vars)
    squared = (z * z) @ precision.T - 2 * z @ (means * precision).T
    squared = squared + np.sum(means * means * precision, -1)
    products = -0.5 * (squared + np.sum(log_vars + np.float32(np.log(2 * np.pi)), -1))
    assert np.abs(products / exact - 1).max() > 5 * FLOAT32


def test_the_gradients_where_variances_are_tiny(gradient):
    z, means, log_vars, logits = tiny(20)
    of_z, of_means, of_log_vars, of_logits = gradients_and_differences(
        gradient,
        lambda z, m, v, w: ops.sum(make(m, v, w).log_prob(z)),
        lambda z, m, v, w: log_prob64(z, m, v, w),
        (z, means, log_vars, logits),
    )
    # As products, (z - mean) / var and (z - mean)^2 / var are differences of terms of the size of
    # |z| / var and z^2 / var: their roundings, over 8 codes, are what is left. Here that is 1 in
    # 10^4 of a gradient of z or the means, and 1 in 100 of one of the log-variances.
    largest, precision = np.abs(z).max(), np.exp(-TINY)
    assert_allclose(*of_z, atol=4 * EPSILON * largest * precision)
    assert_allclose(*of_means, atol=4 * EPSILON * largest * precision)
    assert_allclose(*of_log_vars, atol=4 * EPSILON * largest**2 * precision)
    assert_allclose(*of_logits, rtol=FLOAT32, atol=FLOAT32)
    for got, expected in (of_z, of_means):
        assert_allclose(got, expected, atol=1e-3 * np.abs(expected).max())
    assert_allclose(*of_log_vars, atol=0.02 * np.abs(of_log_vars[1]).max())


# Mean and draws


@pytest.mark.parametrize("weights", ["equal", "logits"])
def test_mean(weights):
    means, log_vars, logits = random_parameters(30)
    own = np.zeros(4) if weights == "equal" else logits.astype("float64")
    got = make(means, log_vars, None if weights == "equal" else logits).mean
    assert_allclose(ops.convert_to_numpy(got), scipy.special.softmax(own) @ means, rtol=FLOAT32)


# Components 20 apart, whose standard deviations are at most 2: the nearest tells which one it was.
APART = np.array([[-20, 0], [0, 0], [0, 20]], "float32")
WIDTHS = np.log(np.square([[0.5, 1], [1, 0.2], [2, 1]])).astype("float32")
WEIGHTS = np.array([0.6, 0.3, 0.1])


def noise_and_component(z):
    z = ops.convert_to_numpy(z).astype("float64").reshape(-1, 2)
    component = np.argmin(np.square(z[:, None] - APART).sum(-1), axis=1)
    return (z - APART[component]) / np.exp(0.5 * WIDTHS[component]), component


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, "generator"])
def test_draws(seed):
    """Each component as often as its weight says; and in it noise that knows nothing of it."""
    mixture = make(APART, WIDTHS, np.log(WEIGHTS) + 5)
    seed = keras.random.SeedGenerator(7) if seed == "generator" else seed
    z = mixture.sample((NUM_SAMPLES // 4, 4), seed=seed)
    assert tuple(z.shape) == (NUM_SAMPLES // 4, 4, 2)
    noise, component = noise_and_component(z)
    counts = np.bincount(component, minlength=3)
    spread = np.sqrt(NUM_SAMPLES * WEIGHTS * (1 - WEIGHTS))
    assert np.all(np.abs(counts - NUM_SAMPLES * WEIGHTS) < 5 * spread)
    # Kolmogorov-Smirnov, in each component and each dimension: the noise is N(0, 1) given either.
    for i in range(3):
        for j in range(2):
            assert scipy.stats.kstest(noise[component == i, j], "norm").pvalue > 1e-4
    # Noise, its square and its sign, each against each component and the other dimension.
    features = [noise[:, 0], noise[:, 1], noise[:, 0] ** 2, noise[:, 1] ** 2]
    features += [np.sign(noise[:, 0]) * np.sign(noise[:, 1])]
    indicators = [component == 0, component == 1]
    correlation = np.corrcoef(features + indicators)
    np.fill_diagonal(correlation, 0)
    for i, j in ((0, 2), (1, 3), (5, 6)):  # a number and its square; one component or the other
        correlation[i, j] = correlation[j, i] = 0
    assert np.all(np.abs(correlation) < 5 / np.sqrt(NUM_SAMPLES))
    # One row after the other: no draw knows its neighbour's.
    following = np.corrcoef(noise[:-1, 0], noise[1:, 0])[0, 1]
    assert abs(following) < 5 / np.sqrt(NUM_SAMPLES)


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_the_noise_does_not_reuse_the_draw_of_the_component(seed):
    """As many components as dimensions: both draws are of one shape, and one seed for the two would
    make the same numbers of them."""
    z = make(APART[:2], WIDTHS[:2]).sample((NUM_SAMPLES,), seed=seed)
    noise, component = noise_and_component(z)
    for feature in (noise, np.square(noise), np.abs(noise) < 0.5):
        for one in feature.T:
            assert abs(np.corrcoef(one, component)[0, 1]) < 5 / np.sqrt(NUM_SAMPLES)


def test_equal_weights_draw_equally():
    _, component = noise_and_component(make(APART, WIDTHS).sample((NUM_SAMPLES,), seed=5))
    counts = np.bincount(component, minlength=3)
    assert np.all(np.abs(counts - NUM_SAMPLES / 3) < 5 * np.sqrt(NUM_SAMPLES * 2 / 9))


def test_moments_of_draws():
    means, log_vars, logits = random_parameters(31)
    z = make(means, log_vars, logits).sample((NUM_SAMPLES,), seed=11)
    z = ops.convert_to_numpy(z).astype("float64")
    weights, means = scipy.special.softmax(logits.astype("float64")), means.astype("float64")
    mean = weights @ means
    variance = weights @ (np.exp(log_vars.astype("float64")) + np.square(means - mean))
    centred = z - mean
    assert np.all(np.abs(z.mean(0) - mean) < 5 * z.std(0) / np.sqrt(NUM_SAMPLES))
    error = np.square(centred).std(0) / np.sqrt(NUM_SAMPLES)
    assert np.all(np.abs(np.square(centred).mean(0) - variance) < 5 * error)


def test_an_integer_seed_repeats_a_draw_and_a_generator_moves_on():
    mixture = make(*random_parameters(32))
    first, again, other = (ops.convert_to_numpy(mixture.sample((50,), seed=s)) for s in (1, 1, 20))
    assert_array_equal(first, again)
    assert np.all(first != other)
    generator = keras.random.SeedGenerator(1)
    one, two = (ops.convert_to_numpy(mixture.sample((50,), seed=generator)) for _ in range(2))
    assert np.all(one != two)
    assert tuple(mixture.sample(seed=3).shape) == (3,)


# KL


def estimates(q, p, num_samples=NUM_SAMPLES, seed=13):
    z = q.sample((num_samples,), seed=seed)
    return ops.convert_to_numpy(q.kl(p, sample=z)).astype("float64")


def test_kl_to_a_mixture_of_one_is_the_closed_form_on_average():
    means, log_vars, _ = random_parameters(40, num_components=5)
    q = DiagonalGaussian(means, log_vars)
    p = DiagonalGaussian(means[:1] + 0.5, log_vars[:1] + 0.5)
    each = estimates(q, make(means[:1] + 0.5, log_vars[:1] + 0.5))
    assert each.shape == (NUM_SAMPLES, 5)
    closed = ops.convert_to_numpy(q.kl(p))
    assert np.all(np.abs(each.mean(0) - closed) < 5 * each.std(0) / np.sqrt(NUM_SAMPLES))


def test_kl_to_a_mixture_of_one_standard_normal():
    q = DiagonalGaussian(*random_parameters(41)[:2])
    z = q.sample((50,), seed=0)
    zeros = np.zeros((1, 3), "float32")
    got = ops.convert_to_numpy(q.kl(make(zeros, zeros), sample=z))
    normal = ops.convert_to_numpy(q.log_prob(z) - StandardNormal(3).log_prob(z))
    assert_allclose(got, normal, rtol=1e-5, atol=1e-5)  # a difference of logs of order 10


@pytest.mark.parametrize("mean, log_var", [(0.3, -1.0), (-2.0, 1.0), (1.5, -4.0)])
def test_kl_to_a_mixture_of_two_is_the_integral_on_average(mean, log_var):
    q = DiagonalGaussian([[mean]], [[log_var]])
    means, log_vars, logits = [[-1.5], [1.5]], [[-1.0], [0.5]], [0.7, -0.4]
    each = estimates(q, make(means, log_vars, logits))[:, 0]
    normal = scipy.stats.norm(mean, np.exp(0.5 * log_var))

    def integrand(z):
        return normal.pdf(z) * (normal.logpdf(z) - log_prob64([z], means, log_vars, logits))

    ends = normal.mean() - 10 * normal.std(), normal.mean() + 10 * normal.std()
    exact, error = scipy.integrate.quad(integrand, *ends, epsabs=1e-9)
    assert error < 1e-6
    assert abs(each.mean() - exact) < 5 * each.std() / np.sqrt(NUM_SAMPLES)


def test_there_is_no_closed_form():
    with pytest.raises(ValueError, match=r"KL\(DiagonalGaussian \|\| Mixture\).*Pass `sample=`"):
        DiagonalGaussian(*random_parameters(43)[:2]).kl(make(*random_parameters(42)))


# Precision


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_dtypes_are_computed_in_float32(dtype):
    arrays = [a.astype(dtype) for a in random_parameters(50)]
    z = np.random.default_rng(51).normal(size=(5, 3)).astype(dtype)
    got = make(*arrays).log_prob(z)
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    expected = make(*(a.astype("float32") for a in arrays)).log_prob(z.astype("float32"))
    assert_array_equal(ops.convert_to_numpy(got), ops.convert_to_numpy(expected))
