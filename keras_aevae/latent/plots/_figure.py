"""The style that all pictures share."""

import contextlib

from keras_aevae.latent.plots._labels import broken

INK, GREY, PALE = "#222222", "#6b6b6b", "#d9d9d9"
# Ten colours that colour-blind people can distinguish: Paul Tol's "muted" and a dark grey,
# https://personal.sron.nl/ pault/ ; on white paper.
COLOURS = (
    "#332288",
    "#CC6677",
    "#117733",
    "#AA4499",
    "#4B9ECF",
    "#882255",
    "#999933",
    "#44AA99",
    "#B8860B",
    "#555555",
)
WIDTH = 5.0  # inches: text of 10 points stays readable when a phone shrinks it to 3.7

TITLE = 46  # the most characters in a line of a title

STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "axes.edgecolor": PALE,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
}


def style():
    """Return a context in which figures have the library's style, whatever the user's settings."""
    from matplotlib import style

    return style.context(["default", STYLE])


def colours_of(names, chosen=None):
    """Return a colour for each of `names`: the one in `chosen`, or one of ours by its position."""
    return [(chosen or {}).get(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)]


@contextlib.contextmanager
def panels(titles, height):
    """Make a figure in that style, with one panel below another, each of `height` inches.

    It is drawn without pyplot, so it opens no window and changes no state.

    Yields:
        `(figure, axes)`: the `Figure`, and an array of its `Axes`, one for each title.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(WIDTH, len(titles) * height), layout="constrained")
        axes = figure.subplots(len(titles), squeeze=False)[:, 0]
        for one, title in zip(axes, titles):
            one.set_title(broken(title, TITLE))
        yield figure, axes
