"""Is each latent dimension about one factor only?"""

import numpy as np

from keras_aevae.latent.measures._factors import check_factors, mutual_information


def modularity(codes, factors, bins=20):
    """Return how nearly each latent dimension is about a single factor.

        mean_j 1 - sum_(k != k(j)) I(z_j; v_k)^2 / [(K - 1) I(z_j; v_k(j))^2]

    Here k(j) is the factor, out of K, about which z_j tells most. Ridgeway & Mozer 2018,
    https://arxiv.org/abs/1802.05312, as computed by Locatello et al. 2019
    (https://arxiv.org/abs/1811.12359): codes in 20 bins of equal width; a dimension that tells
    nothing counts as 0.

    Range: 0 to 1. Perfect codes score nearly 1. Noise scores high too (0.6 for 1000 codes with the
    factors of dSprites): in finite data every dimension has some mutual information by chance, and
    most with a factor of many values.

    Good for: whether a change of one dimension changes one thing. Misleads alone: it doesn't
    measure whether the factors are in the code at all (see `explicitness`), and noise scores high.

    Args:
        codes: codes of n examples, shape (n, latent_dim).
        factors: the known factors' values, integers of shape (n, factors); at least two factors.
        bins: number of bins of each latent dimension.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import latent
    from keras_aevae.datasets import DSprites
    factors = DSprites().sample_factors(1000, rng=0)
    latent.modularity(factors, factors)  # 1.0
    ```
    """
    codes, factors = check_factors(codes, factors)
    if factors.shape[1] < 2:
        raise ValueError(
            "`factors` must be 2 or more, between which a dimension can choose. Received: factors "
            f"of shape {factors.shape}."
        )
    squares = np.square(mutual_information(codes, factors, bins))
    most = squares.max(axis=1)
    others = (squares.sum(axis=1) - most) / (factors.shape[1] - 1)
    silent = most == 0
    return float(np.mean(np.where(silent, 0.0, 1 - others / np.where(silent, 1.0, most))))
