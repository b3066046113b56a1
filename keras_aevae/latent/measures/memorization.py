"""Do samples repeat the training examples?"""

import math

import keras
import numpy as np

from keras_aevae.latent.measures._arrays import as_array
from keras_aevae.latent.measures._features import check_pair
from keras_aevae.latent.measures._neighbours import nearest


def nearest_training_distance(x, x_train, verbose=0):
    """Return the Euclidean distance of each example to the nearest training example.

        d(x) = min_i |x - x_i|

    Range: from 0 up, in the unit of the data. At 0 the example is in the training set.

    Good for: finding the samples that repeat training examples, the smallest distances first, to
    look at them side by side. Misleads in pixels: an image shifted by one is far away, and a
    blurred one is near to everything. Only the distances of test examples tell how small is small
    (see `memorization_score`).

    Args:
        x: samples or other examples, shape (n, ...), which are flattened; or their codes or
            features.
        x_train: training examples, shape (m, ...), with as many values each.
        verbose: 1 for a progress bar.

    Returns:
        A float array of shape (n,): float32 where both are.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    (x_train, _), _ = datasets.load("digits")
    latent.nearest_training_distance(vae.sample(10, seed=0), x_train)
    ```
    """
    return distances(verbose, x=x, x_train=x_train)


def memorization_score(fake, x_test, x_train, verbose=0):
    """Return the probability that a sample is nearer to the training set than a test example is.

        P(d(fake) < d(x_test)) + P(d(fake) = d(x_test)) / 2,   d(x) = min_i |x - x_i|

    Meehan, Chaudhuri & Dasgupta 2020, https://arxiv.org/abs/2004.05675: the Mann-Whitney statistic
    of their test, as a share of the pairs, without their cells.

    Range: 0 to 1. At 0.5 samples are as near as new data are, so nothing is copied; near 1 they are
    copies; below 0.5 they are farther from the training set than new data are. With n samples and m
    test examples of the same distribution the standard error is about sqrt((1/n + 1/m) / 12).

    Good for: detecting that a model repeats its training set, which Fréchet distance, precision and
    recall reward. Misleads on blurred samples, which in pixels are near to everything; and when
    copies of a few examples hide among poor samples that are far from all.

    Args:
        fake: samples, shape (n, ...), which are flattened; or features, if all three are features.
        x_test: data that the model hasn't seen, shape (m, ...).
        x_train: the training data, shape (l, ...).
        verbose: 1 for two progress bars.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    (x_train, _), (x_test, _) = datasets.load("digits")
    latent.memorization_score(vae.sample(200, seed=0), x_test, x_train)
    latent.memorization_score(x_train[:200], x_test, x_train)  # 1.0: copies
    ```
    """
    of_fake = distances(verbose, fake=fake, x_train=x_train)
    return share_nearer(of_fake, distances(verbose, x_test=x_test, x_train=x_train))


def share_nearer(of_fake, of_test):
    """Return the share of pairs in which the fake's distance is the smaller one; ties count
    half."""
    from scipy.stats import mannwhitneyu

    pairs = mannwhitneyu(of_test, of_fake, method="asymptotic").statistic
    return float(pairs / (len(of_test) * len(of_fake)))


def distances(verbose, **arrays):
    """Return the distance from each of the first array's examples to the nearest of the
    second's."""
    x, x_train = (flattened(name, array) for name, array in arrays.items())
    dtype = np.result_type(x, x_train, "float32")
    x, x_train = check_pair(x, x_train, least=1, names=tuple(arrays), dtype=dtype)
    # scikit-learn computes distances from products, so those of equal examples aren't exactly 0.
    bar = keras.utils.Progbar(len(x), verbose=verbose)
    return np.linalg.norm(x - x_train[nearest(x, x_train, bar)[1][:, 0]], axis=1)


def flattened(name, x):
    """Return `x` as an array of shape (n, values)."""
    x = as_array(name, x, "an array of examples, shape (n, ...)", "Samples: model.sample(n).")
    return x.reshape(len(x), math.prod(x.shape[1:])) if x.ndim > 1 else x
