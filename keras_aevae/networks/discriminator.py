"""A discriminator of codes."""

import keras
from keras import layers

from keras_aevae._checks import check_positive_integer, check_positive_integers


def discriminator(latent_dim, hidden=(1000,) * 6):
    """Build a fully connected network from a code to one logit, with leaky ReLUs of slope 0.2.

    The default is that of FactorVAE (Kim & Mnih 2018, https://arxiv.org/abs/1802.05983, appendix
    A): 5 million weights. Smaller ones are enough for few latent dimensions.

    Args:
        latent_dim: number of latent dimensions.
        hidden: number of units of each hidden layer.

    Returns:
        A Keras model from (batch, latent_dim) to (batch, 1). Its layers are named
        "discriminator_...". `keras_aevae.optimizers` gives it its own learning rate.

    Example:

    ```python
    from keras_aevae import networks
    network = networks.discriminator(10, hidden=(256, 256))
    ```
    """
    latent_dim = check_positive_integer("latent_dim", latent_dim)
    hidden = check_positive_integers("hidden", hidden)
    z = h = keras.Input((latent_dim,), name="z")
    for i, units in enumerate(hidden):
        h = layers.Dense(units, name=f"discriminator_{i}")(h)
        h = layers.LeakyReLU(0.2)(h)
    logit = layers.Dense(1, name="discriminator_logit")(h)
    return keras.Model(z, logit, name="discriminator")
