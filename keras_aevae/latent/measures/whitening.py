"""Codes of unit variance in all directions, for measures of distances."""

import numpy as np

from keras_aevae.latent.measures._codes import check_codes
from keras_aevae.latent.measures._features import check_pair

# A direction with less than this share of the largest variance counts as having no variance.
NO_VARIANCE = 1e-7


def whiten(codes, fit_on=None):
    """Map codes linearly, so that those it is fitted on have mean 0 and covariance I.

        w = L^-1/2 V^T (z - m),   m the mean of `fit_on`, V L V^T its covariance

    Whitening by principal components: Kessy, Lewin & Strimmer 2018,
    https://arxiv.org/abs/1512.00809. Directions whose variance is less than 1e-7 of the largest are
    left out.

    Range: any numbers; over the codes it is fitted on, each column has mean 0 and variance 1, and
    the columns are uncorrelated.

    Good for: making measures of distances (`holes`, `precision_recall`, `nearest_neighbour_probe`)
    comparable between models, since an invertible linear map of the codes doesn't change the
    distances of whitened codes. Misleads when a direction contains only noise: it becomes as large
    as the others.

    Args:
        codes: shape (n, latent_dim).
        fit_on: the codes that give the mean and the covariance, shape (m, latent_dim), by default
            `codes`. Use the same `fit_on` for the codes of training and test examples.

    Returns:
        A float64 array of shape (n, rank), the largest directions first.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(1000, 3)) * [100, 1, 0]
    latent.whiten(codes).std(axis=0, ddof=1)  # [1, 1]
    ```
    """
    name = "codes" if fit_on is None else "fit_on"
    fit_on = check_codes(codes if fit_on is None else fit_on, name)
    codes, fit_on = check_pair(codes, fit_on, least=1, names=("codes", "fit_on"))
    center, values, vectors = principal_axes(fit_on, name)
    return (codes - center) @ (vectors / np.sqrt(values))


def principal_axes(codes, name):
    """Return the mean of checked codes, the nonzero variances along principal axes, descending, and
    these axes, shape (latent_dim, rank)."""
    if not np.ptp(codes, axis=0).any():
        raise ValueError(
            f"`{name}` must vary in a direction or more. Received: {len(codes)} codes that are all "
            "the same."
        )
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes, rowvar=False)))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > NO_VARIANCE * values[0]
    return codes.mean(axis=0), values[kept], vectors[:, kept]
