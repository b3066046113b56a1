"""Maps of the latent space in two dimensions."""

import numpy as np

from keras_aevae.distributions.diagonal_gaussian import is_standard_normal
from keras_aevae.latent.measures._values import spaced
from keras_aevae.latent.plots._condition import condition_setting
from keras_aevae.latent.plots._figure import COLOURS, INK, WIDTH, panels
from keras_aevae.latent.plots._labels import halo
from keras_aevae.latent.plots._latent import MAX_POINTS, principal_axes

DRAWS = 200  # draws from a posterior, to which its ellipse is fitted


def codes(models, x, labels=None, *, class_names=None, condition=None):
    """Draw the codes of `x` in two dimensions, coloured by label, and the region of the prior.

    A latent space of two dimensions is shown as it is; of a larger one, the two principal axes are
    shown (scikit-learn's PCA), not centred, so that the prior N(0, I) stays around 0: dashed
    circles at 1 and 2 standard deviations. If an input is stored as a distribution, ellipses show 1
    standard deviation of q(z|x) for the first example of each class.

    Misleads about the dimensions that aren't shown: codes that overlap here may be apart there.

    Args:
        models: dict from names to models, with one panel each.
        x: data, shape (n, *data_shape), n at least 2; at most 800 of them, evenly spaced, are
            drawn.
        labels: classes, shape (n,), or None. A class is drawn as its number (numbered from 0 in
            order if the classes aren't integers), so that the map can be read without colours;
            colours repeat beyond ten classes.
        class_names: the names of classes 0, 1, ..., for a legend.
        condition: the condition of each example, shape (n,) for labels, or of all, for conditional
            models. Their codes needn't contain the condition, so their classes may rightly overlap.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets
    from keras_aevae.latent import plots
    _, (x_test, y_test) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    figure = plots.codes({"VAE": vae}, x_test, y_test)
    ```
    """
    x = np.asarray(x)
    kinds = ()
    if labels is not None:
        found, labels = np.unique(np.asarray(labels), return_inverse=True)
        # The drawn text of each class, and its name in the legend.
        if found.dtype.kind in "iuf" and (found % 1 == 0).all():
            names = {i: name for i, name in enumerate(class_names or ())}
            kinds = [(f"{label:.0f}", names.get(int(label))) for label in found]
        else:
            kinds = [(str(i), str(label)) for i, label in enumerate(found)]
    with panels(list(models), WIDTH) as (figure, axes):
        for one, model in zip(axes, models.values()):
            draw(one, model, x, labels, kinds, condition_setting(model, condition))
    return figure


def draw(axes, model, x, labels, kinds, settings):
    z = model.encode(x, **settings)  # (n, latent_dim)
    basis, axis_names = principal_axes(z)
    z = z @ basis.T  # (n, 2)
    shown = spaced(len(x), MAX_POINTS)
    if labels is None:
        axes.scatter(*z[shown].T, s=14, color=COLOURS[0], linewidths=0)
        examples = {COLOURS[0]: 0}
    else:
        examples = {}
        for i, (mark, name) in enumerate(kinds):
            colour = COLOURS[i % len(COLOURS)]
            examples.setdefault(colour, np.flatnonzero(labels == i)[0])
            axes.scatter(
                *z[shown][labels[shown] == i].T,
                s=38,
                marker=f"${mark}$",
                color=colour,
                linewidths=0.3,
                label=name,
            )
    clouds(axes, model, x, basis, examples, settings)
    if is_standard_normal(model.code.prior_of(fitted=True)):
        prior_circles(axes)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if any(name for _, name in kinds):
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, frameon=False, fontsize=9
        )


def clouds(axes, model, x, basis, examples, settings):
    """Draw an ellipse at 1 standard deviation of q(z|x) for each of `examples`, colour to index."""
    from matplotlib.patches import Ellipse

    for colour, i in examples.items():
        own = {k: v[i] if np.shape(v)[:1] == (len(x),) else v for k, v in settings.items()}
        copies = np.repeat(x[i : i + 1], DRAWS, axis=0)
        draws = model.encode(copies, sample=True, **own) @ basis.T
        variances, directions = np.linalg.eigh(np.cov(draws.T))
        if variances[1] < 1e-6:  # a point
            continue
        width, height = 2 * np.sqrt(np.maximum(variances, 0))
        angle = np.degrees(np.arctan2(directions[1, 0], directions[0, 0]))
        axes.add_patch(
            Ellipse(draws.mean(axis=0), width, height, angle=angle, facecolor=colour, alpha=0.16)
        )
        axes.add_patch(
            Ellipse(draws.mean(axis=0), width, height, angle=angle, fill=False, color=colour)
        )


def prior_circles(axes):
    from matplotlib.patches import Circle

    for radius in (1, 2):
        circle = Circle((0, 0), radius, fill=False, color=INK, linestyle=(0, (4, 3)), zorder=4)
        circle.set_path_effects(halo())
        axes.add_patch(circle)
    axes.annotate(
        "prior",
        (0, 2),
        (0, 3),
        textcoords="offset points",
        ha="center",
        weight="bold",
        path_effects=halo(),
        zorder=5,
    )
