"""The scores of BetaVAE and FactorVAE: what codes whose merits are known must score."""

import numpy as np
import pytest

from keras_aevae import latent

FEW = {"num_train": 300, "num_test": 300, "size": 32}
SCORES = [latent.beta_vae_score, latent.factor_vae_score]


class Factors:
    """A dataset whose images are the factors themselves."""

    factor_sizes = (3, 6, 8, 5)

    def sample_factors(self, n, rng):
        rng = np.random.default_rng(rng)
        return np.stack([rng.integers(size, size=n) for size in self.factor_sizes], axis=1)

    def render(self, factors):
        return factors.astype("float32")


class Encoder:
    def __init__(self, encode):
        self.encode = encode


def score(measure, encode, **settings):
    return measure(Encoder(encode), Factors(), **{**FEW, **settings})


@pytest.mark.parametrize("measure", SCORES)
def test_perfect_codes(measure):
    assert score(measure, lambda x: x) == 1
    assert score(measure, lambda x: 100 - 7 * x[:, [2, 0, 3, 1]]) == 1  # orders, signs, scales


@pytest.mark.parametrize("measure", SCORES)
def test_noise_guesses(measure, rng):
    guessed = score(measure, lambda x: rng.normal(size=(len(x), 6)), num_test=2000)
    assert guessed == pytest.approx(1 / 4, abs=0.06)


def test_a_factor_that_is_not_there_cannot_be_told():
    """Three of four factors in the code: FactorVAE's score is right about these alone. BetaVAE's
    is blind to it: the fourth is the one of which nothing stands still."""
    assert score(latent.factor_vae_score, lambda x: x[:, :3]) < 0.85
    assert score(latent.beta_vae_score, lambda x: x[:, :3]) > 0.95


def test_factors_mixed_in_pairs_are_told_apart_by_pairs_only():
    def mixed(x):
        a, b, c, d = ((x - x.mean(axis=0)) / x.std(axis=0)).T
        return np.stack([a + b, a - b, c + d, c - d], axis=1)

    measured = score(latent.factor_vae_score, mixed, num_test=2000)
    assert measured == pytest.approx(1 / 2, abs=0.06)


def test_dimensions_without_deviation_do_not_vote():
    def with_dead(x):
        return np.concatenate([x, np.full((len(x), 2), 0.3) + 1e-6 * x[:, :2]], axis=1)

    assert score(latent.factor_vae_score, with_dead) == 1
    assert score(latent.factor_vae_score, lambda x: 1e-3 * x) == 0
    assert score(latent.factor_vae_score, lambda x: 1e-3 * x, min_deviation=1e-5) == 1


@pytest.mark.parametrize("measure", SCORES)
def test_seeds(measure, rng):
    turn = rng.normal(size=(4, 4))
    first, again, other = (score(measure, lambda x: x @ turn, seed=s, size=3) for s in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("measure", SCORES)
def test_a_dataset_without_factors(measure):
    with pytest.raises(ValueError, match="`dataset` must make images.*Received: an array.*render"):
        measure(Encoder(lambda x: x), np.zeros((4, 8, 8, 1)))
