"""What every likelihood p(x|z) answers."""

import keras
from keras import ops


class Likelihood(keras.Layer):
    """p(x|z), read off the decoder's output: independent values given z.

    Data `x` has shape (batch, *data_shape). `params`, the decoder's output, has the shape that
    `params_shape(data_shape)` says, here that of the data with the last axis `outputs_per_value`
    times as long. It may carry more axes in front, such as one of draws of z: `log_prob` then has
    shape (draws, batch). Everything is in nats and float32.

    `support` is the (minimum, maximum) of valid data: two numbers, or two arrays where it differs
    from value to value; None where any finite value is valid.

    To add one, give `outputs_per_value` (or, where the values of an example don't have as many
    parameters each, `params_shape` and `data_shape`), `log_prob`, `mean`, `mode`, `sample` and, if
    it has settings, `get_config`.
    """

    outputs_per_value = 1
    support = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def params_shape(self, data_shape):
        """Shape of the decoder's output for data of shape `data_shape`, without the batch axis."""
        return (*data_shape[:-1], data_shape[-1] * self.outputs_per_value)

    def data_shape(self, params_shape):
        """Shape of the data whose parameters have the shape `params_shape`, both without the batch
        axis. A ValueError says what the decoder must give, if there are no such data."""
        *rest, last = params_shape
        if last % self.outputs_per_value:
            raise ValueError(
                f"`decoder` must give {self.outputs_per_value} outputs for each data value under "
                f"{type(self).__name__}: build it with outputs_per_value="
                f"{self.outputs_per_value}. Received: output shape {tuple(params_shape)}."
            )
        return (*rest, last // self.outputs_per_value)

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

    def mode(self, params):
        """The most probable x given z, shape (..., batch, *data_shape)."""
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
