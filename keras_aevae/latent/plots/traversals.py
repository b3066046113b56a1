"""A picture of the effect of each latent dimension on an image."""

import numpy as np

from keras_aevae._checks import check_number, check_positive_integer
from keras_aevae.latent.plots._condition import condition_setting
from keras_aevae.latent.plots._figure import GREY, INK, WIDTH, panels
from keras_aevae.latent.plots._images import check_images, montage, show
from keras_aevae.latent.plots._latent import codes_of


def traversals(models, x, codes=None, dimensions=8, steps=7, extent=2.0, *, condition=None):
    """Draw a row per latent dimension: decoded codes of an image in which it alone changes.

    The middle of an odd number of steps is the image's reconstruction, in every row. A row in which
    nothing changes belongs to a dimension that the decoder ignores.

    Misleads if the decoder's use of a dimension depends on the others: the rows of another image
    may show something else, so draw several before you name a dimension.

    Args:
        models: dict from names to models, with one panel each.
        x: images, shape (n, height, width, channels), of which the first is used.
        codes: dict from the same names to codes, such as `encode(x_test)`, each of shape
            (n, latent_dim), n at least 2. They set the unit of each dimension, its standard
            deviation, and the order: the largest variance first. With None the unit is 1, as in the
            prior, and the dimensions are in their own order.
        dimensions: the most rows; dimensions are counted from 1.
        steps: number of images in each row.
        extent: number of standard deviations by which a dimension changes to either side.
        condition: the condition of all images drawn, that of the image `x[0]`, for conditional
            models.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets
    from keras_aevae.latent import plots
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    figure = plots.traversals({"VAE": vae}, x_test[:1], {"VAE": vae.encode(x_test)})
    ```
    """
    check_images(models)
    dimensions = check_positive_integer("dimensions", dimensions)
    if check_positive_integer("steps", steps) < 2:
        raise ValueError(f"`steps` must be at least 2. Received: steps={steps}.")
    extent = check_number("extent", extent, minimum=0, exclusive=True)
    codes = None if codes is None else codes_of(codes, models)
    drawn = []
    for name, model in models.items():
        spread = np.ones(model.latent_dim) if codes is None else codes[name].std(axis=0)
        chosen = np.argsort(-spread, kind="stable")[:dimensions]
        moves = np.zeros((len(chosen), steps, model.latent_dim))
        for row, d in enumerate(chosen):
            moves[row, :, d] = np.linspace(-extent, extent, steps) * spread[d]
        settings = condition_setting(model, condition)
        z = model.encode(np.asarray(x)[:1], **settings) + moves.reshape(-1, model.latent_dim)
        images = model.decode(z.astype("float32"), **settings)
        drawn.append((chosen, *montage(images, columns=steps)))
    height, width = np.max([array.shape[:2] for _, array, _ in drawn], axis=0)
    with panels(list(models), WIDTH * height / width * 0.88 + 0.5) as (figure, axes):
        for one, (chosen, array, step) in zip(axes, drawn):
            show(one, array)
            one.set_anchor("W")  # else the words have space only beside the images
            one.set_yticks(
                step[0] * (np.arange(len(chosen)) + 0.5), [f"dim {d + 1}" for d in chosen]
            )
            one.set_xticks(
                step[1] * np.array([0.5, steps / 2, steps - 0.5]),
                [f"−{extent:g} sd", "the image's code", f"+{extent:g} sd"],
            )
            one.tick_params(length=0, labelsize=9)
            one.tick_params("x", labelcolor=GREY)
            one.tick_params("y", labelcolor=INK, labelsize=10)
    return figure
