"""The check of one number for each example, which several measures share."""

import numpy as np

from keras_aevae.latent.measures._arrays import as_array, check_finite


def check_values(least=1, **arrays):
    """Return the named arrays as finite float64 (n,), n at least `least`, else raise an error."""
    wanted = "an array of one number for each example, shape (n,)"
    remedy = "They are such as model.evaluate_terms(x)['reconstruction']."
    arrays = {
        name: as_array(name, values, wanted, remedy).astype("float64", copy=False)
        for name, values in arrays.items()
    }
    for name, values in arrays.items():
        if values.ndim != 1 or len(values) < least:
            of = "an example or more" if least == 1 else f"at least {least} examples"
            raise ValueError(
                f"`{name}` must hold one number for each of {of}, shape (n,). "
                f"Received: {name} of shape {values.shape}."
            )
        check_finite(name, values)
    return list(arrays.values())


def spaced(n, count):
    """Return up to `count` indices of n, evenly spaced, since data may be sorted."""
    return np.linspace(0, n - 1, min(n, count)).astype(int)
