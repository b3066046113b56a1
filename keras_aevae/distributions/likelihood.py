"""The base class of every likelihood p(x|z)."""

import keras
from keras import ops

from keras_aevae.engine.endings import is_narrow


class Likelihood(keras.Layer):
    """p(x|z), whose parameters are the decoder's output: the values are independent given z.

    Data `x` has shape (batch, *data_shape). `params`, the decoder's output, has the shape that
    `params_shape(data_shape)` returns: by default that of the data, with a last axis
    `outputs_per_value` times as long. It may have more axes in front, such as one of draws of z:
    `log_prob` then has shape (draws, batch). Everything is in nats and float32.

    `support` is the (minimum, maximum) of valid data: two numbers, or two arrays where it differs
    from value to value; None where any finite value is valid.

    Data with missing values, of mixed kinds, or that come as DataFrames, are `missing`, `as_array`,
    `encoder_input` and `expectation`: see `Columns`.

    A subclass defines `outputs_per_value` (or `params_shape` and `data_shape`, if the number of
    parameters differs between the values of an example), `log_prob`, `mean`, `mode`, `sample` and,
    if it has settings, `get_config`.
    """

    outputs_per_value = 1
    support = None
    # Whether NaN in the data is a missing value, which changes nothing: neither log p(x|z) nor a
    # gradient. In the data of all other likelihoods it is an error.
    missing = False
    # What the decoder's outputs are called where they must be free to take any value, such as
    # "logits": an activation at its end is then a mistake. None where one may be right: the means
    # of data within [0, 1] may come from a sigmoid.
    free_params = None

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

    def is_narrow(self, low, high):
        """Return whether parameters that all lie within [low, high] are too few to give all
        probabilities."""
        return is_narrow(low, high)

    def as_array(self, x, name="x"):
        """Return data as the model takes them, of what a user has, such as a DataFrame. Raise a
        ValueError, which calls them `name`, if they aren't valid in a way of this likelihood's own:
        shape, finiteness and `support` are checked for it."""
        return x

    def encoder_input(self, x):
        """Return what the encoder sees of data x: by default x itself."""
        return x

    def encoder_shape(self, data_shape):
        """Return the shape of `encoder_input` for this data shape, without the batch axis."""
        return data_shape

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

    def expectation(self, params):
        """Return what is averaged over draws of z, shape (..., batch, ...): by default the mean; of
        values that have none, such as categories, their probabilities."""
        return self.mean(params)

    def from_expectation(self, expectation):
        """Return the x that stands for (an average of) `expectation`, shape (..., batch,
        *data_shape)."""
        return expectation

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
