"""Digits: 1797 handwritten digits of 8x8 pixels that ship inside scikit-learn."""

import numpy as np


def load():
    """Load 1437 images for training and 360 for testing, always the same ones, without a download.

    They are few enough to train a VAE in seconds, and too few to say much about its quality. Every
    writer appears in both parts, so the test error is that for known handwriting.

    Source: test part of "Optical recognition of handwritten digits", Alpaydin & Kaynak 1998, UCI
    Machine Learning Repository (CC BY 4.0), through `sklearn.datasets.load_digits`.
    """
    from sklearn.datasets import load_digits  # here: importing this library must not load it

    x, y = load_digits(return_X_y=True)  # (1797, 64) of 0..16, (1797,)
    x = (x / 16).astype("float32").reshape(-1, 8, 8, 1)
    y = y.astype("int64")
    # Every fifth image of those sorted by label is a test image: this is stratified and draws
    # nothing, so no version of any library can change it.
    is_test = np.zeros(len(y), bool)
    is_test[np.argsort(y, kind="stable")[::5]] = True
    return (x[~is_test], y[~is_test]), (x[is_test], y[is_test])
