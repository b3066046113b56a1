"""Can a classifier tell from the differences of codes which factor is the same?"""

import keras
import numpy as np

from keras_aevae._checks import check_seed
from keras_aevae.latent.measures._interventions import check_sources, encode_factors


def beta_vae_score(model, dataset, *, num_train=10_000, num_test=5000, size=64, seed=0, verbose=0):
    """Return the accuracy with which a linear classifier finds the factor that pairs share.

    Its inputs are the mean distances of the pairs' codes along each dimension.

    Higgins et al. 2017 (https://openreview.net/forum?id=Sy2fzU9gl), as computed by Locatello et al.
    2019 (https://arxiv.org/abs/1811.12359): `size` pairs per point, logistic regression.

    Range: 0 to 1. Perfect codes score 1; noise scores as guessing does: 1 / number of factors.

    Good for: comparison with published numbers. Misleads: a classifier can find the factor even if
    several dimensions share it, or if one factor isn't in the code at all (Kim & Mnih 2018,
    https://arxiv.org/abs/1802.05983): see `factor_vae_score`.

    Args:
        model: has `encode`, from images to codes (n, latent_dim).
        dataset: makes images from factors, as `DSprites` does.
        num_train, num_test: number of points for the classifier.
        size: number of pairs in each point. By default 1 920 000 images are drawn and encoded in
            all: take fewer points for a first look.
        seed: integer seed of the factors.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import FactorVAE, latent
    from keras_aevae.datasets import DSprites
    model = FactorVAE.from_preset("factor_vae_dsprites")
    latent.beta_vae_score(model, DSprites(), num_train=100, num_test=50, size=8)
    ```
    """
    from sklearn.linear_model import LogisticRegression

    check_sources(model, dataset, num_train=num_train, num_test=num_test, size=size)
    rng = np.random.default_rng(check_seed(seed))
    bar = keras.utils.Progbar(2 * (num_train + num_test) * size, verbose=verbose)

    def differences(number):
        shared = rng.integers(len(dataset.factor_sizes), size=number)  # one factor for each point
        pairs = dataset.sample_factors(2 * number * size, rng=rng).reshape(number, size, 2, -1)
        which = np.arange(number)
        pairs[which, :, 1, shared] = pairs[which, :, 0, shared]
        codes = encode_factors(model, dataset, pairs.reshape(2 * number * size, -1), bar)
        codes = codes.reshape(number, size, 2, -1)
        return np.abs(codes[:, :, 0] - codes[:, :, 1]).mean(axis=1), shared

    classifier = LogisticRegression(max_iter=1000).fit(*differences(num_train))
    return float(classifier.score(*differences(num_test)))
