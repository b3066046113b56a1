"""Inference over data of any kind: batched, compiled once, on the backend in use."""

import operator

import keras
import numpy as np


def compiled(model, function):
    """`function(*tensors)` of `model`, without gradients and compiled on the current backend.

    Takes arrays and returns tensors. The states of the model's seed generators move on, as in
    `predict`. This is the library's only code that differs between backends.
    """
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def run(values, arguments):
            variables = model.variables
            with keras.StatelessScope(zip(variables, values)) as scope:
                outputs = function(*arguments)
            new = {}
            for i, (variable, value) in enumerate(zip(variables, values)):
                if (now := scope.get_current_value(variable)) is not value:
                    new[i] = now
            return outputs, new

        def call(*arguments):
            variables = model.variables
            outputs, new = run([v.value for v in variables], arguments)
            for i, value in new.items():
                variables[i].assign(value)
            return outputs

        return call

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, reduce_retracing=False)

    if keras.backend.backend() == "torch":
        import torch

        def call(*arguments):
            with torch.no_grad():
                return function(*keras.tree.map_structure(keras.ops.convert_to_tensor, arguments))

        return call

    raise RuntimeError(
        "keras_aevae runs on the backends 'jax', 'tensorflow' and 'torch'. Received: "
        f"KERAS_BACKEND={keras.backend.backend()!r}. Set it to one of these before importing keras."
    )


def is_array(x):
    """True for NumPy arrays, tensors and (nested) lists; False for datasets and generators."""
    return hasattr(x, "__array__") or isinstance(x, (list, np.ndarray))


def first_of(batch):
    """The x of a batch that is x, (x,), (x, y) or (x, y, sample_weight), as a NumPy array."""
    while isinstance(batch, (tuple, list)) and len(batch) and is_array(batch[0]):
        batch = batch[0]
    return as_numpy(batch)


def as_numpy(x):
    """`x` as a NumPy array, wherever its values lie."""
    if type(x).__module__.partition(".")[0] == "torch":
        x = x.detach().cpu()
    x = np.asarray(x)
    return x.astype("float32") if x.dtype == "float64" else x


def batches(x, batch_size):
    """The batches of an array or of a dataset (`PyDataset`, `tf.data`, `DataLoader`, iterable)."""
    if is_array(x):
        x = as_numpy(x)
        for start in range(0, len(x), batch_size):
            yield x[start : start + batch_size]
    elif isinstance(x, keras.utils.PyDataset):
        for i in range(len(x)):
            yield first_of(x[i])
    else:
        for batch in x:
            yield first_of(batch)


def pad_to_bucket(x, batch_size):
    """`x` with its last example repeated up to a power of two, or to `batch_size`.

    So a few shapes are compiled, whatever the sizes of the arrays.
    """
    size = 1
    while size < len(x):
        size *= 2
    if len(x) <= batch_size:
        size = min(size, batch_size)
    return np.concatenate([x, np.repeat(x[-1:], size - len(x), axis=0)]) if size > len(x) else x


def run_in_batches(function, x, batch_size, verbose=0):
    """`function` over the batches of `x`: its results as NumPy arrays, in the order of `x`."""
    total = -(-len(x) // batch_size) if is_array(x) else getattr(x, "num_batches", None)
    progress = keras.utils.Progbar(total) if verbose else None
    parts = []
    for i, batch in enumerate(batches(x, batch_size)):
        outputs = function(pad_to_bucket(batch, batch_size))
        outputs = keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)
        parts.append(keras.tree.map_structure(operator.itemgetter(slice(len(batch))), outputs))
        if progress:
            progress.update(i + 1)
    if not parts:
        raise ValueError("`x` must hold at least one example. Received: no batches.")
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
