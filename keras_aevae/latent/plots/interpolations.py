"""Pictures of paths between images through the latent space."""

import numpy as np

from keras_aevae.latent.plots._condition import condition_setting
from keras_aevae.latent.plots._figure import GREY, WIDTH, panels
from keras_aevae.latent.plots._images import check_images, montage, show


def interpolations(models, start, end, steps=7, *, condition=None, method="linear"):
    """Draw a row per pair of images: both, and the decoded codes on the path between them.

    Args:
        models: dict from names to models, with one panel each.
        start, end: images, both of shape (n, height, width, channels).
        steps: number of decoded codes in each row; the first and the last are the pair's
            reconstructions.
        condition: the condition of each row, shape (n,) for labels, for conditional models; it is
            the same along the path, for example that of the start image. The last tile is then the
            end image under that condition, such as the start's class in the end's style.
        method: "linear" or "spherical", see `model.interpolate`.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets
    from keras_aevae.latent import plots
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    figure = plots.interpolations({"VAE": vae}, x_test[:4], x_test[4:8])
    ```
    """
    check_images(models)
    arrays = []
    ends = np.asarray(start)[:, None], np.asarray(end)[:, None]
    for model in models.values():
        path = model.interpolate(
            start, end, steps, method=method, **condition_setting(model, condition)
        )
        rows = np.concatenate([ends[0], path, ends[1]], axis=1)  # (n, steps + 2, *data_shape)
        array, step = montage(rows.reshape(-1, *rows.shape[2:]), columns=steps + 2)
        arrays.append(array)
    height, width = arrays[0].shape[:2]
    with panels(list(models), WIDTH * height / width + 0.5) as (figure, axes):
        for one, array in zip(axes, arrays):
            show(one, array)
            # The originals are set apart from the decoded images.
            for edge in (1, steps + 1):
                one.axvline(edge * step[1] + 1, color="white", linewidth=5)
            centres = step[1] * np.array([0.5, (steps + 2) / 2, steps + 1.5])
            one.set_xticks(centres, ["original", "decoded along the path", "original"])
            one.tick_params(length=0, labelcolor=GREY, labelsize=9)
    return figure
