"""The base class of every likelihood p(x|z)."""

import keras
from keras import ops


class Likelihood(keras.Layer):
    """p(x|z), whose parameters are the decoder's output: the values are independent given z.

    Data `x` has shape (batch, *data_shape). `params`, the decoder's output, has the shape that
    `params_shape(data_shape)` returns: by default that of the data, with a last axis
    `outputs_per_value` times as long. It may have more axes in front, such as one of draws of z:
    `log_prob` then has shape (draws, batch). Everything is in nats and float32.

    `support` is the (minimum, maximum) of valid data: two numbers, or two arrays where it differs
    from value to value; None where any finite value is valid.

    A subclass defines `outputs_per_value` (or `params_shape` and `data_shape`, if the number of
    parameters differs between the values of an example), `log_prob`, `mean`, `mode`, `sample` and,
    if it has settings, `get_config`.
    """

    outputs_per_value = 1
    support = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def params_shape(self, data_shape):
        """Return the shape of the decoder's output for this data shape, without the batch axis."""
        return (*data_shape[:-1], data_shape[-1] * self.outputs_per_value)

    def data_shape(self, params_shape):
        """Return the shape of the data whose parameters have `params_shape`, both without the batch
        axis. Raise a ValueError that says what the decoder must give, if there are no such data."""
        *rest, last = params_shape
        if last % self.outputs_per_value:
            raise ValueError(
                f"`decoder` must give {self.outputs_per_value} outputs for each data value under "
                f"{type(self).__name__}: build it with outputs_per_value="
                f"{self.outputs_per_value}. Received: output shape {tuple(params_shape)}."
            )
        return (*rest, last // self.outputs_per_value)

    def split(self, params):
        """Return `params` as float32 with a last axis of `outputs_per_value`:
        (..., values, outputs)."""
        params = ops.cast(params, "float32")
        values = params.shape[-1] // self.outputs_per_value
        return ops.reshape(params, (*ops.shape(params)[:-1], values, self.outputs_per_value))

    def log_prob(self, x, params):
        """Return log p(x|z) of each example, constants included, in nats: shape (..., batch)."""
        raise NotImplementedError

    def mean(self, params):
        """Return E[x|z], shape (..., batch, *data_shape)."""
        raise NotImplementedError

    def mode(self, params):
        """Return the most probable x given z, shape (..., batch, *data_shape)."""
        raise NotImplementedError

    def sample(self, params, seed=None):
        """Return a draw of x given z, shape (..., batch, *data_shape)."""
        raise NotImplementedError

    def calibrate(self, x, params):
        """Fit parameters that a formula sets, not a gradient. It is called once per training step,
        before `log_prob`. Most likelihoods have none."""


def sum_over_values(terms, x):
    """Sum `terms`, shape (..., batch, *data_shape), over the data axes of `x`: (..., batch)."""
    return ops.sum(terms, axis=tuple(range(-(len(x.shape) - 1), 0)))
