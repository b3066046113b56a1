"""What the measures share that choose the factors of the images whose codes they see."""

import numpy as np

# Images rendered and encoded at a time.
AT_A_TIME = 8192


def check_dataset(dataset):
    """Raise unless `dataset` makes images from factors, as `DSprites` does."""
    wanted = ("sample_factors", "render", "factor_sizes")
    missing = [name for name in wanted if not hasattr(dataset, name)]
    if missing:
        raise ValueError(
            "`dataset` must make images from known factors, as `keras_aevae.datasets.DSprites` "
            f"does. Received: {type(dataset).__name__}, which has no {', '.join(missing)}."
        )


def encode_factors(model, dataset, factors, bar):
    """The codes of the images with these factors, (n, latent_dim), a part of them at a time."""
    parts = []
    for i in range(0, len(factors), AT_A_TIME):
        x = dataset.render(factors[i : i + AT_A_TIME])
        parts.append(np.asarray(model.encode(x), "float64"))
        bar.add(len(x))
    return np.concatenate(parts)
