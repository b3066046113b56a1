"""How evenly models spread over the directions that they have."""

import numpy as np

from keras_aevae.latent.plots._figure import COLOURS, panels
from keras_aevae.latent.plots._labels import spread

HEIGHT = 3.6


def spectra(values, ylabel="variance"):
    """A line a model: its values from the largest to the smallest, on a logarithmic scale.

    A flat line uses all of its directions alike; one that falls off a cliff lies near a subspace of
    as many dimensions as there are ranks before the cliff. Zeros are below any such scale: there
    the line leaves the picture.

    Misleads between models whose codes have unlike units, as AEs' have: compare the shape of the
    lines, not their height.

    Args:
        values: dict from names to numbers of 0 or more, descending, each of shape (k,): what
            `latent.covariance_spectrum` returns, or the singular values of a decoder's Jacobian.
        ylabel: what these numbers are.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    figure = latent.plots.spectra({"VAE": latent.covariance_spectrum(vae.encode(x_test))})
    ```
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    values = {name: check_spectrum(name, one) for name, one in values.items()}
    with panels([""], HEIGHT) as (figure, (axes,)):
        for i, one in enumerate(values.values()):
            axes.plot(
                np.arange(1, len(one) + 1),
                one,
                color=COLOURS[i % len(COLOURS)],
                marker="o",
                markersize=3.5 if len(one) <= 40 else 2,
                linewidth=1.6,
            )
        smallest = min(one[one > 0].min() for one in values.values())
        largest = max(one.max() for one in values.values())
        axes.set_yscale("log", nonpositive="clip")
        # A factor of 10 at least, so that what is nearly flat looks flat.
        room = max((largest / smallest) ** 0.05 * 1.1, (10 * smallest / largest) ** 0.5)
        axes.set_ylim(smallest / room, largest * room)
        if largest < 300 * smallest:  # too few powers of ten to read the scale from
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        ranks = max(len(one) for one in values.values())
        ticks = MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]).tick_values(1, ranks)
        axes.set_xticks([1, *ticks[(ticks > ranks / 12 + 1) & (ticks <= ranks)]])
        axes.set_xlabel("rank")
        axes.set_ylabel(ylabel)
        axes.tick_params(labelsize=9)
        axes.grid(axis="y", color="#ececec")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        label_ends(axes, list(values))
    return figure


def check_spectrum(name, values):
    """Return `values` as a float64 array (k,), descending, of 0 or more, not all 0; else raise."""
    values = np.asarray(values, "float64")
    valid = values.ndim == 1 and values.size and np.isfinite(values).all()
    if not valid or values[-1] < 0 or values[0] == 0 or (np.diff(values) > 0).any():
        raise ValueError(
            "`values` must be, of each model, an array of shape (k,) of finite numbers of 0 or "
            "more, descending, the first above 0, such as what `latent.covariance_spectrum` "
            f"returns. Received: {name!r} with {values!r}."
        )
    return values


def label_ends(axes, names):
    """Write each line's name at its end; where ends meet, as near to it as there is room."""
    low, high = np.log(axes.get_ylim())
    ends = np.array([[len(line.get_xdata()), line.get_ydata()[-1]] for line in axes.lines])
    with np.errstate(divide="ignore"):
        heights = np.clip((np.log(ends[:, 1]) - low) / (high - low), 0, 1)
    for rank in np.unique(ends[:, 0]):
        here = ends[:, 0] == rank
        heights[here] = spread(heights[here], gap=0.07)
    for line, name, rank, height in zip(axes.lines, names, ends[:, 0], heights):
        axes.annotate(
            name,
            (rank, np.exp(low + height * (high - low))),
            (7, 0),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            weight="bold",
            annotation_clip=False,
        )
