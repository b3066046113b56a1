"""What doesn't change a measure, or changes it in a known way, whatever the codes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.utils import Bunch

from keras_aevae import latent

few = settings(max_examples=10, deadline=None, derandomize=True, database=None)
draws = given(seed=st.integers(0, 2**31 - 1), dimensions=st.integers(2, 5))


def setting(seed, dimensions):
    """Two sets of correlated codes off the origin, `a` and `b`; what is known of them, labels and
    two factors; and a generator."""
    rng = np.random.default_rng(seed)
    mix, shift = rng.normal(size=(2, dimensions, dimensions))
    a, b = (rng.normal(size=(n, dimensions)) @ mix + shift[0] for n in (60, 45))

    def labels(codes):
        return ((codes - shift[0])[:, 0] + 0.5 * rng.normal(size=len(codes)) > 0).astype(int)

    known = Bunch(y=labels(a), w=labels(b))
    known.f = np.stack([known.y, np.digitize(a[:, -1], np.quantile(a[:, -1], [0.3, 0.7]))], axis=1)
    known.g = np.stack([known.w, np.digitize(b[:, -1], np.quantile(b[:, -1], [0.3, 0.7]))], axis=1)
    return a, b + 0.3 * shift[1], known, rng


def turned(rng, dimensions):
    return np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0]


def path(a):
    return a[:40].reshape(8, 5, -1)


def same(measured, expected):
    measured, expected = (
        np.concatenate([np.ravel(part) for part in (x.values() if isinstance(x, dict) else [x])])
        for x in (measured, expected)
    )
    np.testing.assert_allclose(measured, expected, rtol=1e-6, atol=1e-9)


# Measures as functions of two sets of codes and of what is known of them: first those of distances
# alone, which no unit changes,
OF_SHAPE = {
    "effective_dimension": lambda a, b, known: latent.effective_dimension(a),
    "holes": lambda a, b, known: latent.holes(a, b, level=0.7),
    "precision_recall": lambda a, b, known: latent.precision_recall(a, b),
    "nearest_neighbour_probe": lambda a, b, known: latent.nearest_neighbour_probe(
        a, known.y, b, known.w
    ),
    "memorization_score": lambda a, b, known: latent.memorization_score(b, a[:20], a[20:]),
    "path_length": lambda a, b, known: latent.path_length(path(a)),
    "step_uniformity": lambda a, b, known: latent.step_uniformity(path(a)),
    "clustering_agreement": lambda a, b, known: latent.clustering_agreement(a, known.y),
}
# then those in some unit, with its power,
OF_SIZE = {
    "covariance_spectrum": (2, lambda a, b, known: latent.covariance_spectrum(a)),
    "frechet_distance": (2, lambda a, b, known: latent.frechet_distance(a, b)),
    "nearest_training_distance": (1, lambda a, b, known: latent.nearest_training_distance(b, a)),
}
# then those with a scale of their own,
OF_SCALE = {
    "latent_density_scores": lambda a, b, known: latent.latent_density_scores(b, a),
    "mmd_rbf": lambda a, b, known: latent.maximum_mean_discrepancy(a, b),
    "mmd_inverse": lambda a, b, known: latent.maximum_mean_discrepancy(
        a, b, "inverse_multiquadratic"
    ),
}
# then those to which the origin matters,
FROM_THE_ORIGIN = {
    "code_scale": lambda a, b, known: latent.code_scale(a),
    "mmd_polynomial": lambda a, b, known: latent.maximum_mean_discrepancy(a, b, "polynomial"),
}
# then those to which each dimension is a thing of its own, in whatever unit,
OF_DIMENSIONS = {
    "mutual_information_gap": lambda a, b, known: latent.mutual_information_gap(a, known.f),
    "modularity": lambda a, b, known: latent.modularity(a, known.f),
    "linear_probe": lambda a, b, known: latent.linear_probe(a, known.y, b, known.w),
    "explicitness": lambda a, b, known: latent.explicitness(a, known.f, b, known.g),
}
# and in this unit.
OF_DIMENSIONS_IN_UNITS = {
    "active_units": lambda a, b, known: latent.active_units(a, threshold=1.0),
    "separated_attribute_predictability": (
        lambda a, b, known: latent.separated_attribute_predictability(a, known.f, b, known.g)
    ),
    "posterior_collapse": lambda a, b, known: [
        latent.posterior_collapse(a, np.sin(a), 1.0)[key] for key in ("rate", "wasted_rate")
    ],
}
OF_ANY_MOTION = OF_SHAPE | OF_SCALE | {name: f for name, (_, f) in OF_SIZE.items()}
OF_ANY_TURN = OF_ANY_MOTION | FROM_THE_ORIGIN
ALL = OF_ANY_TURN | OF_DIMENSIONS | OF_DIMENSIONS_IN_UNITS


@pytest.mark.parametrize("name", OF_ANY_TURN)
@few
@draws
def test_codes_turned(name, seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    turn = turned(rng, dimensions)
    same(ALL[name](a @ turn, b @ turn, known), ALL[name](a, b, known))


@pytest.mark.parametrize("name", OF_ANY_MOTION | OF_DIMENSIONS)
@few
@draws
def test_codes_moved(name, seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    step = 5 * rng.normal(size=dimensions)
    same(ALL[name](a + step, b + step, known), ALL[name](a, b, known))


@pytest.mark.parametrize("name", ALL)
@few
@draws
def test_dimensions_in_another_order(name, seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    order = rng.permutation(dimensions)
    same(ALL[name](a[:, order], b[:, order], known), ALL[name](a, b, known))


# Here the seed chooses examples by their places, or sets and paths are cut by them.
ORDERED = {"clustering_agreement", "memorization_score", "path_length", "step_uniformity"}


@pytest.mark.parametrize("name", [name for name in ALL if name not in ORDERED])
@few
@draws
def test_examples_in_another_order(name, seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    i, j = rng.permutation(len(a)), rng.permutation(len(b))
    again = Bunch(y=known.y[i], f=known.f[i], w=known.w[j], g=known.g[j])
    expected = ALL[name](a, b, known)
    if np.shape(expected) == (len(b),):  # a number for each example
        expected = expected[j]
    same(ALL[name](a[i], b[j], again), expected)


@pytest.mark.parametrize("name", OF_SHAPE | OF_DIMENSIONS)
@few
@draws
def test_codes_in_another_unit(name, seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    unit = np.exp(3 * rng.normal())
    same(ALL[name](unit * a, unit * b, known), ALL[name](a, b, known))


@pytest.mark.parametrize("name", OF_SIZE)
@few
@draws
def test_sizes_in_another_unit(name, seed, dimensions):
    power, measure = OF_SIZE[name]
    a, b, known, rng = setting(seed, dimensions)
    unit = np.exp(3 * rng.normal())
    same(measure(unit * a, unit * b, known), unit**power * measure(a, b, known))


@pytest.mark.parametrize("name", OF_DIMENSIONS)
@few
@draws
def test_each_dimension_in_its_own_unit(name, seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    units = np.exp(2 * rng.normal(size=dimensions))
    same(ALL[name](a * units, b * units, known), ALL[name](a, b, known))


@few
@draws
def test_trees_know_no_units(seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    units, step = np.exp(2 * rng.normal(size=dimensions)), rng.normal(size=dimensions)
    again = latent.dci(a * units + step, known.f, b * units + step, known.g, n_estimators=2)
    same(again, latent.dci(a, known.f, b, known.g, n_estimators=2))


# Of these the scale of the codes is no part, or the linear map would change it.
WHITENED = ("holes", "precision_recall", "nearest_neighbour_probe", "memorization_score", "mmd_rbf")


@pytest.mark.parametrize("name", WHITENED)
@few
@draws
def test_whitened_codes_after_any_invertible_map(name, seed, dimensions):
    a, b, known, rng = setting(seed, dimensions)
    stretch = np.exp(rng.uniform(-1.5, 1.5, size=dimensions))
    linear = turned(rng, dimensions) * stretch @ turned(rng, dimensions)
    c, d = a @ linear + 3, b @ linear + 3
    measured = ALL[name](latent.whiten(c), latent.whiten(d, fit_on=c), known)
    same(measured, ALL[name](latent.whiten(a), latent.whiten(b, fit_on=a), known))


@few
@draws
def test_whitening_itself(seed, dimensions):
    a, b, _, rng = setting(seed, dimensions)
    linear = turned(rng, dimensions) * np.exp(rng.uniform(-1.5, 1.5, size=dimensions))
    white, again = latent.whiten(a), latent.whiten(a @ linear)
    np.testing.assert_allclose(cdist(again, again), cdist(white, white), rtol=1e-6, atol=1e-9)
    assert latent.effective_dimension(white) == pytest.approx(dimensions)
    twice = latent.whiten(white)
    np.testing.assert_allclose(cdist(twice, twice), cdist(white, white), rtol=1e-6, atol=1e-9)
    # The density changes by the map's volume alone.
    density = latent.latent_density_scores(b @ linear, a @ linear)
    expected = latent.latent_density_scores(b, a) + np.linalg.slogdet(linear)[1]
    np.testing.assert_allclose(density, expected, rtol=1e-6)


@few
@draws
def test_rates_with_their_dimensions_and_units(seed, dimensions):
    mean, _, _, rng = setting(seed, dimensions)
    log_var = rng.normal(size=mean.shape)
    rates, order = latent.rate_per_dimension(mean, log_var), rng.permutation(dimensions)
    same(latent.rate_per_dimension(mean[:, order], log_var[:, order]), rates[order])
    same(latent.rate_per_dimension(-mean[::-1], log_var[::-1]), rates)
    # The information and the total correlation have no units, nor an origin.
    units, step = np.exp(rng.normal(size=dimensions)), rng.normal(size=dimensions)
    parts = latent.kl_decomposition(mean, log_var, num_draws=60)
    again = latent.kl_decomposition(mean * units + step, log_var + 2 * np.log(units), num_draws=60)
    for name in ("mutual_information", "total_correlation"):
        assert again[name] == pytest.approx(parts[name], rel=1e-4, abs=1e-4)
    assert 0 <= parts["mutual_information"] <= np.log(len(mean))


@few
@draws
def test_two_sets_the_other_way_round(seed, dimensions):
    a, b, _, _ = setting(seed, dimensions)
    same(latent.frechet_distance(a, b), latent.frechet_distance(b, a))
    same(latent.maximum_mean_discrepancy(a, b), latent.maximum_mean_discrepancy(b, a))
    there, back = latent.precision_recall(a, b), latent.precision_recall(b, a)
    assert (there["precision"], there["recall"]) == (back["recall"], back["precision"])
    assert latent.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


lists = st.lists(st.integers(-5, 5), min_size=2, max_size=12)


@few
@given(usual=lists, odd=lists)
def test_scores_in_another_order_and_unit(usual, odd):
    area = latent.anomaly_auroc(usual, odd)
    assert latent.anomaly_auroc(odd, usual) == pytest.approx(1 - area)
    assert latent.anomaly_auroc(usual[::-1], sorted(odd)) == pytest.approx(area)
    assert latent.anomaly_auroc(np.exp(usual), np.exp(odd)) == pytest.approx(area)
    gap, error = latent.generalization_gap(usual, odd)
    low, high = latent.generalization_gap_interval(usual, odd, resamples=100)
    assert min(odd) - max(usual) <= low <= high <= max(odd) - min(usual)
    scaled = latent.generalization_gap(3 * np.array(usual) + 1, 3 * np.array(odd) + 1)
    assert scaled == (pytest.approx(3 * gap), pytest.approx(3 * error))
    ends = latent.generalization_gap_interval(2 * np.array(usual), 2 * np.array(odd), resamples=100)
    assert ends == (pytest.approx(2 * low), pytest.approx(2 * high))
