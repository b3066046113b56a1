"""The check of grey values that several files of this folder share."""

import numpy as np


def check_grey(x):
    """Return `x` as an array of floats in [0, 1]: each value is a probability."""
    x = np.asarray(x)
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            "`x` must hold floating-point grey values in [0, 1]. "
            f"Received: x with dtype {x.dtype}. "
            'For 8-bit pixels pass `x.astype("float32") / 255`.'
        )
    # `not (... )` instead of `<`, `>`: NaN fails every comparison
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            "`x` must hold grey values in [0, 1], without NaN. "
            f"Received: x with values from {x.min()} to {x.max()}. Rescale it to [0, 1] first."
        )
    return x
