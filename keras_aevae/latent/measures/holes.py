"""The part of the prior that lies where no codes are."""

import keras
import numpy as np

from keras_aevae._checks import check_number
from keras_aevae.latent.measures._features import check_pair
from keras_aevae.latent.measures._neighbours import nearest


def holes(codes, draws, level=0.95, verbose=0):
    """Return the share of draws from the prior that lie in holes.

    Those are draws that are farther from every code than codes are from each other.

        mean_z [ min_c |z - c| > r ],   r the `level` quantile over codes of the distance to the
                                        nearest other code

    Range: 0 to 1. As many draws from the codes' own distribution score about 1 - level.

    Good for: how much `sample` decodes that the decoder never learned, in one number for AE and VAE
    alike. Misleads between models with different numbers of latent dimensions, in which distances
    mean different things, and with few codes, between which there is space everywhere.

    Args:
        codes: codes of the data, shape (n, latent_dim): for a VAE draws from the posterior,
            `vae.encode(x, sample=True)`, since the decoder learned from these.
        draws: draws from the prior, shape (m, latent_dim), which `sample` decodes; for an AE draws
            from a fitted Gaussian.
        level: level of the quantile.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    ring = rng.normal(size=(2000, 2))
    ring /= np.linalg.norm(ring, axis=1, keepdims=True)
    latent.holes(ring, rng.normal(size=(2000, 2)))  # 1.0: the prior draws inside and outside
    ```
    """
    return float(np.mean(in_holes(codes, draws, level, verbose)))


def in_holes(codes, draws, level=0.95, verbose=0):
    """Return whether each of `draws` is in a hole: `holes` is the mean."""
    level = check_number("level", level, minimum=0, exclusive=True, maximum=1)
    codes, draws = check_pair(codes, draws, names=("codes", "draws"))
    bar = keras.utils.Progbar(len(codes) + len(draws), verbose=verbose)
    among_codes = nearest(codes, codes, bar, count=2)[0][:, 1]  # the first is the code itself
    return nearest(draws, codes, bar)[0][:, 0] > np.quantile(among_codes, level)
