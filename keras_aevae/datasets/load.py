"""One function that loads every dataset."""

import numpy as np

from keras_aevae._checks import check_name, check_positive_integer, check_seed
from keras_aevae.datasets import digits, dsprites, fashion_mnist, mnist
from keras_aevae.datasets.binarize import binarize

# Datasets of a fixed size; dSprites are rendered.
_FIXED = {"digits": digits, "mnist": mnist, "fashion_mnist": fashion_mnist}
_NAMES = ("digits", "dsprites", "mnist", "fashion_mnist")


def load(name="digits", *, binarized=False, num_train=None, num_test=None, seed=0):
    """Load images and labels as NumPy arrays.

    | name | image | train / test | where from | licence |
    | --- | --- | --- | --- | --- |
    | `"digits"` | 8x8x1 | 1437 / 360 | inside scikit-learn | CC BY 4.0 |
    | `"dsprites"` | 64x64x1, binary | 10 000 / 2 000 of 737 280 | rendered, see `DSprites` | ours |
    | `"mnist"` | 28x28x1 | 60 000 / 10 000 | downloaded by Keras | CC BY-SA 3.0 |
    | `"fashion_mnist"` | 28x28x1 | 60 000 / 10 000 | downloaded by Keras | MIT |

    Args:
        name: one of the names above.
        binarized: whether to draw each grey value once as a bit, see `binarize`.
            `DynamicBinarization` draws anew each epoch.
        num_train: how many training images to return; `None` for the number in the table. The
            first ones, except for dSprites: a random part of the grid.
        num_test: the same for the test images.
        seed: an integer of 0 or more: which bits are drawn, and which part of dSprites.
            The split of the other datasets never changes.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `x` float32 in [0, 1] of shape
        `(n, height, width, channels)`, and `y` int64 class labels of shape `(n,)`; for dSprites
        the factors of shape `(n, 5)`: indices of shape, scale, orientation, x, y.

    Example:

    ```python
    from keras_aevae.datasets import load

    (x_train, y_train), (x_test, y_test) = load("digits")
    # model.fit(x_train, validation_data=(x_test, None))
    ```
    """
    check_name("name", name, _NAMES)
    seed = check_seed(seed)
    sizes = {"num_train": num_train, "num_test": num_test}
    sizes = {k: check_positive_integer(k, v) for k, v in sizes.items() if v is not None}
    if name == "dsprites":
        train, test = dsprites.load(**sizes, seed=seed)
    else:
        train, test = _FIXED[name].load()
        train = _first(*train, "num_train", sizes, name)
        test = _first(*test, "num_test", sizes, name)
    if binarized:
        # two streams, so that the bits of the test images don't depend on `num_train`
        train_seed, test_seed = np.random.SeedSequence(seed).spawn(2)
        train = binarize(train[0], train_seed), train[1]
        test = binarize(test[0], test_seed), test[1]
    return train, test


def _first(x, y, argument, sizes, name):
    n = sizes.get(argument, len(x))
    if n > len(x):
        raise ValueError(
            f"`{argument}` must be at most {len(x)}, the number of those images in '{name}'. "
            f"Received: {argument}={n}."
        )
    return x[:n], y[:n]
