"""The description of a row of the table."""

import collections.abc
import dataclasses

import numpy as np

from keras_aevae.latent.rows.sizes import TEST


@dataclasses.dataclass(frozen=True)
class Row:
    """One measure.

    Args:
        key: its name in the numbers.
        name, unit, meaning: the texts that a reader sees.
        measure: function of `Observations` and a `Part` of the test data that returns a number. It
            raises a ValueError if the model or the data lack what it needs.
        better: "lower", "higher", or "" where neither is better by itself.
        text: the format of its number.
        of: the samples that it is taken of: names from `sizes.py`; () if nothing is measured.
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
