"""Static binarisation: one Bernoulli draw of grey values."""

import numpy as np

from keras_aevae.datasets._grey import check_grey


def binarize(x, seed=0):
    """Draw each pixel once: 1 with the probability that its grey value states, else 0.

    Good for: test sets and comparisons of models: the same seed gives everyone the same bits.
    Misleads as training data: a model can memorise a single draw, and over-fits sooner than with
    `DynamicBinarization`. It isn't the draw that Larochelle & Murray (2011) published for MNIST
    either: log-likelihoods are comparable on average, not bit by bit.

    Args:
        x: grey values in [0, 1], floating point, of any shape.
        seed: an integer (or anything else that `numpy.random.default_rng` takes).

    Returns:
        A float32 array of zeros and ones with the shape of `x`.

    Reference:
        Salakhutdinov & Murray, "On the quantitative analysis of deep belief networks", ICML 2008.

    Example:

    ```python
    from keras_aevae.datasets import binarize, load

    (x_train, _), (x_test, _) = load("digits")
    b_test = binarize(x_test, seed=1)
    ```
    """
    x = check_grey(x)
    # uniform on [0, 1): a grey value of 0 never and one of 1 always gives a 1
    uniform = np.random.default_rng(seed).random(x.shape, dtype="float32")
    return (uniform < x).astype("float32")
