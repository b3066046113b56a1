"""Gaussians with a diagonal covariance: the posterior and the prior of the VAE.

Kingma & Welling 2014, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
"""

import keras
from keras import ops

from keras_aevae.distributions.base import LOG_2PI, Distribution, as_float32
from keras_aevae.distributions.prior import FixedPrior
from keras_aevae.engine.noise import normal

LOG_VAR_BOUND = 15.0


def soft_bound(x, bound):
    """Squeeze `x` into (-bound, bound) by a smooth, monotone function, the identity near 0."""
    return bound * ops.tanh(x / bound)


class DiagonalGaussian(Distribution):
    """N(mean, diag(exp(log_var))), the posterior family of the VAE.

    Good for: a closed-form KL, cheap gradients of low variance. Misleads when the true posterior is
    correlated or has several modes: the ELBO is then loose, and a low KL says little about the
    true rate.

    Args:
        mean: shape (..., latent_dim).
        log_var: log of the variances, shape (..., latent_dim).

    Example:

    ```python
    from keras_aevae.distributions import DiagonalGaussian, StandardNormal
    q = DiagonalGaussian(mean=[[1.0, 0.0]], log_var=[[0.0, 0.0]])
    q.kl(StandardNormal(2))  # [0.5] nats
    ```
    """

    parameters = ("mean", "log_var")

    def __init__(self, mean, log_var):
        self._mean = as_float32(mean)
        self._log_var = as_float32(log_var)

    @staticmethod
    def raw_size(latent_dim):
        return 2 * latent_dim

    @staticmethod
    def parameterize(raw):
        # The smooth bound keeps exp(log_var) finite (standard deviations from 6e-4 to 1.8e3) and
        # passes a gradient well beyond it (to about 130, in float32), which a clip would not.
        mean, log_var = ops.split(raw, 2, axis=-1)
        return {"mean": mean, "log_var": soft_bound(log_var, LOG_VAR_BOUND)}

    @property
    def mean(self):
        return self._mean

    @property
    def log_var(self):
        """Log of the variances, shape (..., latent_dim)."""
        return self._log_var

    def log_prob(self, z):
        squared = ops.square(as_float32(z) - self.mean) * ops.exp(-self.log_var)
        return -0.5 * ops.sum(squared + self.log_var + LOG_2PI, axis=-1)

    def log_prob_of_each(self, z):
        # Multiplied out, the square is two matrix products, whose gradients are far cheaper than
        # those of a (..., n, latent_dim) tensor; but it loses digits where variances are small. So
        # the value is the exact one, and the gradient is that of the products, whose error in
        # float32 is 4e-4 at a standard deviation of 0.01.
        z, precision = as_float32(z), ops.exp(-self.log_var)
        squared = (
            ops.matmul(ops.square(z), ops.transpose(precision))
            - 2.0 * ops.matmul(z, ops.transpose(self.mean * precision))
            + ops.sum(ops.square(self.mean) * precision, axis=-1)
        )
        products = -0.5 * (squared + ops.sum(self.log_var + LOG_2PI, axis=-1))
        exact = ops.stop_gradient(super().log_prob_of_each(z))
        return exact + (products - ops.stop_gradient(products))

    def sample(self, sample_shape=(), seed=None):
        # z = mean + std * noise (Kingma & Welling 2014, section 2.4: the reparameterisation).
        std = ops.exp(0.5 * self.log_var)
        shape = (*sample_shape, *ops.shape(self.mean + std))
        return self.mean + std * normal(shape, seed)

    @classmethod
    def has_kl_to(cls, other):
        return isinstance(other, DiagonalGaussian)

    def kl_per_dimension(self, other):
        """Return KL(self || other) of each dimension, in nats, shape (..., latent_dim).

        `other` is a `DiagonalGaussian` too. Kingma & Welling 2014, appendix B, for a standard
        normal `other`.
        """
        squared = ops.square(self.mean - other.mean)
        ratio = (ops.exp(self.log_var) + squared) * ops.exp(-other.log_var)
        return 0.5 * (ratio - 1.0 - self.log_var + other.log_var)


@keras.saving.register_keras_serializable(package="keras_aevae")
class StandardNormal(FixedPrior, DiagonalGaussian):
    """N(0, I) in `latent_dim` dimensions: the usual prior.

    Args:
        latent_dim: number of latent dimensions.

    Example:

    ```python
    from keras_aevae.distributions import StandardNormal
    z = StandardNormal(2).sample((5,), seed=0)  # (5, 2)
    ```
    """

    @property
    def mean(self):
        return ops.zeros((self.latent_dim,), dtype="float32")

    @property
    def log_var(self):
        return ops.zeros((self.latent_dim,), dtype="float32")


def is_standard_normal(prior):
    """Return whether `prior` is N(0, I); a subclass of `StandardNormal` may be another Gaussian."""
    return type(prior) is StandardNormal
