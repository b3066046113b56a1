"""The uniform prior over the codes of a codebook."""

import math

import keras
from keras import ops

from keras_aevae.distributions.base import Distribution
from keras_aevae.distributions.prior import Prior


class UniformIndices(Prior, Distribution):
    """All grids of indices are equally likely: -log p = prod(grid) * log(num_codes) nats.

    Good for: training a VQ-VAE (van den Oord et al. 2017, https://arxiv.org/abs/1711.00937, section
    3.1), whose KL to it is a constant, and for a first bound on log p(x). Misleads as a sampler:
    codes drawn independently of each other decode to nothing.

    Args:
        num_codes: number of codes.
        grid: shape of one example's indices.

    Example:

    ```python
    from keras_aevae.distributions import UniformIndices
    UniformIndices(num_codes=2, grid=(3,)).log_prob([[0, 1, 0]])  # [-2.079] nats
    ```
    """

    over = "indices"

    def __init__(self, num_codes, grid):
        self.num_codes, self.grid = num_codes, tuple(grid)

    def tensors(self, posterior_at=None):
        return []

    def made_of(self, tensors, q=None):
        return self

    def log_prob(self, indices):
        nats = math.prod(self.grid) * math.log(self.num_codes)
        indices = ops.convert_to_tensor(indices)
        leading = ops.shape(indices)[: len(indices.shape) - len(self.grid)]
        return ops.full(leading, -nats, dtype="float32")

    def sample(self, sample_shape=(), seed=None):
        shape = (*sample_shape, *self.grid)
        return keras.random.randint(shape, 0, self.num_codes, seed=seed)
