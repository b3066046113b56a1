"""Recipes: how a model of the library is trained on a dataset, every number stated.

The shipped presets are made by these and nothing else. An AE and a VAE of a pair have the same
networks, data, seed and steps.
"""

import dataclasses

import keras

from keras_aevae import datasets
from keras_aevae._checks import check_name
from keras_aevae.distributions import get_likelihood
from keras_aevae.models import VAE, Autoencoder
from keras_aevae.networks import NETWORKS

MODELS = {"ae": Autoencoder, "vae": VAE}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One training run, as data.

    Args:
        model: "ae" or "vae".
        dataset: name of a dataset of `keras_aevae.datasets`.
        network: name of a builder in `keras_aevae.networks`.
        network_settings: its arguments, apart from shapes.
        latent_dim: number of latent dimensions.
        likelihood: name of p(x|z).
        binarized: draw black and white images from the grey values, afresh each epoch in
            training, once for the test.
        epochs, batch_size: passes over the training data, and examples a step.
        learning_rate: Adam's first rate; it falls to 0 along a cosine.
        seed: of the weights, the noise and the order of the data.

    Example:

    ```python
    from keras_aevae.recipes import recipe
    vae = recipe("vae", "digits", epochs=2).train(verbose=0)
    ```
    """

    model: str
    dataset: str
    network: str = "mlp"
    network_settings: dict = dataclasses.field(default_factory=dict)
    latent_dim: int = 8
    likelihood: str = "bernoulli"
    binarized: bool = False
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 1e-3
    seed: int = 0

    @property
    def name(self):
        """Name of the preset that it makes, such as "vae_mlp_digits"."""
        return f"{self.model}_{self.network}_{self.dataset}"

    def data(self):
        """`(x_train, y_train), (x_test, y_test)` to measure on."""
        return datasets.load(self.dataset, binarized=self.binarized, seed=self.seed)

    def build(self, data_shape):
        """The untrained model for data of shape `data_shape`, compiled with nothing."""
        likelihood = get_likelihood(self.likelihood)
        encoder, decoder = NETWORKS[self.network](
            data_shape,
            self.latent_dim,
            outputs_per_value=likelihood.outputs_per_value,
            **self.network_settings,
        )
        return MODELS[self.model](
            encoder, decoder, likelihood=likelihood, seed=self.seed, name=self.name
        )

    def train(self, callbacks=(), verbose=1):
        """The model, trained; `callbacks` and `verbose` are those of `fit`."""
        keras.utils.set_random_seed(self.seed)
        (x, _), _ = datasets.load(self.dataset)
        model = self.build(x.shape[1:])
        steps = -(-len(x) // self.batch_size) * self.epochs
        rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        model.compile(keras.optimizers.Adam(rate))
        settings = {"epochs": self.epochs, "callbacks": list(callbacks), "verbose": verbose}
        if self.binarized:
            batches = datasets.DynamicBinarization(x, self.batch_size, seed=self.seed)
            model.fit(batches, **settings)
        else:
            model.fit(x, batch_size=self.batch_size, **settings)
        return model


# Small batches, a high first rate and 3x3 kernels: the lowest test loss of the few settings that
# were tried for 3 and 4 epochs on MNIST.
SMALL_IMAGES = {
    "network": "conv",
    "network_settings": {"filters": (32, 64), "hidden": 256, "kernel_size": 3},
    "latent_dim": 32,
    "batch_size": 64,
    "learning_rate": 2e-3,
}
# What each dataset asks for; `recipe` joins it to a model's name.
DEFAULTS = {
    # Grey values, so a density that has them: under the Bernoulli the VAE keeps few nats and blurs.
    "digits": {
        "network_settings": {"hidden": (512, 256)},
        "latent_dim": 8,
        "likelihood": "gaussian",
        "epochs": 60,
    },
    "dsprites": {
        "network": "conv",
        "network_settings": {"filters": (32, 64, 64)},
        "latent_dim": 10,
        "epochs": 20,
    },
    "mnist": {**SMALL_IMAGES, "binarized": True, "epochs": 30},
    "fashion_mnist": {**SMALL_IMAGES, "epochs": 8},
}


def recipe(model, dataset="digits", **changes):
    """The recipe of `model` ("ae" or "vae") on `dataset`, with fields of `Recipe` changed.

    Example:

    ```python
    from keras_aevae.recipes import recipe
    recipe("vae", "digits", latent_dim=2).name  # "vae_mlp_digits"
    ```
    """
    check_name("model", model, MODELS)
    check_name("dataset", dataset, DEFAULTS)
    return dataclasses.replace(Recipe(model, dataset, **DEFAULTS[dataset]), **changes)
