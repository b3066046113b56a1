"""A picture of new images by the source of their codes."""

import numpy as np

from keras_aevae.latent.plots._figure import INK, WIDTH, panels
from keras_aevae.latent.plots._images import montage, show


def sources(images):
    """Draw a panel per model with a row per source of codes: the images decoded from them.

    There is one decoder and several sources: if the prior's row is worse than a row of codes of the
    data, the prior is to blame, not the decoder. All the images are drawn; don't pick some.

    Misleads with few images, since then no row shows how many are bad.

    Args:
        images: dict from models' names to dicts from sources' names, such as "prior" or "test
            codes", to images of shape (n, height, width, channels) with 1, 3 or 4 channels: n of
            each source, at most about 10, or they become small.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets
    from keras_aevae.latent import plots
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    rows = {
        "prior": vae.sample(8, seed=0),
        "test codes": vae.decode(vae.encode(x_test[:8], sample=True)),
    }
    vae.fit_prior(x_test, "gaussian")
    rows["Gaussian"] = vae.sample(8, seed=0)
    figure = plots.sources({"VAE": rows})
    ```
    """
    drawn = []
    for name, rows in images.items():
        rows = {source: np.asarray(row) for source, row in rows.items()}
        shapes = {source: row.shape for source, row in rows.items()}
        first = next(iter(shapes.values()), ())
        if len(first) != 4 or first[-1] not in (1, 3, 4) or set(shapes.values()) != {first}:
            raise ValueError(
                "`images` must be, of each model, a dict from sources to arrays of one shape "
                "(n, height, width, channels) with 1, 3 or 4 channels. Received: "
                f"{name!r} with shapes {shapes}. Draw as many of each source."
            )
        drawn.append((list(rows), *montage(np.concatenate(list(rows.values())), columns=first[0])))
    height, width = np.max([array.shape[:2] for _, array, _ in drawn], axis=0)
    with panels(list(images), WIDTH * height / width * 0.84 + 0.3) as (figure, axes):
        for one, (names, array, step) in zip(axes, drawn):
            show(one, array)
            one.set_anchor("W")  # else the words have space only beside the images
            one.set_yticks(step[0] * (np.arange(len(names)) + 0.5), names)
            one.tick_params(length=0, labelcolor=INK, labelsize=10)
    return figure
