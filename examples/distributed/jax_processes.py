"""Several processes on JAX, such as one for each machine. Run in each of them:

    KERAS_BACKEND=jax python examples/distributed/jax_processes.py ADDRESS:PORT PROCESSES INDEX

ADDRESS:PORT is that of process 0, and INDEX counts from 0. Two on one CPU:

    export KERAS_BACKEND=jax
    python examples/distributed/jax_processes.py localhost:7007 2 1 &
    python examples/distributed/jax_processes.py localhost:7007 2 0
"""

import sys

import jax

address, processes, index = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
jax.config.update("jax_cpu_collectives_implementation", "gloo")  # used where there is no GPU
# First of all; a process that is silent for so many seconds counts as dead, and ends the others.
jax.distributed.initialize(address, processes, index, heartbeat_timeout_seconds=10)

import keras  # noqa: E402  (after JAX knows its processes)

from keras_aevae import VAE, datasets, networks  # noqa: E402

GLOBAL_BATCH = 128  # a multiple of the number of devices

# Each process has its share of the data already.
distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
keras.distribution.set_distribution(distribution)
print(f"process {index} of {processes}, {jax.device_count()} devices in all", flush=True)

(x_train, _), (x_test, _) = datasets.load("digits")
x_train = x_train[: len(x_train) // GLOBAL_BATCH * GLOBAL_BATCH]  # whole batches
share = x_train[index::processes]

keras.utils.set_random_seed(0)  # the same in every process: they start from the same weights
vae = VAE(*networks.mlp(x_train.shape[1:], latent_dim=8, hidden=(64,)), seed=0)
vae.compile()


def save(epoch, logs):
    # Outside the distribution: Keras makes variables while it saves, and within the distribution
    # every process would have to make them too. So ModelCheckpoint doesn't do here.
    keras.distribution.set_distribution(None)
    vae.save_weights("vae.weights.h5")
    keras.distribution.set_distribution(distribution)


# One process writes.
callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=save)] if index == 0 else []
vae.fit(
    share,
    batch_size=GLOBAL_BATCH // processes,
    epochs=2,
    verbose=2 if index == 0 else 0,
    callbacks=callbacks,
)

# Verbs are called in every process alike, on the same data.
nats = vae.elbo(x_test).mean()
if index == 0:
    print(f"nats {nats:.2f}")
