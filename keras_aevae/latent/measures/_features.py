"""The check of two sets of features, which the measures of samples share."""

from keras_aevae.latent.measures._arrays import as_array, check_finite


def check_pair(real, fake, least=2, names=("real", "fake"), dtype="float64"):
    """Return both as arrays (n, d) with the same d, finite, of `least` rows or more."""
    wanted = "an array of shape (n, features)"
    arrays = {
        name: as_array(name, array, wanted).astype(dtype, copy=False)
        for name, array in zip(names, (real, fake))
    }
    for name, array in arrays.items():
        if array.ndim != 2 or len(array) < least or array.shape[1] < 1:
            raise ValueError(
                f"`{name}` must have shape (n, features) with n at least {least}. Received: shape "
                f"{array.shape}. Flatten images, or take features of them."
            )
        check_finite(name, array)
    real, fake = arrays.values()
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must have the same features. Received: "
            f"{real.shape[1]} and {fake.shape[1]} of them."
        )
    return real, fake
