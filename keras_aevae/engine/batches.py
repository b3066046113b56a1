"""The datasets that people bring, in a common form: batches of arrays.

`parts_of` takes a batch of a dataset apart. `for_keras` makes of any dataset one that Keras takes
on each backend, whose batches are checked when they are read.
"""

import itertools
import math
import os
import sys
from collections.abc import Mapping

import keras
import numpy as np

from keras_aevae.engine import private
from keras_aevae.engine.arrays import described
from keras_aevae.engine.inference import (
    as_numpy,
    is_array,
    is_sparse,
    map_leaves,
    num_examples,
)


def is_dataset(x):
    """Return whether `x` isn't an array, nor a tuple of arrays."""
    return not is_array(x) and not isinstance(x, tuple)


def check_dataset(x, name="x"):
    """Raise an error unless `x` may be a dataset: something that gives batches."""
    text = isinstance(x, (str, bytes, os.PathLike, Mapping, set, frozenset))
    gives = hasattr(x, "__iter__") or isinstance(x, keras.utils.PyDataset)
    if text or not gives or type(x).__name__ == "RaggedTensor" or isinstance(x, type):
        raise ValueError(
            f"`{name}` must be data: an array or a dataset of batches. Received: "
            f"{described(x, name)}"
        )


def is_infinite(x):
    """Return whether a dataset says that it has no end."""
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is None
    return is_tf_data(x) and int(x.cardinality()) == -1


def check_end(x, name, steps):
    """Raise an error if the dataset `x` says that it has no end and there is no number of `steps`,
    the argument `name`."""
    if not steps and is_dataset(x) and is_infinite(x):
        raise ValueError(
            f"`{name}` is needed for a dataset without an end: the number of batches to read. "
            f"Received: {name}={steps!r}, and an infinite {type(x).__name__}."
        )


def is_tf_data(x):
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def is_one(x, shape):
    """Return whether `x` is one array of examples of this `shape`. A list is one if it holds
    numbers, lists or examples; else its entries are the parts of a batch."""
    if not isinstance(x, list):
        return is_array(x)
    arrays = [not isinstance(each, (list, tuple)) and is_array(each) for each in x]
    if not any(arrays):
        return not any(isinstance(each, tuple) or not np.isscalar(each) for each in leaves(x))
    return all(arrays) and all(fits(np.shape(each), shape) for each in x)


def leaves(x):
    """Return the first entries of nested lists."""
    while isinstance(x, list) and x and isinstance(x[0], list):
        x = x[0]
    return x[:1]


def fits(received, shape):
    return len(received) == len(shape) and all(b in (a, None) for a, b in zip(received, shape))


def parts_of(batch, shape, conditional, name="x"):
    """Return a batch of a dataset as (inputs, target, sample_weight), each None if it is absent.

    Args:
        batch: x, (x,), (x, target) or (x, target, sample_weight), in a tuple or a list. A
            `conditional` model has pairs (x, condition) in the place of x, or x and its label side
            by side: (x, label) or (x, label, sample_weight).
        shape: that of one example.
    """
    if is_one(batch, shape):
        return batch, None, None
    if not isinstance(batch, (tuple, list)) or not 1 <= len(batch) <= 3:
        many = f"a {type(batch).__name__} of {len(batch)}." if isinstance(batch, tuple) else None
        pairs = f", or with a label (({name}, label),) or ({name}, label)" if conditional else ""
        raise ValueError(
            f"`{name}` must yield batches {name}, ({name},), ({name}, target) or ({name}, target, "
            f"sample_weight), of arrays{pairs}. Received: {many or described(batch, name)}"
        )
    inputs, y, weight = (*batch, None, None)[:3]
    if isinstance(inputs, (tuple, list)) and not is_one(inputs, shape):
        inputs = tuple(inputs) if len(inputs) > 1 or conditional else inputs[0]
    elif conditional and y is not None:
        inputs, y = (inputs, y), None
    return inputs, y, weight


def on_host(x):
    """Return whether the values of a batch are in the memory of the CPU."""
    module = type(x).__module__.partition(".")[0]
    if is_sparse(x):
        return True
    if module == "torch":
        return x.device.type == "cpu"
    if module == "tensorflow":
        return "GPU" not in getattr(x, "device", "")
    if module.startswith("jax"):
        return all(device.platform == "cpu" for device in x.devices())
    return True


class Batches(private.DataAdapter):
    """The batches of any iterable for Keras's `fit`, `evaluate` and `predict`, on each backend.

    Args:
        made: function without arguments that returns an iterator of batches, which are tuples
            (inputs,), (inputs, target) or (inputs, target, sample_weight) of arrays, for an epoch.
        first: the first batch.
        number: number of batches in an epoch, or None if it isn't known.
        once: whether there is but one iterator, which begins with `first`.
        any_length: whether the first size of an example may differ from batch to batch.
    """

    def __init__(self, made, first, number=None, once=False, any_length=False):
        self.made, self.first, self.number, self.once = made, first, number, once
        self.any_length = any_length
        self.error = None

    def __iter__(self):
        try:
            yield from self.made()
        except (Exception, KeyboardInterrupt) as error:
            self.error = error  # TensorFlow would tell of it in its own words
            raise

    @property
    def num_batches(self):
        return self.number

    @property
    def batch_size(self):
        return None

    def get_numpy_iterator(self):
        return (numpy_leaves(batch) for batch in self)

    def get_jax_iterator(self):
        return (map_leaves(plain, batch) for batch in self)

    def get_torch_dataloader(self):
        def leaf(x):
            return keras.ops.convert_to_tensor(plain(x))

        return (map_leaves(leaf, batch) for batch in self)

    def get_tf_dataset(self):
        import tensorflow as tf

        def spec(x):
            sizes = (None, *x.shape[2:]) if self.any_length and x.ndim > 2 else x.shape[1:]
            return tf.TensorSpec((None, *sizes), x.dtype)

        first = numpy_leaves(self.first)
        specs = map_leaves(spec, first)

        def batches():
            for batch in self:
                batch = numpy_leaves(batch)
                self.check_types(batch, first)
                yield map_leaves(lambda x, one: x.astype(one.dtype, copy=False), batch, first)

        dataset = tf.data.Dataset.from_generator(batches, output_signature=specs)
        return dataset.prefetch(tf.data.AUTOTUNE)

    def check_types(self, batch, first):
        """Raise an error unless a later batch has the parts of the first one, and their types."""
        flat, known = keras.tree.flatten(batch), keras.tree.flatten(first)
        alike = len(batch) == len(first) and len(flat) == len(known)
        if not alike or not all(map(np.can_cast, flat_types(flat), flat_types(known), SAME)):
            self.error = ValueError(
                "`x` must yield batches of the same parts and types. Received: a first batch of "
                f"{', '.join(map(str, flat_types(known)))} and a later one of "
                f"{', '.join(map(str, flat_types(flat)))}. Convert them: x.astype('float32')."
            )
            raise self.error


SAME = itertools.repeat("same_kind")


def flat_types(arrays):
    return [array.dtype for array in arrays]


def numpy_leaves(batch):
    return map_leaves(as_numpy, batch)


class Checked(keras.utils.PyDataset):
    """A `PyDataset` whose batches are `check(batch, index)` of those of another one."""

    def __init__(self, dataset, check):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset, self.check, self.error = dataset, check, None

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def __getitem__(self, index):
        try:
            return map_leaves(plain, self.check(self.dataset[index], index))
        except (Exception, KeyboardInterrupt) as error:
            self.error = error
            raise

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


def plain(x):
    """Return an array as Keras takes it in a batch: dense, a tensor or a NumPy array."""
    return x if keras.ops.is_tensor(x) else as_numpy(x)


def for_keras(x, check, arranged, any_length=False, name="x"):
    """Return the dataset `x` as one that Keras takes on the backend in use.

    Its batches are `check(batch, index)`, a tuple of arrays as `Batches` describes them. The first
    one is checked now, the others when they are read. TensorFlow reads a `tf.data.Dataset` itself:
    of that the first batch is checked alone, and where Keras takes another structure,
    `arranged(batch)` makes it of symbolic tensors. If `any_length`, the first size of an example
    may differ from batch to batch.
    """
    check_dataset(x, name)
    if isinstance(x, (Batches, Checked)):
        return x
    if isinstance(x, keras.utils.PyDataset):
        if x.num_batches == 0:
            raise ValueError(empty(x, name))
        first = x[0]
        # Other processes get a copy of the dataset, which can't hold the model's checks.
        alone = x.use_multiprocessing and same_structure(first, check(first, 0))
        return x if alone else Checked(x, check)
    iterator = iter(x)
    once = iterator is x
    try:
        first = next(iterator)
    except StopIteration:
        raise ValueError(empty(x, name)) from None
    checked = check(first, 0)
    if private.shards_datasets():
        return x  # Keras gives each process its part, or says which data it takes
    if is_tf_data(x) and keras.backend.backend() == "tensorflow":
        return x if same_structure(first, checked) else mapped(x, arranged)
    opened = [iterator]

    def first_epoch():
        yield checked  # whoever reads this batch alone, to build the model, takes none
        for i, batch in enumerate(opened.pop() if opened else (), start=1):
            yield check(batch, i)

    def made():
        # The iterator that was opened goes on: another one needn't begin with the same batch.
        if opened or once:
            return first_epoch() if opened else iter(())
        return (check(batch, i) for i, batch in enumerate(x))

    return Batches(made, checked, None if once else length_of(x), once, any_length)


def same_structure(batch, checked):
    """Return whether Keras takes a batch of tensors as it is: `checked` is what it takes."""
    batch = batch if isinstance(batch, tuple) else (batch,)
    flat, known = keras.tree.flatten(batch), keras.tree.flatten(checked)
    dense = not any(map(is_sparse, flat)) and not any(each.dtype == "string" for each in flat)
    pairs = [isinstance(each[0], tuple) for each in (batch, checked)]
    return dense and len(flat) == len(known) and pairs[0] == pairs[1]


def mapped(dataset, function):
    """Return a `tf.data.Dataset` whose batches are `function(batch)`."""

    def of_parts(*batch):
        return function(batch if isinstance(dataset.element_spec, tuple) else batch[0])

    return dataset.map(of_parts)


def empty(x, name):
    return f"`{name}` must yield at least one batch. Received: an empty {type(x).__name__}."


def length_of(x):
    """Return the number of batches of a dataset, or None if it isn't known."""
    if is_tf_data(x):
        known = int(x.cardinality())
        return known if known >= 0 else None
    try:
        known = len(x)
    except TypeError:
        return None
    return known if known < sys.maxsize else None


def raise_own_error(error, *datasets):
    """Raise what ended the reading of one of the `datasets`, if TensorFlow tells of it by this
    `error` in words of its own."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return
    for dataset in datasets:
        if isinstance(dataset, (Batches, Checked)) and dataset.error is not None:
            raise dataset.error from None


# Sparse matrices


def batches_of_sparse(x, y, settings, shuffle=False):
    """Return the arguments of `fit(x, y, **settings)` as (x, y, settings), in which batches that
    are made dense when they are read have taken the place of sparse matrices. Other kinds of data
    are returned unchanged."""
    validation = settings.get("validation_data")
    if has_sparse(validation):
        size = settings.get("validation_batch_size") or settings.get("batch_size")
        settings = {**settings, "validation_data": dense_batches(validation, size or 32)}
    parts = (x, y, settings.get("sample_weight"))
    if not has_sparse(parts):
        return x, y, settings
    settings = {**settings, "sample_weight": None}
    shuffle = settings.pop("shuffle", shuffle)
    split, n = settings.pop("validation_split", None) or 0.0, num_examples(x)
    size, steps = settings.pop("batch_size", None), settings.get("steps_per_epoch")
    kept = math.floor(n * (1 - split)) if validation is None else n
    size = size or (math.ceil(kept / steps) if steps else 32)
    if kept < n or (split and validation is None):
        if not 0 < kept < n:
            raise ValueError(
                "`validation_split` must leave examples on both sides. Received: "
                f"validation_split={split!r}, and {n} examples in x."
            )
        settings["validation_data"] = dense_batches(chosen(parts, slice(kept, n)), size)
        parts = chosen(parts, slice(kept))
    return dense_batches(parts, size, shuffle), None, settings


def has_sparse(parts):
    return isinstance(parts, tuple) and any(map(is_sparse, keras.tree.flatten(parts)))


def chosen(parts, which):
    """Return the chosen examples of `parts`."""
    return map_leaves(lambda part: None if part is None else part[which], parts)


def dense_batches(parts, size, shuffle=False):
    """Return the `Batches` of `parts`, (x, y, sample_weight), each made dense when it is read."""
    packed = keras.utils.pack_x_y_sample_weight(*parts)
    packed = packed if isinstance(packed, tuple) else (packed,)
    n = num_examples(parts[0])

    def batch(which):
        return numpy_leaves(chosen(packed, which))

    def made():
        order = np.random.permutation(n) if shuffle else np.arange(n)
        return (batch(order[start : start + size]) for start in range(0, n, size))

    return Batches(made, batch(slice(size)), math.ceil(n / size))
