"""Claims about autoencoders and VAEs, the measure that tests each claim, and the verdict."""

import dataclasses
import math

from keras_aevae.latent.rows import ROWS

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim about VAEs compared with AEs, and the key of the row that tests it.

    `by_classifier`: whether the row says little unless its features are a classifier's.
    """

    text: str
    key: str
    why: str
    vae_is_better: bool = True
    by_classifier: bool = False


CLAIMS = (
    Claim(
        "An AE, which minimises nothing else, gives images back more exactly.",
        "test_mse",
        "Squared error on test images.",
        vae_is_better=False,
    ),
    Claim(
        "A VAE generalises better: an AE fits its training images in particular.",
        "mse_ratio",
        "Squared error on test images over that on training images.",
    ),
    Claim(
        "An AE memorises more: what it makes of new images is drawn to its training images.",
        "preference_reconstructions",
        "How often a reconstruction is nearer to a training image than to any of as many others, "
        "less how often a test image is.",
    ),
    Claim(
        "A VAE's latent space is more continuous: there are fewer holes between its codes.",
        "holes_gaussian",
        "Share of draws from a Gaussian fitted to the codes that lie in holes between them.",
    ),
    Claim(
        "A VAE's samples from the prior are more like data.",
        "frechet_prior",
        "Fréchet distance of samples from the prior and test images.",
    ),
    Claim(
        "A VAE's samples from the prior are more diverse.",
        "coverage_prior",
        "Share of test images that have a sample from the prior near them.",
    ),
    Claim(
        "It is not only the prior: a VAE's samples are better also from where its codes are.",
        "frechet_mixture",
        "Fréchet distance of samples from a mixture fitted to each model's codes.",
    ),
    Claim(
        "Half-way between two images, a VAE decodes what is more like data.",
        "midpoint_between",
        "Fréchet distance of images half-way between classes and test images.",
        by_classifier=True,
    ),
    Claim(
        "A VAE interpolates more smoothly.",
        "evenness_between",
        "Evenness of the steps between classes.",
        by_classifier=True,
    ),
    Claim(
        "A VAE's latent space is better structured: a few labels say where the classes are.",
        "linear_probe_few",
        "Accuracy of a linear classifier that learns from 100 labelled codes.",
    ),
)

RULE = (
    "Supported or contradicted where the 95 % interval of the difference ({test}, over {over}) "
    "leaves out 0; undecided otherwise."
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The result of testing a claim.

    `difference` is the difference between the two means, positive if it supports the claim, with
    the interval from `low` to `high`, in the row's unit. `verdict` is "supported", "contradicted",
    "undecided", or "not measured" with the `reason`.
    """

    claim: Claim
    verdict: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def judge(claim, ae, vae, paired=False, classifier=True):
    """Return the `Verdict` on a claim from its row's numbers: one list per model.

    A list has one number per replicate.

    `paired`: whether the replicates are parts of the test data, the same for both models, so that
    the interval is that of the differences between the two models on each part.
    """
    if claim.by_classifier and not classifier:
        return Verdict(claim, "not measured", reason="there is no classifier of these data")
    if not ae or not vae:
        return Verdict(claim, "not measured", reason="a number is missing, see below")
    sign = 1 if ROWS[claim.key].better == "higher" else -1
    sign = sign if claim.vae_is_better else -sign
    ae, vae = ([sign * value for value in values] for values in (ae, vae))
    difference = mean(vae) - mean(ae)
    if min(len(ae), len(vae)) < 2:
        reason = "one number of each says nothing of chance: give several runs, or more test data"
        return Verdict(claim, "undecided", difference, reason=reason)
    reach = paired_reach(vae, ae) if paired else welch_reach(vae, ae)
    low, high = difference - reach, difference + reach
    verdict = "supported" if low > 0 else "contradicted" if high < 0 else "undecided"
    return Verdict(claim, verdict, difference, low, high)


def mean(values):
    return math.fsum(values) / len(values)


def welch_reach(a, b):
    """Return half the 95 % interval of mean(a) - mean(b), whose variances may differ: Welch 1947,
    https://doi.org/10.1093/biomet/34.1-2.28."""
    parts = [squared_error(a), squared_error(b)]
    weights = [part**2 / (len(values) - 1) for part, values in zip(parts, (a, b))]
    freedom = sum(parts) ** 2 / sum(weights) if sum(weights) else 1.0
    return quantile(freedom) * math.sqrt(sum(parts))


def paired_reach(a, b):
    """Return half the 95 % interval of mean(a) - mean(b) for numbers in pairs."""
    return half_width([x - y for x, y in zip(a, b)])


def half_width(values):
    """Return half the 95 % interval of the mean, by Student's t; None for a single number."""
    if len(values) < 2:
        return None
    return quantile(len(values) - 1) * math.sqrt(squared_error(values))


def squared_error(values):
    """Return the squared standard error of the mean."""
    centre = mean(values)
    return math.fsum((v - centre) ** 2 for v in values) / (len(values) - 1) / len(values)


def quantile(freedom):
    from scipy.stats import t

    return float(t.ppf(0.5 + LEVEL / 2, freedom))
