"""Lines of values by their rank, one line per model."""

import numpy as np

from keras_aevae.latent.plots._figure import colours_of
from keras_aevae.latent.plots._labels import broken, spread

HEIGHT = 3.6  # inches of their panel
LINE = 18  # the most characters in a line of a name, so that the lines keep their space


def draw_lines(axes, values, xlabel, ylabel, colours=None):
    """Draw a dict from names to values, each of shape (k,), over 1, 2, ..., k."""
    from matplotlib.ticker import MaxNLocator

    for one, colour in zip(values.values(), colours_of(values, colours)):
        axes.plot(
            np.arange(1, len(one) + 1),
            one,
            color=colour,
            marker="o",
            markersize=3.5 if len(one) <= 40 else 2,
            linewidth=1.6,
        )
    ranks = max(len(one) for one in values.values())
    ticks = MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]).tick_values(1, ranks)
    axes.set_xticks([1, *ticks[(ticks > ranks / 12 + 1) & (ticks <= ranks)]])
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color="#ececec")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def label_ends(axes, names):
    """Write each line's name at its end, after the limits are set; names whose lines end together
    are as near to their ends as there is space."""
    names = [broken(name, LINE) for name in names]
    gap = 0.07 * (1 + max(name.count("\n") for name in names))
    on_axes = axes.transScale + axes.transLimits
    ends = np.array([line.get_xydata()[-1] for line in axes.lines])
    heights = np.clip(on_axes.transform(ends)[:, 1], 0, 1)
    for rank in np.unique(ends[:, 0]):
        here = ends[:, 0] == rank
        heights[here] = spread(heights[here], gap)
    for line, name, rank, height in zip(axes.lines, names, ends[:, 0], heights):
        axes.annotate(
            name,
            (rank, height),
            (7, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            weight="bold",
            annotation_clip=False,
        )
