"""The rule by which a claim is judged."""

import numpy as np
import pytest
from scipy import stats

from keras_aevae.latent.claims import CLAIMS, Claim, half_width, judge, paired_reach, welch_reach
from keras_aevae.latent.rows import ROWS

LOWER = Claim("The VAE has less.", "holes_prior", "")
HIGHER = Claim("The VAE has more.", "linear_probe_few", "")
OTHER = Claim("The AE has less.", "test_mse", "", vae_is_better=False)


def test_every_claim_names_a_row_with_a_direction():
    for claim in CLAIMS:
        assert ROWS[claim.key].better in ("lower", "higher"), claim
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize(
    "claim, ae, vae, verdict",
    [
        (LOWER, [0.9, 0.91, 0.92], [0.1, 0.11, 0.12], "supported"),
        (LOWER, [0.1, 0.11, 0.12], [0.9, 0.91, 0.92], "contradicted"),
        (LOWER, [0.1, 0.9, 0.5], [0.2, 0.8, 0.4], "undecided"),
        (HIGHER, [0.1, 0.11, 0.12], [0.9, 0.91, 0.92], "supported"),
        (HIGHER, [0.9, 0.91, 0.92], [0.1, 0.11, 0.12], "contradicted"),
        (OTHER, [0.1, 0.11, 0.12], [0.9, 0.91, 0.92], "supported"),
        (OTHER, [0.9, 0.91, 0.92], [0.1, 0.11, 0.12], "contradicted"),
        (LOWER, [0.5, 0.5], [0.5, 0.5], "undecided"),
        (LOWER, [0.9], [0.1], "undecided"),
        (LOWER, None, [0.1, 0.2], "not measured"),
    ],
)
def test_verdicts(claim, ae, vae, verdict):
    found = judge(claim, ae, vae)
    assert found.verdict == verdict
    if found.low is not None:
        assert found.low <= found.difference <= found.high
    assert bool(found.reason) == (found.low is None)


def test_a_difference_speaks_for_the_claim_where_it_is_positive():
    assert judge(LOWER, [3.0, 3.2], [1.0, 1.2]).difference == pytest.approx(2.0)
    assert judge(HIGHER, [3.0, 3.2], [1.0, 1.2]).difference == pytest.approx(-2.0)
    assert judge(OTHER, [3.0, 3.2], [1.0, 1.2]).difference == pytest.approx(-2.0)


def test_intervals_are_students(rng):
    a, b = rng.normal(size=5).tolist(), (3 + 2 * rng.normal(size=4)).tolist()
    interval = stats.t.interval(0.95, 4, loc=np.mean(a), scale=stats.sem(a))
    assert half_width(a) == pytest.approx((interval[1] - interval[0]) / 2)
    assert half_width([1.0]) is None
    welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert welch_reach(a, b) == pytest.approx((welch.high - welch.low) / 2)
    assert welch_reach([1.0, 1.0], [0.5, 0.5]) == 0
    pairs = stats.ttest_rel(a[:4], b).confidence_interval(0.95)
    assert paired_reach(a[:4], b) == pytest.approx((pairs.high - pairs.low) / 2)


def test_parts_of_the_data_are_compared_one_by_one():
    ae, vae = [1.0, 2.0, 3.0, 4.0], [0.9, 1.9, 2.8, 3.9]
    assert judge(LOWER, ae, vae).verdict == "undecided"
    assert judge(LOWER, ae, vae, paired=True).verdict == "supported"


def test_the_rule_errs_as_often_as_it_says():
    """Of equal models, about one claim in twenty is decided."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(2000, 2, 5))
    for paired in (False, True):
        verdicts = [judge(LOWER, *pair.tolist(), paired).verdict for pair in draws]
        assert 0.035 < np.mean([verdict != "undecided" for verdict in verdicts]) < 0.06
