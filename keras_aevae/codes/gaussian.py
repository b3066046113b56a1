"""Inputs stored as Gaussians with a diagonal covariance: the VAE's code."""

import keras

from keras_aevae.codes.base import Code, draws_first
from keras_aevae.distributions import DiagonalGaussian
from keras_aevae.layers import Sampling


@keras.saving.register_keras_serializable(package="keras_aevae")
class GaussianCode(Code):
    """Stores an input as q(z|x) = N(z; mean, diag(exp(log_var))).

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114. One dense layer turns features into
    `z_mean` and `z_log_var`, and bounds the latter smoothly. Good for: a closed-form KL to a
    Gaussian prior, and gradients with little noise. Misleads when the true posterior is correlated
    or has several modes: the ELBO is then loose.

    Args:
        seed: integer seed of the noise, or None for a random one.

    Example:

    ```python
    from keras_aevae import VAE, networks
    from keras_aevae.codes import GaussianCode
    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), posterior=GaussianCode(seed=1))
    vae.stores  # "distribution"
    ```
    """

    stores = "distribution"
    inferred = ("z_mean", "z_log_var")
    identifier = "diagonal_gaussian"

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.sampling = Sampling("diagonal_gaussian", seed=seed, dtype=self.dtype_policy)
        self.seed = self.sampling.seed

    def make(self):
        self.make_head(DiagonalGaussian.raw_size(self.latent_shape[-1]))

    def infer(self, features):
        raw = DiagonalGaussian.parameterize(self.raw(features))
        return {f"z_{name}": self.flat(value) for name, value in raw.items()}

    def draw(self, inferred, num_samples=1, training=None):
        parameters = [inferred[name] for name in self.inferred]
        return {"z": self.sampling(parameters, num_samples=num_samples)}

    def center(self, inferred):
        return inferred["z_mean"]

    def q(self, inferred):
        return DiagonalGaussian(inferred["z_mean"], inferred["z_log_var"])

    @property
    def exact_kl(self):
        return isinstance(self.prior, DiagonalGaussian)

    def kl(self, outputs, p):
        q = self.q(outputs)
        if isinstance(p, DiagonalGaussian):
            return q.kl_per_dimension(p)[None]
        return q.kl(p, sample=draws_first(outputs, "z"))[..., None]

    def log_ratio(self, outputs, p):
        z = draws_first(outputs, "z")
        return p.log_prob(z) - self.q(outputs).log_prob(z)

    @property
    def noise(self):
        return [self.sampling.seed_generator]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
