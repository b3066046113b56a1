"""How fast do the members of the zoo train, beside the VAE on the same networks?

    for b in jax tensorflow torch; do KERAS_BACKEND=$b python benchmarks/members.py; done

Each is compiled with its defaults and trained by `fit` on the same images; rounds alternate, and
the median of their seconds counts. "relative" is the VAE's time divided by the member's. The table
is trained on 10 columns, and stands beside a VAE with a Gaussian likelihood on 10 values.
"""

import argparse

import keras
from side_by_side import side_by_side

from keras_aevae import VAE, AdversarialAutoencoder, HierarchicalVAE, datasets, networks

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12800)
    parser.add_argument("--epochs", type=int, default=3, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    arguments = parser.parse_args()
    x = datasets.load("mnist", num_train=arguments.images)[0][0]
    settings = {"epochs": arguments.epochs, "batch_size": arguments.batch_size, "verbose": 0}
    runs = {}
    for name, build in MEMBERS.items():
        model = build()
        model.compile()
        runs[name] = lambda model=model: model.fit(x, **settings)
    _, median = side_by_side(runs, arguments.rounds)
    print("| backend | member | images/s | relative |")
    print("| --- | --- | --- | --- |")
    for name, seconds in median.items():
        rate = arguments.epochs * len(x) / seconds
        relative = median["VAE"] / seconds
        print(f"| {keras.backend.backend()} | {name} | {rate:.0f} | {relative:.2f} |")


if __name__ == "__main__":
    main()
