"""The spectrum of codes, the holes between them, and what labels can be read off them."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from keras_aevae import latent


def test_the_spectrum_is_that_of_principal_components(rng):
    codes = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    expected = PCA().fit(codes).explained_variance_
    np.testing.assert_allclose(latent.covariance_spectrum(codes), expected)
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    np.testing.assert_allclose(latent.covariance_spectrum(codes @ turn + 5), expected)


def test_the_effective_dimension_by_hand(rng):
    x = rng.normal(size=(50, 3))
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    assert latent.effective_dimension(white) == pytest.approx(3)
    # variances 4, 1 and 0: 5^2 / (16 + 1)
    assert latent.effective_dimension(white * [2, 1, 0]) == pytest.approx(25 / 17)
    assert latent.effective_dimension(100 * white * [2, 1, 0]) == pytest.approx(25 / 17)
    assert latent.effective_dimension(white[:, :1]) == pytest.approx(1)
    assert latent.effective_dimension(np.ones((5, 3))) == 0


def test_holes_by_hand():
    codes = np.array([[0.0], [1.0], [2.0], [3.0]])  # each 1 from the next
    draws = np.array([[0.5], [3.9], [4.1], [-7.0]])
    assert latent.holes(codes, draws, level=1) == 0.5


def test_holes_of_the_same_distribution(rng):
    codes, draws = rng.normal(size=(2000, 3)), rng.normal(size=(4000, 3))
    assert latent.holes(codes, draws, level=0.9) == pytest.approx(0.1, abs=0.03)
    assert latent.holes(codes, draws + 30) == 1
    assert latent.holes(10 * codes, 10 * draws, level=0.9) == pytest.approx(0.1, abs=0.03)


def test_probes_of_what_is_there_and_of_noise(rng):
    labels = rng.integers(4, size=1200)
    corners = np.stack([labels // 2, labels % 2], axis=1) + 0.05 * rng.normal(size=(1200, 2))
    for probe in (latent.linear_probe, latent.nearest_neighbour_probe):
        assert probe(corners[:900], labels[:900], corners[900:], labels[900:]) == 1
        noise = rng.normal(size=(1200, 3))
        guessed = probe(noise[:900], labels[:900], noise[900:], labels[900:])
        assert guessed == pytest.approx(1 / 4, abs=0.1)


def test_a_ring_is_near_but_not_linear(rng):
    angle = rng.uniform(0, 2 * np.pi, 1000)
    labels = rng.integers(2, size=1000)
    codes = (1 + labels)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    sets = codes[:700], labels[:700], codes[700:], labels[700:]
    assert latent.linear_probe(*sets) < 0.65
    assert latent.nearest_neighbour_probe(*sets) == 1


def test_the_scale_of_a_dimension_does_not_matter_to_the_linear_probe(rng):
    labels = rng.integers(2, size=400)
    codes = rng.normal(size=(400, 2)) + labels[:, None]
    scaled = codes * [1e4, 1e-4]
    accuracy = latent.linear_probe(codes[:300], labels[:300], codes[300:], labels[300:])
    again = latent.linear_probe(scaled[:300], labels[:300], scaled[300:], labels[300:])
    assert again == pytest.approx(accuracy)


def test_bad_input(rng):
    codes, labels = rng.normal(size=(10, 2)), np.arange(10) % 2
    with pytest.raises(ValueError, match=r"`labels` must have shape \(n,\).*\(9,\) beside 10"):
        latent.linear_probe(codes, labels[:9], codes, labels)
    with pytest.raises(ValueError, match=r"`labels_test` must have shape.*\(10, 1\)"):
        latent.linear_probe(codes, labels, codes, labels[:, None])
    with pytest.raises(ValueError, match=r"two classes or more.*Received: \[1\] alone"):
        latent.nearest_neighbour_probe(codes, np.ones(10, int), codes, labels)
    with pytest.raises(ValueError, match="`codes` must be 20 or more.*Received: 10"):
        latent.nearest_neighbour_probe(codes, labels, codes, labels, neighbours=20)
    with pytest.raises(ValueError, match="`level` must be .* at most 1"):
        latent.holes(codes, codes, level=2)
    with pytest.raises(ValueError, match="`codes` and `draws` must have the same features"):
        latent.holes(codes, codes[:, :1])
