"""What a comparison measures of each model: the rows of its table, as data."""

import collections.abc
import dataclasses
import functools

import numpy as np

from keras_aevae.latent import measures

FEW, MANY = 100, 5000  # labels that a probe learns from
FEW_POINTS = {"num_train": 500, "num_test": 250, "size": 16}  # a twentieth of the published


@dataclasses.dataclass(frozen=True)
class Row:
    """One measure.

    Args:
        key: its name in the numbers.
        name, unit, meaning: what a reader sees.
        measure: function of `Observations` and of the `Part` of the test data to take, to a
            number. It raises a ValueError where the model or the data lack what it needs.
        better: "lower", "higher", or "" where neither is better by itself.
        text: how its number is written.
    """

    key: str
    name: str
    unit: str
    meaning: str
    measure: collections.abc.Callable
    better: str = ""
    text: str = "{:.2f}"


# Measures of one model


def mean(values):
    return float(np.mean(values, dtype="float64"))


def test_term(o, part, name):
    return mean(part.take(o.term("test", name)))


def train_term(o, part, name):
    return mean(o.term("train", name))


def gap(o, part):
    test = part.take(o.term("test", "reconstruction"))
    return measures.generalization_gap(o.term("train", "reconstruction"), test)[0]


def elbo(o, part):
    return mean(part.take(o.bounds))


def log_likelihood(o, part):
    return mean(part.take(o.log_likelihoods))


def test_mse(o, part):
    return mean(part.take(o.reconstructed[0]))


def train_mse(o, part):
    return mean(o.train_squares)


def mse_ratio(o, part):
    return test_mse(o, part) / train_mse(o, part)


def preference(o, part, source):
    return mean(part.take(o.preferences(source)))


def perplexity(o, part):
    if not hasattr(o.model, "quantizer"):
        raise ValueError("it has no codebook")
    indices = o.model.encode_indices(part.take(o.data.x_test), batch_size=512)
    return measures.perplexity(indices, o.model.quantizer.num_codes)


def active_units(o, part):
    return measures.active_units(part.take(o.test_codes))


def latent_dim(o, part):
    return o.model.latent_dim


def code_scale(o, part):
    return measures.code_scale(part.take(o.test_draws))


def effective_dimension(o, part):
    return measures.effective_dimension(part.take(o.test_draws))


def discrepancy(o, part):
    draws, prior = part.take(o.test_draws), part.take(o.codes_from("prior"))
    return measures.maximum_mean_discrepancy(draws, prior)


def kl_part(o, part, name):
    return o.kl_split(part)[name]


def holes(o, part, source):
    codes, draws = part.take(o.test_draws), part.take(o.codes_from(source))
    if source != "prior":
        codes, draws = measures.whiten(codes, o.train_draws), measures.whiten(draws, o.train_draws)
    return measures.holes(codes, draws)


def lipschitz(o, part):
    return float(np.median(part.take(o.jacobians)[:, 0]))


def frechet(o, part, source):
    real, fake = part.take(o.data.test_features), part.take(o.sample_features(source))
    return measures.frechet_distance(real, fake)


def kernel(o, part, source):
    real, fake = part.take(o.data.test_features), part.take(o.sample_features(source))
    return measures.maximum_mean_discrepancy(real, fake, kernel="polynomial")


def neighbours(o, part, source, name):
    return o.precision_recall(source, part)[name]


def midpoint(o, part, method="linear", between_classes=False):
    real, middle = o.data.test_features, o.midpoint_features(method, between_classes)
    return measures.frechet_distance(part.take(real), part.take(middle))


def evenness(o, part, between_classes=False):
    return measures.step_uniformity(part.take(o.path_features(between_classes)))


def length(o, part, between_classes=False):
    return measures.path_length(part.take(o.path_features(between_classes)))


def probe(o, part, measure, labels):
    """The labels that it learns from are drawn anew for each run and part, the same for all
    models: they are the main chance in it."""
    y, y_test = o.data.labels("train")[o.data.some_train], o.data.labels("test")
    draw = np.random.default_rng((o.seed, part.number))
    chosen = draw.permutation(len(y))[:labels]
    return measure(o.train_codes[chosen], y[chosen], part.take(o.test_codes), part.take(y_test))


def clusters(o, part, name):
    return o.clusters(part)[name]


def anomalies(o, part, score):
    usual, strange = o.anomaly_scores(score)
    return measures.anomaly_auroc(part.take(usual), part.take(strange))


def with_factors(o, part, measure, test=False):
    """A measure of codes beside factors: of the test data, or fitted to some and tested on them."""
    return measure(*(o.beside_factors(part) if test else o.beside_factors(part)[2:]))


def dci(o, part, name):
    return o.dci(part)[name]


def with_renderer(o, part, measure, **settings):
    """A measure that chooses the factors of the images it looks at: anew for each part."""
    seed = 1000 * o.seed + part.number
    return measure(o.model, o.data.renderer(), seed=seed, **FEW_POINTS, **settings)


# The table

FIT = (
    Row(
        "test_mse",
        "Squared error, test",
        "per pixel",
        "Mean squared difference of image and reconstruction, no noise drawn in any model.",
        test_mse,
        "lower",
        "{:.4f}",
    ),
    Row(
        "train_mse",
        "Squared error, train",
        "per pixel",
        "The same for training images.",
        train_mse,
        "lower",
        "{:.4f}",
    ),
    Row(
        "mse_ratio",
        "Squared error, test / train",
        "",
        "1: new images come back as well as those it was trained on. Above 1: it fits the training "
        "images in particular.",
        mse_ratio,
        "lower",
        "{:.3f}",
    ),
    Row(
        "test_reconstruction",
        "Reconstruction error, test",
        "nats",
        "Minus log p(x|z), asked of a VAE at a random draw from its cloud. Below 0 is possible for "
        "grey values. Comparable only where the likelihood is the same.",
        functools.partial(test_term, name="reconstruction"),
        "lower",
    ),
    Row(
        "train_reconstruction",
        "Reconstruction error, train",
        "nats",
        "The same for training images.",
        functools.partial(train_term, name="reconstruction"),
        "lower",
    ),
    Row(
        "generalization_gap",
        "Generalisation gap",
        "nats",
        "Reconstruction error, test minus train.",
        gap,
        "lower",
        "{:+.2f}",
    ),
    Row(
        "kl",
        "Rate: KL to the prior",
        "nats",
        "What a code says about its image beyond what the prior says of every image. Points have "
        "none.",
        functools.partial(test_term, name="kl"),
    ),
    Row(
        "elbo",
        "ELBO",
        "nats",
        "Minus reconstruction error minus KL: a lower bound of log p(x), or of log p(x|label) of a "
        "conditional model. Comparable only where the likelihood is the same.",
        elbo,
        "higher",
    ),
    Row(
        "log_likelihood",
        "log p(x)",
        "nats",
        "How probable the model finds the test images, by importance sampling: slightly more by "
        "more samples. Comparable only where the likelihood is the same.",
        log_likelihood,
        "higher",
    ),
    Row(
        "preference_reconstructions",
        "Reconstructions nearer to training images",
        "",
        "How often the reconstruction of a test image is nearer to a training image than to any of "
        "as many other test images, less how often the test image itself is. 0: no memory.",
        functools.partial(preference, source="reconstructions"),
        "lower",
        "{:+.3f}",
    ),
    Row(
        "preference_samples",
        "Samples nearer to training images",
        "",
        "The same for samples from the prior.",
        functools.partial(preference, source="prior"),
        "lower",
        "{:+.3f}",
    ),
)

CODES = (
    Row(
        "code_scale",
        "Size of the codes",
        "",
        "Root mean square of a code's coordinates. Codes drawn from N(0, I) have 1.",
        code_scale,
    ),
    Row(
        "perplexity",
        "Codes of the codebook in use",
        "",
        "In effect: the exponential of their entropy.",
        perplexity,
        "",
        "{:.1f}",
    ),
    Row("latent_dim", "Latent dimensions", "", "Numbers in a code.", latent_dim, "", "{:.0f}"),
    Row(
        "active_units",
        "Active units",
        "",
        "Dimensions whose code varies over the images (variance above 0.01).",
        active_units,
        "",
        "{:.1f}",
    ),
    Row(
        "effective_dimension",
        "Effective dimension",
        "",
        "Over how many directions the codes' variance is spread.",
        effective_dimension,
        "",
        "{:.1f}",
    ),
    Row(
        "discrepancy",
        "Codes against the prior (MMD)",
        "",
        "Squared maximum mean discrepancy of codes and draws from the prior; about 0 where they "
        "have one distribution.",
        discrepancy,
        "lower",
        "{:.4f}",
    ),
    Row(
        "holes_prior",
        "Prior draws in holes",
        "",
        "Share of the prior's draws that lie farther from every code than codes lie from each "
        "other (95 %). Draws of the codes' own distribution have 0.05. Codes that are much larger "
        "than the prior hide its draws among them, with 0.",
        functools.partial(holes, source="prior"),
        "lower",
    ),
    Row(
        "holes_gaussian",
        "Fitted Gaussian's draws in holes",
        "",
        "The same for draws from the Gaussian fitted to the codes, all whitened: the shape of the "
        "code's distribution, whatever its place and size.",
        functools.partial(holes, source="gaussian"),
        "lower",
    ),
    Row(
        "mutual_information",
        "KL: mutual information",
        "nats",
        "The part of the KL that tells images apart; at most the logarithm of their number: what "
        "is beyond shows as total correlation.",
        functools.partial(kl_part, name="mutual_information"),
    ),
    Row(
        "total_correlation",
        "KL: total correlation",
        "nats",
        "The part by which dimensions depend on each other over all images; with all that the "
        "information can't show where it is at the logarithm of the number of images.",
        functools.partial(kl_part, name="total_correlation"),
    ),
    Row(
        "dimension_wise_kl",
        "KL: of the dimensions",
        "nats",
        "The part by which each dimension's codes, over all images, leave the prior.",
        functools.partial(kl_part, name="dimension_wise_kl"),
        "lower",
    ),
    Row(
        "lipschitz",
        "Steepness of the decoder",
        "",
        "Median over codes of the largest change of the image, per standard deviation of the "
        "codes: the local Lipschitz constant.",
        lipschitz,
        "lower",
    ),
)

SOURCES = {
    "prior": "the prior",
    "gaussian": "a Gaussian fitted to the codes",
    "mixture": "a mixture of 10 fitted to the codes",
    "encodings": "test images' own codes",
}
SAMPLES = tuple(
    row
    for source, words in SOURCES.items()
    for row in (
        Row(
            f"frechet_{source}",
            f"Fréchet distance, codes from {words}",
            "",
            "Of samples and test images, in the features named below. Not comparable with an FID.",
            functools.partial(frechet, source=source),
            "lower",
        ),
        Row(
            f"kernel_{source}",
            f"Kernel distance, codes from {words}",
            "",
            "Squared, unbiased, polynomial kernel, in the same features.",
            functools.partial(kernel, source=source),
            "lower",
            "{:.3f}",
        ),
        *(
            Row(
                f"{name}_{source}",
                f"{name.capitalize()}, codes from {words}",
                "",
                meaning,
                functools.partial(neighbours, source=source, name=name),
                "higher",
            )
            for name, meaning in {
                "precision": "Share of samples that lie among the test images.",
                "recall": "Share of test images that lie among the samples.",
                "density": "How many test images' neighbourhoods a sample lies in, by their size.",
                "coverage": "Share of test images with a sample in their neighbourhood.",
            }.items()
        ),
    )
)

PATHS = (
    Row(
        "midpoint",
        "Half-way images, straight paths",
        "",
        "Fréchet distance of the images half-way between two codes from test images.",
        midpoint,
        "lower",
    ),
    Row(
        "midpoint_between",
        "Half-way images, straight paths between classes",
        "",
        "The same for ends of different classes.",
        functools.partial(midpoint, between_classes=True),
        "lower",
    ),
    Row(
        "midpoint_spherical",
        "Half-way images, spherical paths",
        "",
        "The same along arcs round the origin.",
        functools.partial(midpoint, method="spherical"),
        "lower",
    ),
    Row(
        "evenness",
        "Evenness of steps",
        "",
        "Mean step of a path over its largest, in features: 1 where the image changes evenly.",
        evenness,
        "higher",
    ),
    Row(
        "evenness_between",
        "Evenness of steps between classes",
        "",
        "The same for ends of different classes.",
        functools.partial(evenness, between_classes=True),
        "higher",
    ),
    Row(
        "length",
        "Length of paths",
        "",
        "In features, over the straight distance of its ends: 1 is the shortest.",
        length,
        "lower",
    ),
    Row(
        "length_between",
        "Length of paths between classes",
        "",
        "The same for ends of different classes.",
        functools.partial(length, between_classes=True),
        "lower",
    ),
)

USE = (
    *(
        Row(
            f"{key}_{count}",
            f"{name}, {words}",
            "",
            f"{meaning} Learned from {words}.",
            functools.partial(probe, measure=measure, labels=labels),
            "higher",
            "{:.3f}",
        )
        for count, labels, words in (
            ("few", FEW, f"{FEW} labels"),
            ("many", MANY, f"up to {MANY} labels"),
        )
        for key, name, meaning, measure in (
            (
                "linear_probe",
                "Linear classifier",
                "Its accuracy on the codes of test images.",
                measures.linear_probe,
            ),
            (
                "nearest_neighbours",
                "Nearest neighbours",
                "Accuracy of the majority of the 5 nearest codes, not whitened: that would "
                "make unused dimensions as large as the others.",
                measures.nearest_neighbour_probe,
            ),
        )
    ),
    Row(
        "adjusted_rand",
        "Clusters against classes, Rand",
        "",
        "Agreement of k-means clusters of the codes with the classes: adjusted Rand index, 0 by "
        "chance.",
        functools.partial(clusters, name="adjusted_rand"),
        "higher",
    ),
    Row(
        "normalized_mutual_information",
        "Clusters against classes, information",
        "",
        "The same, as normalised mutual information.",
        functools.partial(clusters, name="normalized_mutual_information"),
        "higher",
    ),
    *(
        Row(
            f"anomalies_{score}",
            f"Strange images found by {words}",
            "",
            "How often a strange image scores above a test image (AUROC; 0.5 by chance). Strange: "
            "test images on their side; sprites, and what isn't square, with values shuffled "
            "between images.",
            functools.partial(anomalies, score=score),
            "higher",
            "{:.3f}",
        )
        for score, words in {
            "reconstruction": "reconstruction",
            "elbo": "ELBO",
            "density": "density of codes",
        }.items()
    ),
)

FACTORS = (
    Row(
        "mutual_information_gap",
        "MIG",
        "",
        "Mutual information gap.",
        functools.partial(with_factors, measure=measures.mutual_information_gap),
        "higher",
        "{:.3f}",
    ),
    *(
        Row(
            f"dci_{name}",
            f"DCI {name}",
            "",
            "By gradient boosted trees.",
            functools.partial(dci, name=name),
            "higher",
            "{:.3f}",
        )
        for name in ("disentanglement", "completeness", "informativeness")
    ),
    Row(
        "separated_attribute_predictability",
        "SAP",
        "",
        "Separated attribute predictability.",
        functools.partial(
            with_factors, measure=measures.separated_attribute_predictability, test=True
        ),
        "higher",
        "{:.3f}",
    ),
    Row(
        "modularity",
        "Modularity",
        "",
        "Whether each dimension tells of one factor alone. Noise scores high.",
        functools.partial(with_factors, measure=measures.modularity),
        "higher",
        "{:.3f}",
    ),
    Row(
        "explicitness",
        "Explicitness",
        "",
        "Whether a linear classifier reads the factors off the code.",
        functools.partial(with_factors, measure=measures.explicitness, test=True),
        "higher",
        "{:.3f}",
    ),
    Row(
        "beta_vae_score",
        "BetaVAE score",
        "",
        "Whether one can tell which factor pairs of images share; from 500 points of 16 pairs, far "
        "fewer than published.",
        functools.partial(with_renderer, measure=measures.beta_vae_score),
        "higher",
        "{:.3f}",
    ),
    Row(
        "factor_vae_score",
        "FactorVAE score",
        "",
        "Whether the dimension that varies least tells which factor is fixed; from 500 points of "
        "16 images, far fewer than published.",
        functools.partial(with_renderer, measure=measures.factor_vae_score, num_variance=2000),
        "higher",
        "{:.3f}",
    ),
)

# What a group is about: its rows.
GROUPS = {
    "Giving images back": FIT,
    "Where the codes lie": CODES,
    "New images": SAMPLES,
    "Paths between images": PATHS,
    "What the codes are good for": USE,
    "Disentanglement of known factors": FACTORS,
}
ROWS = {row.key: row for rows in GROUPS.values() for row in rows}
