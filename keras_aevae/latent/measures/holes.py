"""How much of the prior lies where no codes are."""

import numpy as np

from keras_aevae._checks import check_number
from keras_aevae.latent.measures._features import check_pair


def holes(codes, draws, level=0.95):
    """The share of draws from the prior that are farther from every code than codes are from each
    other.

        mean_z [ min_c |z - c| > r ],   r the `level` quantile over codes of the distance to the
                                        nearest other code

    Range: 0 to 1. Draws of the codes' own distribution, of as many codes, score about 1 - level.

    Good for: what `sample` decodes that the decoder never learned, in one number for AE and VAE
    alike. Misleads between models of unlike latent dimensions, where distances mean different
    things, and with few codes, among which there is room everywhere.

    Args:
        codes: of the data, shape (n, latent_dim): for a VAE draws from the posterior,
            `vae.encode(x, sample=True)`, since these are what the decoder learned.
        draws: from the prior, shape (m, latent_dim): what `sample` decodes. For an AE a fitted
            Gaussian's.
        level: of the quantile.

    Returns:
        A float.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    ring = rng.normal(size=(2000, 2))
    ring /= np.linalg.norm(ring, axis=1, keepdims=True)
    latent.holes(ring, rng.normal(size=(2000, 2)))  # nearly 1: the prior draws inside and outside
    ```
    """
    return float(np.mean(in_holes(codes, draws, level)))


def in_holes(codes, draws, level=0.95):
    """Of each of `draws`, whether it is in a hole: what `holes` is the mean of."""
    from sklearn.neighbors import NearestNeighbors

    level = check_number("level", level, minimum=0, exclusive=True, maximum=1)
    codes, draws = check_pair(codes, draws, names=("codes", "draws"))
    nearest = NearestNeighbors(n_neighbors=1).fit(codes)
    among_codes = nearest.kneighbors()[0][:, 0]  # of each code the others
    return nearest.kneighbors(draws)[0][:, 0] > np.quantile(among_codes, level)
