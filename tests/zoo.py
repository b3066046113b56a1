"""The rows of the contract: every model, and what it takes to build it."""

import dataclasses
import math

import keras
import numpy as np
from families import CouplingCode, ShrunkCode, TwoPartCode

import keras_aevae as ka

SHAPE, LATENT = (8, 8, 1), 3


@dataclasses.dataclass
class Row:
    """A class, and what it needs: `parts()` makes fresh layers, since each belongs to one model;
    `networks` has the function that makes the networks, and its arguments, such as `latent_dim`."""

    cls: type
    settings: dict = dataclasses.field(default_factory=dict)
    parts: callable = dict
    networks: dict = dataclasses.field(default_factory=dict)
    # The condition of the n-th example, for conditional models.
    condition: callable = None
    # What of images (n, 8, 8, 1) the model's data are: a function of them.
    data: callable = None


def mixture():
    return {"prior": ka.distributions.GaussianMixture(4, seed=0)}


def vampprior():
    return {"prior": ka.distributions.VampPrior(8)}


def causal(shape, latent_dim, outputs_per_value=1, condition_dim=0, recurrent=False, **not_for_it):
    """An mlp, and a decoder of [z, x_before] that is causal along the first axis of the data."""
    layers = keras.layers
    encoder, _ = ka.networks.mlp(shape, latent_dim, hidden=(32,), condition_dim=condition_dim)
    steps, values = shape[0], math.prod(shape[1:])
    z, before = keras.Input((latent_dim,)), keras.Input(shape)
    c = [keras.Input((condition_dim,))] if condition_dim else []
    told = layers.Concatenate()([z, *c]) if c else z
    h = [layers.RepeatVector(steps)(told), layers.Reshape((steps, values))(before)]
    h = layers.Concatenate()(h)
    if recurrent:
        h = layers.GRU(16, return_sequences=True)(h)
    else:
        h = layers.Conv1D(32, 3, padding="causal", activation="relu")(h)
    h = layers.Dense(values * outputs_per_value)(h)
    h = layers.Reshape((*shape[:-1], shape[-1] * outputs_per_value))(h)
    return encoder, keras.Model([z, before, *c], h)


def told_grid(shape, latent_dim, outputs_per_value=1, condition_dim=0, **not_for_it):
    """Networks of one convolution each for a grid of codes, told a condition at each place."""
    layers = keras.layers
    height, width, channels = shape
    grid = (height // 2, width // 2)

    def told(h, c):
        places = layers.Reshape((*grid, condition_dim))(layers.RepeatVector(math.prod(grid))(c))
        return layers.Concatenate()([h, places])

    x, z = keras.Input(shape), keras.Input((*grid, latent_dim))
    c = keras.Input((condition_dim,))
    h = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    encoder = keras.Model([x, c], told(h, c))
    h = layers.Conv2D(16, 3, padding="same", activation="relu")(told(z, c))
    outputs = channels * outputs_per_value
    h = layers.Conv2DTranspose(outputs, 3, strides=2, padding="same")(h)
    return encoder, keras.Model([z, c], h)


FLOW = {"num_steps": 2, "hidden": (16,), "context_dim": 4}
GRID = {"network": ka.networks.conv, "filters": (16,), "hidden": None}
ZOO = {
    "Autoencoder": Row(ka.Autoencoder),
    "Autoencoder, learned Gaussian": Row(
        ka.Autoencoder, parts=lambda: {"likelihood": ka.distributions.Gaussian("learned")}
    ),
    "VAE": Row(ka.VAE),
    "VAE, warm-up, free bits, calibrated Gaussian": Row(
        ka.VAE,
        {"beta": ka.objectives.LinearWarmUp(20), "free_bits": 0.05, "likelihood": "gaussian"},
    ),
    "IWAE, calibrated Gaussian": Row(ka.IWAE, {"num_samples": 3, "likelihood": "gaussian"}),
    "VAE, discretised logistic": Row(ka.VAE, {"likelihood": "discretized_logistic"}),
    "VAE, 3 draws": Row(ka.VAE, {"num_samples": 3}),
    "VAE, grid of codes": Row(ka.VAE, networks=GRID),
    "VAE, mixture prior": Row(ka.VAE, parts=mixture),
    "IWAE, doubly reparameterised, mixture prior": Row(
        ka.IWAE, {"num_samples": 3, "gradient": "doubly_reparameterized"}, mixture
    ),
    "MIWAE": Row(ka.MIWAE, {"num_samples": 2, "num_bounds": 3}),
    "PIWAE": Row(ka.PIWAE, {"num_samples": 2, "num_bounds": 3}),
    "CIWAE": Row(ka.CIWAE, {"num_samples": 3, "elbo_weight": 0.3}),
    "VampPriorVAE": Row(ka.VampPriorVAE, parts=vampprior),
    "VAE, a decoder that sees x": Row(
        ka.VAE, {"decoder_sees_x": True, "x_dropout": 0.2}, networks={"network": causal}
    ),
    # Codes as a user writes them.
    "VAE, a flow": Row(ka.VAE, parts=lambda: {"posterior": CouplingCode()}),
    "VAE, a flow, 3 draws, mixture prior": Row(
        ka.VAE, {"num_samples": 3}, lambda: {"posterior": CouplingCode(), **mixture()}
    ),
    "IWAE, a flow, doubly reparameterised": Row(
        ka.IWAE,
        {"num_samples": 3, "gradient": "doubly_reparameterized"},
        lambda: {"posterior": CouplingCode()},
    ),
    "PIWAE, a flow": Row(
        ka.PIWAE, {"num_samples": 2, "num_bounds": 2}, lambda: {"posterior": CouplingCode()}
    ),
    # The library's own flows.
    "VAE, inverse autoregressive flow": Row(
        ka.VAE, parts=lambda: {"posterior": ka.codes.InverseAutoregressiveFlowCode(**FLOW)}
    ),
    "IWAE, RealNVP posterior and prior, doubly reparameterised": Row(
        ka.IWAE,
        {"num_samples": 3, "gradient": "doubly_reparameterized"},
        lambda: {
            "posterior": ka.codes.RealNVPCode(**FLOW),
            "prior": ka.distributions.RealNVPPrior(2, (16,), seed=0),
        },
    ),
    "VAE, another center": Row(ka.VAE, parts=lambda: {"posterior": ShrunkCode()}),
    "VAE, a code of two parts": Row(
        ka.VAE, {"free_bits": 0.05}, lambda: {"posterior": TwoPartCode()}
    ),
    "AdversarialAutoencoder": Row(
        ka.AdversarialAutoencoder, {"adversary_weight": 2.0, "discriminator": (16, 16)}
    ),
    "AdversarialAutoencoder, Gaussian posterior": Row(
        ka.AdversarialAutoencoder, {"posterior": "diagonal_gaussian", "discriminator": (16,)}
    ),
    "FactorVAE": Row(ka.FactorVAE, {"gamma": 2.0, "discriminator": (16, 16)}),
    "HypersphericalVAE": Row(ka.HypersphericalVAE),
    "HierarchicalVAE": Row(ka.HierarchicalVAE, {"free_bits": 0.05}),
    "Autoencoder, told a class": Row(
        ka.Autoencoder,
        {"classes": 10},
        networks={"condition_dim": 10},
        condition=lambda n: np.arange(n) % 10,
    ),
    "ConditionalVAE": Row(
        ka.ConditionalVAE,
        {"classes": 10},
        networks={"condition_dim": 10},
        condition=lambda n: np.arange(n) % 10,
    ),
    "ConditionalVAE, vectors": Row(
        ka.ConditionalVAE,
        {"condition_dim": 2},
        networks={"condition_dim": 2},
        condition=lambda n: np.stack([np.cos(np.arange(n)), np.sin(np.arange(n))], -1),
    ),
    "VQVAE": Row(
        ka.VQVAE,
        parts=lambda: {"quantizer": ka.layers.VectorQuantizer(16, seed=0)},
        networks=GRID,
    ),
    "VQVAE, told a class": Row(
        ka.VQVAE,
        {"classes": 10},
        parts=lambda: {"quantizer": ka.layers.VectorQuantizer(16, seed=0)},
        networks={"network": told_grid, "condition_dim": 10},
        condition=lambda n: np.arange(n) % 10,
    ),
    "VQVAE, codebook by gradient": Row(
        ka.VQVAE,
        parts=lambda: {"quantizer": ka.layers.VectorQuantizer(16, update="gradient", seed=0)},
        networks=GRID,
    ),
    "VQVAE, finite scalars": Row(
        ka.VQVAE,
        parts=lambda: {"quantizer": ka.layers.FiniteScalarQuantizer((5, 4, 3))},
        networks=GRID,
    ),
}


# Columns of all kinds, three of each, from the middle of the digits.
C = ka.distributions.Column
COLUMNS = [
    *(C(f"gaussian {i}", "gaussian", location=0.5, scale=0.4) for i in range(3)),
    *(C(f"categorical {i}", "categorical", ("a", "b", "c")) for i in range(3)),
    *(C(f"log-normal {i}", "log_normal", location=-1.0) for i in range(3)),
    *(C(f"ordinal {i}", "ordinal", ("lo", "mid", "hi")) for i in range(3)),
    *(C(f"poisson {i}", "poisson", location=1.5) for i in range(3)),
    *(C(f"binomial {i}", "negative_binomial", location=1.5) for i in range(3)),
]


def table(x):
    """The columns, each three pixels in some form, with a fifth of the values missing."""
    p = np.reshape(x, (len(x), -1))[:, 17:35]
    third = np.minimum(np.floor(3 * p), 2)
    count = np.round(16 * p)
    kinds = [p, third, p + 0.1, third, count, count]
    columns = np.concatenate([k[:, 3 * i : 3 * i + 3] for i, k in enumerate(kinds)], axis=-1)
    gaps = (np.arange(len(x))[:, None] + np.arange(18)) % 5 == 0
    return np.where(gaps, np.nan, columns).astype("float32")


def tabular(shape, latent_dim, outputs_per_value=1, hidden=(32,)):
    columns = ka.distributions.Columns(COLUMNS)
    shapes = {"data_shape": columns.encoder_shape(), "output_shape": columns.params_shape()}
    return ka.networks.mlp(latent_dim=latent_dim, hidden=hidden, **shapes)


# Models whose data aren't images.
TABLES = {
    "TabularVAE": Row(
        ka.TabularVAE,
        parts=lambda: {"likelihood": ka.distributions.Columns(COLUMNS)},
        networks={"network": tabular},
        data=table,
    )
}


# Of each class the first row, for what depends little on the settings and takes long.
ONE_EACH = list({row.cls: name for name, row in reversed(ZOO.items())}.values())

# Rows like another one but for a setting, in networks, codes or priors of the same kind.
VARIANTS = {
    "Autoencoder, learned Gaussian",
    "VAE, warm-up, free bits, calibrated Gaussian",
    "VAE, discretised logistic",
    "VAE, 3 draws",
    "IWAE, doubly reparameterised, mixture prior",
    "VAE, a flow",
    "VAE, a flow, 3 draws, mixture prior",
    "IWAE, a flow, doubly reparameterised",
    "PIWAE, a flow",
    "IWAE, RealNVP posterior and prior, doubly reparameterised",
    "VAE, another center",
    "AdversarialAutoencoder, Gaussian posterior",
    "Autoencoder, told a class",
    "ConditionalVAE, vectors",
    "VQVAE, told a class",
    "VQVAE, codebook by gradient",
    "VQVAE, finite scalars",
}
EACH_KIND = {*ZOO, *TABLES} - VARIANTS


def row_of(name):
    return ZOO[name] if name in ZOO else TABLES[name]


def build(row, shape=SHAPE, network=ka.networks.mlp, global_seed=1, **changes):
    own = row_of(row)
    keras.utils.set_random_seed(global_seed)
    settings = {**own.settings, **own.parts(), "seed": 1000, **changes}
    likelihood = ka.distributions.get_likelihood(settings.get("likelihood", "bernoulli"))
    arguments = dict(own.networks)
    network = arguments.pop("network", network)
    dense = network in (ka.networks.mlp, tabular)
    size = {"hidden": (32,)} if dense else {"filters": (4, 8), "hidden": 16}
    sizes = {"latent_dim": LATENT, "outputs_per_value": likelihood.outputs_per_value, **size}
    encoder, decoder = network(shape, **{**sizes, **arguments})
    return own.cls(encoder, decoder, **{**settings, "likelihood": likelihood})


def inputs(row, x):
    """What the model of that row is called on."""
    condition = row_of(row).condition
    return x if condition is None else (x, condition(len(x)))


def given(row, n):
    """The keyword argument that the verbs take for n examples, where there is one."""
    condition = row_of(row).condition
    return {} if condition is None else {"condition": condition(n)}
