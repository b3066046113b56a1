"""Measures of disentanglement: by hand, and what perfect codes, noise and mixes must score."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from keras_aevae import latent
from keras_aevae.latent.measures._factors import binned, entropy, mutual_information


def grid(*sizes):
    """Every combination of the factors once."""
    return np.array(list(itertools.product(*map(range, sizes))))


def train_and_test(codes, factors, n):
    return codes[:n], factors[:n], codes[n:], factors[n:]


@pytest.fixture
def drawn(rng):
    """2000 draws of three independent factors, of 2, 3 and 4 values."""
    return np.stack([rng.integers(n, size=2000) for n in (2, 3, 4)], axis=1)


def test_bins_are_those_of_a_histogram(rng):
    codes = rng.normal(size=(500, 3))
    for column, digits in zip(codes.T, binned(codes, 20).T):
        counts, _ = np.histogram(column, 20)
        assert_allclose(np.bincount(digits, minlength=20), counts, atol=1)  # an edge by rounding
    assert (binned(np.ones((4, 1)), 20) == 0).all()


def test_information_in_nats():
    factors = grid(2, 4)
    assert_allclose(entropy(factors), np.log([2, 4]))
    codes = np.stack([factors[:, 1], factors[:, 1] // 2, 0 * factors[:, 0]], axis=1)
    expected = [[0, np.log(4)], [0, np.log(2)], [0, 0]]
    assert_allclose(mutual_information(codes.astype(float), factors), expected, atol=1e-12)


# Mutual information gap


def test_mig_by_hand():
    factors = grid(2, 4)
    assert latent.mutual_information_gap(factors, factors) == pytest.approx(1)
    # Two dimensions share the second factor: one of them knows half of it.
    codes = np.stack([factors[:, 1], factors[:, 1] // 2, factors[:, 0]], axis=1)
    assert latent.mutual_information_gap(codes, factors) == pytest.approx((1 + 1 / 2) / 2)
    twice = np.concatenate([factors, factors], axis=1)
    assert latent.mutual_information_gap(twice, factors) == pytest.approx(0)


def test_mig_of_perfect_codes_is_below_1_where_values_outnumber_bins():
    factors = grid(40, 2)
    expected = (np.log(20) / np.log(40) + 1) / 2
    assert latent.mutual_information_gap(factors, factors) == pytest.approx(expected)
    assert latent.mutual_information_gap(factors, factors, bins=40) == pytest.approx(1)


def test_mig_of_noise_and_of_a_rotation(drawn, rng):
    assert latent.mutual_information_gap(rng.normal(size=(2000, 5)), drawn) < 0.02
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    own, turned = drawn - drawn.mean(axis=0), (drawn - drawn.mean(axis=0)) @ turn
    assert latent.mutual_information_gap(own, drawn) > 0.95
    assert latent.mutual_information_gap(turned, drawn) < 0.5


# Modularity


def test_modularity_by_hand():
    factors = grid(2, 2, 2)
    a, b, c = factors.T
    assert latent.modularity(factors, factors) == pytest.approx(1)
    # A dimension that tells of two factors of three alike; one that tells of none; a clean one.
    codes = np.stack([2 * a + b, a ^ b, c], axis=1)
    assert latent.modularity(codes, factors) == pytest.approx(((1 - 1 / 2) + 0 + 1) / 3)


def test_modularity_does_not_ask_whether_factors_are_there(drawn, rng):
    assert latent.modularity(drawn[:, [0, 0, 0]], drawn) > 0.99
    # Noise: small accidents, of which the factor with most values has most.
    assert 0.2 < latent.modularity(rng.normal(size=(2000, 10)), drawn) < 0.95


# Explicitness


def test_explicitness(drawn, rng):
    perfect = np.concatenate([drawn == value for value in range(4)], axis=1)
    noise = rng.normal(size=(2000, 5))
    assert latent.explicitness(*train_and_test(perfect, drawn, 1500)) == pytest.approx(1)
    assert latent.explicitness(*train_and_test(noise, drawn, 1500)) == pytest.approx(0.5, abs=0.04)
    many = rng.integers(40, size=(2000, 1))  # a line can't cut one of them out
    assert 0.85 < latent.explicitness(*train_and_test(many, many, 1500)) < 0.97


def test_explicitness_is_that_of_any_invertible_linear_map(drawn, rng):
    codes = drawn + 0.3 * rng.normal(size=drawn.shape)
    mixed = codes @ rng.normal(size=(3, 3)) + 7
    areas = [latent.explicitness(*train_and_test(z, drawn, 1500)) for z in (codes, mixed)]
    assert areas[0] == pytest.approx(areas[1], abs=0.01)


# Separated attribute predictability


def test_sap(drawn, rng):
    two = drawn[:, [0]]
    codes = np.concatenate([2.0 * two - 1, rng.normal(size=(2000, 3))], axis=1)
    # One dimension is always right about a coin, the others half of the time.
    sap = latent.separated_attribute_predictability
    assert sap(*train_and_test(codes, two, 1500)) == pytest.approx(0.5, abs=0.06)
    assert sap(*train_and_test(codes[:, [0, 0]], two, 1500)) == pytest.approx(0)
    assert sap(*train_and_test(codes[:, 1:], two, 1500)) < 0.08


# Disentanglement, completeness, informativeness


def test_dci_of_perfect_codes_and_of_noise(drawn, rng):
    few = {"n_estimators": 10}
    perfect = latent.dci(*train_and_test(drawn, drawn, 1500), **few)
    assert perfect == pytest.approx(
        {"disentanglement": 1, "completeness": 1, "informativeness": 1}, abs=0.01
    )
    noise = latent.dci(*train_and_test(rng.normal(size=(2000, 4)), drawn, 1500), **few)
    assert noise["disentanglement"] < 0.15 and noise["completeness"] < 0.15
    assert noise["informativeness"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3, abs=0.05)


def test_dci_tells_apart_what_is_shared(drawn):
    few = {"n_estimators": 10}
    # Each factor on two dimensions: still clean of the others, no longer complete.
    half = np.stack([drawn[:, 2] // 2, drawn[:, 2] % 2, drawn[:, 0]], axis=1)
    shared = latent.dci(*train_and_test(half, drawn[:, [0, 2]], 1500), **few)
    assert shared["disentanglement"] > 0.95 and shared["informativeness"] > 0.95
    # The factor of 4 lies on two of three dimensions: 1 - log 2 / log 3 of 1, at equal use.
    assert shared["completeness"] == pytest.approx((1 + 1 - np.log(2) / np.log(3)) / 2, abs=0.1)
    # All on one dimension: complete, and about both.
    one = (2 * drawn[:, [2]] + drawn[:, [0]]).astype(float)
    joined = latent.dci(*train_and_test(np.hstack([one, 0 * one]), drawn[:, [0, 2]], 1500), **few)
    assert joined["completeness"] > 0.99 and joined["disentanglement"] < 0.05


# All of them


MEASURES = {
    "mutual_information_gap": latent.mutual_information_gap,
    "modularity": latent.modularity,
}
OF_TWO_SETS = {
    "explicitness": latent.explicitness,
    "sap": latent.separated_attribute_predictability,
    "dci": lambda *arrays: sum(latent.dci(*arrays, n_estimators=3).values()),
}


@pytest.mark.parametrize("name", [*MEASURES, *OF_TWO_SETS])
def test_orders_do_not_matter(name, drawn, rng):
    codes = drawn + 0.3 * rng.normal(size=drawn.shape)

    def measure(codes, factors):
        if name in MEASURES:
            return MEASURES[name](codes, factors)
        return OF_TWO_SETS[name](*train_and_test(codes, factors, 1500))

    expected = measure(codes, drawn)
    order = rng.permutation(1500)
    order = np.concatenate([order, np.arange(1500, 2000)])
    assert measure(codes[:, [2, 0, 1]], drawn) == pytest.approx(expected, abs=0.01)
    assert measure(codes, drawn[:, [1, 2, 0]]) == pytest.approx(expected, abs=0.01)
    assert measure(codes[order], drawn[order]) == pytest.approx(expected, abs=0.01)
    assert measure(codes, 10 * drawn - 3) == pytest.approx(expected)  # names of values


@pytest.mark.parametrize(
    "codes, factors, message",
    [
        (np.zeros((4, 2)), np.zeros((3, 2)), r"`factors` must have shape.*\(3, 2\) beside 4 codes"),
        (np.zeros((4, 2)), np.arange(4), r"`factors` must have shape.*\(4,\)"),
        (np.zeros((4, 2)), np.array([[0, 1]] * 4), r"two values or more.*columns \[0, 1\]"),
        (np.full((4, 2), np.nan), grid(2, 2), "`codes` must be finite"),
        (np.zeros((4, 1)), grid(2, 2), "2 or more dimensions"),
    ],
)
def test_bad_input(codes, factors, message):
    with pytest.raises(ValueError, match=message):
        latent.mutual_information_gap(codes, factors)


def test_one_factor_has_no_modularity():
    with pytest.raises(ValueError, match="`factors` must be 2 or more"):
        latent.modularity(np.zeros((4, 2)), np.array([[0], [0], [1], [1]]))


def test_two_sets_must_fit():
    factors = grid(2, 2)
    with pytest.raises(ValueError, match="as many factors"):
        latent.explicitness(factors, factors, factors, factors[:, :1])
    with pytest.raises(ValueError, match="as many dimensions"):
        latent.explicitness(factors, factors, factors[:, :1], factors)
