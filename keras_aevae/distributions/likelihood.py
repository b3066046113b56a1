"""What every likelihood p(x|z) answers."""

import keras
from keras import ops


class Likelihood(keras.Layer):
    """p(x|z), read off the decoder's output: independent values given z.

    Data `x` has shape (batch, *data_shape). `params`, the decoder's output, has that shape with
    the last axis `outputs_per_value` times as long, and may carry more sample axes in front:
    `log_prob` then has shape (samples, batch). Everything is in nats and float32.

    `support` is the (minimum, maximum) of valid data, or None where any finite value is valid.

    To add one, give `outputs_per_value`, `log_prob`, `mean`, `sample` and, if it has settings,
    `get_config`.
    """

    outputs_per_value = 1
    support = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def params_shape(self, data_shape):
        """Shape that the decoder's output must have for data of shape `data_shape`."""
        return (*data_shape[:-1], data_shape[-1] * self.outputs_per_value)

    def split(self, params):
        """`params` as float32 with a last axis of `outputs_per_value`: (..., values, outputs)."""
        params = ops.cast(params, "float32")
        values = params.shape[-1] // self.outputs_per_value
        return ops.reshape(params, (*ops.shape(params)[:-1], values, self.outputs_per_value))

    def log_prob(self, x, params):
        """log p(x|z) of each example, constants included, nats, shape (..., batch)."""
        raise NotImplementedError

    def mean(self, params):
        """E[x|z], shape (..., batch, *data_shape)."""
        raise NotImplementedError

    def sample(self, params, seed=None):
        """A draw of x given z, shape (..., batch, *data_shape)."""
        raise NotImplementedError

    def calibrate(self, x, params):
        """Called once a training step, before `log_prob`: fit what is set by formula, not by
        gradient. Most likelihoods have nothing to fit."""


def sum_over_values(terms, x):
    """Sum `terms`, shape (..., batch, *data_shape), over the data axes of `x`: (..., batch)."""
    return ops.sum(terms, axis=tuple(range(-(len(x.shape) - 1), 0)))
