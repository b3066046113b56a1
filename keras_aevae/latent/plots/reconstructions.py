"""Pictures of images and their reconstructions by each model."""

import numpy as np

from keras_aevae.latent.plots._condition import condition_setting
from keras_aevae.latent.plots._figure import INK, WIDTH, panels
from keras_aevae.latent.plots._images import check_images, montage, show
from keras_aevae.latent.plots._labels import broken

LINE = 18  # the most characters in a line of a name, so that the images keep their space


def reconstructions(models, x, *, condition=None):
    """Draw the images `x` in the first row, and each model's reconstructions below them.

    Args:
        models: dict from names to models.
        x: a few images, shape (n, height, width, channels).
        condition: the condition of each image, shape (n,) for labels, for conditional models.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets
    from keras_aevae.latent import plots
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    figure = plots.reconstructions({"VAE": vae}, x_test[:10])
    ```
    """
    check_images(models)
    rows = {"original": x}
    for name, model in models.items():
        rows[name] = model.reconstruct(x, **condition_setting(model, condition))
    array, step = montage(np.concatenate(list(rows.values())), columns=len(x))
    height, width = array.shape[:2]
    with panels([""], WIDTH * height / width * 0.9) as (figure, (axes,)):
        show(axes, array)
        names = [broken(name, LINE) for name in rows]
        axes.set_yticks(step[0] * (np.arange(len(rows)) + 0.5), names)
        size = 8 if any("\n" in name for name in names) else 11
        axes.tick_params(length=0, labelcolor=INK, labelsize=size)
    return figure
