"""The accuracy with which labels can be predicted from frozen codes."""

import keras
import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.latent.measures._arrays import check_labels
from keras_aevae.latent.measures._codes import check_codes
from keras_aevae.latent.measures._neighbours import AT_A_TIME


def linear_probe(codes, labels, codes_test, labels_test):
    """Return the test accuracy of a linear classifier on frozen codes.

    Alain & Bengio 2016, https://arxiv.org/abs/1610.01644: logistic regression of all classes at
    once, on standardised codes.

    Range: 0 to 1. Noise scores as guessing does: the share of the largest class.

    Good for: how useful codes are if there are few labels: give few `codes`, and the whole test
    set. Misleads about information in a code that isn't linear (see `nearest_neighbour_probe`), and
    about everything that the labels don't name.

    Args:
        codes, labels: shapes (n, latent_dim) and (n,), for fitting; two classes or more.
        codes_test, labels_test: other ones for scoring.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    (x_train, y_train), (x_test, y_test) = datasets.load("digits")
    latent.linear_probe(vae.encode(x_train[:100]), y_train[:100], vae.encode(x_test), y_test)
    ```
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    codes, labels, codes_test, labels_test = checked(codes, labels, codes_test, labels_test)
    return float(model.fit(codes, labels).score(codes_test, labels_test))


def nearest_neighbour_probe(codes, labels, codes_test, labels_test, neighbours=5, verbose=0):
    """Return the test accuracy of the majority of the nearest codes, by Euclidean distance.

    Range: 0 to 1. Noise scores as guessing does.

    Good for: whether similar things lie together, in whatever shape. Misleads when one dimension is
    much larger than the others and hides them: whiten codes that differ in scale.

    Args:
        codes, labels: shapes (n, latent_dim) and (n,), at least `neighbours` of them; two classes
            or more.
        codes_test, labels_test: other ones for scoring.
        neighbours: number of neighbours that vote.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    (x_train, y_train), (x_test, y_test) = datasets.load("digits")
    latent.nearest_neighbour_probe(vae.encode(x_train), y_train, vae.encode(x_test), y_test)
    ```
    """
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = check_positive_integer("neighbours", neighbours)
    codes, labels, codes_test, labels_test = checked(codes, labels, codes_test, labels_test)
    if len(codes) < neighbours:
        raise ValueError(
            f"`codes` must be {neighbours} or more, as many as `neighbours`. Received: "
            f"{len(codes)} codes."
        )
    model = KNeighborsClassifier(neighbours).fit(codes, labels)
    bar, right = keras.utils.Progbar(len(codes_test), verbose=verbose), 0
    for start in range(0, len(codes_test), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        found = model.predict(codes_test[part])
        right += np.sum(found == labels_test[part])
        bar.add(len(found))
    return float(right / len(codes_test))


def checked(codes, labels, codes_test, labels_test):
    """Return checked codes and their labels, as integers that mean the same in both."""
    codes, labels = check_labelled("", codes, labels)
    codes_test, labels_test = check_labelled("_test", codes_test, labels_test)
    if codes.shape[1] != codes_test.shape[1]:
        raise ValueError(
            "`codes` and `codes_test` must have as many dimensions. Received: "
            f"{codes.shape[1]} and {codes_test.shape[1]}."
        )
    if (labels.dtype.kind == "U") != (labels_test.dtype.kind == "U"):
        raise ValueError(
            "`labels` and `labels_test` must be of one kind. Received: dtypes "
            f"{labels.dtype} and {labels_test.dtype}."
        )
    check_classes(labels)
    _, numbered = np.unique(np.concatenate([labels, labels_test]), return_inverse=True)
    return codes, numbered[: len(codes)], codes_test, numbered[len(codes) :]


def check_labelled(ending, codes, labels):
    """Return `codes` and `labels`, whose names have that `ending`."""
    codes, name = check_codes(codes, f"codes{ending}"), f"labels{ending}"
    labels = check_labels(name, labels, shape=(len(codes),))
    if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        raise ValueError(
            f"`{name}` must be classes. Received: {name} of dtype {labels.dtype} that aren't whole "
            "numbers. Cut them into bins: np.digitize."
        )
    return codes, labels


def check_classes(labels):
    """Return the classes, at least two of them, else raise an error."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(
            "`labels` must hold two classes or more, or there is nothing to tell. Received: "
            f"{classes.tolist()} alone."
        )
    return classes
