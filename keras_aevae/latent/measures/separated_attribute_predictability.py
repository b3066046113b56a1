"""Does one latent dimension predict a factor much better than the next?"""

import keras
import numpy as np

from keras_aevae.latent.measures._factors import split


def separated_attribute_predictability(codes, factors, codes_test, factors_test, verbose=0):
    """Return the separated attribute predictability (SAP) of codes.

    It is the accuracy with which the best latent dimension predicts a factor, minus that of the
    next best, averaged over factors.

    Kumar et al. 2018, https://arxiv.org/abs/1711.00848, as computed by Locatello et al. 2019
    (https://arxiv.org/abs/1811.12359): the test accuracy of a linear support vector machine on one
    dimension (C = 0.01, classes balanced).

    Range: 0 to 1. Perfect codes score well below 1: a linear classifier on one dimension can
    separate few of many ordered values. Noise scores near 0.

    Good for: comparison with published numbers. Misleads as an absolute number, for that reason,
    and when two dimensions share a factor: see `mutual_information_gap`.

    Args:
        codes, factors: codes (n, latent_dim), with latent_dim of at least 2, and factors
            (n, factors) for fitting; 10 000 is the usual number.
        codes_test, factors_test: other ones for scoring; 5000 is the usual number.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import latent
    from keras_aevae.datasets import DSprites
    factors = DSprites().sample_factors(600, rng=0)[:, :2]
    train, test = factors[:400], factors[400:]
    latent.separated_attribute_predictability(train, train, test, test)  # about 0.4
    ```
    """
    from sklearn.svm import LinearSVC

    codes, factors, codes_test, factors_test = split(codes, factors, codes_test, factors_test)
    if codes.shape[1] < 2:
        raise ValueError(
            "`codes` must have 2 or more dimensions, between which there can be a gap. Received: "
            f"codes of shape {codes.shape}."
        )
    accuracy = np.zeros((codes.shape[1], factors.shape[1]))
    bar = keras.utils.Progbar(accuracy.size, verbose=verbose)
    for j in range(codes.shape[1]):
        for k, (known, wanted) in enumerate(zip(factors.T, factors_test.T)):
            model = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
            accuracy[j, k] = model.fit(codes[:, [j]], known).score(codes_test[:, [j]], wanted)
            bar.add(1)
    ordered = np.sort(accuracy, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))
