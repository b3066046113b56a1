"""Which of a dataset's labels colour a picture, and what they are called."""

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
    """One class an example, shape (n,), from labels (n,) or factors (n, k): their first one."""
    return np.asarray(y).reshape(len(y), -1)[:, 0]


def one_of_each(labels, count):
    """Indices of `count` examples: the first of each class, then the second of each, and so on.

    Neighbours are of different classes, and nobody has picked.
    """
    labels = np.asarray(labels)
    turn = np.zeros(len(labels), int)  # how many of its class came before
    for label in np.unique(labels):
        chosen = labels == label
        turn[chosen] = np.arange(chosen.sum())
    return np.lexsort((labels, turn))[:count]
