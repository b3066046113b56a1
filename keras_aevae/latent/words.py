"""Numbers and lists as text for a reader."""

import re

from keras_aevae.latent.claims import half_width, mean


def minus(text):
    """Return `text` for print: with a minus sign before numbers, and no line break at a ±."""
    text = text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    return re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def listing(items):
    """Return "A, B and C"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def by_model(values, unit=""):
    """Return "1 for A, 2 for B", or just "1" if all values are equal."""
    written = {n: ", ".join(map(str, v)) if isinstance(v, list) else v for n, v in values.items()}
    if len(set(written.values())) == 1 and len(written) > 1:
        return f"{next(iter(written.values()))}{unit}"
    return "; ".join(f"{value}{unit} for {name}" for name, value in written.items())


def written(row, values):
    """Return the mean of a row's numbers and half its interval as text; a dash if there are
    none."""
    if not values:
        return "-"
    text = row.text.format(mean(values))
    if (half := half_width(values)) is not None and len(set(values)) > 1:
        text += f" ± {row.text.replace('+', '').format(half)}"
    return text
