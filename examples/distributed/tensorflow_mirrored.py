"""One process, several devices, on TensorFlow: all GPUs of a machine. Run it as any script:

    KERAS_BACKEND=tensorflow python examples/distributed/tensorflow_mirrored.py

Without GPUs, on 4 virtual devices of the CPU:

    KERAS_BACKEND=tensorflow python examples/distributed/tensorflow_mirrored.py 4
"""

import sys

import keras
import tensorflow as tf

from keras_aevae import VAE, datasets, networks

GLOBAL_BATCH = 128

devices = None  # all GPUs
if len(sys.argv) > 1:
    count = int(sys.argv[1])
    cpu = tf.config.list_physical_devices("CPU")[0]
    virtual = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, virtual)
    devices = [f"CPU:{i}" for i in range(count)]
strategy = tf.distribute.MirroredStrategy(devices)
print(f"{strategy.num_replicas_in_sync} devices", flush=True)

(x_train, _), (x_test, _) = datasets.load("digits")

keras.utils.set_random_seed(0)
with strategy.scope():  # what has variables is made within it
    vae = VAE(*networks.mlp(x_train.shape[1:], latent_dim=8, hidden=(64,)), seed=0)
    vae.compile()
checkpoint = keras.callbacks.ModelCheckpoint("vae.weights.h5", save_weights_only=True)
vae.fit(x_train, batch_size=GLOBAL_BATCH, epochs=2, verbose=2, callbacks=[checkpoint])

print(f"codes of shape {vae.encode(x_test).shape}; nats {vae.elbo(x_test).mean():.2f}")
