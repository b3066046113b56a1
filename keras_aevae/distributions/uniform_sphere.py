"""The uniform distribution on the unit sphere: the prior of the hyperspherical VAE."""

import math

import keras
from keras import ops

from keras_aevae.distributions.base import Distribution
from keras_aevae.distributions.prior import FixedPrior
from keras_aevae.engine.noise import normal


@keras.saving.register_keras_serializable(package="keras_aevae")
class UniformSphere(FixedPrior, Distribution):
    """All unit vectors in `latent_dim` dimensions are equally likely.

    Davidson et al. 2018, https://arxiv.org/abs/1804.00891. The density is with respect to the
    surface measure of the sphere: log p = -log(2 pi^(m/2) / Gamma(m/2)) nats, with
    m = `latent_dim`. Good for: a prior that prefers no code, so that its KL doesn't pull the codes
    together, as a Gaussian's pulls them to the origin. Misleads in many dimensions: the density is
    then large, as the surface is small, and can't be compared with a Gaussian's.

    Args:
        latent_dim: number m of dimensions of the space that the sphere lies in; the sphere has one
            fewer.

    Example:

    ```python
    from keras_aevae.distributions import UniformSphere
    p = UniformSphere(3)
    p.log_prob([[0.0, 0.0, 1.0]])  # [-2.531] nats
    z = p.sample((5,), seed=0)  # (5, 3)
    ```
    """

    over = "directions"

    @property
    def mean(self):
        return ops.zeros((self.latent_dim,), dtype="float32")

    def log_prob(self, z):
        z = ops.convert_to_tensor(z)
        return ops.full(ops.shape(z)[:-1], -log_area(self.latent_dim), dtype="float32")

    def sample(self, sample_shape=(), seed=None):
        noise = normal((*sample_shape, self.latent_dim), seed)
        return direction(noise)


def log_area(dimension):
    """Return the log of the surface area of the unit sphere in `dimension` dimensions."""
    half = 0.5 * dimension
    return math.log(2.0) + half * math.log(math.pi) - math.lgamma(half)


def direction(x):
    """Return x, shape (..., m), with a norm of 1; a fixed unit vector where x is nearly 0."""
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    known = squared > 1e-20
    first = ops.one_hot(ops.zeros((), "int32"), x.shape[-1], dtype=x.dtype)
    return ops.where(known, x * ops.rsqrt(ops.where(known, squared, 1.0)), first)
