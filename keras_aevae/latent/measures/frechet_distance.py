"""The distance of two sets of features, as Gaussians."""

import numpy as np

from keras_aevae.latent.measures._features import check_pair


def frechet_distance(real, fake):
    """Return the squared Fréchet distance of the Gaussians with two sets' means and covariances.

        |m - n|^2 + tr(C + D - 2 (C^1/2 D C^1/2)^1/2)

    Dowson & Landau 1982, https://doi.org/10.1016/0047-259X(82)90077-X; in the features of an
    Inception network it is the FID of Heusel et al. 2017, https://arxiv.org/abs/1706.08500. In
    other features it can't be compared with a published FID; nor can numbers in different features.

    Range: from 0 up; lower is better. Two sets from the same distribution score above 0, by an
    amount that falls with their sizes: compare only numbers of equal sizes.

    Good for: quality and diversity in one number. Misleads: it sees only means and covariances, and
    is biased upwards in small sets (`maximum_mean_discrepancy` isn't).

    Args:
        real, fake: features or codes of shapes (n, d) and (m, d), with more than d rows each;
            otherwise a covariance has directions without data.

    Returns:
        A float.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5000, 2)), rng.normal(size=(5000, 2)) + [3, 4]
    latent.frechet_distance(a, b)  # about 25
    ```
    """
    real, fake = check_pair(real, fake)
    means = real.mean(axis=0) - fake.mean(axis=0)
    c, d = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (real, fake))
    values, vectors = np.linalg.eigh(c)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    between = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ d @ root), 0)).sum()
    return float(max(0.0, means @ means + np.trace(c) + np.trace(d) - 2 * between))
