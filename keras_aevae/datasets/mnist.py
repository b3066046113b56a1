"""MNIST: 70 000 handwritten digits of 28x28 pixels."""

import zipfile

import keras
import numpy as np

from keras_aevae.datasets._keras_cache import cache_directory, download, prepare

_MEANS = (33.318, 33.791)


def load():
    """Load 60 000 images for training and 10 000 for testing, which Keras downloads once (11 MB).

    MNIST is the field's common measure, and an easy one: good log-likelihoods here promise little
    for natural images.

    The arrays of a `mnist.npz` in Keras's cache directory are checked, not the file's hash: a
    recompressed file still holds the same images.

    Source: LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist (CC BY-SA 3.0).
    """
    path = cache_directory() / "mnist.npz"
    if path.is_file():
        return prepare(_read(path), _MEANS, source=path)
    remedy = (
        f"Put `mnist.npz` at {path}: an archive with the uint8 arrays `x_train` (60000, 28, 28), "
        "`y_train` (60000,), `x_test` (10000, 28, 28) and `y_test` (10000,)."
    )
    data = download(keras.datasets.mnist.load_data, "MNIST (mnist.npz)", remedy)
    return prepare(data, _MEANS, source="the download")


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as f:
            return (f["x_train"], f["y_train"]), (f["x_test"], f["y_test"])
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} must be an archive of the arrays x_train, y_train, x_test and y_test. "
            f"Received: a file that fails with {type(error).__name__}: {error}. "
            "Replace it, or delete it to download it anew."
        ) from error
