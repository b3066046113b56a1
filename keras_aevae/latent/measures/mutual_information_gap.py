"""Does each factor have one latent dimension of its own?"""

import numpy as np

from keras_aevae.latent.measures._factors import check_factors, entropy, mutual_information


def mutual_information_gap(codes, factors, bins=20):
    """The mutual information gap (MIG): how far the dimension that says most of a factor is ahead
    of the next, in shares of the factor's entropy, averaged over factors.

        mean_k [I(z_j(k); v_k) - max_(j != j(k)) I(z_j; v_k)] / H(v_k)

    Chen et al. 2018, https://arxiv.org/abs/1802.04942, as Locatello et al. 2019 compute it
    (https://arxiv.org/abs/1811.12359): codes in 20 bins of equal width.

    Range: 0 to 1. Perfect codes, a dimension for each factor, score below 1 where a factor has
    more values than there are bins, and by the mutual information that finite data always show;
    noise scores near 0.

    Good for: whether a factor can be read off, and set by, one dimension. Misleads: a factor that
    two dimensions share evenly scores 0, however clean these are of other factors; and a dimension
    with outliers has few bins where its data are.

    Args:
        codes: codes of n examples, shape (n, latent_dim), with latent_dim of at least 2: for a VAE
            the posterior's means, `vae.encode(x)`. 10 000 is the usual number.
        factors: the known factors' values, integers of shape (n, factors).
        bins: of each latent dimension.

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
