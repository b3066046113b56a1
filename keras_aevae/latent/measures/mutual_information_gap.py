"""Does each factor have its own latent dimension?"""

import numpy as np

from keras_aevae.latent.measures._factors import check_factors, entropy, mutual_information


def mutual_information_gap(codes, factors, bins=20):
    """Return the mutual information gap (MIG) between the best dimension of a factor and the next.

    It is in shares of the factor's entropy, averaged over factors:

        mean_k [I(z_j(k); v_k) - max_(j != j(k)) I(z_j; v_k)] / H(v_k)

    Chen et al. 2018, https://arxiv.org/abs/1802.04942, as computed by Locatello et al. 2019
    (https://arxiv.org/abs/1811.12359): codes in 20 bins of equal width.

    Range: 0 to 1. Perfect codes, with a dimension for each factor, score below 1 if a factor has
    more values than there are bins, and because of the mutual information that finite data have by
    chance; noise scores near 0.

    Good for: whether a factor can be read off, and set by, one dimension. Misleads: a factor that
    two dimensions share evenly scores 0, even if they contain no other factor; and if a dimension
    has outliers, most of its data fall into few bins.

    Args:
        codes: codes of n examples, shape (n, latent_dim), with latent_dim of at least 2: for a VAE
            the posterior's means, `vae.encode(x)`. 10 000 is the usual number.
        factors: the known factors' values, integers of shape (n, factors).
        bins: number of bins of each latent dimension.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import latent
    from keras_aevae.datasets import DSprites
    factors = DSprites().sample_factors(1000, rng=0)
    latent.mutual_information_gap(factors, factors)  # 0.8: the factors as codes
    ```
    """
    codes, factors = check_factors(codes, factors)
    if codes.shape[1] < 2:
        raise ValueError(
            "`codes` must have 2 or more dimensions, between which there can be a gap. Received: "
            f"codes of shape {codes.shape}."
        )
    shares = np.sort(mutual_information(codes, factors, bins), axis=0) / entropy(factors)
    return float(np.mean(shares[-1] - shares[-2]))
