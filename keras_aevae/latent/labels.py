"""The labels that colour a picture, and the examples that it shows."""

import numpy as np

CLASS_NAMES = {
    "dsprites": ("square", "ellipse", "heart"),
    "fashion_mnist": (
        "T-shirt",
        "trousers",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
}


def classes(y):
    """Return one class per example, shape (n,), from labels (n,) or the first of factors (n, k)."""
    return np.asarray(y).reshape(len(y), -1)[:, 0]


def one_of_each(labels, count):
    """Return indices of `count` examples: the first of each class, then the second, and so on.

    Neighbours are of different classes, and no example is hand-picked.
    """
    labels = np.asarray(labels)
    turn = np.zeros(len(labels), int)  # how many examples of its class came before
    for label in np.unique(labels):
        chosen = labels == label
        turn[chosen] = np.arange(chosen.sum())
    return np.lexsort((labels, turn))[:count]
