"""Fréchet distance, maximum mean discrepancy, precision and recall."""

import importlib

import numpy as np
import prdc
import pytest
import scipy.linalg
from sklearn.metrics.pairwise import polynomial_kernel

from keras_aevae import latent

# The package has a function of the same name.
mmd_file = importlib.import_module("keras_aevae.latent.measures.maximum_mean_discrepancy")


def with_moments(rng, n, mean, covariance):
    """Draws whose sample mean and covariance are exactly these."""
    x = rng.normal(size=(n, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False)))).T
    return x @ np.linalg.cholesky(covariance).T + mean


# Fréchet distance


def test_frechet_distance_in_closed_form(rng):
    # On a line: (m - n)^2 + (s - t)^2.
    a = with_moments(rng, 50, [1.0], [[4.0]])
    b = with_moments(rng, 80, [-2.0], [[9.0]])
    assert latent.frechet_distance(a, b) == pytest.approx(9 + 1)
    # Covariances that commute: the same for each direction.
    a = with_moments(rng, 50, [1.0, 0.0], np.diag([4.0, 1.0]))
    b = with_moments(rng, 80, [0.0, 2.0], np.diag([1.0, 25.0]))
    assert latent.frechet_distance(a, b) == pytest.approx(1 + 4 + 1 + 16)
    assert latent.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_by_the_square_root_of_a_matrix(rng):
    a, b = rng.normal(size=(100, 5)), rng.normal(size=(70, 5)) @ rng.normal(size=(5, 5)) + 1
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(c @ d).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(c + d - 2 * root)
    assert latent.frechet_distance(a, b) == pytest.approx(expected)
    assert latent.frechet_distance(b, a) == pytest.approx(expected)
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    assert latent.frechet_distance(a @ turn + 3, b @ turn + 3) == pytest.approx(expected)
    assert latent.frechet_distance(2 * a, 2 * b) == pytest.approx(4 * expected)


def test_frechet_distance_of_constant_features(rng):
    flat = np.ones((10, 3))
    assert latent.frechet_distance(flat, flat) == 0
    assert latent.frechet_distance(flat, flat + [3, 4, 0]) == pytest.approx(25)


# Maximum mean discrepancy


@pytest.mark.parametrize("kernel", mmd_file.KERNELS)
def test_mmd_by_hand(kernel, rng):
    a, b, scale = rng.normal(size=(4, 2)), rng.normal(size=(3, 2)) + 1, 1.5

    def k(x, y):
        if kernel == "polynomial":
            return (x @ y / scale + 1) ** 3
        square = np.square(x - y).sum()
        return np.exp(-square / 2 / scale) if kernel == "rbf" else scale / (scale + square)

    def mean(x, y):
        values = [k(p, q) for i, p in enumerate(x) for j, q in enumerate(y) if x is not y or i != j]
        return np.mean(values)

    expected = mean(a, a) + mean(b, b) - 2 * mean(a, b)
    measured = latent.maximum_mean_discrepancy(a, b, kernel, scale)
    assert measured == pytest.approx(expected)
    assert latent.maximum_mean_discrepancy(b, a, kernel, scale) == pytest.approx(expected)


def test_the_kernel_distance_by_scikit_learn(rng):
    a, b = rng.normal(size=(40, 6)), rng.normal(size=(30, 6)) + 0.3
    n, m = len(a), len(b)
    xx, yy, xy = (polynomial_kernel(*p, degree=3, coef0=1) for p in ((a, a), (b, b), (a, b)))
    expected = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    measured = latent.maximum_mean_discrepancy(a, b, "polynomial")
    assert measured == pytest.approx(expected - 2 * xy.mean())


def test_mmd_of_two_gaussians_in_closed_form(rng):
    """x - y is N(m, 2 I), and E exp(-|x - y|^2 / 2c) = (1 + 2/c)^(-d/2) exp(-|m|^2 / 2(c + 2))."""
    d, c, shift = 3, 3.0, np.array([1.0, 0.5, 0.0])
    expected = 2 * (1 + 2 / c) ** (-d / 2) * (1 - np.exp(-shift @ shift / 2 / (c + 2)))
    pairs = [(rng.normal(size=(300, d)), rng.normal(size=(200, d)) + shift) for _ in range(40)]
    measured = [latent.maximum_mean_discrepancy(*pair) for pair in pairs]
    error = np.std(measured) / np.sqrt(len(measured))
    assert error < 0.03 * expected
    assert abs(np.mean(measured) - expected) < 4 * error


@pytest.mark.parametrize("kernel", mmd_file.KERNELS)
def test_mmd_is_unbiased_in_small_sets(kernel, rng):
    values = [
        latent.maximum_mean_discrepancy(rng.normal(size=(8, 2)), rng.normal(size=(5, 2)), kernel)
        for _ in range(400)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20


def test_mmd_in_parts(rng, monkeypatch):
    a, b = rng.normal(size=(50, 3)), rng.normal(size=(41, 3))
    whole = latent.maximum_mean_discrepancy(a, b)
    monkeypatch.setattr(mmd_file, "AT_A_TIME", 100)
    assert latent.maximum_mean_discrepancy(a, b) == pytest.approx(whole)


# Precision and recall


@pytest.mark.parametrize("sizes", [(200, 200), (150, 260)])
@pytest.mark.parametrize("scale, shift", [(1, 0), (0.4, 0.3), (3, 0), (1, 100)])
def test_precision_recall_as_the_reference(sizes, scale, shift, rng):
    real = rng.normal(size=(sizes[0], 4))
    fake = scale * rng.normal(size=(sizes[1], 4)) + shift
    expected = prdc.compute_prdc(real, fake, nearest_k=5)
    assert latent.precision_recall(real, fake) == pytest.approx(expected)


def test_coverage_of_the_same_distribution(rng):
    """1 - 2^-k at large equal sizes, less for finite ones: Naeem et al., equation 9."""
    real, fake = rng.normal(size=(2000, 2)), rng.normal(size=(2000, 2))
    measured = latent.precision_recall(real, fake, neighbours=3)
    assert measured["coverage"] == pytest.approx(1 - 2**-3, abs=0.03)
    assert measured["density"] == pytest.approx(1, abs=0.1)


def test_poor_samples_and_few_kinds_of_them_are_told_apart(rng):
    two = np.concatenate([rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 20])
    one_kind = rng.normal(size=(600, 2))
    few = latent.precision_recall(two, one_kind)
    assert few["precision"] > 0.9 and few["coverage"] < 0.6
    poor = latent.precision_recall(two, two + 5 * rng.normal(size=two.shape))
    assert poor["precision"] < 0.4 and poor["recall"] > 0.9


# All of them


@pytest.mark.parametrize(
    "measure",
    [latent.frechet_distance, latent.maximum_mean_discrepancy, latent.precision_recall],
)
def test_bad_input(measure, rng):
    a = rng.normal(size=(10, 3))
    with pytest.raises(ValueError, match=r"`fake` must have shape .*Received: shape \(10, 2, 2\)"):
        measure(a, np.zeros((10, 2, 2)))
    with pytest.raises(ValueError, match=r"`real` must have shape .* at least .*\(1, 3\)"):
        measure(a[:1], a)
    with pytest.raises(ValueError, match="same features. Received: 3 and 2"):
        measure(a, a[:, :2])
    with pytest.raises(ValueError, match="`fake` must be finite. Received: .*30 NaN"):
        measure(a, np.nan * a)


def test_bad_settings(rng):
    a = rng.normal(size=(10, 3))
    with pytest.raises(ValueError, match="Unknown `kernel`.*'gauss'"):
        latent.maximum_mean_discrepancy(a, a, "gauss")
    with pytest.raises(ValueError, match="`scale` must be .* greater than 0"):
        latent.maximum_mean_discrepancy(a, a, scale=0)
    with pytest.raises(ValueError, match="n at least 11"):
        latent.precision_recall(a, a, neighbours=10)
