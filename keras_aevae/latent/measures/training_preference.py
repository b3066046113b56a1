"""Are a model's outputs nearer to its training data than to as many other data?"""

import keras
import numpy as np

from keras_aevae.latent.measures._arrays import as_array
from keras_aevae.latent.measures._features import check_pair
from keras_aevae.latent.measures._neighbours import nearest
from keras_aevae.latent.measures._values import spaced
from keras_aevae.latent.measures.memorization import flattened


def training_preference(fake, x_train, x_test, own=None, verbose=0):
    """Return how often a fake example is nearer to training examples than to as many test examples.

        P(d(fake, x_train) < d(fake, x_test)) + P(equal) / 2,   d(x, A) the distance to the nearest

    There are as many training as test examples, evenly spaced. The idea is that of the nearest
    neighbour test of two samples: Schilling 1986, https://doi.org/10.1080/01621459.1986.10478337.

    Range: 0 to 1. It is 0.5 if both sets have one distribution for the fakes, as training examples
    then attract no more than others; near 1, the fakes are training examples. The standard error
    for n fakes is 0.5 / sqrt(n), or more if many of them share a nearest example.

    Good for: memorisation in samples and in reconstructions alike. Unlike in `memorization_score`,
    blurred or poor samples aren't mistaken for memorised ones, since they are nearer to both sets
    or to neither. Misleads when training and test data differ from each other: compare it with the
    preference of the test examples themselves, `training_preference(x_test, x_train, x_test,
    own=range(len(x_test)))`. It sees only the training examples that are used.

    Args:
        fake: samples, or reconstructions of test examples, shape (n, ...), which are flattened.
        x_train, x_test: data of shapes (m, ...) and (l, ...), l at least 2.
        own: if the fakes are reconstructions, the index in `x_test` of the example that each was
            made from, shape (n,): it is left out of the comparison.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    (x_train, _), (x_test, _) = datasets.load("digits")
    latent.training_preference(vae.sample(200, seed=0), x_train, x_test)
    latent.training_preference(vae.reconstruct(x_test), x_train, x_test, own=range(len(x_test)))
    ```
    """
    return float(np.mean(preferences(fake, x_train, x_test, own, verbose)))


def preferences(fake, x_train, x_test, own=None, verbose=0):
    """Return for each fake: 1 if a training example is nearest, 0 if a test one is, 0.5 for
    both."""
    fake, x_train = flattened("fake", fake), flattened("x_train", x_train)
    x_test = flattened("x_test", x_test)
    dtype = np.result_type(fake, x_train, x_test, "float32")
    fake, x_test = check_pair(fake, x_test, least=1, names=("fake", "x_test"), dtype=dtype)
    fake, x_train = check_pair(fake, x_train, least=1, names=("fake", "x_train"), dtype=dtype)
    if own is not None:
        own = check_own(own, len(fake), len(x_test))
    others = len(x_test) - (own is not None)
    if others < 1:
        raise ValueError(
            "`x_test` must hold another example beside each fake's own. Received: 1 example."
        )
    if len(x_train) < others:
        raise ValueError(
            "`x_train` must hold as many examples as `x_test` has to compare with. Received: "
            f"{len(x_train)} and {others}. Give fewer of `x_test`."
        )
    x_train = x_train[spaced(len(x_train), others)]
    bar = keras.utils.Progbar(2 * len(fake), verbose=verbose)
    if own is None:
        closest = nearest(fake, x_test, bar)[1][:, 0]
    else:
        two = nearest(fake, x_test, bar, count=2)[1]
        closest = np.where(two[:, 0] == own, two[:, 1], two[:, 0])
    # scikit-learn computes distances from products, so those of equal examples aren't exactly 0.
    to_test = np.linalg.norm(fake - x_test[closest], axis=1)
    to_train = np.linalg.norm(fake - x_train[nearest(fake, x_train, bar)[1][:, 0]], axis=1)
    return (to_train < to_test) + 0.5 * (to_train == to_test)


def check_own(own, count, num_test):
    """Return `own` as `count` indices of `num_test` examples, else raise an error."""
    own = as_array("own", own, "the index in `x_test` of each fake's own example, shape (n,)")
    valid = own.shape == (count,) and own.dtype.kind in "iu"
    if not valid or own.min() < 0 or own.max() >= num_test:
        raise ValueError(
            f"`own` must hold an index from 0 to {num_test - 1} for each of the {count} fakes. "
            f"Received: own of shape {own.shape}, {own.dtype}."
        )
    return own
