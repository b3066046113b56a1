"""Does each factor hold a latent dimension still?"""

import keras
import numpy as np

from keras_aevae.latent.measures._interventions import check_dataset, encode_factors


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
    """The accuracy with which the latent dimension that varies least tells which factor is fixed.

    Of `size` images that are alike in one factor, the dimension whose variance, over that of all
    data, is the least votes for that factor; a majority of training votes says which factor each
    dimension stands for; the score is how often it is right on test sets.

    Kim & Mnih 2018, https://arxiv.org/abs/1802.05983, section 4, as Locatello et al. 2019 compute
    it (https://arxiv.org/abs/1811.12359): dimensions whose standard deviation over the data is
    below `min_deviation` don't vote; without any other the score is 0.

    Range: 0 to 1. Perfect codes score 1, noise what guessing gives: one over the number of factors.

    Good for: comparison with published numbers; it needs no classifier to be tuned. Misleads where
    several dimensions share a factor, which it doesn't mind, and near 1, where it tells little.

    Args:
        model: has `encode`, from images to codes (n, latent_dim).
        dataset: makes images from factors, as `DSprites` does.
        num_train, num_test: sets of images.
        size: images in each. By default 960 000 images are drawn and encoded in all: take fewer
            sets for a first look.
        num_variance: images from which the variance over all data is estimated.
        min_deviation: below which a dimension is left out.
        seed: of the factors.
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
    check_dataset(dataset)
    rng = np.random.default_rng(seed)
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
