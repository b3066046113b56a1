"""Likelihoods over a grid of pixel values: a free categorical and a discretised logistic."""

import math

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer
from keras_aevae.distributions.likelihood import Likelihood, sum_over_values


class DiscreteLikelihood(Likelihood):
    """Data on the grid 0, 1/(n-1), ..., 1 of n = `num_values` values (256 for 8-bit images / 255).

    Values between grid points are rounded to the nearest. `log_probs(params)` gives the log
    probability of each grid value, shape (..., batch, *data_shape, num_values).
    """

    support = (0.0, 1.0)
    free_params = "logits"

    def __init__(self, num_values=256, **kwargs):
        super().__init__(**kwargs)
        self.num_values = check_positive_integer("num_values", num_values)
        if self.num_values < 2:
            raise ValueError(f"`num_values` must be at least 2. Received: num_values={num_values}.")

    def log_probs(self, params):
        raise NotImplementedError

    def level(self, x):
        """Return the index of each value of `x` on the grid, 0..num_values-1, as float32."""
        return ops.round(ops.cast(x, "float32") * (self.num_values - 1))

    def levels(self):
        """Return the indices of all grid values, 0 to num_values - 1, as floats."""
        # A constant: `ops.arange` doesn't export from JAX to ONNX.
        return ops.convert_to_tensor(np.arange(self.num_values, dtype="float32"))

    def mean(self, params):
        grid = self.levels() / (self.num_values - 1)
        return ops.sum(ops.exp(self.log_probs(params)) * grid, axis=-1)

    def mode(self, params):
        level = ops.argmax(self.log_probs(params), axis=-1)
        return ops.cast(level, "float32") / (self.num_values - 1)

    def sample(self, params, seed=None):
        log_probs = self.log_probs(params)
        # Gumbel-max: the argmax of log p + Gumbel noise is a draw from p.
        uniform = keras.random.uniform(
            ops.shape(log_probs), minval=1e-7, dtype="float32", seed=seed
        )
        level = ops.argmax(log_probs - ops.log(-ops.log(uniform)), axis=-1)
        return ops.cast(level, "float32") / (self.num_values - 1)

    def get_config(self):
        return {**super().get_config(), "num_values": self.num_values}


@keras.saving.register_keras_serializable(package="keras_aevae")
class Categorical(DiscreteLikelihood):
    """A free distribution over the values of each pixel: a softmax over `num_values` logits.

    Good for: few values, or value distributions with several peaks. It doesn't know the order of
    the values, so with 256 of them it needs much data and a decoder output 256 times as large as
    the data (van den Oord et al. 2016, https://arxiv.org/abs/1601.06759). It is a true
    log-likelihood.

    Args:
        num_values: number of grid values.

    Example:

    ```python
    from keras_aevae.distributions import Categorical
    Categorical(num_values=2).log_prob(x=[[1.0]], params=[[0.0, 0.0]])  # [-0.693] nats
    ```
    """

    @property
    def outputs_per_value(self):
        return self.num_values

    def is_narrow(self, low, high):
        return high - low < 4.0  # only the differences of its logits count

    def log_probs(self, params):
        return ops.log_softmax(self.split(params), axis=-1)

    def log_prob(self, x, params):
        x = ops.convert_to_tensor(x)
        level = ops.expand_dims(ops.cast(self.level(x), "int32"), -1)
        log_probs = self.log_probs(params)
        level = ops.broadcast_to(level, (*ops.shape(log_probs)[:-1], 1))
        return sum_over_values(ops.take_along_axis(log_probs, level, axis=-1)[..., 0], x)


@keras.saving.register_keras_serializable(package="keras_aevae")
class DiscretizedLogistic(DiscreteLikelihood):
    """A logistic density, integrated over the bin of each pixel value; the end bins are open.

    The decoder gives two outputs for each value: the centre, as an offset from 1/2, and the log of
    the scale. Good for: 8-bit photographs, as a true log-likelihood that knows the order of the
    values and needs only twice the outputs. Misleads on black and white data, where one bell
    between two peaks fits badly. Salimans et al. 2017, https://arxiv.org/abs/1701.05517, equation 2
    with one component; Kingma et al. 2016, appendix.

    Args:
        num_values: number of grid values.

    Example:

    ```python
    from keras_aevae.distributions import DiscretizedLogistic
    DiscretizedLogistic(2).log_prob(x=[[1.0]], params=[[0.0, 0.0]])  # [-0.693] nats
    ```
    """

    outputs_per_value = 2
    free_params = "centres and log scales"

    def center_and_log_scale(self, params):
        split = self.split(params)
        # The scale stays between a fiftieth of a bin and 7 times the whole range.
        low, high = -math.log(50.0 * (self.num_values - 1)), 2.0
        middle, half = (low + high) / 2, (high - low) / 2
        start = math.atanh((-2.0 - middle) / half)  # a raw 0 is a scale of exp(-2)
        return split[..., 0] + 0.5, middle + half * ops.tanh(split[..., 1] / half + start)

    def log_prob_of_level(self, level, center, log_scale):
        """Return log P(level), the logistic's mass between the bin's edges, elementwise."""
        bins = self.num_values - 1
        inverse_scale = ops.exp(-log_scale)
        upper = ((level + 0.5) / bins - center) * inverse_scale
        lower = ((level - 0.5) / bins - center) * inverse_scale
        first = -ops.softplus(-upper)  # log sigmoid(u): everything below the upper edge
        last = -ops.softplus(lower)  # log (1 - sigmoid(l)): everything above the lower edge
        # log(sigmoid(u) - sigmoid(l)) = log sigmoid(u) + log(1 - sigmoid(l)) + log(1 - exp(l - u)),
        # and u - l is the bin's width w: the difference of two large edges would lose it. With
        # t = tanh(w / 2), 1 - exp(-w) = 2 t / (1 + t), without the expm1 that ONNX doesn't have.
        t = ops.tanh(0.5 * inverse_scale / bins)
        inside = first + last + ops.log(2.0 * t / (1.0 + t))
        return ops.where(level <= 0, first, ops.where(level >= bins, last, inside))

    def log_prob(self, x, params):
        x = ops.convert_to_tensor(x)
        center, log_scale = self.center_and_log_scale(params)
        return sum_over_values(self.log_prob_of_level(self.level(x), center, log_scale), x)

    def log_probs(self, params):
        center, log_scale = self.center_and_log_scale(params)
        return self.log_prob_of_level(self.levels(), center[..., None], log_scale[..., None])
