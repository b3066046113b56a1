"""Measures of disentanglement: how the dimensions of a code agree with the factors of the
images."""

import functools

from keras_aevae.latent import measures
from keras_aevae.latent.rows import sizes
from keras_aevae.latent.rows.row import Row

FEW_POINTS = {"num_train": 500, "num_test": 250, "size": 16}  # a twentieth of the usual numbers


def of_codes(o, part, measure):
    return measure(*o.beside_factors(part)[2:])


def fitted(o, part, measure):
    """Take a measure that is fitted to some codes and tested on others."""
    return measure(*o.beside_factors(part))


def dci(o, part, name):
    return o.dci(part)[name]


def with_renderer(o, part, measure, **settings):
    """Take a measure that chooses the factors of its images; they are drawn anew for each part."""
    seed = 1000 * o.seed + part.number
    return measure(o.model, o.data.renderer(), seed=seed, **FEW_POINTS, **settings)


def row(key, name, meaning, measure, of=(sizes.FACTORS,)):
    return Row(key, name, "", meaning, measure, "higher", "{:z.3f}", of)


FACTORS = (
    row(
        "mutual_information_gap",
        "MIG",
        "Mutual information gap.",
        functools.partial(of_codes, measure=measures.mutual_information_gap),
    ),
    *(
        row(
            f"dci_{name}",
            f"DCI {name}",
            "By gradient boosted trees.",
            functools.partial(dci, name=name),
        )
        for name in ("disentanglement", "completeness", "informativeness")
    ),
    row(
        "separated_attribute_predictability",
        "SAP",
        "Separated attribute predictability.",
        functools.partial(fitted, measure=measures.separated_attribute_predictability),
    ),
    row(
        "modularity",
        "Modularity",
        "Whether each dimension tells of one factor alone. Noise scores high.",
        functools.partial(of_codes, measure=measures.modularity),
    ),
    row(
        "explicitness",
        "Explicitness",
        "Whether a linear classifier reads the factors off the code.",
        functools.partial(fitted, measure=measures.explicitness),
    ),
    row(
        "beta_vae_score",
        "BetaVAE score",
        "Whether one can tell which factor pairs of images share; from 500 points of 16 pairs and "
        "250 to test on, far fewer than published.",
        functools.partial(with_renderer, measure=measures.beta_vae_score),
        (),
    ),
    row(
        "factor_vae_score",
        "FactorVAE score",
        "Whether the dimension that varies least tells which factor is fixed; from 500 points of "
        "16 images and 250 to test on, far fewer than published.",
        functools.partial(with_renderer, measure=measures.factor_vae_score, num_variance=2000),
        (),
    ),
)
