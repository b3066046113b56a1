"""Functions for the measures that choose the factors of the images that are encoded."""

import numpy as np

# The number of images that are rendered and encoded at a time.
AT_A_TIME = 8192


def check_dataset(dataset):
    """Raise an error unless `dataset` makes images from factors, as `DSprites` does."""
    wanted = ("sample_factors", "render", "factor_sizes")
    missing = [name for name in wanted if not hasattr(dataset, name)]
    if missing:
        raise ValueError(
            "`dataset` must make images from known factors, as `keras_aevae.datasets.DSprites` "
            f"does. Received: {type(dataset).__name__}, which has no {', '.join(missing)}."
        )


def encode_factors(model, dataset, factors, bar):
    """Return the codes of the images with these factors, (n, latent_dim), some of them at a
    time."""
    parts = []
    for i in range(0, len(factors), AT_A_TIME):
        x = dataset.render(factors[i : i + AT_A_TIME])
        parts.append(np.asarray(model.encode(x), "float64"))
        bar.add(len(x))
    return np.concatenate(parts)
