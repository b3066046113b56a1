"""Checks of what a measure is given: arrays, labels, or a model. Each error says what it got."""

import collections

import keras
import numpy as np

from keras_aevae.engine.inference import as_numpy


def as_array(name, value, wanted, remedy=""):
    """Return `value` as an array of numbers, else raise an error: `name` must be `wanted`."""
    array = converted(value)
    if array is None or array.dtype.kind in "OSUMmc":
        if isinstance(value, keras.Layer) and not remedy:
            remedy = "This measure takes arrays, such as what model.encode(x) returns."
        got = received(value) if array is None else f"{received(value)} of dtype {array.dtype}"
        message = f"`{name}` must be {wanted}. Received: {name}, {got}. {remedy}"
        raise ValueError(message.rstrip())
    return array


def converted(value):
    """Return an array, tensor, table, list or range as a NumPy array; None if it is none."""
    listed = isinstance(value, (list, tuple, range))
    if not listed and not hasattr(value, "__array__"):
        return None
    try:
        return np.asarray(value) if listed else as_numpy(value, exact=True)
    except (TypeError, ValueError, RuntimeError):  # a list of what doesn't fit together
        return None


def received(value):
    """Return in words what was given."""
    if isinstance(value, (list, tuple)):
        types = sorted({type(item).__name__ for item in value})
        words = f" ({', '.join(types[:3])})" if types else ""
        return f"a {type(value).__name__} of {len(value)}{words}"
    if hasattr(value, "shape") and hasattr(value, "__array__"):
        return f"an array of shape {tuple(value.shape)}"
    return "None" if value is None else f"a {type(value).__name__}"


def check_finite(name, array, remedy=""):
    """Return `array` as it is if all of its values are finite, else raise an error."""
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        message = f"`{name}` must be finite. Received: {name} with {bad} NaN or infinite values. "
        raise ValueError(f"{message}{remedy}".rstrip())
    return array


def check_model(model, verb, **data):
    """Raise an error unless `model` has the method `verb`, as the models of keras_aevae have, and
    none of the `data` is missing or a model."""
    if isinstance(model, str) or not hasattr(model, verb):
        raise ValueError(
            "`model` must be a trained model of keras_aevae, such as a VAE: it is the first "
            f"argument of this measure, and the data follow. Received: {received(model)}."
        )
    for name, x in data.items():
        if x is None or isinstance(x, (str, bytes, dict, int, float, keras.Layer)):
            raise ValueError(
                f"`{name}` must be data that the model takes, such as an array of shape "
                f"(n, *data_shape). Received: {received(x)}."
            )


def check_labels(name, labels, shape=None):
    """Return `labels` as an array of integers, whole numbers, booleans or strings; else raise.

    `shape`: the shape that they must have, if it is known.
    """
    array = converted(labels)
    if array is None:
        raise ValueError(
            f"`{name}` must be an array of labels: integers or strings. Received: "
            f"{received(labels)}."
        )
    if shape is not None and array.shape != shape:
        raise ValueError(
            f"`{name}` must have shape (n,), one for each code. Received: {name} of shape "
            f"{array.shape} beside {shape[0]} codes."
        )
    if array.dtype.kind in "US" and isinstance(labels, (list, tuple)):
        array = np.array(labels, object)  # NumPy has made strings of all
    if array.dtype.kind == "O":
        array = of_one_kind(name, array)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind == "f":
        check_finite(name, array, "Leave out the examples without a label.")
    if array.dtype.kind not in "biufU":
        raise ValueError(
            f"`{name}` must be integers or strings. Received: {name} of dtype {array.dtype}. "
            f"Number the classes: np.unique({name}, return_inverse=True)[1]."
        )
    return array


def of_one_kind(name, array):
    """Return an array of objects as one of strings, bytes or numbers, which all of them are."""
    kinds = collections.Counter(type(value).__name__ for value in array.ravel())
    for cls, dtype in ((str, str), (bytes, bytes), (np.generic | int | float, None)):
        if all(isinstance(value, cls) for value in array.ravel()):
            return np.array(array.tolist(), dtype).reshape(array.shape)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3))
    raise ValueError(
        f"`{name}` must be of one kind, integers or strings. Received: {name} that are objects: "
        f"{counts}. Leave out the examples without a label, or give them a class of their own."
    )
