"""A point: how a plain autoencoder stores an input."""

from keras import ops

from keras_aevae.distributions.base import Distribution, as_float32


class Point(Distribution):
    """A distribution with all its mass on one code: every draw is the mean.

    With it as the posterior, a model is a plain autoencoder. It has no density, hence no KL to a
    prior (the KL of a point to any continuous distribution is infinite).

    Args:
        mean: the code, shape (..., latent_dim).

    Example:

    ```python
    from keras_aevae.distributions import Point
    Point([[0.0, 1.0]]).sample()  # [[0.0, 1.0]]
    ```
    """

    parameters = ("mean",)
    has_density = False

    def __init__(self, mean):
        self._mean = as_float32(mean)

    @staticmethod
    def raw_size(latent_dim):
        return latent_dim

    @staticmethod
    def parameterize(raw):
        return {"mean": raw}

    @property
    def mean(self):
        return self._mean

    def sample(self, sample_shape=(), seed=None):
        return ops.broadcast_to(self._mean, (*sample_shape, *ops.shape(self._mean)))
