"""A picture of the prior's draws that lie where no data have codes."""

import numpy as np

from keras_aevae.latent.measures._values import spaced
from keras_aevae.latent.measures.holes import in_holes
from keras_aevae.latent.plots._figure import WIDTH, panels
from keras_aevae.latent.plots._labels import key
from keras_aevae.latent.plots._latent import MAX_POINTS, principal_axes

PALE_DOTS = "#c4c4c4"
IN_A_HOLE, AMONG_CODES = "#b5480a", "#0072b2"


def hole_map(codes, draws, level=0.95):
    """Draw the codes and the prior's draws in two dimensions: which draws lie in holes.

    A draw lies in a hole if it is farther from every code than 95 % of the codes are from their
    nearest neighbour, in all dimensions; the title gives the share, as `latent.holes` does. The map
    is that of `plots.codes`: if there are more than two dimensions, their principal axes, not
    centred.

    Misleads about the dimensions that aren't shown, in which a draw may be far from codes that it
    covers here; and with few codes, between which there is space everywhere.

    Args:
        codes: dict from names to codes of the data, each of shape (n, latent_dim), n at least 2,
            with one panel each. For a VAE use draws from the posterior,
            `vae.encode(x, sample=True)`, since the decoder learned from these.
        draws: dict from the same names to draws from the prior, each of shape (m, latent_dim), m at
            least 2. At most 800 codes and draws, evenly spaced, are shown; all are counted.
        level: level of the quantile.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    import numpy as np
    from keras_aevae import VAE, datasets
    from keras_aevae.latent import plots
    (x_train, _), _ = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    z = vae.encode(x_train, sample=True)
    draws = np.random.default_rng(0).normal(size=z.shape)
    figure = plots.hole_map({"VAE": z}, {"VAE": draws})
    ```
    """
    if list(codes) != list(draws):
        raise ValueError(
            "`codes` and `draws` must have the same names, in the same order. Received: codes of "
            f"{list(codes)} and draws of {list(draws)}."
        )
    pairs = {name: (np.asarray(codes[name]), np.asarray(draws[name])) for name in codes}
    holes = {name: in_holes(*pair, level) for name, pair in pairs.items()}
    titles = [
        f"{name}: {inside.mean():.0%} of prior draws in holes" for name, inside in holes.items()
    ]
    with panels(titles, WIDTH) as (figure, axes):
        for one, name in zip(axes, pairs):
            draw(one, *pairs[name], holes[name])
    return figure


def draw(axes, codes, draws, inside):
    basis, axis_names = principal_axes(codes)
    shown = spaced(len(draws), MAX_POINTS)
    draws, inside = draws[shown] @ basis.T, inside[shown]
    codes = codes[spaced(len(codes), MAX_POINTS)] @ basis.T
    axes.scatter(*codes.T, s=12, color=PALE_DOTS, linewidths=0, label="codes")
    # Those in holes are crosses: colour alone would not distinguish them. The fewer are on top, so
    # that the many don't hide them.
    kinds = (
        ("prior, in a hole", inside, {"s": 13, "marker": "x", "color": IN_A_HOLE, "linewidths": 1}),
        ("prior, among codes", ~inside, {"s": 9, "color": AMONG_CODES, "linewidths": 0}),
    )
    for label, chosen, look in kinds:
        axes.scatter(*draws[chosen].T, label=label, zorder=3 - chosen.mean(), **look)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    key(axes)
