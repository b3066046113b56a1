"""The check of codes that several measures share."""

import numpy as np


def check_codes(codes, name="codes"):
    """Return `codes` as a finite float64 array (n, latent_dim), n at least 2, else raise an
    error."""
    codes = np.asarray(codes, "float64")
    if codes.ndim != 2 or len(codes) < 2 or codes.shape[1] < 1:
        raise ValueError(
            f"`{name}` must have shape (n, latent_dim) with n at least 2, such as what "
            f"`model.encode(x)` returns. Received: {name} of shape {codes.shape}."
        )
    if not np.isfinite(codes).all():
        raise ValueError(
            f"`{name}` must be finite. Received: {name} with "
            f"{int((~np.isfinite(codes)).sum())} NaN or infinite values. The model may have "
            "diverged: train it with a lower learning rate."
        )
    return codes
