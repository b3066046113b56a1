import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose

from keras_aevae.distributions import (
    FittedVonMisesFisher,
    Mixture,
    UniformSphere,
    VonMisesFisher,
)
from keras_aevae.distributions.bessel import sphere_mean
from keras_aevae.distributions.von_mises_fisher import accepted_angle

KAPPAS = np.float32(10.0 ** np.linspace(-3, 4, 29))
DIMENSIONS = [2, 3, 4, 5, 10, 20, 50, 100]
NUM_SAMPLES = 20_000


def bessel(kappa, m):
    """log M, A and 1 - A by SciPy, in float64."""
    kappa, v = kappa.astype("float64"), m / 2 - 1
    log = np.log(scipy.special.hyp0f1(v + 1, np.minimum(kappa, 1.0) ** 2 / 4))
    i, j = scipy.special.ive(v, kappa), scipy.special.ive(v + 1, kappa)
    large = scipy.special.gammaln(v + 1) + v * np.log(2 / kappa) + np.log(i) + kappa
    return np.where(kappa < 1.0, log, large), j / i, (i - j) / i


def unit(rng, *shape):
    x = rng.normal(size=shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype("float32")


# Bessel functions


@pytest.mark.parametrize("m", DIMENSIONS)
def test_bessel_functions_are_scipys(m):
    got = sphere_mean(ops.convert_to_tensor(KAPPAS), m)
    log, ratio, shortfall = bessel(KAPPAS, m)
    small, large = KAPPAS < 100, KAPPAS > 1
    for value, expected, where, atol in (
        (got.log, log, small, 0.0),
        (got.log_minus_kappa, log - KAPPAS, large, 1e-5),
        (got.ratio, ratio / KAPPAS, small, 0.0),
        (got.shortfall, KAPPAS * shortfall, large, 0.0),
    ):
        value = ops.convert_to_numpy(value)
        assert_allclose(value[where], expected[where], rtol=1e-5, atol=atol)


@pytest.mark.parametrize("m", DIMENSIONS)
def test_kl_and_its_gradient_are_those_of_scipys_bessel_functions(m, gradient):
    log, a, _ = bessel(KAPPAS, m)
    directions = np.eye(m, dtype="float32")[np.zeros(len(KAPPAS), int)]

    def kl(kappa):
        return VonMisesFisher(directions, kappa).kl(UniformSphere(m))

    assert_allclose(ops.convert_to_numpy(kl(KAPPAS)), KAPPAS * a - log, rtol=1e-5)
    kappa = KAPPAS.astype("float64")
    expected = kappa * (1 - a**2 - (m - 1) * a / kappa)  # kappa A'
    got = gradient(lambda k: ops.sum(kl(k)), KAPPAS)
    assert_allclose(got, expected, rtol=1e-4)


def test_no_concentration_is_uniform(gradient):
    q = VonMisesFisher(np.eye(4, dtype="float32"), np.zeros(4))
    z = unit(np.random.default_rng(0), 10, 1, 4)
    assert_allclose(ops.convert_to_numpy(q.kl(UniformSphere(4))), 0.0)
    uniform = ops.convert_to_numpy(UniformSphere(4).log_prob(z))
    assert_allclose(ops.convert_to_numpy(q.log_prob(z)), np.repeat(uniform, 4, 1), atol=1e-6)
    slope = gradient(
        lambda k: ops.sum(VonMisesFisher(np.eye(4, dtype="float32"), k).kl(UniformSphere(4))),
        np.zeros(4, "float32"),
    )
    assert_allclose(slope, 0.0)


# Density


@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("m", [2, 3, 5, 40])
def test_log_prob_is_scipys(m, kappa):
    rng = np.random.default_rng(0)
    mean = unit(rng, m).astype("float64")
    mean /= np.linalg.norm(mean)
    other = scipy.stats.vonmises_fisher(mean, kappa)
    z = np.concatenate([other.rvs(20, random_state=1), unit(rng, 20, m)]).astype("float64")
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    got = VonMisesFisher(mean, kappa).log_prob(z)
    assert_allclose(ops.convert_to_numpy(got), other.logpdf(z), rtol=2e-5, atol=1e-4)
    area = np.log(2 * np.pi ** (m / 2)) - scipy.special.gammaln(m / 2)
    assert_allclose(ops.convert_to_numpy(UniformSphere(m).log_prob(z)), -area, rtol=1e-6)


def test_a_mixture_of_them_is_a_density_on_the_circle():
    angle = np.linspace(0, 2 * np.pi, 2001)[:-1]
    z = np.stack([np.cos(angle), np.sin(angle)], -1)
    p = Mixture(VonMisesFisher(np.eye(2), [0.5, 20.0]), [0.3, -1.0])
    density = np.exp(ops.convert_to_numpy(p.log_prob(z)))
    assert_allclose(density.mean() * 2 * np.pi, 1.0, rtol=1e-5)
    assert_allclose((density[:, None] * z).mean(0) * 2 * np.pi, p.mean, rtol=1e-4)
    drawn = ops.convert_to_numpy(p.sample((NUM_SAMPLES,), seed=0))
    assert_allclose(drawn.mean(0), p.mean, atol=5 * drawn.std() / np.sqrt(NUM_SAMPLES))


# Draws


def cosine_cdf(m, kappa):
    """The distribution function of 1 - <mean, z>, by quadrature in the angle."""
    end = min(np.pi, 40 / np.sqrt(kappa + m) if m < 20 else np.pi)
    angle = np.linspace(0, end, 400_001)
    middle = (angle[1:] + angle[:-1]) / 2
    log = -kappa * 2 * np.sin(middle / 2) ** 2 + (m - 2) * np.log(np.sin(middle))
    total = np.concatenate([[0.0], np.cumsum(np.exp(log - log.max()))])
    return lambda w: np.interp(w, 2 * np.sin(angle / 2) ** 2, total / total[-1])


@pytest.mark.parametrize("kappa", [0.001, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("m", [2, 3, 5, 40])
def test_draws_have_the_distribution(m, kappa):
    mean = unit(np.random.default_rng(2), m)
    z = VonMisesFisher(mean, kappa).sample((NUM_SAMPLES,), seed=keras.random.SeedGenerator(3))
    z = ops.convert_to_numpy(z).astype("float64")
    assert_allclose(np.linalg.norm(z, axis=-1), 1.0, atol=1e-5)
    w = np.square(z - mean).sum(-1) / 2
    assert scipy.stats.kstest(w, cosine_cdf(m, kappa)).pvalue > 1e-4
    # What is orthogonal to the mean direction has no direction of its own.
    rest = z - (z @ mean)[:, None] * mean
    rest /= np.maximum(np.linalg.norm(rest, axis=-1, keepdims=True), 1e-12)
    assert np.abs(rest.mean(0)).max() < 5 / np.sqrt(NUM_SAMPLES)


@pytest.mark.parametrize("m", [2, 3, 30])
def test_extreme_noise_gives_an_angle(m):
    ends = np.array([0.0, 1 - 2**-24], "float32")
    noise = np.stack(np.meshgrid(ends, [0.0, 0.25, 0.5, 1 - 2**-24], ends), -1).reshape(-1, 1, 3)
    noise = np.repeat(noise, 16, axis=1).astype("float32")
    for kappa in (1e-3, 1.0, 1e4):
        kappa = ops.full((len(noise),), kappa, dtype="float32")
        angle = accepted_angle(kappa, m, ops.convert_to_tensor(noise))
        slope = VonMisesFisher(ops.zeros((len(noise), m)), kappa).slope(angle, kappa)
        angle, slope = (ops.convert_to_numpy(t) for t in (angle, slope))
        assert (angle >= 0).all() and (angle <= np.pi + 1e-6).all() and np.isfinite(slope).all()


def test_seeds_repeat_and_the_two_noises_differ():
    q = VonMisesFisher(np.eye(3), [1.0, 2.0, 3.0])
    first, again, other = (ops.convert_to_numpy(q.sample((4,), seed=s)) for s in (1, 1, 2))
    assert first.shape == (4, 3, 3)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize("kappa", [0.1, 2.0, 50.0, 5000.0])
@pytest.mark.parametrize("m", [2, 3, 5, 40])
def test_gradients_of_draws_are_those_of_expectations(m, kappa, gradient):
    """Of E[f(z)], f(z) = <a, z> + <b, z>^2, by finite differences of its exact value."""
    rng = np.random.default_rng(4)
    mean, a, b = unit(rng, 3, m).astype("float64")
    a = 0.5 * a + mean  # so that the first part depends on kappa
    n = NUM_SAMPLES

    def exact(kappa, mean):
        _, length, _ = bessel(np.array([kappa]), m)
        ratio = length[0] / kappa
        # E[z z^T] = A / kappa (I - mean mean^T) + (1 - (m - 1) A / kappa) mean mean^T
        on = b @ mean
        return length[0] * (a @ mean) + ratio * (b @ b) + (1 - m * ratio) * on**2

    def f(kappas, means):
        z = VonMisesFisher(means, kappas).sample(seed=5)
        on_a, on_b = (
            ops.sum(z * ops.convert_to_tensor(v.astype("float32")), axis=-1) for v in (a, b)
        )
        return ops.sum(on_a + ops.square(on_b))

    repeated = np.tile(mean.astype("float32"), (n, 1))
    by_kappa, by_mean = gradient(f, np.full(n, kappa, "float32"), repeated)
    h = 1e-3 * kappa
    expected = (exact(kappa + h, mean) - exact(kappa - h, mean)) / (2 * h)
    error = 5 * by_kappa.std() / np.sqrt(n)
    assert_allclose(by_kappa.mean(), expected, atol=error + 1e-3 * abs(expected))
    assert error < 0.3 * abs(expected) + 1e-3
    # Along a direction on the sphere.
    t = a - (a @ mean) * mean
    t /= np.linalg.norm(t)
    turned = [np.cos(e) * mean + np.sin(e) * t for e in (1e-4, -1e-4)]
    expected = (exact(kappa, turned[0]) - exact(kappa, turned[1])) / 2e-4
    along = by_mean @ t
    assert_allclose(along.mean(), expected, atol=5 * along.std() / np.sqrt(n) + 1e-5)


# Parameters and priors


def test_parameters_are_valid_for_any_features():
    raw = np.array([[0, 0, 0, 0], [0, 0, 1e-15, -50], [3, 4, 0, 50]], "float32")
    parameters = VonMisesFisher.parameterize(ops.convert_to_tensor(raw))
    mean, kappa = (ops.convert_to_numpy(v) for v in parameters.values())
    assert_allclose(np.linalg.norm(mean, axis=-1), 1.0, rtol=1e-6)
    assert_allclose(mean[2], [0.6, 0.8, 0.0], rtol=1e-6)
    assert_allclose(kappa, [1 + np.log(2), 1, 51], rtol=1e-6)


def test_uniform_prior():
    z = ops.convert_to_numpy(UniformSphere(5).sample((NUM_SAMPLES,), seed=0))
    assert_allclose(np.linalg.norm(z, axis=-1), 1.0, rtol=1e-5)
    assert np.abs(z.mean(0)).max() < 5 / np.sqrt(5 * NUM_SAMPLES)
    assert_allclose(z.T @ z / NUM_SAMPLES, np.eye(5) / 5, atol=0.01)


def test_fitted_mixture_finds_what_it_was_drawn_from():
    p = Mixture(VonMisesFisher(np.eye(3)[:2], [50.0, 5.0]), np.log([0.25, 0.75]))
    codes = ops.convert_to_numpy(p.sample((NUM_SAMPLES,), seed=1))
    fitted = FittedVonMisesFisher(3, num_components=2, seed=0)
    fitted.fit(codes)
    order = np.argsort(-ops.convert_to_numpy(fitted.concentrations))
    kappa = ops.convert_to_numpy(fitted.concentrations)[order]
    assert_allclose(kappa, [50.0, 5.0], rtol=0.1)
    means = ops.convert_to_numpy(fitted.mean_directions)[order]
    assert_allclose(means, np.eye(3)[:2], atol=0.05)
    weights = np.exp(ops.convert_to_numpy(fitted.logits))[order]
    assert_allclose(weights, [0.25, 0.75], atol=0.03)


@pytest.mark.parametrize("kappa", [1.0, 20.0, 3000.0])
@pytest.mark.parametrize("m", [2, 10, 40])
def test_one_component_has_scipys_maximum_likelihood(m, kappa):
    codes = scipy.stats.vonmises_fisher(np.eye(m)[0], kappa).rvs(500, random_state=0)
    _, expected = scipy.stats.vonmises_fisher.fit(codes)
    fitted = FittedVonMisesFisher(m, num_components=1)
    fitted.fit(codes)
    assert_allclose(ops.convert_to_numpy(fitted.concentrations), expected, rtol=1e-3)
    mean = ops.convert_to_numpy(fitted.distribution().mean)
    assert_allclose(mean, codes.mean(axis=0), atol=1e-4)


def test_fit_refuses_codes_off_the_sphere():
    with pytest.raises(ValueError, match="`codes` must be unit vectors. Received: .* FittedMixtu"):
        FittedVonMisesFisher(2, num_components=1).fit(np.full((10, 2), 3.0))
    with pytest.raises(ValueError, match="`codes` must be at least 8"):
        FittedVonMisesFisher(2, num_components=4).fit(np.tile([[1.0, 0.0]], (5, 1)))
    with pytest.raises(ValueError, match=r"`codes` must have shape \(n, 2\)"):
        FittedVonMisesFisher(2).fit(np.ones((30, 3)))
