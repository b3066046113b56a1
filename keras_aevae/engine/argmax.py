"""The place of the largest value, without what Keras's own costs on some backends."""

import keras
from keras import ops


def argmax(x):
    """Index of the largest value along the last axis, int32; the first of equal ones.

    Keras's is much slower on JAX on a CPU, where XLA has no fast kernel for floats, and has
    operations on TensorFlow that ONNX and LiteRT don't know.
    """
    if keras.backend.backend() == "torch":  # whose kernel is the fastest
        return ops.cast(ops.argmax(x, axis=-1), "int32")
    largest = ops.equal(x, ops.max(x, axis=-1, keepdims=True))
    return ops.cast(ops.argmax(ops.cast(largest, "int32"), axis=-1), "int32")
