"""Inference over data of any kind: in batches, compiled once, on the backend in use."""

import functools
import itertools
import operator
import sys

import keras
import numpy as np
import optree


def compiled(model, function):
    """Compile `function(*tensors)` of `model`, without gradients, on the current backend.

    The result takes arrays and returns tensors. As in `predict`, the states of the model's seed
    generators advance.
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

        traced = tf.function(lambda *arguments: function(*arguments), autograph=False)
        concrete = {}

        def call(*arguments):
            tensors = map_leaves(tf.convert_to_tensor, arguments)
            leaves, layout = optree.tree_flatten(tensors)
            key = (layout, *((tuple(leaf.shape), leaf.dtype) for leaf in leaves))
            if key not in concrete:  # by hand: `traced` would warn of a fifth shape
                concrete[key] = traced.get_concrete_function(*tensors)
            return concrete[key](*tensors)

        return call

    if keras.backend.backend() == "torch":
        import torch

        from keras_aevae.engine.recorded import recorded_function

        recorded = recorded_function(model, function)
        device = keras.ops.zeros(()).device

        def tensor(x):
            # Share the memory if possible: Keras's conversion is slow for a small batch.
            if isinstance(x, np.ndarray) and x.dtype == "float32" and x.flags.carray:
                return torch.from_numpy(x).to(device)
            return keras.ops.convert_to_tensor(x)

        def call(*arguments):
            return recorded(*map_leaves(tensor, arguments))

        call.recorded = recorded
        return call

    raise RuntimeError(
        "keras_aevae runs on the backends 'jax', 'tensorflow' and 'torch'. Received: "
        f"KERAS_BACKEND={keras.backend.backend()!r}. Set it to one of these before importing keras."
    )


# On PyTorch keras.tree is pure Python, which is slow for small batches; optree is compiled.
map_leaves = functools.partial(optree.tree_map, none_is_leaf=True)


def is_array(x):
    """Return whether `x` holds arrays, tensors or (nested) lists, and isn't a dataset or
    generator."""
    array = hasattr(x, "__array__") or hasattr(x, "__array_interface__")
    return array or isinstance(x, list) or is_sparse(x)


def is_sparse(x):
    """Return whether `x` is a sparse matrix of SciPy or a sparse tensor."""
    module = type(x).__module__
    if module.startswith("scipy.sparse"):
        return hasattr(x, "tocsr")
    if module.startswith("torch"):
        return "sparse" in str(getattr(x, "layout", ""))
    return type(x).__name__ in ("SparseTensor", "BCOO") and module.startswith(("tensorflow", "jax"))


def is_frame(x):
    """Return whether `x` is a DataFrame or Series of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(x, (pandas.DataFrame, pandas.Series))


def first_of(x):
    """Return the x of a tuple (x, condition), or `x` itself if it isn't a tuple."""
    return x[0] if isinstance(x, tuple) and x else x


def num_examples(x):
    """Return the number of examples of arrays, x or (x, condition)."""
    first = first_of(x)
    return first.shape[0] if is_sparse(first) else len(first)


def is_pair(x):
    """Return whether `x` is (x, condition): two arrays or tensors, in a tuple or (by some loaders)
    a list."""
    return isinstance(x, (tuple, list)) and [hasattr(a, "__array__") for a in x] == [True, True]


def inputs_of(batch):
    """Return the model's inputs in a batch, x or (x, condition), as NumPy arrays. The batch is the
    inputs themselves, (inputs,), (inputs, target) or (inputs, target, sample_weight)."""
    if isinstance(batch, (tuple, list)) and len(batch) and is_array(first_of(batch[0])):
        batch = batch[0]
    if is_pair(batch):
        batch = tuple(batch)
    return tuple(map(as_numpy, batch)) if isinstance(batch, tuple) else as_numpy(batch)


def as_numpy(x, exact=False):
    """Return `x` as a dense NumPy array in the machine's byte order, whatever device its values are
    on. Numbers of 64 bits become float32, unless the array is to be `exact`."""
    if type(x) is np.ndarray and x.dtype.isnative and x.dtype.kind in "fiub":
        return x if exact or x.dtype != "float64" else x.astype("float32")
    if is_sparse(x):
        x = x.toarray()
    if type(x).__module__.partition(".")[0] == "torch":
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x
    x = np.asarray(x)
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    if x.dtype.name == "bfloat16":
        return x.astype("float32")
    return x.astype("float32") if x.dtype == "float64" and not exact else x


def batches(x, batch_size=None):
    """Yield the batches of arrays or of a dataset (`PyDataset`, `tf.data`, `DataLoader`, iterable).

    Arrays, `x` or a tuple (x, condition) of them, are cut into batches of `batch_size`. A sparse
    matrix is made dense batch by batch.
    """
    if is_array(first_of(x)):
        sparse = is_sparse(first_of(x))
        x = map_leaves(lambda part: part if is_sparse(part) else as_numpy(part), x)
        for start in range(0, num_examples(x), batch_size):
            part = operator.itemgetter(slice(start, start + batch_size))
            batch = map_leaves(part, x)
            yield map_leaves(as_numpy, batch) if sparse else batch
    else:
        for batch in x:
            yield inputs_of(batch)


def first_batch(x):
    """Return the first batch of a dataset (None if it is empty) and the dataset. A generator is
    returned with that batch put back."""
    if isinstance(x, keras.utils.PyDataset):
        return (None if x.num_batches == 0 else x[0]), x
    iterator = iter(x)
    first = next(iterator, None)
    if iterator is x and first is not None:  # put the first batch back
        x = (batch for batch in itertools.chain([first], iterator))
    return first, x


def some_examples(x, num_examples, once=False):
    """Return `num_examples` examples, x or (x, condition), or all if there are fewer, and the
    dataset.

    Examples of arrays, which may be sorted, are evenly spaced; those of a dataset are its first
    ones. Only the first batch of a generator is used, and the generator is returned with that batch
    put back; of `Batches` that can be read but `once`, the first one is known.
    """
    if is_array(first_of(x)):
        n = first_of(x).shape[0] if is_sparse(first_of(x)) else len(first_of(x))
        spaced = np.linspace(0, n - 1, min(num_examples, n)).astype(int)
        if is_sparse(first_of(x)):
            return map_leaves(lambda part: as_numpy(part[spaced]), x), x
        # A list is one array.
        parts = tuple(map(as_numpy, x)) if isinstance(x, tuple) else as_numpy(x)
        return map_leaves(lambda part: part[spaced], parts), x
    if once:
        parts = [inputs_of(x.first)]
    elif hasattr(x, "__next__"):
        first, x = first_batch(x)
        parts = [inputs_of(first)]
    else:
        parts = []
        for batch in batches(x):
            parts.append(batch)
            if sum(len(first_of(part)) for part in parts) >= num_examples:
                break
    return map_leaves(lambda *arrays: np.concatenate(arrays)[:num_examples], *parts), x


def pad_to_bucket(x, batch_size):
    """Repeat the last example of `x` up to a power of two, or to `batch_size`.

    So only a few shapes are compiled, whatever the sizes of the arrays.
    """
    size = 1
    while size < len(x):
        size *= 2
    if len(x) <= batch_size:
        size = min(size, batch_size)
    return np.concatenate([x, np.repeat(x[-1:], size - len(x), axis=0)]) if size > len(x) else x


def shared(x):
    """Return a tensor or an array as a NumPy array, with shared memory if possible."""
    if keras.backend.standardize_dtype(x.dtype) == "bfloat16":
        return keras.ops.convert_to_numpy(x)
    return x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)


def run_in_batches(function, x, batch_size, verbose=0, steps=None):
    """Return `function` over the batches of `x` as NumPy arrays, in the order of `x`: over all of
    them, or the first `steps`."""
    known = is_array(first_of(x))
    total = -(-num_examples(x) // batch_size) if known else None
    total = min(steps or total, total or steps) if steps or total else None
    progress = keras.utils.Progbar(total) if verbose else None
    parts = []

    def fetch(outputs, size):
        first = operator.itemgetter(slice(size))
        parts.append(map_leaves(first, map_leaves(shared, outputs)))
        if progress:
            progress.update(len(parts))

    running = None
    for batch in itertools.islice(batches(x, batch_size), steps):
        outputs = function(map_leaves(lambda part: pad_to_bucket(part, batch_size), batch))
        if running:  # fetched only now: the device may run this batch in the meantime
            fetch(*running)
        running = outputs, len(first_of(batch))
        if not known:  # a generator may reuse its memory, which JAX reads until it is done
            fetch(*running)
            running = None
    if running:
        fetch(*running)
    if not parts:
        raise ValueError("`x` must hold at least one example. Received: no batches.")
    return map_leaves(lambda *arrays: np.concatenate(arrays), *parts)
