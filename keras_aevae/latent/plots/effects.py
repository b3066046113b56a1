"""A picture of the evidence for and against claims."""

import numpy as np

from keras_aevae._checks import check_name
from keras_aevae.latent.plots._figure import GREY, INK, PALE, panels
from keras_aevae.latent.plots._labels import broken, key

LINE = 26  # the most characters in a line of a label
VERDICTS = {  # colour, marker, face colour
    "supported": ("#0072b2", "o", "#0072b2"),
    "contradicted": ("#b5480a", "s", "#b5480a"),
    "undecided": (GREY, "o", "white"),
}


def effects(rows, xlabel="standardised effect"):
    """Draw a row per claim: its effect and the effect's interval, beside 0 (a forest plot).

    The verdict is the caller's, shown by colour and marker: a full dot for "supported", a square
    for "contradicted", a ring for "undecided".

    Misleads about importance: a claim far from 0 is well founded, or about a quantity that hardly
    varies, and the difference may be too small for anyone to notice.

    Args:
        rows: list of (label, low, middle, high, verdict), one per claim, drawn from the top: the
            effect `middle` and its interval from `low` to `high`, in units that all rows share,
            above 0 if they support the claim.
        xlabel: the label of these numbers.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae.latent import plots
    rows = [
        ("VAEs leave fewer holes", 1.1, 1.9, 2.7, "supported"),
        ("AEs have fewer active units", -1.4, -0.8, -0.2, "contradicted"),
        ("VAEs generalise better", -0.3, 0.2, 0.7, "undecided"),
    ]
    figure = plots.effects(rows)
    ```
    """
    rows = [check_row(row) for row in rows]
    if not rows:
        raise ValueError("`rows` must hold at least one claim. Received: none.")
    labels = [broken(label, LINE) for label, *_ in rows]
    tall = np.array([0.18 * (1 + label.count("\n")) + 0.2 for label in labels])  # inches
    centres = np.cumsum(tall) - tall / 2
    with panels([""], tall.sum() + 1.0) as (figure, (axes,)):
        for centre, (_, low, middle, high, verdict) in zip(centres, rows):
            colour, marker, face = VERDICTS[verdict]
            axes.plot([low, high], [centre, centre], color=colour, linewidth=2)
            axes.plot(
                middle,
                centre,
                marker,
                color=colour,
                markersize=8,
                markerfacecolor=face,
                markeredgewidth=2,
                label=verdict,
            )
        furnish(axes, rows, centres, labels, tall.sum(), xlabel)
    return figure


def check_row(row):
    """Return `row` if it is (label, low, middle, high, verdict), else raise an error."""
    valid = isinstance(row, (tuple, list)) and len(row) == 5
    if valid:
        check_name("verdict", row[4], VERDICTS)
        valid = np.isfinite(row[1:4]).all() and row[1] <= row[2] <= row[3]
    if not valid:
        raise ValueError(
            "`rows` must be of (label, low, middle, high, verdict), the numbers finite and "
            f"ascending. Received: {row!r}."
        )
    return row


def furnish(axes, rows, centres, labels, height, xlabel):
    """Draw everything except the intervals: the line at 0, its two sides, the claims and the
    key."""
    # 0 is in the middle, so that both sides have space for their names, and neither looks larger.
    reach = 1.08 * max(max(abs(low), abs(high)) for _, low, _, high, _ in rows) or 1
    axes.set(xlim=(-reach, reach), ylim=(height, 0), xlabel=xlabel)
    axes.axvline(0, color=INK, linewidth=1, zorder=0)
    axes.hlines(centres, -reach, reach, color=PALE, linewidth=0.6, zorder=-1)
    axes.set_yticks(centres, labels)
    axes.tick_params(labelsize=9)
    axes.tick_params("y", length=0, labelcolor=INK, labelsize=10)
    axes.spines[["left", "top", "right"]].set_visible(False)
    sides = (("← against the claim", -6, "right"), ("for the claim →", 6, "left"))
    for text, offset, alignment in sides:
        axes.annotate(
            text,
            (0, 1),
            (offset, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=alignment,
            va="bottom",
            color=GREY,
            size=9,
        )
    key(axes)
