"""TensorFlow: the batches of arrays in `fit`.

Keras makes a new iterator of its own pipeline for every epoch. After `keras.utils.set_random_seed`
each begins from the same seed, so that every epoch has the same batches in the same order; and the
pipeline tunes itself, for which the end of an epoch may wait up to a second. Here each epoch has an
order of its own, which follows from the seed, and nothing is tuned.
"""

import math

import keras
import numpy as np
import tensorflow as tf

# The number of batches that are made in advance.
AHEAD = 8


def batches_of_arrays(x, y, settings):
    """Return the arguments of `fit(x, y, **settings)` as (x, y, settings), in which datasets of
    batches have taken the place of arrays. Other kinds of data are returned unchanged, and so are
    arguments that Keras has an error for."""
    parts, validation = (x, y, settings.get("sample_weight")), settings.get("validation_data")
    shuffle, size = settings.get("shuffle", True), settings.get("batch_size")
    split = (settings.get("validation_split") or 0.0) if validation is None else 0.0
    unknown = settings.get("class_weight") is not None or shuffle == "batch"
    if unknown or not are_arrays(parts) or not is_size(size) or not 0 <= split < 1:
        return x, y, settings
    n = len(keras.tree.flatten(x)[0])
    kept = math.floor(n * (1 - split))
    if kept == 0 or (split and kept == n):
        return x, y, settings
    settings = {**settings, "sample_weight": None, "shuffle": False, "validation_split": 0.0}
    if split:
        validation, parts = cut(parts, slice(kept, None)), cut(parts, slice(kept))
    if isinstance(validation, (tuple, list)) and are_arrays(validation):
        steps = settings.get("validation_steps")
        size_then = settings.get("validation_batch_size") or size
        settings["validation_data"] = dataset(validation, size_then, steps, shuffle=False)
    return dataset(parts, size, settings.get("steps_per_epoch"), shuffle), None, settings


def are_arrays(parts):
    """Return whether all `parts` are NumPy arrays or dense tensors of one length, or absent."""
    leaves = [part for part in keras.tree.flatten(parts) if part is not None]
    known = all(isinstance(leaf, (np.ndarray, tf.Tensor)) and leaf.shape for leaf in leaves)
    return known and len({len(leaf) for leaf in leaves}) == 1


def is_size(batch_size):
    return batch_size is None or (isinstance(batch_size, int) and batch_size > 0)


def cut(parts, chosen):
    """Return the chosen examples of `parts`."""
    return keras.tree.map_structure(lambda part: None if part is None else part[chosen], parts)


def dataset(parts, batch_size, steps, shuffle):
    """Return the `tf.data.Dataset` of batches of `parts`, which are (x, y, sample_weight), as Keras
    packs them. Without a `batch_size`, an epoch has this many `steps`, or its batches 32 examples.
    """
    packed = keras.tree.lists_to_tuples(keras.utils.pack_x_y_sample_weight(*parts))
    with tf.device("CPU"):
        packed = keras.tree.map_structure(tensor, packed)
    n = len(keras.tree.flatten(packed)[0])
    size = batch_size or (math.ceil(n / steps) if steps else 32)
    whole = n // size * size

    def places(seed):
        """Return the dataset of the places of each batch's examples, for one epoch."""
        order = tf.range(n)
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(order, (seed, 0))
        full = tf.data.Dataset.from_tensor_slices(tf.reshape(order[:whole], (-1, size)))
        rest = tf.data.Dataset.from_tensors(order[whole:])
        return full.concatenate(rest) if whole < n else full

    def batch(chosen):
        return keras.tree.map_structure(lambda part: tf.gather(part, chosen), packed)

    epoch = tf.data.Dataset.random(rerandomize_each_iteration=True).take(1).flat_map(places)
    epoch = epoch.apply(tf.data.experimental.assert_cardinality(math.ceil(n / size)))
    return epoch.map(batch).prefetch(AHEAD).with_options(options())


def tensor(part):
    """Return `part` as a tensor; one of floats has Keras's default type, as in Keras."""
    part = tf.convert_to_tensor(part)
    return tf.cast(part, keras.config.floatx()) if part.dtype.is_floating else part


def options():
    """Return the options of the datasets: no tuning, no rewriting of so short a pipeline, and, for
    replicas, a part of the examples for each, as Keras has it."""
    chosen = tf.data.Options()
    chosen.autotune.enabled = False
    chosen.experimental_optimization.apply_default_optimizations = False
    chosen.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return chosen
