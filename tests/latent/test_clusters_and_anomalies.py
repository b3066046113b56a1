"""Clusters against labels, anomalies against usual examples, and whitened codes."""

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA

from keras_aevae import latent

# Whitening


def test_whitened_codes_are_those_of_principal_components(rng):
    codes = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 5
    white, reference = latent.whiten(codes), PCA(whiten=True).fit(codes)
    np.testing.assert_allclose(np.abs(white), np.abs(reference.transform(codes)), atol=1e-9)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(4), atol=1e-12)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-12)
    others = latent.whiten(codes[:1] + 1, fit_on=codes)
    expected = reference.transform(codes[:1] + 1)
    np.testing.assert_allclose(np.abs(others), np.abs(expected), atol=1e-9)


def test_directions_without_variance_are_left_out(rng):
    codes = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6))  # of rank 2
    white = latent.whiten(codes)
    assert white.shape == (50, 2)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(2), atol=1e-12)
    assert latent.whiten(codes[:2]).shape == (2, 1)  # two codes make a line
    # The limit: shares of the variance of 1e-6 and of 1e-8.
    x = rng.normal(size=(5000, 3)) * [1.0, 1e-3, 1e-4]
    assert latent.whiten(x).shape == (5000, 2)


def test_whiten_refuses(rng):
    codes = rng.normal(size=(10, 2))
    with pytest.raises(ValueError, match="`codes` must vary .*Received: 7 codes that are all the"):
        latent.whiten(np.full((7, 3), 0.1))
    with pytest.raises(ValueError, match="`fit_on` must vary"):
        latent.whiten(codes, fit_on=0.1 + 0 * codes)
    with pytest.raises(ValueError, match=r"`fit_on` must have shape.*Received: fit_on .*\(1, 2\)"):
        latent.whiten(codes, fit_on=codes[:1])
    with pytest.raises(ValueError, match="`codes` and `fit_on` must have the same features"):
        latent.whiten(codes, fit_on=codes[:, :1])


# Clusters


def test_clusters_that_are_the_classes(rng):
    labels = rng.integers(3, size=300)
    codes = 10 * np.eye(3)[labels] + rng.normal(size=(300, 3))
    for names in (labels, np.array(["a", "b", "c"])[labels]):
        assert latent.clustering_agreement(codes, names) == {
            "adjusted_rand": pytest.approx(1),
            "normalized_mutual_information": pytest.approx(1),
        }


def test_clusters_that_split_one_class_and_join_two(rng):
    """Of three groups, of 40, 40 and 20, the latter two are one cluster, and half of the first is
    a class."""
    places = np.array([[0.0], [100.0], [101.0]])
    group = np.repeat([0, 1, 2], [40, 40, 20])
    codes = places[group] + 0.01 * rng.normal(size=(100, 1))
    labels = (np.arange(100) % 40 < 20) & (group == 0)  # half of the first group
    found = latent.clustering_agreement(codes, labels)
    # The table [[20, 20], [0, 60]]: pairs together in both 2 * 190 + 1770, in rows 780 + 1770, in
    # columns 190 + 3160, of 4950.
    both, rows, columns = 2 * 190 + 1770, 780 + 1770, 190 + 3160
    chance = rows * columns / 4950
    expected = (both - chance) / ((rows + columns) / 2 - chance)
    assert found["adjusted_rand"] == pytest.approx(expected)
    apart = stats.entropy([0.4, 0.6]) + stats.entropy([0.2, 0.8])
    expected = (apart - stats.entropy([0.2, 0.2, 0.6])) / (apart / 2)
    assert found["normalized_mutual_information"] == pytest.approx(expected)


def test_clusters_of_noise(rng):
    found = latent.clustering_agreement(rng.normal(size=(1000, 3)), rng.integers(4, size=1000))
    assert abs(found["adjusted_rand"]) < 0.01
    assert 0 <= found["normalized_mutual_information"] < 0.02


def test_clustering_refuses(rng):
    codes = rng.normal(size=(10, 2))
    with pytest.raises(ValueError, match=r"`labels` must have shape \(n,\).*\(9,\) beside 10"):
        latent.clustering_agreement(codes, np.zeros(9))
    with pytest.raises(ValueError, match=r"two classes or more.*Received: \[1\] alone"):
        latent.clustering_agreement(codes, np.ones(10, int))
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        latent.clustering_agreement(codes, np.arange(10) % 2, seed=None)


# Anomalies


def test_the_area_is_the_share_of_pairs(rng):
    usual, odd = rng.integers(6, size=40), rng.integers(2, 8, size=30)
    statistic = stats.mannwhitneyu(odd, usual).statistic
    assert latent.anomaly_auroc(usual, odd) == pytest.approx(statistic / (40 * 30))
    assert latent.anomaly_auroc([1, 2], [2, 3]) == pytest.approx(3.5 / 4)
    assert latent.anomaly_auroc([1.0], [2.0]) == 1
    assert latent.anomaly_auroc([2.0, 3.0], [-1.0]) == 0
    assert latent.anomaly_auroc([5.0, 5.0], [5.0]) == 0.5


def test_the_area_of_two_gaussians_in_closed_form(rng):
    measured = latent.anomaly_auroc(rng.normal(size=20_000), 1 + rng.normal(size=20_000))
    assert measured == pytest.approx(stats.norm.cdf(1 / 2**0.5), abs=0.01)


def test_the_latent_density_by_scipy(rng):
    fit_on = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3)) - 4
    codes = rng.normal(size=(50, 3))
    gaussian = stats.multivariate_normal(fit_on.mean(axis=0), np.cov(fit_on, rowvar=False))
    measured = latent.latent_density_scores(codes, fit_on)
    np.testing.assert_allclose(measured, -gaussian.logpdf(codes))
    # It ranks as scikit-learn's Mahalanobis distances.
    distances = EmpiricalCovariance().fit(fit_on).mahalanobis(codes)
    assert stats.spearmanr(measured, distances).statistic == pytest.approx(1)
    assert latent.latent_density_scores(codes[:1], fit_on)[0] == pytest.approx(measured[0])


def test_the_latent_density_without_variance_in_a_direction(rng):
    fit_on, codes = rng.normal(size=(100, 2)), rng.normal(size=(9, 2))
    flat = [np.concatenate([x, 3 * np.ones((len(x), 1))], axis=1) for x in (codes, fit_on)]
    expected = latent.latent_density_scores(codes, fit_on)
    np.testing.assert_allclose(latent.latent_density_scores(*flat), expected)


def test_codes_far_out_are_anomalies(rng):
    fit_on, usual = rng.normal(size=(500, 4)), rng.normal(size=(300, 4))
    far = latent.latent_density_scores(6 + rng.normal(size=(300, 4)), fit_on)
    assert latent.anomaly_auroc(latent.latent_density_scores(usual, fit_on), far) == 1


def test_bad_scores(rng):
    codes = rng.normal(size=(10, 2))
    with pytest.raises(
        ValueError, match=r"`anomalous_scores` must hold .*an example or more.*\(0,"
    ):
        latent.anomaly_auroc([1.0], [])
    with pytest.raises(
        ValueError, match=r"`scores` must hold .*Received: scores of shape \(2, 1\)"
    ):
        latent.anomaly_auroc([[1.0], [2.0]], [1.0])
    with pytest.raises(ValueError, match="`scores` must be finite. Received: .*1 NaN"):
        latent.anomaly_auroc([1.0, np.nan], [1.0])
    with pytest.raises(ValueError, match="`fit_on` must be finite"):
        latent.latent_density_scores(codes, codes * np.nan)
    with pytest.raises(ValueError, match="`fit_on` must vary"):
        latent.latent_density_scores(codes, np.ones((5, 2)))
