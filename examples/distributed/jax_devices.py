"""One process, several devices, on JAX: all GPUs of a machine. Run it as any script:

    KERAS_BACKEND=jax python examples/distributed/jax_devices.py

Without GPUs, on 4 virtual devices of the CPU:

    XLA_FLAGS=--xla_force_host_platform_device_count=4 KERAS_BACKEND=jax \
        python examples/distributed/jax_devices.py
"""

import keras

from keras_aevae import VAE, datasets, networks

GLOBAL_BATCH = 128  # a multiple of the number of devices

# Before the model, so that its weights are put on every device.
keras.distribution.set_distribution(keras.distribution.DataParallel())
print(f"{len(keras.distribution.list_devices())} devices", flush=True)

(x_train, _), (x_test, _) = datasets.load("digits")
x_train = x_train[: len(x_train) // GLOBAL_BATCH * GLOBAL_BATCH]  # whole batches

keras.utils.set_random_seed(0)
vae = VAE(*networks.mlp(x_train.shape[1:], latent_dim=8, hidden=(64,)), seed=0)
vae.compile()
checkpoint = keras.callbacks.ModelCheckpoint("vae.weights.h5", save_weights_only=True)
vae.fit(x_train, batch_size=GLOBAL_BATCH, epochs=2, verbose=2, callbacks=[checkpoint])

print(f"codes of shape {vae.encode(x_test).shape}; nats {vae.elbo(x_test).mean():.2f}")
