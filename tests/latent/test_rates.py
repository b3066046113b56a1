"""What a VAE's code costs: by dimension, which of them collapsed, and in three parts."""

import importlib

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

from keras_aevae import latent

# The package has a function of the same name.
kl_file = importlib.import_module("keras_aevae.latent.measures.kl_decomposition")


def posteriors(rng, n, latent_dim):
    return rng.normal(size=(n, latent_dim)), rng.normal(-1.0, 0.7, size=(n, latent_dim))


# The rate of each dimension


def test_the_rate_by_integration(rng):
    mean, log_var = posteriors(rng, 3, 2)

    def kl(m, v):
        q, p = stats.norm(m, np.exp(v / 2)), stats.norm()
        ends = m - 12 * q.std(), m + 12 * q.std()
        return integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *ends)[0]

    expected = np.vectorize(kl)(mean, log_var).mean(axis=0)
    np.testing.assert_allclose(latent.rate_per_dimension(mean, log_var), expected, rtol=1e-8)


def test_rates_near_0_keep_their_digits():
    small = 1e-6 * np.ones((2, 1))  # (small^2 + small^2 / 2) / 2, to first order
    assert latent.rate_per_dimension(small, small)[0] == pytest.approx(0.75e-12, rel=1e-5, abs=0)
    assert latent.rate_per_dimension([[0, 3], [0, 3]], [[0, 0], [0, 0]]).tolist() == [0, 4.5]


def test_rates_are_those_that_the_model_reports(tiny, rng):
    x = rng.uniform(size=(50, 6)).astype("float32")
    vae = tiny((6,))["VAE"]
    outputs = vae.predict(x, verbose=0)
    rates = latent.rate_per_dimension(outputs["z_mean"], outputs["z_log_var"])
    assert rates.shape == (3,)
    assert rates.sum() == pytest.approx(latent.kl(vae, x), rel=1e-4)
    found = latent.posterior_collapse(outputs["z_mean"], outputs["z_log_var"])
    assert found["rate"] == pytest.approx(rates.sum())
    assert len(found["active"]) == latent.active_units(vae.encode(x))


# Collapse


def test_collapse_partial_full_and_none(rng):
    mean = rng.normal(size=(400, 4)) * [1.0, 0.0, 0.09, 0.3]  # variances 1, 0, 0.0081, 0.09
    log_var = np.full((400, 4), [-3.0, 0.0, 0.0, -1.0])
    found = latent.posterior_collapse(mean, log_var)
    assert (found["active"], found["collapsed"]) == ([0, 3], [1, 2])
    assert len(found["active"]) == latent.active_units(mean)
    assert found["verdict"] == "partial" and "Nothing is wrong" in found["advice"]
    rates = latent.rate_per_dimension(mean, log_var)
    assert found["rate"] == pytest.approx(rates.sum())
    assert found["wasted_rate"] == pytest.approx(rates[1] + rates[2])

    full = latent.posterior_collapse(mean[:, 1:3], log_var[:, 1:3])
    assert (full["verdict"], full["active"], full["collapsed"]) == ("full", [], [0, 1])
    assert "beta" in full["advice"]
    none = latent.posterior_collapse(mean[:, [0, 3]], log_var[:, [0, 3]])
    assert (none["verdict"], none["collapsed"], none["wasted_rate"]) == ("none", [], 0)
    stricter = latent.posterior_collapse(mean, log_var, threshold=0.5)
    assert stricter["active"] == [0]


def test_nats_for_nothing(rng):
    """The second dimension's posterior is always N(1, 1): it costs 0.5 nats, and says nothing."""
    mean = np.stack([rng.normal(size=100), np.ones(100)], axis=1)
    found = latent.posterior_collapse(mean, np.zeros((100, 2)))
    assert found["collapsed"] == [1]
    assert found["wasted_rate"] == pytest.approx(0.5)
    assert found["verdict"] == "partial" and "say nothing" in found["advice"]


# The three parts


def test_two_examples_far_apart_are_log_2_nats():
    mean = np.array([[-30.0, 0.0], [30.0, 0.0]])
    found = latent.kl_decomposition(mean, np.zeros((2, 2)), num_draws=4000)
    assert found["mutual_information"] == pytest.approx(np.log(2))
    assert found["total_correlation"] == pytest.approx(0, abs=1e-6)
    # KL(half N(-30, 1), half N(30, 1) || N(0, 1)) = 450 - log 2; the second dimension is N(0, 1).
    assert found["dimension_wise_kl"] == pytest.approx(450 - np.log(2), abs=4 * 30 / 4000**0.5)


def test_along_the_diagonal_the_dimensions_say_the_same():
    mean = np.array([[-30.0, -30.0], [30.0, 30.0]])
    found = latent.kl_decomposition(mean, np.zeros((2, 2)), num_draws=10)
    assert found["mutual_information"] == pytest.approx(np.log(2))
    assert found["total_correlation"] == pytest.approx(np.log(2))


def test_identical_posteriors_say_nothing():
    mean, log_var = np.full((300, 2), [0.5, -2.0]), np.full((300, 2), [-1.0, 0.3])
    found = latent.kl_decomposition(mean, log_var, num_draws=5000)
    assert found["mutual_information"] == pytest.approx(0, abs=1e-9)
    assert found["total_correlation"] == pytest.approx(0, abs=1e-5)
    kl = latent.rate_per_dimension(mean, log_var).sum()
    # log q - log p of a draw has this variance: of (1 - v) e^2 / 2 + m s e, for e from N(0, 1).
    v = np.exp([-1.0, 0.3])
    se = np.sqrt(np.sum((1 - v) ** 2 / 2 + np.array([0.25, 4.0]) * v) / 5000)
    assert abs(found["dimension_wise_kl"] - kl) < 4 * se


def test_a_correlated_gaussian_in_closed_form(rng):
    """Means from N(0, R - s^2 I) make the aggregate N(0, R), whose marginals are the prior."""
    s, r = 0.5, np.array([[1.0, 0.6, 0.0], [0.6, 1.0, 0.3], [0.0, 0.3, 1.0]])
    mean = rng.multivariate_normal(np.zeros(3), r - s**2 * np.eye(3), size=20_000)
    found = latent.kl_decomposition(mean, np.full(mean.shape, 2 * np.log(s)), num_draws=4000)
    log_det = np.linalg.slogdet(r)[1]
    # The log ratios have standard deviations of about 1, so their means errors of 0.016.
    assert found["total_correlation"] == pytest.approx(-0.5 * log_det, abs=0.05)
    expected = 0.5 * log_det - 3 * np.log(s)
    assert found["mutual_information"] == pytest.approx(expected, abs=0.06)
    assert found["dimension_wise_kl"] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("offset, smallest", [(0.0, -2.0), (1e4, -14.0)])
def test_the_parts_by_scipy(offset, smallest, rng, monkeypatch):
    """The same draws, with SciPy's densities of every posterior; also in parts."""
    n, d, num_draws, seed = 23, 3, 50, 5
    mean, log_var = rng.normal(size=(n, d)) + offset, rng.uniform(smallest, 1.0, size=(n, d))
    chosen = np.arange(num_draws) * n // num_draws
    noise = np.random.default_rng(seed).normal(size=(num_draws, d))
    z = mean[chosen] + np.exp(0.5 * log_var[chosen]) * noise
    each = stats.norm.logpdf(z[:, None], mean, np.exp(0.5 * log_var))  # (draws, n, d)
    joint = logsumexp(each.sum(axis=2), axis=1) - np.log(n)
    marginals = (logsumexp(each, axis=1) - np.log(n)).sum(axis=1)
    own = each[np.arange(num_draws), chosen].sum(axis=1)
    expected = {
        "mutual_information": np.mean(own - joint),
        "total_correlation": np.mean(joint - marginals),
        "dimension_wise_kl": np.mean(marginals - stats.norm.logpdf(z).sum(axis=1)),
    }
    measured = latent.kl_decomposition(mean, log_var, num_draws, seed)
    assert measured == pytest.approx(expected, rel=1e-4, abs=1e-4)
    monkeypatch.setattr(kl_file, "AT_A_TIME", 7)
    assert latent.kl_decomposition(mean, log_var, num_draws, seed) == pytest.approx(
        measured, rel=1e-5, abs=1e-5
    )


def test_the_parts_sum_to_the_kl(rng):
    mean, log_var = posteriors(rng, 500, 4)
    found = latent.kl_decomposition(mean, log_var, num_draws=20_000)
    assert found["mutual_information"] <= np.log(500)
    assert sum(found.values()) == pytest.approx(
        latent.rate_per_dimension(mean, log_var).sum(), abs=4 * 2.5 / 20_000**0.5
    )


def test_draws_are_as_many_of_each_example():
    """With 2 examples of unlike KL, an uneven share would show."""
    mean, log_var = np.array([[0.0], [40.0]]), np.zeros((2, 1))
    found = latent.kl_decomposition(mean, log_var, num_draws=1001)
    assert sum(found.values()) == pytest.approx(400, abs=800 / 1001 + 4 * 40 / 1001**0.5)


def test_bad_input(rng):
    mean, log_var = posteriors(rng, 10, 3)
    for measure in (latent.rate_per_dimension, latent.posterior_collapse, latent.kl_decomposition):
        with pytest.raises(ValueError, match=r"same shape.*Received: shapes \(10, 3\) and \(10, 2"):
            measure(mean, log_var[:, :2])
        with pytest.raises(ValueError, match=r"`mean` must have shape .*Received: .*\(3,\)"):
            measure(mean[0], log_var)
        with pytest.raises(ValueError, match="`log_var` must be finite. Received: .* 30 NaN"):
            measure(mean, log_var * np.nan)
        assert measure(mean.tolist(), log_var.tolist()) is not None
    with pytest.raises(ValueError, match="`num_draws` must be a positive integer"):
        latent.kl_decomposition(mean, log_var, num_draws=0)
    with pytest.raises(ValueError, match="`seed` must be an integer of 0 or more"):
        latent.kl_decomposition(mean, log_var, seed=-1)
    with pytest.raises(ValueError, match="`threshold` must be .* at least 0"):
        latent.posterior_collapse(mean, log_var, threshold=-1)
