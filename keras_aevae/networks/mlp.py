"""Fully connected encoder and decoder."""

import math

import keras
from keras import layers

from keras_aevae._checks import check_positive_integer, check_positive_integers, check_shape


def mlp(data_shape, latent_dim, hidden=(512, 256), outputs_per_value=1, activation="relu"):
    """A pair of fully connected networks for flat vectors or images of any size.

    Good for small images and tables. It knows nothing of neighbouring pixels, so on images it
    needs more data and parameters than `conv`.

    Args:
        data_shape: shape of one example, such as (784,) or (28, 28, 1).
        latent_dim: number of latent dimensions.
        hidden: units of the encoder's hidden layers; the decoder mirrors them. With () both are
            linear.
        outputs_per_value: the decoder's outputs for each data value; take it from the likelihood:
            `likelihood.outputs_per_value`.
        activation: activation of the hidden layers.

    Returns:
        `(encoder, decoder)`: the encoder maps (batch, *data_shape) to features (batch,
        hidden[-1]), the decoder maps (batch, latent_dim) to (batch, *data_shape), with the last
        axis `outputs_per_value` times as long. The model adds the layer that turns features into
        the posterior's parameters.

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
    output_shape = (*data_shape[:-1], data_shape[-1] * outputs_per_value)

    x = keras.Input(data_shape, name="x")
    h = layers.Flatten("channels_last")(x)
    for units in hidden:
        h = layers.Dense(units, activation=activation)(h)
    encoder = keras.Model(x, h, name="encoder")

    z = keras.Input((latent_dim,), name="z")
    h = z
    for units in reversed(hidden):
        h = layers.Dense(units, activation=activation)(h)
    h = layers.Dense(math.prod(output_shape))(h)
    decoder = keras.Model(z, layers.Reshape(output_shape)(h), name="decoder")
    return encoder, decoder
