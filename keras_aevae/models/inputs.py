"""The data that a model is given: each kind is checked, and brought into the form it takes."""

import functools

import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.arrays import as_array
from keras_aevae.engine.batches import (
    check_dataset,
    check_end,
    for_keras,
    is_dataset,
    is_one,
    on_host,
    parts_of,
)
from keras_aevae.engine.inference import as_numpy, first_of, is_sparse
from keras_aevae.engine.value_checks import (
    check_values,
    check_weights,
    of_batch,
    until_true,
    warn_of_scale,
    warn_of_support,
)
from keras_aevae.layers.past import check_same


class Inputs:
    """A mixin of the models with the checks of data, of the verbs and of training.

    Arrays are checked at once, the batches of a dataset when they are read.
    """

    def check_inputs(
        self, x, condition=None, *, name="x", support=None, check=None, shape=None, steps=None
    ):
        """Check the data that a method was given; return them as the model takes them.

        An array (or what one can be made of) is checked at once, by `check(x)`, which returns it:
        by default its shape, its values and their `support`; without one, they may be noisy. Each
        batch of a dataset is checked when it is read. `shape` is that of an example. A dataset
        without an end needs a number of `steps`.
        """
        check = check or self.check_of(name, support)
        settings = {"name": name, "check": check, "shape": shape or self.data_shape}
        if steps is not None:
            check_positive_integer("steps", steps)
        if not is_dataset(x):
            return self.check_arrays(x, condition, **settings)
        check_dataset(x, name)
        if condition is not None:
            raise ValueError(
                f"`condition` goes with an array; a dataset holds its own: batches of (({name}, "
                f"condition),). Received: a {type(x).__name__} and a condition."
            )
        check_end(x, "steps", steps)
        return self.checked_batches(x, **settings)

    def checked_batches(self, x, *, name, check, shape):
        for i, batch in enumerate(x):
            inputs = parts_of(batch, shape, self.condition is not None, name)[0]
            with of_batch(i, first_of(inputs), shape):
                inputs = self.check_arrays(inputs, name=name, check=check, shape=shape)
            yield (inputs,)

    def check_of(self, name, support=None, warn=warn_of_support):
        """Return `check_data` for data of that name, which warns only once."""
        warn = until_true(warn)
        return functools.partial(self.check_data, name, support=support, warn=warn)

    def check_data(self, name, x, support=None, warn=None):
        """Return data as an array that the model takes, or raise an error that calls it `name`.
        Without a `support` they may be noisy."""
        missing = self.likelihood.missing
        if missing and is_sparse(x):
            x = as_numpy(as_array(x, name))
        x = self.likelihood.as_array(x, name)
        settings = {"noisy": support is None, "warn": warn}
        support = self.likelihood.support
        return check_values(name, x, self.data_shape, support, missing, **settings)

    def check_arrays(self, x, condition=None, *, name, check, shape=None):
        shape = shape or self.data_shape
        if self.condition is not None:
            return self.check_pair(x, condition, name=name, check=check, shape=shape)
        if condition is not None:
            raise ValueError(
                "`condition` is for conditional models, which are made with `classes=` or "
                f"`condition_dim=`; this {type(self).__name__} takes none: leave it out. "
                f"Received: condition={condition!r}."
            )
        batches = isinstance(x, list) and any(len(np.shape(each)) > len(shape) for each in x[:2])
        if isinstance(x, tuple) or (batches and not is_one(x, shape)):
            raise ValueError(
                f"`{name}` must be one array. Received: a {type(x).__name__} of {len(x)}. Pairs "
                f"({name}, condition) are for conditional models, such as ConditionalVAE; arrays "
                f"of one example each are joined by np.stack({name})."
            )
        return check(x)

    def check_pair(self, x, condition, *, name, check, shape):
        two = isinstance(x, (tuple, list)) and len(x) == 2 and not is_one(x, shape)
        if condition is None and two:
            x, condition = x
        if condition is None:
            raise ValueError(
                f"{type(self).__name__} needs a condition for each {name}: condition= in the "
                "verbs; fit((x, condition)), validation_data=((x, condition),) and datasets of "
                f"batches ((x, condition),) or (x, condition). Received: `{name}` alone."
            )
        x = check(x)
        return x, self.condition.check(condition, x.shape[0])

    def check_codes(self, z, condition=None, steps=None):
        """Check codes and their condition, as `check_inputs` checks data."""
        shape = (self.latent_dim,)
        check = functools.partial(check_values, "z", data_shape=shape)
        return self.check_inputs(z, condition, name="z", check=check, shape=shape, steps=steps)

    def check_fit(self, x, y=None, sample_weight=None):
        """Check the training data; return `x`, `y` and the sample weights as Keras takes them."""
        if not is_dataset(x):
            return self.check_batch(x, y, sample_weight)
        if y is not None or sample_weight is not None:
            name = "y" if y is not None else "sample_weight"
            raise ValueError(
                f"`{name}` goes with an array; a dataset holds its own: batches of (x, target) or "
                f"(x, target, sample_weight). Received: a {type(x).__name__} and `{name}`."
            )
        return for_keras(x, self.checker(), self.arranged, self.any_length), None, None

    def checker(self, predicting=False):
        """Return `check(batch, index)` of the batches of a dataset, which returns them as Keras
        takes them, in a tuple: for `predict` without targets. Later batches that are on an
        accelerator aren't looked at."""
        support = None if predicting else self.likelihood.support
        check, check_noisy = self.check_of("x", support), self.check_noisy()

        def check_parts(batch, index):
            x, y, weight = parts_of(batch, self.data_shape, self.condition is not None)
            if predicting:
                y = weight = None
            if index and not on_host(first_of(x)):
                return packed(x, y if weight is None or y is not None else first_of(x), weight)
            with of_batch(index, first_of(x), self.data_shape):
                checks = check if y is None else check_noisy
                return packed(*self.check_batch(x, y, weight, check=checks))

        return check_parts

    def check_noisy(self):
        """Return the check of an x of which another target is given."""
        return self.check_of("x", None, warn_of_scale)

    def arranged(self, batch):
        """Return a batch of symbolic tensors of TensorFlow as Keras takes it."""
        x, y, weight = parts_of(batch, self.data_shape, self.condition is not None)
        if self.condition is not None:
            x = (dense(x[0]), self.condition.symbolic(x[1]))
        else:
            x = dense(x)
        return packed(x, first_of(x) if y is None and weight is not None else y, weight)

    def check_batch(self, inputs, y=None, sample_weight=None, check=None):
        """Check arrays of training data: `inputs` and, if given, the target `y` and sample weights.
        Return them as the model takes them."""
        support = self.likelihood.support
        if check is None:
            check = self.check_of("x", support) if y is None else self.check_noisy()
        inputs = self.check_arrays(inputs, name="x", check=check)
        x = first_of(inputs)
        if y is not None:
            y = self.check_data("y", y, support)
            check_length("y", y, x)
            if self.past is not None:
                check_same(x, y)
        if sample_weight is not None:
            sample_weight = check_weights("sample_weight", sample_weight, x)
            # Keras drops the weights of arrays that come without a target.
            y = x if y is None else y
        return inputs, y, sample_weight


def check_length(name, other, x):
    """Raise unless the array `other` has as many examples as the array `x`."""
    if other.shape[0] != x.shape[0]:
        raise ValueError(
            f"`{name}` must hold one value or example for each of x. Received: "
            f"{x.shape[0]} examples in x, {other.shape[0]} in `{name}`."
        )


def packed(x, y, sample_weight):
    """Return a batch as a tuple without the parts that are absent."""
    parts = (x, y, sample_weight)
    return parts[: 3 if sample_weight is not None else 2 if y is not None else 1]


def dense(x):
    """Return a tensor of TensorFlow, which may be sparse, as a dense one."""
    import tensorflow as tf

    return tf.sparse.to_dense(x) if isinstance(x, tf.SparseTensor) else x
