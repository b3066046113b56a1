"""Recipes: all the settings with which a model of the library is trained on a dataset.

The shipped presets are made by these alone. The AE and the VAE of a pair have the same networks,
data, seed and number of steps.
"""

import dataclasses
import itertools

import keras

from keras_aevae import datasets
from keras_aevae._checks import check_name, check_positive_integer, check_seed, nearest
from keras_aevae.distributions import get_likelihood
from keras_aevae.engine.backup import Backup
from keras_aevae.engine.optimizers import optimizers
from keras_aevae.models import (
    IWAE,
    VAE,
    VQVAE,
    Autoencoder,
    ConditionalVAE,
    FactorVAE,
    VampPriorVAE,
)
from keras_aevae.networks import NETWORKS
from keras_aevae.objectives import LinearWarmUp

MODELS = {
    "ae": Autoencoder,
    "vae": VAE,
    "conditional_vae": ConditionalVAE,
    "factor_vae": FactorVAE,
    "iwae": IWAE,
    "vampprior_vae": VampPriorVAE,
    "vq_vae": VQVAE,
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One training run, as data.

    Args:
        model: a name in `MODELS`.
        dataset: name of a dataset of `keras_aevae.datasets`.
        network: name of a builder in `keras_aevae.networks`.
        network_settings: the builder's arguments, apart from shapes.
        latent_dim: number of latent dimensions.
        likelihood: name of p(x|z).
        settings: other arguments of the model.
        binarized: whether to draw black and white images from the grey values: anew in each epoch
            of training, once for the test.
        num_train: number of training images; None for the dataset's usual number.
        epochs, batch_size: number of passes over the training data, and of examples per step.
        warm_up: number of epochs in which beta rises from 0 to 1.
        learning_rate: Adam's first rate, which falls to 0 along a cosine; or stages, a tuple of
            pairs (epochs, rate): each rate is used for that many epochs, and the last one to the
            end.
        epsilon: the number that Adam adds to the root of the second moment. A large one, such as
            1e-4, gives small steps to weights whose gradients are small.
        rates: separate rates of parts of the model: see `keras_aevae.optimizers`.
        prior: for a VQ-VAE, the `epochs` of its autoregressive prior and the prior's arguments.
        seed: seed of the weights, the noise and the order of the data, not of the choice of data.
        preset: name of the preset that it makes, if it isn't MODEL_NETWORK_DATASET.
        note: a text for the preset's card, beside the numbers.

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
    settings: dict = dataclasses.field(default_factory=dict)
    binarized: bool = False
    num_train: int | None = None
    epochs: int = 50
    batch_size: int = 128
    warm_up: int = 0
    learning_rate: float | tuple = 1e-3
    epsilon: float = 1e-7
    rates: dict = dataclasses.field(default_factory=dict)
    prior: dict = dataclasses.field(default_factory=dict)
    seed: int = 0
    preset: str = ""
    note: str = ""

    @property
    def name(self):
        """Name of the preset that it makes, such as "vae_mlp_digits"."""
        return self.preset or f"{self.model}_{self.network}_{self.dataset}"

    @property
    def conditional(self):
        """True if the model takes pairs of data and labels."""
        return issubclass(MODELS[self.model], ConditionalVAE)

    def data(self):
        """Return `(x_train, y_train), (x_test, y_test)` to measure on."""
        return self._load(self.binarized)

    def inputs(self):
        """Return `train, test` to measure on, as the model takes them: x, or (x, labels)."""
        return tuple(pair if self.conditional else pair[0] for pair in self.data())

    def _load(self, binarized):
        # Not the recipe's seed: runs with several seeds must have the same data.
        return datasets.load(self.dataset, binarized=binarized, num_train=self.num_train)

    def build(self, data_shape, steps_per_epoch=1):
        """Return the untrained model for data of shape `data_shape`, not yet compiled."""
        likelihood = get_likelihood(self.likelihood)
        settings = dict(self.settings)
        network_settings = dict(self.network_settings)
        if self.conditional:
            network_settings["condition_dim"] = settings["classes"]
        if self.warm_up:
            settings["beta"] = LinearWarmUp(self.warm_up * steps_per_epoch)
        encoder, decoder = NETWORKS[self.network](
            data_shape,
            self.latent_dim,
            outputs_per_value=likelihood.outputs_per_value,
            **network_settings,
        )
        return MODELS[self.model](
            encoder, decoder, likelihood=likelihood, seed=self.seed, name=self.name, **settings
        )

    def optimizer(self, steps_per_epoch, epochs):
        """Return Adam with the recipe's rates over that many epochs."""
        schedule = self.schedule(self.learning_rate, steps_per_epoch, epochs)
        return keras.optimizers.Adam(schedule, epsilon=self.epsilon)

    def schedule(self, rate, steps_per_epoch, epochs):
        """Return `rate`, a number or stages, as a schedule over that many epochs."""
        schedules = keras.optimizers.schedules
        if not isinstance(rate, (tuple, list)):
            return schedules.CosineDecay(rate, steps_per_epoch * epochs)
        lengths, rates = zip(*rate)
        # A boundary is the last step of its stage; the first step is 0.
        ends = [total * steps_per_epoch - 1 for total in itertools.accumulate(lengths)]
        return schedules.PiecewiseConstantDecay(ends, [*rates, rates[-1]])

    def train(
        self, callbacks=(), prior_callbacks=(), verbose=1, *, backup=None, steps_per_execution=1
    ):
        """Return the trained model.

        Args:
            callbacks, verbose: as for `fit`.
            prior_callbacks: callbacks of the `fit` of its autoregressive prior.
            backup: a file such as "latest.weights.h5", in which the state is kept after each epoch.
                If it exists already, training resumes from it.
            steps_per_execution: as for `compile`: the number of steps between two calls of the
                callbacks. It changes the speed and no number. PyTorch takes only 1.
        """
        keras.utils.set_random_seed(self.seed)
        (x, labels), _ = self._load(binarized=False)
        labels = labels if self.conditional else None
        steps = -(-len(x) // self.batch_size)
        model = self.build(x.shape[1:], steps)
        rates = {part: self.schedule(rate, steps, self.epochs) for part, rate in self.rates.items()}
        optimizer = optimizers(model, self.optimizer(steps, self.epochs), **rates)
        model.compile(optimizer, steps_per_execution=steps_per_execution)
        settings = {"epochs": self.epochs, "callbacks": list(callbacks), "verbose": verbose}
        if backup is not None:
            backup = Backup(backup)
            backup.restore(model)
            settings["callbacks"].append(backup)
        settings["initial_epoch"] = epoch = int(model.step.numpy()) // steps
        if self.binarized:
            batches = datasets.DynamicBinarization(
                x, self.batch_size, labels, seed=self.seed, epoch=epoch
            )
            # The batches already have a random order, which an interruption doesn't change.
            model.fit(batches, shuffle=False, **settings)
        else:
            inputs = x if labels is None else (x, labels)
            model.fit(inputs, batch_size=self.batch_size, **settings)
        if self.prior:
            (x, _), _ = self.data()  # the model's training data: bits, if it was trained on bits
            self.train_prior(model, x, callbacks=list(prior_callbacks), verbose=verbose)
        return model

    def train_prior(self, model, x, **settings_of_fit):
        """Train the autoregressive prior for the codes of `x`, and give it to `model`."""
        optimizer = self.optimizer(-(-len(x) // self.batch_size), self.prior["epochs"])
        settings = {"seed": self.seed, "optimizer": optimizer, **self.prior}
        fit = {"batch_size": self.batch_size, **settings_of_fit}
        model.fit_prior(x, "autoregressive", batch_size=512, fit=fit, **settings)


# Small batches, a high first rate and 3x3 kernels: the lowest test loss of the few settings that
# were tried for 3 and 4 epochs on MNIST.
SMALL_IMAGES = {
    "network": "conv",
    "network_settings": {"filters": (32, 64), "hidden": 256, "kernel_size": 3},
    "latent_dim": 32,
    "batch_size": 64,
    "learning_rate": 2e-3,
}
# The settings of each dataset, which `recipe` combines with a model's name.
DEFAULTS = {
    # Grey values need a density: under the Bernoulli the VAE keeps few nats and blurs.
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


# The multilayer perceptrons of the likelihood tables of binarised MNIST: Burda et al. 2016
# (https://arxiv.org/abs/1509.00519) and Tomczak & Welling 2018 (https://arxiv.org/abs/1705.07120).
BURDA = {
    "network": "mlp",
    "network_settings": {"hidden": (200, 200), "activation": "tanh"},
    "latent_dim": 50,
    "batch_size": 100,
    "learning_rate": 2e-3,
    "epochs": 100,
}
# The same networks, trained as published: eight stages, 3280 epochs in all.
BURDA_STAGES = {
    **BURDA,
    "batch_size": 20,
    "learning_rate": tuple((3**i, 1e-3 * 10 ** (-i / 7)) for i in range(8)),
    "epsilon": 1e-4,
    "epochs": sum(3**i for i in range(8)),
}
# A grid of 512 codes, and a prior over them.
VECTORS = {
    "network": "conv",
    "network_settings": {"filters": (32, 64), "hidden": None, "kernel_size": 3},
    "latent_dim": 16,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "epochs": 10,
    "prior": {"epochs": 8, "width": 64, "depth": 2},
}
# The settings of a model on one dataset, beyond those.
OWN = {
    ("conditional_vae", "mnist"): {"settings": {"classes": 10}, "epochs": 20},
    ("conditional_vae", "digits"): {"settings": {"classes": 10}},
    ("conditional_vae", "fashion_mnist"): {"settings": {"classes": 10}},
    ("factor_vae", "dsprites"): {
        "preset": "factor_vae_dsprites",
        "note": "A part of the grid, 40 000 of its 737 280 images, and far fewer steps than the "
        "paper's 300 000; the discriminator has 4 layers of 256 units in place of 6 of 1000.",
        "network_settings": {"filters": (16, 32, 64)},
        "settings": {"gamma": 35.0, "discriminator": (256,) * 4},
        "batch_size": 64,
        "num_train": 40_000,
        "learning_rate": 1e-3,
        "epochs": 15,
    },
    ("iwae", "mnist"): {**BURDA, "settings": {"num_samples": 5}},
    ("vampprior_vae", "mnist"): {
        "network": "mlp",
        "network_settings": {"hidden": (300, 300), "activation": "gated"},
        "latent_dim": 40,
        "batch_size": 250,
        "learning_rate": 2e-3,
        "epochs": 100,
        "warm_up": 10,
    },
    ("vq_vae", "digits"): VECTORS | {"network_settings": {"filters": (64,), "hidden": None}},
    ("vq_vae", "dsprites"): VECTORS
    | {"network_settings": {"filters": (32, 64, 64), "hidden": None}},
    ("vq_vae", "mnist"): VECTORS,
    ("vq_vae", "fashion_mnist"): VECTORS,
}


def recipe(model, dataset="digits", **changes):
    """Return the recipe of `model` (a name in `MODELS`) on `dataset`, with `changes` of its fields.

    Example:

    ```python
    from keras_aevae.recipes import recipe
    recipe("vae", "digits", latent_dim=2).name  # "vae_mlp_digits"
    ```
    """
    check_name("model", model, MODELS)
    check_name("dataset", dataset, DEFAULTS)
    fields = {field.name for field in dataclasses.fields(Recipe)} - {"model", "dataset"}
    for name in changes:
        if name not in fields:
            raise ValueError(
                f"Unknown field of a recipe. Received: {name}={changes[name]!r}. "
                f"{nearest(name, fields)}"
            )
    for name in {"latent_dim", "epochs", "batch_size"} & set(changes):
        check_positive_integer(name, changes[name])
    if "seed" in changes:
        check_seed(changes["seed"])
    if MODELS[model] is ConditionalVAE and (model, dataset) not in OWN:
        raise ValueError(
            f"There is no recipe of {model!r} for {dataset!r}, which has factors in place of "
            "classes. Choose another dataset."
        )
    fields = DEFAULTS[dataset] | OWN.get((model, dataset), {})
    return dataclasses.replace(Recipe(model, dataset, **fields), **changes)
