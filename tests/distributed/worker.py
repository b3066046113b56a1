"""One process of several: `worker.py JOB ENGINE OUT [ADDRESS COUNT INDEX]`.

JOB is how many of the cases to train, to write what came of them to OUT.INDEX.npz; or "endless":
train until somebody ends it.
"""

import datetime
import os
import sys

JOB, ENGINE, OUT = sys.argv[1:4]
ADDRESS, COUNT, INDEX = sys.argv[4] if sys.argv[4:] else None, 1, 0
if ADDRESS:
    COUNT, INDEX = map(int, sys.argv[5:7])


def jax_devices():
    import keras

    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    assert len(keras.distribution.list_devices()) == COUNT * int(os.environ["DEVICES"])


def jax_processes():
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(ADDRESS, COUNT, INDEX, heartbeat_timeout_seconds=10)
    jax_devices()


def tensorflow_mirrored():
    import tensorflow as tf

    cpu, count = tf.config.list_physical_devices("CPU")[0], int(os.environ["DEVICES"])
    virtual = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, virtual)
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])


def tensorflow_workers():
    import tensorflow as tf

    global INDEX
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    INDEX = strategy.cluster_resolver.task_id
    return strategy


def torch_processes():
    import torch

    global COUNT, INDEX
    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(seconds=30))
    COUNT, INDEX = torch.distributed.get_world_size(), torch.distributed.get_rank()


def callbacks():
    if ENGINE != "torch_processes":
        return []
    from keras_aevae import TorchDataParallel

    return [TorchDataParallel()]


def share(arrays):
    """What this process is to be given of arrays: TensorFlow's workers all take the whole."""
    from cases import part_of_batches

    return arrays if ENGINE.startswith("tensorflow") else part_of_batches(arrays, INDEX, COUNT)


def train_until_ended(batch_size):
    import random

    import keras
    from cases import data, vae

    random.seed(1)

    class Tell(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            print("epoch", epoch, INDEX, os.getpid(), flush=True)

    model = vae()
    model.compile()
    x = share(data()[0])
    model.fit(x, batch_size=batch_size, epochs=10**9, verbose=0, callbacks=[*callbacks(), Tell()])


def main():
    strategy = globals()[ENGINE]()

    import contextlib

    import numpy as np
    from cases import GLOBAL_BATCH, noise_of_one_step, train

    scope = strategy.scope if strategy else contextlib.nullcontext
    tensorflow = ENGINE.startswith("tensorflow")  # it is given the global batch in every process
    batch_size = GLOBAL_BATCH if tensorflow else GLOBAL_BATCH // COUNT
    if JOB == "endless":
        with scope():
            train_until_ended(batch_size)
        return
    results = train(int(JOB), share, batch_size, callbacks, scope)
    examples = int(os.environ["DEVICES"])
    if tensorflow:
        examples = strategy.num_replicas_in_sync
    results |= {f"noise: {k}": v for k, v in noise_of_one_step(examples, callbacks, scope).items()}
    np.savez(f"{OUT}.{INDEX}.npz", **results)


if __name__ == "__main__":
    main()
