"""What each latent dimension does to an image."""

import numpy as np

from keras_aevae._checks import check_number, check_positive_integer
from keras_aevae.latent.plots._condition import told
from keras_aevae.latent.plots._figure import GREY, INK, WIDTH, panels
from keras_aevae.latent.plots._images import check_images, montage, show
from keras_aevae.latent.plots._latent import codes_of


def traversals(models, x, codes=None, dimensions=8, steps=7, extent=2.0, *, condition=None):
    """A row a latent dimension: an image's code decoded while that dimension alone moves.

    The middle of an odd number of steps is the image's reconstruction, in every row. A row in
    which nothing changes is of a dimension that the decoder ignores.

    Misleads where the decoder's use of a dimension depends on the others: another image's rows
    may show another thing, so draw several before naming a dimension.

    Args:
        models: dict from names to models; a panel each.
        x: images, shape (n, height, width, channels); the first of them is traversed.
        codes: dict from the same names to codes, such as `encode(x_test)`, each of shape
            (n, latent_dim), n at least 2. They set the unit of each dimension, its standard
            deviation, and the order: the largest variance first. None: a unit of 1, the prior's,
            and the dimensions in their own order.
        dimensions: rows, at most; dimensions are counted from 1.
        steps: images in each row.
        extent: standard deviations that a dimension moves to either side.
        condition: what conditional models are told: one, that of the image traversed, for all
            images drawn. Others are told nothing.

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
        settings = told(model, condition)
        z = model.encode(np.asarray(x)[:1], **settings) + moves.reshape(-1, model.latent_dim)
        images = model.decode(z.astype("float32"), **settings)
        drawn.append((chosen, *montage(images, columns=steps)))
    height, width = np.max([array.shape[:2] for _, array, _ in drawn], axis=0)
    with panels(list(models), WIDTH * height / width * 0.88 + 0.5) as (figure, axes):
        for one, (chosen, array, step) in zip(axes, drawn):
            show(one, array)
            one.set_anchor("W")  # or the layout finds room for the words only beside the images
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
