"""Inputs stored as Gaussians with a diagonal covariance: the VAE's code."""

import keras

from keras_aevae.codes.reparameterized import ReparameterizedCode
from keras_aevae.distributions import DiagonalGaussian


@keras.saving.register_keras_serializable(package="keras_aevae")
class GaussianCode(ReparameterizedCode):
    """Stores an input as q(z|x) = N(z; mean, diag(exp(log_var))).

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114. One dense layer turns features into
    `z_mean` and `z_log_var`, and bounds the latter smoothly. Good for: a closed-form KL to a
    Gaussian prior, and gradients with little noise. Misleads when the true posterior is correlated
    or has several modes: the ELBO is then loose.

    Args:
        seed: integer seed of the noise. With None it is that of the model, or a random one.

    Example:

    ```python
    from keras_aevae import VAE, networks
    from keras_aevae.codes import GaussianCode
    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), posterior=GaussianCode(seed=1))
    vae.stores  # "distribution"
    ```
    """

    family = DiagonalGaussian
