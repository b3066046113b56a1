"""Measures of memorisation: whether outputs are nearer to the training images than to others."""

import functools

from keras_aevae.latent.measures.memorization import share_nearer
from keras_aevae.latent.rows.row import Row, mean
from keras_aevae.latent.rows.sizes import ALL_TRAIN, COMPARED

OF = {
    "reconstructions": "Reconstructions",
    "prior": "Samples from the prior",
}


def preference(o, part, what):
    """Return the preference minus that of the test images, which may also be like training
    images."""
    return mean(part.take(o.preferences(what)) - part.take(o.data.own_preferences))


def distance(o, part, what):
    return mean(part.take(o.training_distances(what))) / mean(part.take(o.data.own_distances))


def memorization(o, part, what):
    return share_nearer(part.take(o.training_distances(what)), part.take(o.data.own_distances))


MEMORY = tuple(
    row
    for what, words in OF.items()
    for row in (
        Row(
            f"preference_{what}",
            f"{words}, nearer to training images",
            "",
            "How often one is nearer to a training image than to any of as many other test images, "
            "less how often a test image is. 0: no memory.",
            functools.partial(preference, what=what),
            "lower",
            "{:+z.3f}",
            (COMPARED,),
        ),
        Row(
            f"nearest_training_distance_{what}",
            f"{words}, distance to the nearest training image",
            "",
            "Mean distance in pixel space, divided by that of test images. 0: copies. Blurred "
            "images are below 1 without being copies: read the row above first.",
            functools.partial(distance, what=what),
            "",
            "{:z.3f}",
            (COMPARED, ALL_TRAIN),
        ),
        Row(
            f"memorization_{what}",
            f"{words}, memorisation score",
            "",
            "How often one is nearer to its nearest training image than a test image is to its "
            "own. 0.5: as near as new images are; 1: copies, or blur.",
            functools.partial(memorization, what=what),
            "",
            "{:z.3f}",
            (COMPARED, ALL_TRAIN),
        ),
    )
)
