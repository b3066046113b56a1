"""Which convolutional blocks? Images a second of `fit` for a small VAE on 28x28 images.

    for b in jax torch tensorflow; do KERAS_BACKEND=$b python benchmarks/conv_blocks.py; done

Each line is one choice of down- and up-sampling in otherwise equal networks (two levels, 32 and 64
channels), the median of several alternating rounds after a warm-up round, on MNIST where Keras has
it in its cache. Compilation is in the warm-up's seconds, reported apart.
"""

import argparse
import statistics
import time

import keras
from keras import layers

from keras_aevae import VAE, datasets, networks

SHAPE, LATENT = (28, 28, 1), 32


def sub_pixel(kernel_size):
    return lambda: networks.conv(SHAPE, LATENT, kernel_size=kernel_size)


def transposed():
    """Strided 3x3 convolutions down, 3x3 transposed ones up: the usual tutorial's networks."""
    settings = {"strides": 2, "padding": "same", "data_format": "channels_last"}
    x = h = keras.Input(SHAPE)
    for channels in (32, 64):
        h = layers.Conv2D(channels, 3, activation="relu", **settings)(h)
    h = layers.Conv2D(16, 1, activation="relu", data_format="channels_last")(h)
    h = layers.Dense(256, activation="relu")(layers.Flatten()(h))
    z = d = keras.Input((LATENT,))
    d = layers.Dense(256, activation="relu")(d)
    d = layers.Reshape((7, 7, 16))(layers.Dense(7 * 7 * 16, activation="relu")(d))
    d = layers.Conv2D(64, 1, activation="relu", data_format="channels_last")(d)
    d = layers.Conv2DTranspose(32, 3, activation="relu", **settings)(d)
    d = layers.Conv2DTranspose(1, 3, **settings)(d)
    return keras.Model(x, h), keras.Model(z, d)


CHOICES = {
    "sub-pixel, 1x1 kernels": sub_pixel(1),
    "sub-pixel, 2x2 kernels": sub_pixel(2),
    "sub-pixel, 3x3 kernels": sub_pixel(3),
    "strided 3x3, transposed 3x3": transposed,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    arguments = parser.parse_args()
    (x, _), _ = datasets.load("mnist", num_train=arguments.images)
    models, warm_up, seconds = {}, {}, {name: [] for name in CHOICES}

    def epoch(model):
        start = time.perf_counter()
        model.fit(x, batch_size=arguments.batch_size, verbose=0)
        return time.perf_counter() - start

    for name, build in CHOICES.items():
        models[name] = VAE(*build())
        models[name].compile()
        warm_up[name] = epoch(models[name])
    for _ in range(arguments.rounds):
        for name, model in models.items():
            seconds[name].append(epoch(model))
    speed = {name: len(x) / statistics.median(times) for name, times in seconds.items()}
    print("| backend | blocks | parameters | images/s | relative | first epoch, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    base = speed["strided 3x3, transposed 3x3"]
    for name, model in models.items():
        print(
            f"| {keras.backend.backend()} | {name} | {model.count_params()} | "
            f"{speed[name]:.0f} | {speed[name] / base:.2f} | {warm_up[name]:.1f} |"
        )


if __name__ == "__main__":
    main()
