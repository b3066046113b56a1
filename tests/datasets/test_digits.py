import hashlib

import numpy as np
import pytest

from keras_aevae.datasets import load


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_convention(digits):
    (x_train, y_train), (x_test, y_test) = digits
    assert x_train.shape == (1437, 8, 8, 1) and x_test.shape == (360, 8, 8, 1)
    assert x_train.dtype == x_test.dtype == "float32"
    assert y_train.dtype == y_test.dtype == "int64"
    assert x_train.min() == 0 and x_train.max() == 1
    # sixteenths: nothing but the division by 16 happened
    assert np.array_equal(x_train * 16, np.round(x_train * 16))


def test_class_counts_are_those_of_scikit_learn_and_stratified(digits):
    (_, y_train), (_, y_test) = digits
    counts = np.bincount(y_train) + np.bincount(y_test)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.all(np.abs(np.bincount(y_test) - counts / 5) < 1)


def test_split_is_a_partition(digits):
    from sklearn.datasets import load_digits

    (x_train, _), (x_test, _) = digits
    train, test = ({image.tobytes() for image in x} for x in (x_train, x_test))
    everything = {i.tobytes() for i in (load_digits().images / 16).astype("float32")[..., None]}
    assert not train & test
    assert train | test == everything and len(everything) == 1797


def test_split_never_changes(digits):
    digest = hashlib.sha256()
    for part in digits:
        for array in part:
            digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")))
    assert digest.hexdigest() == "e732b0a3d3480252865f800954ac2b73f390a35e3f374a6736e0c0fbbefa3f07"


def test_labels_belong_to_images(digits):
    # the nearest of ten class means names most test digits
    (x_train, y_train), (x_test, y_test) = digits
    means = np.stack([x_train[y_train == k].mean(0) for k in range(10)])
    distance = ((x_test[:, None] - means) ** 2).sum((2, 3, 4))
    assert (distance.argmin(1) == y_test).mean() > 0.85
