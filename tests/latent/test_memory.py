"""The interval of the generalization gap, and samples that repeat the training examples."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from keras_aevae import latent
from keras_aevae.latent.measures import generalization_gap

# The interval


def test_the_interval_is_the_normal_one_for_many_errors(rng):
    train, test = rng.gamma(2.0, size=2000), rng.gamma(3.0, size=1500)
    low, high = latent.generalization_gap_interval(train, test, level=0.9, resamples=4000)
    gap, se = generalization_gap(train, test)
    z = stats.norm.ppf(0.95)
    # A quantile of 4000 draws has a standard error of about 0.035 of theirs.
    assert low == pytest.approx(gap - z * se, abs=0.15 * se)
    assert high == pytest.approx(gap + z * se, abs=0.15 * se)


def test_the_interval_covers_as_often_as_it_says(rng):
    inside = 0
    for seed in range(200):
        train, test = rng.exponential(size=60), 0.5 + rng.exponential(size=60)
        low, high = latent.generalization_gap_interval(train, test, 0.8, 300, seed)
        inside += low < 0.5 < high
    assert 200 * 0.8 - 3 * 5.7 < inside < 200 * 0.8 + 3 * 5.7  # 3 standard deviations


def test_the_interval_by_seed_and_at_its_ends(rng):
    train, test = [1.0, 2.0, 4.0, 8.0], rng.normal(size=6).tolist()
    interval = latent.generalization_gap_interval(train, test, resamples=50, seed=3)
    assert interval == latent.generalization_gap_interval(train, test, resamples=50, seed=3)
    assert interval != latent.generalization_gap_interval(train, test, resamples=50, seed=4)
    # Among 1000 draws of two errors are those of one of them twice; the level 1 reaches to both.
    assert latent.generalization_gap_interval([0.0, 0.0], [1.0, 3.0], level=1) == (1, 3)
    assert latent.generalization_gap_interval([0.0, 0.0], [2.0, 2.0]) == (2, 2)


def test_the_interval_of_a_long_tail_is_not_symmetric():
    """The mean of four draws is 4 k, k binomial: 0 to 12 hold 0.95 about the gap of 4."""
    assert stats.binom(4, 1 / 4).ppf([0.025, 0.975]).tolist() == [0, 3]
    assert latent.generalization_gap_interval([0.0, 0.0], [0.0, 0.0, 0.0, 16.0]) == (0, 12)


def test_the_interval_refuses():
    with pytest.raises(ValueError, match=r"`test_errors` must .* at least 2 .*\(1,\)"):
        latent.generalization_gap_interval([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="`train_errors` must be finite. Received: .*1 NaN"):
        latent.generalization_gap_interval([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match="`resamples` must be a positive integer"):
        latent.generalization_gap_interval([1.0, 2.0], [1.0, 2.0], resamples=0)
    with pytest.raises(ValueError, match="`level` must be .* at most 1"):
        latent.generalization_gap_interval([1.0, 2.0], [1.0, 2.0], level=95)


# Distances to the training set


@pytest.mark.parametrize("dtype, digits", [("float32", 1e-6), ("float64", 1e-12)])
def test_nearest_training_distances_by_scipy(dtype, digits, rng):
    x, x_train = (rng.normal(size=(n, 4, 5, 1)).astype(dtype) for n in (70, 90))
    measured = latent.nearest_training_distance(x, x_train)
    expected = cdist(x.reshape(70, -1), x_train.reshape(90, -1)).min(axis=1)
    np.testing.assert_allclose(measured, expected, rtol=digits)
    assert measured.dtype == dtype and measured.shape == (70,)


def test_copies_are_at_0_exactly(rng):
    x_train = 100 + rng.normal(size=(50, 30)).astype("float32")
    assert not latent.nearest_training_distance(x_train[10:20], x_train).any()
    assert latent.nearest_training_distance([[0, 0], [3, 5]], [[3, 1]]).tolist() == [10**0.5, 4]


# The score


def test_the_score_by_hand():
    x_train = [[0.0]]
    # Distances of samples 1, 2; of test examples 2, 3: of four pairs three nearer, one the same.
    assert latent.memorization_score([[1.0], [-2.0]], [[2.0], [-3.0]], x_train) == 3.5 / 4


def test_the_score_of_copies_and_of_fresh_draws(rng):
    x_train, x_test, fresh = (rng.normal(size=(n, 3, 2)) for n in (500, 400, 300))
    assert latent.memorization_score(x_train[:300], x_test, x_train) == 1
    assert latent.memorization_score(fresh + 50, x_test, x_train) == 0
    se = np.sqrt((1 / 400 + 1 / 300) / 12)
    assert abs(latent.memorization_score(fresh, x_test, x_train) - 0.5) < 3 * se
    some = np.concatenate([x_train[:150], fresh[:150]])  # half copied: all of those nearer
    expected = 0.5 + latent.memorization_score(fresh[:150], x_test, x_train) / 2
    assert latent.memorization_score(some, x_test, x_train) == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
def test_the_score_where_all_are_copies(rng):
    x_train = rng.normal(size=(20, 3))
    assert latent.memorization_score(x_train[:5], x_train[5:], x_train) == 0.5


def test_the_score_is_the_share_of_pairs(rng):
    """Rounded values, so that there are ties."""
    sets = [np.round(rng.normal(size=(n, 2)) * s) for n, s in ((60, 2), (50, 3), (40, 2))]
    near_fake, near_test = (cdist(x, sets[2]).min(axis=1) for x in sets[:2])
    difference = near_test[None, :] - near_fake[:, None]
    expected = np.mean(difference > 0) + np.mean(difference == 0) / 2
    assert np.mean(difference == 0) > 0.1
    assert latent.memorization_score(*sets) == pytest.approx(expected)


def test_bad_input(rng):
    x = rng.normal(size=(10, 2, 2))
    with pytest.raises(ValueError, match="`fake` and `x_train` must have the same features.*3 and"):
        latent.memorization_score(x[:, 0, :1].repeat(3, axis=1), x, x)
    with pytest.raises(ValueError, match="`x_test` must be finite. Received: .*40 NaN"):
        latent.memorization_score(x, x * np.nan, x)
    with pytest.raises(ValueError, match=r"`x_train` must have shape .*Received: shape \(5,\)"):
        latent.nearest_training_distance(x, np.zeros(5))
    with pytest.raises(ValueError, match=r"`x` must have shape .*Received: shape \(0, 4\)"):
        latent.nearest_training_distance(x[:0], x)


# Whether training examples draw more than others


def by_hand(fake, x_train, x_test, own=None):
    to_test = cdist(fake, x_test)
    if own is not None:
        to_test[np.arange(len(fake)), own] = np.inf
    count = len(x_test) - (own is not None)
    chosen = x_train[np.linspace(0, len(x_train) - 1, count).astype(int)]
    a, b = cdist(fake, chosen).min(axis=1), to_test.min(axis=1)
    return np.mean((a < b) + 0.5 * (a == b))


def test_preference_is_counted_by_hand(rng):
    x_train, x_test = rng.normal(size=(90, 2, 3)), rng.normal(size=(40, 2, 3))
    fake, own = rng.normal(size=(40, 2, 3)), rng.permutation(40)
    flat = [x.reshape(len(x), -1) for x in (fake, x_train, x_test)]
    found = latent.training_preference(fake, x_train, x_test)
    assert found == pytest.approx(by_hand(*flat))
    found = latent.training_preference(fake, x_train, x_test, own)
    assert found == pytest.approx(by_hand(*flat, own))


def test_preference_tells_memory_from_blur(rng):
    found = {"blurred": [], "exact": []}
    for _ in range(60):
        x_train, x_test = rng.normal(size=(100, 8)), rng.normal(size=(100, 8))
        blurred = 0.3 * x_test  # near to everything
        for name, fake in (("blurred", blurred), ("exact", x_test)):
            found[name].append(latent.training_preference(fake, x_train, x_test, np.arange(100)))
        assert latent.memorization_score(blurred, x_test, x_train) > 0.75
        assert latent.training_preference(x_train, x_train, x_test) == 1
        assert latent.training_preference(x_test, x_train, x_test) == 0
    for values in found.values():
        assert abs(np.mean(values) - 0.5) < 3.5 * stats.sem(values)
        assert stats.sem(values) < 0.04


def test_preference_refuses(rng):
    x = rng.normal(size=(5, 3))
    with pytest.raises(ValueError, match="`x_train` must hold as many .* 5 and 6"):
        latent.training_preference(x, x, rng.normal(size=(6, 3)))
    with pytest.raises(ValueError, match="another example"):
        latent.training_preference(x[:1], x, x[:1], own=[0])
    with pytest.raises(ValueError, match="`fake` must be finite"):
        latent.training_preference(x * np.nan, x, x)
