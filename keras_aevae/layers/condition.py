"""The condition of a conditional model: a label of known classes, or a vector, for each x.

Both kinds have `length`, the length of the vector c that the networks take; `each`, the shape and
dtype of one condition; `check(condition, n)`, which returns an array of `n` conditions;
`symbolic(condition)`, which does so for tensors in a pipeline of TensorFlow, unchecked; and
`encode(condition)`, which turns a tensor of them into c.
"""

import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.inference import as_numpy
from keras_aevae.engine.value_checks import check_values


def get_condition(classes, condition_dim):
    """Return the condition that these arguments of a model describe, or None."""
    if classes is not None and condition_dim is not None:
        raise ValueError(
            "Give either `classes`, for labels, or `condition_dim`, for vectors. Received: "
            f"classes={classes!r}, condition_dim={condition_dim!r}."
        )
    if classes is not None:
        return Classes(classes)
    return None if condition_dim is None else Vectors(condition_dim)


class Classes:
    """Conditions that are labels, and c one-hot: a list of labels, or their number for 0..n-1."""

    each = ((), "int32")

    def __init__(self, labels):
        self.labels = check_classes(labels)
        self.length = len(self.labels)
        # Tensors hold integer labels as they are, and strings by their positions.
        self.codes = [c if isinstance(c, int) else i for i, c in enumerate(self.labels)]

    def check(self, condition, n):
        labels = check_shape_or_repeat(condition, n, ()).tolist()
        labels = [label.decode() if isinstance(label, bytes) else label for label in labels]
        codes = dict(zip(self.labels, self.codes))
        unknown = sorted({label for label in labels if label not in codes}, key=str)
        if unknown:
            raise ValueError(
                f"`condition` must hold labels of the model's `classes`: {self.labels}. Received: "
                f"{unknown[:5]}."
            )
        return np.array([codes[label] for label in labels], "int32")

    def symbolic(self, condition):
        """Return a symbolic tensor of labels, of TensorFlow, as `check` does: strings by their
        positions, -1 for those that aren't known."""
        import tensorflow as tf

        if condition.dtype != tf.string:
            return condition
        same = tf.equal(tf.reshape(condition, (-1, 1)), tf.constant(self.labels))
        codes = tf.argmax(tf.cast(same, "int32"), axis=-1, output_type=tf.int32)
        return tf.where(tf.reduce_any(same, axis=-1), codes, -1)

    def encode(self, condition):
        codes = ops.convert_to_tensor(np.array(self.codes, "int32"))
        one_hot = ops.equal(ops.cast(ops.reshape(condition, (-1, 1)), "int32"), codes)
        # `fit` can't check later batches of a dataset: an unknown label gives NaN.
        known = ops.any(one_hot, axis=-1, keepdims=True)
        return ops.where(known, ops.cast(one_hot, "float32"), np.nan)

    def config(self):
        return {"classes": self.labels}


class Vectors:
    """Conditions that are vectors of `length` numbers; c is the vector itself."""

    def __init__(self, length):
        self.length = check_positive_integer("condition_dim", length)
        self.each = ((self.length,), "float32")

    def check(self, condition, n):
        vectors = check_shape_or_repeat(condition, n, (self.length,))
        check_values("condition", vectors, (self.length,), None)
        return vectors.astype("float32")

    def symbolic(self, condition):
        return condition

    def encode(self, condition):
        return ops.cast(condition, "float32")

    def config(self):
        return {"condition_dim": self.length}


def is_unknown(c):
    """Return whether c stands for an unknown label, for each example: shape (batch,)."""
    return ops.any(ops.isnan(c), axis=-1)


def check_shape_or_repeat(condition, n, each):
    """Return `condition` as an array (n, *each); one condition is repeated for all examples."""
    condition = as_numpy(condition)
    if not each and condition.shape == (n, 1):  # as some datasets hold labels
        condition = condition[:, 0]
    if condition.shape == each:
        return np.broadcast_to(condition, (n, *each))
    if condition.shape != (n, *each):
        one_hot = not each and condition.ndim == 2
        raise ValueError(
            f"`condition` must have shape {(n, *each)}, or {each} for the same one everywhere. "
            f"Received: condition.shape={condition.shape}."
            + (" Labels aren't one-hot here: take the argmax." if one_hot else "")
        )
    return condition


def check_classes(classes):
    """Return the labels as a list, from their number or from a list of them."""
    if isinstance(classes, (int, np.integer)) and not isinstance(classes, bool):
        return list(range(check_positive_integer("classes", classes)))
    labels = list(classes) if isinstance(classes, (list, tuple, np.ndarray, range)) else []
    labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
    if {type(label) for label in labels} not in ({int}, {str}) or len(set(labels)) < len(labels):
        raise ValueError(
            "`classes` must be the number of classes, or a list of different integers or strings. "
            f"Received: classes={classes!r}."
        )
    return labels
