"""What a row of the table is."""

import collections.abc
import dataclasses

import numpy as np

from keras_aevae.latent.rows.sizes import TEST


@dataclasses.dataclass(frozen=True)
class Row:
    """One measure.

    Args:
        key: its name in the numbers.
        name, unit, meaning: what a reader sees.
        measure: function of `Observations` and of the `Part` of the test data to take, to a
            number. It raises a ValueError where the model or the data lack what it needs.
        better: "lower", "higher", or "" where neither is better by itself.
        text: how its number is written.
        of: what it is taken of: names from `sizes.py`; () for what isn't measured.
    """

    key: str
    name: str
    unit: str
    meaning: str
    measure: collections.abc.Callable
    better: str = ""
    text: str = "{:z.2f}"
    of: tuple = (TEST,)


def mean(values):
    return float(np.mean(values, dtype="float64"))
