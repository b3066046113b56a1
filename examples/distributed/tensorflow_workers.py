"""Several processes on TensorFlow, such as one for each machine. Run in each of them, with its
own index:

    export TF_CONFIG='{"cluster": {"worker": ["HOST_0:PORT", "HOST_1:PORT"]},
                       "task": {"type": "worker", "index": 0}}'
    KERAS_BACKEND=tensorflow python examples/distributed/tensorflow_workers.py

Without GPUs each process is one device.
"""

import tensorflow as tf

# First of all: it meets the other workers.
strategy = tf.distribute.MultiWorkerMirroredStrategy()

import keras  # noqa: E402  (after the strategy)

from keras_aevae import VAE, datasets, networks  # noqa: E402

GLOBAL_BATCH = 128

index = strategy.cluster_resolver.task_id
print(f"worker {index}, {strategy.num_replicas_in_sync} devices in all", flush=True)

(x_train, _), (x_test, _) = datasets.load("digits")

keras.utils.set_random_seed(0)
with strategy.scope():  # what has variables is made within it
    vae = VAE(*networks.mlp(x_train.shape[1:], latent_dim=8, hidden=(64,)), seed=0)
    vae.compile()
callbacks = []
if index == 0:  # one process writes
    callbacks = [keras.callbacks.ModelCheckpoint("vae.weights.h5", save_weights_only=True)]
vae.fit(
    x_train,
    batch_size=GLOBAL_BATCH,
    epochs=2,
    verbose=2 if index == 0 else 0,
    callbacks=callbacks,
)
