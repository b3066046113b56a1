"""A picture of the cost of a code, and of the error with it."""

import numpy as np

from keras_aevae.latent.plots._figure import GREY, colours_of, panels
from keras_aevae.latent.plots._labels import halo, place, sides

HEIGHT = 4.2


def rate_distortion(points, colours=None):
    """Draw models by the rate of their codes and the distortion of the decoded data.

    The rate is the KL to the prior, the distortion the reconstruction error, both in nats; their
    sum is the negative ELBO (Alemi et al. 2018, https://arxiv.org/abs/1711.00464). Lower and
    further left is better. Every point of the dashed line has the best ELBO of all the models, so
    none lies below it; models at its two ends store different amounts, with the same ELBO.

    Misleads if the likelihoods differ, since their distortions can't be compared; and about AEs,
    whose rate is infinite: they have no point.

    Args:
        points: dict from names to lists of (rate, distortion) or (rate, distortion, label), such as
            `[(9.1, 80.2, "β 4"), (25.3, 72.0, "β 1")]`: `latent.kl` and
            `latent.reconstruction_error` of one model trained several times. They are joined in
            order of the rate. A single point has its name as a label.
        colours: dict from names to the matplotlib colours of their lines; others get ours.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    point = latent.kl(vae, x_test), latent.reconstruction_error(vae, x_test)
    figure = latent.plots.rate_distortion({"VAE": [point]})
    ```
    """
    curves = {name: check_points(name, some) for name, some in points.items()}
    with panels([""], HEIGHT) as (figure, (axes,)):
        labels = []
        for (name, (places, texts)), colour in zip(curves.items(), colours_of(curves, colours)):
            labels += draw(axes, name, places, texts, colour)
        everything = np.concatenate([places for places, _ in curves.values()])
        line_label, where = furnish(axes, everything)
        axes.set_xlabel("rate: KL to the prior, nats")
        axes.set_ylabel("distortion: reconstruction error, nats")
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        labels.sort(key=lambda one: one.get_weight())  # names, which are bold, come first
        place(axes, {**dict.fromkeys(labels, sides()), line_label: where})
        axes.axline(
            (0, everything.sum(axis=1).min()),
            slope=-1,
            color=GREY,
            linestyle=(0, (4, 3)),
            linewidth=1,
            zorder=1,
        )
    return figure


def check_points(name, points):
    """Return `points` in order of the rate, an array (n, 2), and their n labels, or raise an
    error."""
    valid = all(isinstance(point, (tuple, list)) and len(point) in (2, 3) for point in points)
    if valid and points:
        points = sorted(points, key=lambda point: point[0])
        places = np.array([point[:2] for point in points], "float64")
    if not valid or not points or not np.isfinite(places).all():
        raise ValueError(
            "`points` must be, of each name, a list of (rate, distortion) or (rate, distortion, "
            f"label), of finite numbers. Received: {name!r} with {points}. An AE has no rate: "
            "leave it out."
        )
    return places, [str(point[2]) if len(point) > 2 else "" for point in points]


def draw(axes, name, places, texts, colour):
    """Draw one curve, or point; return its annotations, the name first, for `place` to move."""
    axes.plot(*places.T, color=colour, marker="o", markersize=6, linewidth=1.6, zorder=3)
    if len(places) == 1:
        return [write(axes, ", ".join(filter(None, [name, *texts])), places[0], colour, "bold")]
    named = [write(axes, name, places[-1], colour, "bold")]
    return named + [
        write(axes, label, where, colour) for where, label in zip(places, texts) if label
    ]


def write(axes, text, where, colour, weight="normal"):
    return axes.annotate(
        text,
        where,
        (0, 0),
        textcoords="offset points",
        color=colour,
        weight=weight,
        path_effects=halo(),
        zorder=4,
    )


def furnish(axes, places):
    """Leave space for labels, and draw the line through the best of `places` on which the sum of
    rate and distortion is constant; return its label and the label's places, for `place`."""
    total = places.sum(axis=1).min()
    axes.margins(0.12)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    left, right = max(left, min(0, places[:, 0].min())), right + 0.1 * (right - left)
    axes.set(xlim=(left, right), ylim=(low, high))
    ends = max(left, total - high), min(right, total - low)
    label = axes.text(
        ends[0],
        total - ends[0],
        "equal ELBO",
        color=GREY,
        size=9,
        ha="center",
        va="center",
        rotation=-45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        path_effects=halo(),
    )
    along = ends[0] + np.array([0.75, 0.8, 0.7, 0.6, 0.25, 0.3, 0.4, 0.5]) * (ends[1] - ends[0])
    return label, [{"x": x, "y": total - x} for x in along]
