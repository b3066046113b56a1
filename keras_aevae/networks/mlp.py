"""Fully connected encoder and decoder."""

import math

import keras
from keras import layers

from keras_aevae._checks import (
    check_positive_integer,
    check_positive_integers,
    check_shape,
    check_size,
)
from keras_aevae.networks.condition import condition_input, with_condition


def mlp(
    data_shape,
    latent_dim,
    hidden=(512, 256),
    outputs_per_value=1,
    activation="relu",
    condition_dim=0,
    output_shape=None,
):
    """Build a pair of fully connected networks for flat vectors or images of any size.

    Good for: small images and tables. Misleads on larger images: it doesn't know which pixels are
    neighbours, so it needs more data and parameters than `conv`.

    Args:
        data_shape: shape of one example, such as (784,) or (28, 28, 1).
        latent_dim: number of latent dimensions.
        hidden: numbers of units of the encoder's hidden layers; the decoder mirrors them. With ()
            both networks are linear.
        outputs_per_value: number of decoder outputs for each data value: the likelihood's
            `likelihood.outputs_per_value`.
        activation: activation of the hidden layers; "gated" for h = (Wx + b) * sigmoid(Vx + c)
            (Dauphin et al. 2017, https://arxiv.org/abs/1612.08083), as in the VampPrior's paper.
        condition_dim: length of a condition that both networks take as a second input, for
            conditional models; 0 for none.
        output_shape: shape of the decoder's output, where `outputs_per_value` can't say it:
            `likelihood.params_shape(data_shape)`, such as that of `Columns`.

    Returns:
        `(encoder, decoder)`: the encoder maps (batch, *data_shape) to features (batch,
        hidden[-1]), the decoder maps (batch, latent_dim) to (batch, *output_shape): by default
        (batch, *data_shape), with the last axis `outputs_per_value` times as long. The model adds
        the layer that turns features into the posterior's parameters.

    Example:

    ```python
    from keras_aevae import networks
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=2, hidden=(64,))
    ```
    """
    data_shape = check_shape("data_shape", data_shape)
    latent_dim = check_positive_integer("latent_dim", latent_dim)
    outputs_per_value = check_positive_integer("outputs_per_value", outputs_per_value)
    hidden = check_positive_integers("hidden", hidden)
    if output_shape is None:
        output_shape = (*data_shape[:-1], data_shape[-1] * outputs_per_value)
    output_shape = check_shape("output_shape", output_shape)

    condition_dim = check_size("condition_dim", condition_dim)

    def dense(h, units):
        if activation != "gated":
            return layers.Dense(units, activation=activation)(h)
        gate = layers.Dense(units, activation="sigmoid")(h)
        return layers.Multiply()([layers.Dense(units)(h), gate])

    x, c = keras.Input(data_shape, name="x"), condition_input(condition_dim)
    h = with_condition(layers.Flatten("channels_last")(x), c)
    for units in hidden:
        h = dense(h, units)
    encoder = keras.Model(x if c is None else [x, c], h, name="encoder")

    z, c = keras.Input((latent_dim,), name="z"), condition_input(condition_dim)
    h = with_condition(z, c)
    for units in reversed(hidden):
        h = dense(h, units)
    h = layers.Dense(math.prod(output_shape))(h)
    h = layers.Reshape(output_shape)(h)
    decoder = keras.Model(z if c is None else [z, c], h, name="decoder")
    return encoder, decoder
