"""How fast do the members of the zoo train, beside the VAE on the same networks?

    for b in jax tensorflow torch; do KERAS_BACKEND=$b python benchmarks/members.py; done

Each is compiled with its defaults and trained by `fit` on the same images; rounds alternate, and
the median of their seconds counts. "relative" is the VAE's time divided by the member's. The table
has ten columns of all kinds, and a tenth of its values is missing; beside it stands a VAE with a
Gaussian likelihood on as many numbers as its encoder sees.
"""

import argparse

import keras
import numpy as np
from side_by_side import side_by_side

from keras_aevae import (
    VAE,
    AdversarialAutoencoder,
    HierarchicalVAE,
    TabularVAE,
    datasets,
    networks,
)
from keras_aevae.distributions import Column, Columns

SHAPE, LATENT, HIDDEN = (28, 28, 1), 16, (512, 256)


def on_images(cls, **settings):
    keras.utils.set_random_seed(0)
    return cls(*networks.mlp(SHAPE, LATENT, hidden=HIDDEN), **settings)


MEMBERS = {
    "VAE": lambda: on_images(VAE),
    "HierarchicalVAE": lambda: on_images(HierarchicalVAE),
    "HierarchicalVAE, 4 groups": lambda: on_images(HierarchicalVAE, groups=4),
    "VAE, inverse autoregressive flow": lambda: on_images(
        VAE, posterior="inverse_autoregressive_flow"
    ),
    "VAE, RealNVP": lambda: on_images(VAE, posterior="real_nvp"),
    "VAE, RealNVP prior": lambda: on_images(VAE, prior="real_nvp"),
    "AdversarialAutoencoder": lambda: on_images(AdversarialAutoencoder),
}


COLUMNS = Columns(
    [
        *(Column(f"number {i}", "gaussian") for i in range(4)),
        *(Column(f"price {i}", "log_normal") for i in range(2)),
        *(Column(f"kind {i}", "categorical", categories=("a", "b", "c", "d")) for i in range(2)),
        Column("grade", "ordinal", categories=(1, 2, 3)),
        Column("count", "count"),
    ]
)


def table(rows):
    """A table for these columns, and the vectors that stand beside it."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(rows, 4)), np.exp(rng.normal(size=(rows, 2)))]
    parts += [rng.integers(4, size=(rows, 2)), rng.integers(3, size=(rows, 1))]
    x = np.concatenate([*parts, rng.poisson(3.0, size=(rows, 1))], axis=1).astype("float32")
    x[rng.random(x.shape) < 0.1] = np.nan
    return x, rng.normal(size=(rows, *COLUMNS.encoder_shape())).astype("float32")


def on_vectors():
    keras.utils.set_random_seed(0)
    made = networks.mlp(COLUMNS.encoder_shape(), LATENT, hidden=HIDDEN)
    return VAE(*made, likelihood="gaussian")


def on_table():
    keras.utils.set_random_seed(0)
    return TabularVAE.from_columns(COLUMNS, LATENT, hidden=HIDDEN)


def compare(cases, rounds, settings):
    """Print a row for each of the cases, a name: (model, data); the first is what counts as 1."""
    runs = {}
    for name, (model, x) in cases.items():
        model.compile()
        runs[name] = lambda model=model, x=x: model.fit(x, verbose=0, **settings)
    _, median = side_by_side(runs, rounds)
    first = next(iter(median.values()))
    for name, seconds in median.items():
        rate = settings["epochs"] * len(cases[name][1]) / seconds
        print(f"| {keras.backend.backend()} | {name} | {rate:.0f} | {first / seconds:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12800, help="and rows of the table")
    parser.add_argument("--epochs", type=int, default=3, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    arguments = parser.parse_args()
    settings = {"epochs": arguments.epochs, "batch_size": arguments.batch_size}
    x = datasets.load("mnist", num_train=arguments.images)[0][0]
    rows, vectors = table(arguments.images)
    print("| backend | member | images or rows/s | relative |")
    print("| --- | --- | --- | --- |")
    images = {name: (build(), x) for name, build in MEMBERS.items()}
    compare(images, arguments.rounds, settings)
    tables = {"VAE, on vectors": (on_vectors(), vectors), "TabularVAE": (on_table(), rows)}
    compare(tables, arguments.rounds, settings)


if __name__ == "__main__":
    main()
