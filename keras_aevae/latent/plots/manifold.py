"""A picture of the images on a plane of the latent space."""

from statistics import NormalDist

import numpy as np

from keras_aevae._checks import check_number, check_positive_integer
from keras_aevae.distributions.diagonal_gaussian import is_standard_normal
from keras_aevae.latent.plots._condition import condition_setting
from keras_aevae.latent.plots._figure import GREY, WIDTH, panels
from keras_aevae.latent.plots._images import check_images, montage, show
from keras_aevae.latent.plots._latent import codes_of, principal_axes


def manifold(models, codes=None, size=12, extent=2.0, *, condition=None):
    """Draw a grid of images decoded from a plane of the latent space, one panel per model.

    The plane goes through the mean of the codes: along both dimensions of a latent space of two, or
    along the two principal axes of a larger one, as in `plots.codes`. From one tile to the next,
    the step is the same share of the codes' standard deviation on that axis. Without codes, if the
    latent space has two dimensions and the prior is N(0, I), the tiles lie on the prior's
    quantiles, as in figure 4 of Kingma & Welling 2014 (https://arxiv.org/abs/1312.6114): each
    stands for an equal share of the prior.

    Misleads in large latent spaces: two axes may hold little of the codes' variance (their share is
    written beside them), and the plane may pass where no codes are.

    Args:
        models: dict from names to models of 2 or more latent dimensions, with one panel each.
        codes: dict from the same names to codes, such as `encode(x_test)`, each of shape
            (n, latent_dim), n at least 2. With None the prior's quantiles are used.
        size: number of tiles in each row and column. If it is odd, the middle tile is the decoded
            mean.
        extent: number of standard deviations from the mean to the outermost tiles; unused without
            codes.
        condition: the condition of all images, such as a label, for conditional models.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets
    from keras_aevae.latent import plots
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    figure = plots.manifold({"VAE": vae}, {"VAE": vae.encode(x_test)}, size=9)
    ```
    """
    check_images(models)
    size = check_positive_integer("size", size)
    extent = check_number("extent", extent, minimum=0, exclusive=True)
    codes = dict.fromkeys(models) if codes is None else codes_of(codes, models)
    planes, arrays = [], []
    for name, model in models.items():
        planes.append(plane(name, model, codes[name], size, extent))
        images = model.decode(planes[-1][0], **condition_setting(model, condition))
        arrays.append(montage(images, columns=size)[0])
    height, width = arrays[0].shape[:2]
    with panels(list(models), WIDTH * height / width + 0.3) as (figure, axes):
        for one, array, (_, axis_names, ticks) in zip(axes, arrays, planes):
            show(one, array)
            label(one, array, axis_names, ticks)
    return figure


def plane(name, model, codes, size, extent):
    """Return codes row by row from the top, (size^2, latent_dim), and the texts beside them."""
    if model.latent_dim < 2:
        raise ValueError(
            "`models` must have 2 or more latent dimensions, in which there is a plane. Received: "
            f"{name!r} with latent_dim={model.latent_dim}. `plots.traversals` draws a line."
        )
    if codes is None:
        prior = model.code.prior_of(fitted=True)
        if model.latent_dim > 2 or not is_standard_normal(prior):
            raise ValueError(
                "`codes` are needed, unless the latent space has 2 dimensions and the prior is "
                f"N(0, I). Received: codes=None for {name!r} with latent_dim={model.latent_dim} "
                f"and the prior {type(prior).__name__}. Pass a dict from the names to codes, "
                "such as {" + f"{name!r}: model.encode(x_test)" + "}."
            )
        center, spread, basis = np.zeros(2), np.ones(2), np.eye(2)
        axis_names = "latent dimension 1", "latent dimension 2"
        steps = np.array([NormalDist().inv_cdf((i + 0.5) / size) for i in range(size)])
        ticks = f"−{steps[-1]:.1f}", "0", f"+{steps[-1]:.1f}"
    else:
        basis, axis_names = principal_axes(codes)
        center, spread = codes.mean(axis=0), (codes @ basis.T).std(axis=0)
        steps = np.linspace(-extent, extent, size) if size > 1 else np.zeros(1)
        ticks = f"−{extent:g} sd", "mean", f"+{extent:g} sd"
    across, up = np.meshgrid(steps, steps[::-1])
    moves = np.stack([across.ravel(), up.ravel()], axis=1) * spread
    return (center + moves @ basis).astype("float32"), axis_names, ticks


def label(axes, array, axis_names, ticks):
    """Write the names of both axes beside a square of tiles, and the values at its ends and
    middle."""
    height, width = array.shape[:2]
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.set_xticks([0, width / 2, width], ticks)
    axes.set_yticks([height, height / 2, 0], ticks, rotation=90)
    for text, alignment in zip(axes.get_xticklabels(), ("left", "center", "right")):
        text.set_horizontalalignment(alignment)
    for text, alignment in zip(axes.get_yticklabels(), ("bottom", "center", "top")):
        text.set_verticalalignment(alignment)
    axes.tick_params(length=0, labelcolor=GREY, labelsize=9)
