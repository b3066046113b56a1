"""Gaussians with a full covariance."""

from keras import ops

from keras_aevae.distributions.base import LOG_2PI, Distribution, as_float32
from keras_aevae.engine.noise import normal


class MultivariateGaussian(Distribution):
    """N(mean, scale_tril scale_tril^T), where scale_tril is a lower triangular matrix.

    Good for: codes whose dimensions are correlated. Misleads when the covariance is nearly
    singular: the density then loses its digits in float32.

    Args:
        mean: shape (..., latent_dim).
        scale_tril: lower triangular with a positive diagonal, shape (..., latent_dim, latent_dim).
        whitening: the inverse of `scale_tril`, if it is already known.

    Example:

    ```python
    from keras_aevae.distributions import MultivariateGaussian
    p = MultivariateGaussian([0.0, 0.0], [[1.0, 0.0], [1.0, 1.0]])
    p.log_prob([0.0, 1.0])  # -2.338 nats
    ```
    """

    parameters = ("mean", "scale_tril", "whitening")

    def __init__(self, mean, scale_tril, whitening=None):
        self._mean, self.scale_tril = as_float32(mean), as_float32(scale_tril)
        self.whitening = ops.inv(self.scale_tril) if whitening is None else as_float32(whitening)

    @property
    def mean(self):
        return self._mean

    def log_prob(self, z):
        white = apply(self.whitening, as_float32(z) - self.mean)
        log_det = ops.sum(ops.log(ops.diagonal(self.scale_tril, axis1=-2, axis2=-1)), axis=-1)
        return -0.5 * ops.sum(ops.square(white) + LOG_2PI, axis=-1) - log_det

    def sample(self, sample_shape=(), seed=None):
        noise = normal((*sample_shape, *ops.shape(self.mean)), seed)
        return self.mean + apply(self.scale_tril, noise)

    def sample_of_each(self, chosen, seed=None):
        # Choose among the products with all matrices, so that no matrix is copied for each draw.
        noise = normal((*ops.shape(chosen), self.mean.shape[-1]), seed)
        one = ops.one_hot(chosen, self.mean.shape[0])  # (..., n)
        products = ops.einsum("...e,nde->...nd", noise, self.scale_tril)
        return ops.sum(one[..., None] * (self.mean + products), axis=-2)


def apply(matrix, vectors):
    """Return the product of matrices (..., d, d) with vectors (..., d)."""
    return ops.squeeze(ops.matmul(matrix, vectors[..., None]), axis=-1)
