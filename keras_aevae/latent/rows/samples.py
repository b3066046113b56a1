"""Measures of how samples agree with data, by the source of their codes."""

import functools

from keras_aevae.latent import measures
from keras_aevae.latent.rows import sizes
from keras_aevae.latent.rows.row import Row

SOURCES = {
    "prior": "the prior",
    "gaussian": "a Gaussian fitted to the codes",
    "mixture": "a mixture of 10 fitted to the codes",
    "encodings": "test images' own codes",
}
NEIGHBOURS = {
    "precision": "Share of samples that lie among the test images.",
    "recall": "Share of test images that lie among the samples.",
    "density": "How many test images' neighbourhoods a sample lies in, by their size.",
    "coverage": "Share of test images with a sample in their neighbourhood.",
}


def frechet(o, part, source):
    real, fake = part.take(o.data.test_features), part.take(o.sample_features(source))
    return measures.frechet_distance(real, fake)


def kernel(o, part, source):
    real, fake = part.take(o.data.test_features), part.take(o.sample_features(source))
    return measures.maximum_mean_discrepancy(real, fake, kernel="polynomial")


def neighbours(o, part, source, name):
    return o.precision_recall(source, part)[name]


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
            of=(sizes.SAMPLES, sizes.TEST),
        ),
        Row(
            f"kernel_{source}",
            f"Kernel distance, codes from {words}",
            "",
            "Squared, unbiased, polynomial kernel, in the same features.",
            functools.partial(kernel, source=source),
            "lower",
            "{:z.3f}",
            (sizes.SAMPLES, sizes.TEST),
        ),
        *(
            Row(
                f"{name}_{source}",
                f"{name.capitalize()}, codes from {words}",
                "",
                meaning,
                functools.partial(neighbours, source=source, name=name),
                "higher",
                of=(sizes.SAMPLES, sizes.TEST),
            )
            for name, meaning in NEIGHBOURS.items()
        ),
    )
)
