"""Labels beside their points, and keys if there is no space for labels."""

import textwrap

import numpy as np

GAP = 4  # points between a mark and its label
# The places of a label, the best first: (right, up) of its point.
SIDES = ((1, 1), (-1, -1), (1, 0), (-1, 1), (1, -1), (0, 1), (0, -1), (-1, 0))


def broken(text, width):
    """Return `text` in as few lines of at most `width` characters as possible, of about the same
    length; an underscore ends a word."""
    words = text.replace("_", "_ ")
    lines = max(len(textwrap.wrap(words, width)), 1)
    width = min(w for w in range(1, width + 1) if len(textwrap.wrap(words, w)) <= lines)
    return textwrap.fill(words, width).replace("_ ", "_")


def halo():
    """Return a white edge around text or lines, so that they can be read on top of others."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def key(axes):
    """Draw a key of the markers in a row below the axes."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    figure = axes.get_figure()
    handles, names = axes.get_legend_handles_labels()
    unique = dict(zip(names, handles))
    below = ScaledTranslation(0, -0.42, figure.dpi_scale_trans)  # the ticks and the axis label
    axes.legend(
        unique.values(),
        unique,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=blended_transform_factory(figure.transFigure, axes.transAxes) + below,
        ncols=len(unique),
        frameon=False,
        fontsize=10,
        handletextpad=0.1,
        columnspacing=1.2,
    )


def spread(positions, gap):
    """Return the positions nearest to `positions` that keep their order and are `gap` apart."""
    from sklearn.isotonic import isotonic_regression

    order = np.argsort(positions)
    steps = gap * np.arange(len(positions))
    apart = np.empty(len(positions))
    apart[order] = isotonic_regression(np.asarray(positions)[order] - steps) + steps
    return apart


def sides():
    """Return the places of an annotation beside its point, as settings for `place`, the best
    first."""
    settings = []
    for right, up in SIDES:
        reach = GAP if right and up else 2 * GAP
        settings.append(
            {
                "position": (reach * right, reach * up),
                "ha": ("right", "center", "left")[right + 1],
                "va": ("top", "center", "bottom")[up + 1],
            }
        )
    return settings


def place(axes, labels):
    """Put each label in the place where it hides least of the curves and of other labels.

    Args:
        axes: axes whose curves are drawn and whose limits are set.
        labels: dict from texts to the possible settings of each, the best first.
    """
    for label in labels:
        label.set_in_layout(False)
    axes.get_figure().draw_without_rendering()  # it determines all sizes
    drawn = np.concatenate([on_paper(axes, *line.get_data()) for line in axes.lines])
    frame, taken = axes.get_window_extent(), []
    for label, settings in labels.items():
        boxes = []
        for one in settings:
            label.set(**one)
            boxes.append(label.get_window_extent())
        best = int(np.argmin([hidden(box, drawn, taken, frame) for box in boxes]))
        label.set(**settings[best])
        taken.append(boxes[best])


def on_paper(axes, x, y):
    """Return points along a curve and around its markers, in pixels, (n, 2), a few pixels apart."""
    corners = axes.transData.transform(np.stack([x, y], axis=1))
    at = np.linspace(0, len(x) - 1, 100 * len(x))
    along = [np.interp(at, np.arange(len(x)), corners[:, i]) for i in (0, 1)]
    angles = np.linspace(0, 2 * np.pi, 60)
    rings = corners[:, None] + 4 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([np.stack(along, axis=1), rings.reshape(-1, 2)])


def hidden(box, drawn, taken, frame):
    """Return how much a label in `box` would hide of curves and other labels, or be cut off."""
    inside = (drawn > (box.x0 - 2, box.y0 - 2)) & (drawn < (box.x1 + 2, box.y1 + 2))
    over = sum(box.overlaps(other) for other in taken)
    out = sum(not frame.contains(x, y) for x, y in box.corners())
    return inside.all(axis=1).sum() + 500 * over + 200 * out
