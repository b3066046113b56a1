"""The check of codes that several measures share."""

from keras_aevae.latent.measures._arrays import as_array, check_finite


def check_codes(codes, name="codes"):
    """Return `codes` as a finite float64 array (n, latent_dim), n at least 2, else raise an
    error."""
    codes = as_array(name, codes, "an array of codes, shape (n, latent_dim)").astype(
        "float64", copy=False
    )
    if codes.ndim != 2 or len(codes) < 2 or codes.shape[1] < 1:
        raise ValueError(
            f"`{name}` must have shape (n, latent_dim) with n at least 2, such as what "
            f"`model.encode(x)` returns. Received: {name} of shape {codes.shape}."
        )
    remedy = "The model may have diverged: train it with a lower learning rate."
    return check_finite(name, codes, remedy)
