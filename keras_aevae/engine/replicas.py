"""Communication between replicas of a model within a training step.

Under TensorFlow's strategies and PyTorch's DistributedDataParallel each replica sees a part of the
global batch, so a sum or a mean over the batch must include all the parts. JAX doesn't need this:
its one program sees the global batch. With a single replica, these functions change nothing.
"""

import keras
from keras import ops

# Set by `TorchDataParallel` while its processes share a training step: an existing process group
# doesn't mean that they do.
_torch = {"sharing": False}

# The golden ratio of 2**32: its multiples modulo 2**32 lie far apart, however many there are.
SEED_SPACING = 0x9E3779B9


def share_torch_steps(sharing):
    """Set whether PyTorch's processes are within a training step that they take together."""
    _torch["sharing"] = sharing


def tensorflow_context():
    """Return TensorFlow's replica context, or None if one device has the whole batch."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def num_replicas():
    """Return the number of replicas that take this training step together."""
    if keras.backend.backend() == "tensorflow" and (context := tensorflow_context()):
        return context.num_replicas_in_sync
    if keras.backend.backend() == "torch" and _torch["sharing"]:
        import torch

        return torch.distributed.get_world_size()
    return 1


def replica_index():
    """Return the index of this replica, from 0."""
    if keras.backend.backend() == "tensorflow":
        return tensorflow_context().replica_id_in_sync_group
    import torch

    return torch.distributed.get_rank()


def sum_over_replicas(value):
    """Return the sum of `value` over the replicas, without gradient between them."""
    if num_replicas() == 1:
        return value
    value = ops.stop_gradient(value)
    if keras.backend.backend() == "tensorflow":
        return tensorflow_context().all_reduce("SUM", value)
    import torch

    value = value.clone()
    torch.distributed.all_reduce(value)
    return value


def of_first_replica(value):
    """Return the first replica's `value`, on all replicas."""
    if num_replicas() == 1:
        return value
    return sum_over_replicas(value * ops.cast(replica_index() == 0, value.dtype))


def of_first_process(array):
    """Return the first process's `array` on all processes of JAX.

    The weights must get the same values on all of them. On PyTorch the processes take over the
    first one's weights before the first step, and on TensorFlow each process has all the data.
    """
    if keras.backend.backend() != "jax" or keras.distribution.distribution() is None:
        return array
    import jax

    if jax.process_count() == 1:
        return array
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(array)


def weighted_mean(values, weight=None, axis=None):
    """Return this replica's part of the weighted mean of `values` over the batch (or all axes).

    The mean of the replicas' parts is the mean over the global batch. A part is 0 if all weights
    are 0 or the replica has no example.
    """
    if weight is None and num_replicas() == 1:
        return ops.mean(values, axis=axis)
    if weight is None:
        weight = ops.ones_like(values)
    total = sum_over_replicas(ops.sum(weight, axis=axis)) / num_replicas()
    return ops.divide_no_nan(ops.sum(weight * values, axis=axis), total)


def global_mean(values, axis=None):
    """Return the mean of `values` over the global batch (or over all axes), without gradient."""
    mean = ops.stop_gradient(weighted_mean(values, axis=axis))
    return sum_over_replicas(mean) / num_replicas()


def part_of_loss(loss):
    """Return the `loss` of a replica as Keras's `train_step` takes it: TensorFlow's optimizers add
    up the replicas' gradients; PyTorch's DistributedDataParallel averages them itself."""
    return loss / num_replicas() if keras.backend.backend() == "tensorflow" else loss


# Keras 3.15 doesn't train with several TensorFlow workers by itself (keras-team/keras#20585). The
# two functions below make it work.


def of_default_strategy(strategy):
    """Return whether TensorFlow's `strategy` is the default one: the user has chosen none."""
    import tensorflow as tf

    return not tf.distribute.has_strategy() and strategy is tf.distribute.get_strategy()


def of_tensorflow_workers(strategy):
    """Return whether TensorFlow's `strategy` has several workers: replicas on other machines."""
    import tensorflow as tf

    workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return workers and strategy.num_replicas_in_sync > len(strategy.extended.worker_devices)


def local_batch(strategy, iterator):
    """Return this worker's part of the first batch, for Keras to build from: Keras would take the
    mean of the workers' parts."""
    _, _, distributed = next(iter(iterator))
    return keras.tree.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], next(distributed)
    )


def logs_of_replica(logs):
    """Return a step's `logs` as Keras can reduce them: with several workers it takes their mean
    along a batch axis, which scalars don't have."""
    if keras.backend.backend() != "tensorflow" or not tensorflow_context():
        return logs
    import tensorflow as tf

    if not of_tensorflow_workers(tf.distribute.get_strategy()):
        return logs
    return {name: ops.expand_dims(value, 0) for name, value in logs.items()}


class SeedGenerator(keras.random.SeedGenerator):
    """Keras's seed generator, with different noise on each replica.

    Equal noise would make the replicas' gradients dependent. The state is the same on all of them,
    so that one checkpoint is enough.
    """

    def next(self, ordered=True):
        seed = super().next(ordered)
        if num_replicas() == 1:
            return seed
        offset = ops.cast(replica_index(), "int64") * SEED_SPACING % 2**32
        return seed + ops.cast(ops.stack([offset, ops.zeros_like(offset)]), seed.dtype)
