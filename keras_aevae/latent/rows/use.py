"""Measures of the use of frozen codes: for classes, with labels or without, and for anomalies."""

import functools

import numpy as np

from keras_aevae.latent import measures
from keras_aevae.latent.rows.row import Row
from keras_aevae.latent.rows.sizes import ANOMALIES, FEW_LABELS, LABELS, MANY_LABELS, TEST

# The codes of a probe: key, name, and the `Observations` of training and of test images.
PROBE_INPUTS = {
    "": ("", "codes"),
    "_of_draws": (", draws from the clouds", "draws"),
    "_whitened": (", whitened codes", "whitened"),
}
PROBES = {
    "linear_probe": (
        "Linear classifier",
        "Its accuracy on the codes of test images, each dimension brought to variance 1.",
        measures.linear_probe,
        ("", "_of_draws"),  # which whitening hardly changes
    ),
    "nearest_neighbours": (
        "Nearest neighbours",
        "Accuracy of the majority of the 5 nearest codes. Whitened, unused dimensions are as large "
        "as the others; not whitened, large ones drown small ones.",
        measures.nearest_neighbour_probe,
        ("", "_of_draws", "_whitened"),
    ),
}
CLUSTERS = {
    "adjusted_rand": (
        "Rand",
        "Agreement of k-means clusters of the codes with the classes: adjusted Rand index, 0 by "
        "chance.",
    ),
    "normalized_mutual_information": ("information", "The same, as normalised mutual information."),
}
ANOMALY_SCORES = {
    "reconstruction": "reconstruction",
    "elbo": "ELBO",
    "density": "density of codes",
}


def probe(o, part, measure, labels, kind):
    """Take a probe with few labels, drawn anew for each run and part but the same for all models:
    their choice is the main source of chance."""
    y, y_test = o.data.labels("train")[o.data.some_train], o.data.labels("test")
    draw = np.random.default_rng((o.seed, part.number))
    chosen = draw.permutation(len(y))[:labels]
    codes, codes_test = getattr(o, f"train_{kind}"), getattr(o, f"test_{kind}")
    return measure(codes[chosen], y[chosen], part.take(codes_test), part.take(y_test))


def clusters(o, part, kind, name):
    return o.clusters(kind, part)[name]


def anomalies(o, part, score):
    usual, strange = o.anomaly_scores(score)
    return measures.anomaly_auroc(part.take(usual), part.take(strange))


USE = (
    *(
        Row(
            f"{key}_{count}{suffix}",
            f"{name}, {words}{PROBE_INPUTS[suffix][0]}",
            "",
            f"{meaning} Learned from {words}.",
            functools.partial(probe, measure=measure, labels=labels, kind=PROBE_INPUTS[suffix][1]),
            "higher",
            "{:z.3f}",
            (TEST, LABELS[labels]),
        )
        for count, labels, words in (
            ("few", FEW_LABELS, f"{FEW_LABELS} labels"),
            ("many", MANY_LABELS, f"up to {MANY_LABELS} labels"),
        )
        for key, (name, meaning, measure, suffixes) in PROBES.items()
        for suffix in suffixes
    ),
    *(
        Row(
            name + suffix,
            f"Clusters against classes, {short}{PROBE_INPUTS[suffix][0]}",
            "",
            meaning,
            functools.partial(clusters, kind=PROBE_INPUTS[suffix][1], name=name),
            "higher",
        )
        for suffix in ("", "_whitened")
        for name, (short, meaning) in CLUSTERS.items()
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
            "{:z.3f}",
            (TEST, ANOMALIES),
        )
        for score, words in ANOMALY_SCORES.items()
    ),
)
