"""Measures of the paths between the codes of test images."""

import functools

from keras_aevae.latent import measures
from keras_aevae.latent.rows import sizes
from keras_aevae.latent.rows.row import Row


def midpoint(o, part, method, between_classes):
    real, middle = o.data.test_features, o.midpoint_features(method, between_classes)
    return measures.frechet_distance(part.take(real), part.take(middle))


def evenness(o, part, method, between_classes):
    return measures.step_uniformity(part.take(o.path_features(method, between_classes)))


def length(o, part, method, between_classes):
    return measures.path_length(part.take(o.path_features(method, between_classes)))


# The key and the name of each kind of path, and the method that gives it.
PATH_KINDS = {
    "": ("straight paths", {"method": "linear", "between_classes": False}),
    "_between": ("straight paths between classes", {"method": "linear", "between_classes": True}),
    "_spherical": ("spherical paths", {"method": "spherical", "between_classes": False}),
    "_spherical_between": (
        "spherical paths between classes",
        {"method": "spherical", "between_classes": True},
    ),
}
# key, name, meaning, measure, better, and what the measure is taken of.
MEASURES = (
    (
        "midpoint",
        "Half-way images",
        "Fréchet distance of the images half-way between two codes from test images. Spherical: "
        "along an arc round the origin.",
        midpoint,
        "lower",
        sizes.HALF_WAY,
        (sizes.TEST,),
    ),
    (
        "evenness",
        "Evenness of steps",
        "Mean step of a path over its largest, in features: 1 where the image changes evenly.",
        evenness,
        "higher",
        sizes.PATHS,
        (),
    ),
    (
        "length",
        "Length of paths",
        "In features, over the straight distance of its ends: 1 is the shortest.",
        length,
        "lower",
        sizes.PATHS,
        (),
    ),
)
PATHS = tuple(
    Row(
        key + suffix,
        f"{name}, {words}",
        "",
        meaning,
        functools.partial(measure, **settings),
        better,
        of=(of[settings["between_classes"]], *more),
    )
    for key, name, meaning, measure, better, of, more in MEASURES
    for suffix, (words, settings) in PATH_KINDS.items()
)
