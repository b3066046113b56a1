"""Functions for the measures that choose the factors of the images that are encoded."""

import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.latent.measures._arrays import check_model, received

# The number of images that are rendered and encoded at a time.
AT_A_TIME = 8192


def check_sources(model, dataset, **sizes):
    """Raise an error unless `model` encodes images, `dataset` makes images from factors, as
    `DSprites` does, and the `sizes` are positive integers."""
    check_model(model, "encode")
    wanted = ("sample_factors", "render", "factor_sizes")
    missing = [name for name in wanted if not hasattr(dataset, name)]
    if missing:
        raise ValueError(
            "`dataset` must make images from known factors, as `keras_aevae.datasets.DSprites` "
            f"does. Received: {received(dataset)}, which has no {', '.join(missing)}."
        )
    for name, size in sizes.items():
        check_positive_integer(name, size)


def encode_factors(model, dataset, factors, bar):
    """Return the codes of the images with these factors, (n, latent_dim), some of them at a
    time."""
    parts = []
    for i in range(0, len(factors), AT_A_TIME):
        x = dataset.render(factors[i : i + AT_A_TIME])
        parts.append(np.asarray(model.encode(x), "float64"))
        bar.add(len(x))
    return np.concatenate(parts)
