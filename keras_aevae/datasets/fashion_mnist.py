"""Fashion-MNIST: 70 000 articles of clothing of 28x28 pixels."""

import keras

from keras_aevae.datasets._keras_cache import cache_directory, download, prepare

_MEANS = (72.940, 73.147)


def load():
    """Load 60 000 images for training and 10 000 for testing, which Keras downloads once (30 MB).

    They have the shape of MNIST's, but are truly grey: a Bernoulli likelihood of their pixels fits
    badly, and binarising them loses texture.

    Labels: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    Source: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747 (MIT licence).
    """
    path = cache_directory() / "fashion-mnist"
    remedy = (
        f"Put the four original files in {path}: train-images-idx3-ubyte.gz, "
        "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz."
    )
    data = download(keras.datasets.fashion_mnist.load_data, "Fashion-MNIST", remedy)
    return prepare(data, _MEANS, source=path)
