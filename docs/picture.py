"""Draw the README's picture, docs/compare.png, from the shipped presets: python docs/picture.py"""

import io
from pathlib import Path

import numpy as np
from matplotlib import image

from keras_aevae import Autoencoder, datasets
from keras_aevae.latent import plots


def pixels(figure):
    """The figure as an array, (height, width, 4)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    buffer.seek(0)
    return image.imread(buffer)


def stack(arrays, axis):
    """Pictures joined along `axis`, with white where one is smaller."""
    across = 1 - axis
    size = max(a.shape[across] for a in arrays)
    padding = [[(0, 0), (0, 0), (0, 0)] for _ in arrays]
    for pad, a in zip(padding, arrays):
        pad[across] = (0, size - a.shape[across])
    padded = [np.pad(a, pad, constant_values=1.0) for a, pad in zip(arrays, padding)]
    return np.concatenate(padded, axis=axis)


def main():
    _, (x_test, y_test) = datasets.load("digits")
    columns = []
    for name, preset in (("AE", "ae_mlp_digits"), ("VAE", "vae_mlp_digits")):
        models = {name: Autoencoder.from_preset(preset)}
        figures = [
            plots.codes(models, x_test, y_test),
            plots.samples(models, 24),
        ]
        columns.append(stack([pixels(figure) for figure in figures], axis=0))
    image.imsave(Path(__file__).with_name("compare.png"), stack(columns, axis=1))


if __name__ == "__main__":
    main()
