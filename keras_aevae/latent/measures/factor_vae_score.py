"""Does each factor keep one latent dimension constant?"""

import keras
import numpy as np

from keras_aevae._checks import check_seed
from keras_aevae.latent.measures._interventions import check_sources, encode_factors


def factor_vae_score(
    model,
    dataset,
    *,
    num_train=10_000,
    num_test=5000,
    size=64,
    num_variance=10_000,
    min_deviation=0.05,
    seed=0,
    verbose=0,
):
    """Return the accuracy with which the dimension that varies least tells which factor is fixed.

    Among `size` images that share one factor, the dimension with the least variance, relative to
    that over all data, votes for that factor. A majority of training votes gives each dimension its
    factor; the score is how often this is right on test sets.

    Kim & Mnih 2018, https://arxiv.org/abs/1802.05983, section 4, as computed by Locatello et al.
    2019 (https://arxiv.org/abs/1811.12359): dimensions whose standard deviation over the data is
    below `min_deviation` don't vote; if none is left, the score is 0.

    Range: 0 to 1. Perfect codes score 1; noise scores as guessing does: 1 / number of factors.

    Good for: comparison with published numbers; it has no classifier to tune. Misleads when several
    dimensions share a factor, which doesn't lower it, and near 1, where it tells little.

    Args:
        model: has `encode`, from images to codes (n, latent_dim).
        dataset: makes images from factors, as `DSprites` does.
        num_train, num_test: numbers of sets of images.
        size: number of images in each set. By default 960 000 images are drawn and encoded in all:
            take fewer sets for a first look.
        num_variance: number of images from which the variance over all data is estimated.
        min_deviation: the standard deviation below which a dimension is left out.
        seed: integer seed of the factors.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import FactorVAE, latent
    from keras_aevae.datasets import DSprites
    model = FactorVAE.from_preset("factor_vae_dsprites")
    few = {"num_train": 100, "num_test": 50, "size": 16, "num_variance": 500}
    latent.factor_vae_score(model, DSprites(), **few)
    ```
    """
    sizes = {"num_train": num_train, "num_test": num_test, "num_variance": num_variance}
    check_sources(model, dataset, size=size, **sizes)
    rng = np.random.default_rng(check_seed(seed))
    images = num_variance + (num_train + num_test) * size
    bar = keras.utils.Progbar(images, verbose=verbose)
    of_all = encode_factors(model, dataset, dataset.sample_factors(num_variance, rng=rng), bar)
    variance = of_all.var(axis=0, ddof=1)
    used = np.sqrt(variance) >= min_deviation
    if not used.any():
        return 0.0

    def least_varying(number):
        shared = rng.integers(len(dataset.factor_sizes), size=number)
        factors = dataset.sample_factors(number * size, rng=rng).reshape(number, size, -1)
        sets = np.arange(number)
        factors[sets, :, shared] = factors[sets, 0, shared][:, None]
        codes = encode_factors(model, dataset, factors.reshape(number * size, -1), bar)
        local = codes.reshape(number, size, -1).var(axis=1, ddof=1)
        return np.argmin(np.where(used, local / np.where(used, variance, 1), np.inf), 1), shared

    votes = np.zeros((variance.size, len(dataset.factor_sizes)), "int64")
    np.add.at(votes, least_varying(num_train), 1)
    dimensions, shared = least_varying(num_test)
    return float(np.mean(votes.argmax(axis=1)[dimensions] == shared))
