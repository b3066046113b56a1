"""Codes for pictures: checked, not too many, and with two axes."""

import numpy as np

from keras_aevae.latent.measures._codes import check_codes

MAX_POINTS = 800  # more points hide each other, and make the file large


def codes_of(codes, models):
    """Return `codes`, a dict from the names of `models` to arrays (n, latent_dim), checked."""
    checked = {}
    for name, model in models.items():
        if name not in codes:
            raise ValueError(
                "`codes` must hold the codes of each of `models` under the same name. Received: "
                f"codes of {', '.join(map(repr, codes)) or 'nothing'}, and none of {name!r}. Add "
                "what its `encode` returns."
            )
        checked[name] = check_codes(codes[name])
        if checked[name].shape[1] != model.latent_dim:
            raise ValueError(
                f"`codes` of {name!r} must have shape (n, {model.latent_dim}), since that is its "
                f"latent_dim. Received: shape {checked[name].shape}. Pass what its own `encode` "
                "returns."
            )
    return checked


def principal_axes(z):
    """Return the orthonormal axes of the picture, (2, latent_dim), and their names."""
    latent_dim = z.shape[1]
    if latent_dim <= 2 or not np.ptp(z, axis=0).any():
        return np.eye(2, latent_dim), ("latent dimension 1", "latent dimension 2")
    from sklearn.decomposition import PCA

    pca = PCA(2, svd_solver="full").fit(z)
    names = [
        f"principal axis {i + 1} ({share:.0%} of the variance)"
        for i, share in enumerate(pca.explained_variance_ratio_)
    ]
    return pca.components_, names
