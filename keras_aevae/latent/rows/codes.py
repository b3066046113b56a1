"""Measures of codes: how they are spread, and how they agree with the prior."""

import functools

import numpy as np

from keras_aevae.latent import measures
from keras_aevae.latent.rows.row import Row
from keras_aevae.latent.rows.sizes import DRAWS, JACOBIANS, TEST

# The codes of test images: draws from a VAE's posteriors, or their means. For points both agree.
CODE_KINDS = {"draws": ("", ""), "codes": ("_of_means", ", middles of clouds")}
NARROWER = {"draws": "", "codes": " Middles are narrower than the prior even where all is well."}


def of_kind(o, part, kind):
    return part.take(o.test_draws if kind == "draws" else o.test_codes)


def perplexity(o, part):
    if o.model.stores != "codebook":
        raise ValueError("it has no codebook")
    return measures.perplexity(part.take(o.test_indices), o.model.quantizer.num_codes)


def latent_dim(o, part):
    return o.model.latent_dim


def active_units(o, part):
    return measures.active_units(part.take(o.test_codes))


def code_scale(o, part, kind):
    return measures.code_scale(of_kind(o, part, kind))


def effective_dimension(o, part, kind):
    return measures.effective_dimension(of_kind(o, part, kind))


def discrepancy(o, part, kind):
    prior = part.take(o.codes_from("prior"))
    return measures.maximum_mean_discrepancy(of_kind(o, part, kind), prior)


def holes(o, part, kind, source):
    codes, draws = of_kind(o, part, kind), part.take(o.codes_from(source))
    if source != "prior":
        codes, draws = measures.whiten(codes, o.train_draws), measures.whiten(draws, o.train_draws)
    return measures.holes(codes, draws)


def kl_part(o, part, name):
    return o.kl_split(part)[name]


def lipschitz(o, part):
    return float(np.median(part.take(o.jacobians)[:, 0]))


CODES = (
    Row("latent_dim", "Latent dimensions", "", "Numbers in a code.", latent_dim, "", "{:z.0f}", ()),
    Row(
        "active_units",
        "Active units",
        "",
        "Dimensions in which the middles of the clouds vary over the images (variance above 0.01).",
        active_units,
        "",
        "{:z.1f}",
    ),
    Row(
        "perplexity",
        "Codes of the codebook in use",
        "",
        "In effect: the exponential of their entropy.",
        perplexity,
        "",
        "{:z.1f}",
    ),
    *(
        row
        for kind, (suffix, words) in CODE_KINDS.items()
        for row in (
            Row(
                f"code_scale{suffix}",
                f"Size of the codes{words}",
                "",
                "Root mean square of a code's coordinates. Codes drawn from N(0, I) have 1."
                + NARROWER[kind],
                functools.partial(code_scale, kind=kind),
            ),
            Row(
                f"effective_dimension{suffix}",
                f"Effective dimension{words}",
                "",
                "Over how many directions the codes' variance is spread.",
                functools.partial(effective_dimension, kind=kind),
                "",
                "{:z.1f}",
            ),
            Row(
                f"discrepancy{suffix}",
                f"Codes against the prior (MMD){words}",
                "",
                "Squared maximum mean discrepancy of codes and draws from the prior; about 0 where "
                "they have one distribution." + NARROWER[kind],
                functools.partial(discrepancy, kind=kind),
                "" if NARROWER[kind] else "lower",
                "{:z.4f}",
            ),
            Row(
                f"holes_prior{suffix}",
                f"Prior draws in holes{words}",
                "",
                "Share of the prior's draws that lie farther from every code than codes lie from "
                "each other (95 %). Draws of the codes' own distribution have 0.05. Codes that are "
                "much larger than the prior hide its draws among them, with 0." + NARROWER[kind],
                functools.partial(holes, kind=kind, source="prior"),
                "" if NARROWER[kind] else "lower",
            ),
        )
    ),
    Row(
        "holes_gaussian",
        "Fitted Gaussian's draws in holes",
        "",
        "The same for draws from the Gaussian fitted to the codes, all whitened: the shape of the "
        "code's distribution, whatever its place and size.",
        functools.partial(holes, kind="draws", source="gaussian"),
        "lower",
    ),
    Row(
        "mutual_information",
        "KL: mutual information",
        "nats",
        "The part of the KL that tells images apart; at most the logarithm of their number: what "
        "is beyond shows as total correlation.",
        functools.partial(kl_part, name="mutual_information"),
        of=(TEST, DRAWS),
    ),
    Row(
        "total_correlation",
        "KL: total correlation",
        "nats",
        "The part by which dimensions depend on each other over all images; with all that the "
        "information can't show where it is at the logarithm of the number of images.",
        functools.partial(kl_part, name="total_correlation"),
        of=(TEST, DRAWS),
    ),
    Row(
        "dimension_wise_kl",
        "KL: of the dimensions",
        "nats",
        "The part by which each dimension's codes, over all images, leave the prior.",
        functools.partial(kl_part, name="dimension_wise_kl"),
        "lower",
        of=(TEST, DRAWS),
    ),
    Row(
        "lipschitz",
        "Steepness of the decoder",
        "",
        "Median over codes of the largest change of the image, per standard deviation of the "
        "codes: the local Lipschitz constant.",
        lipschitz,
        "lower",
        of=(JACOBIANS,),
    ),
)
