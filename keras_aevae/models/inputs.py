"""The data that a model is given: each kind is checked, and brought into the form it takes."""

import functools

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.batches import (
    check_dataset,
    check_end,
    for_keras,
    is_dataset,
    is_one,
    on_host,
    parts_of,
)
from keras_aevae.engine.inference import first_of
from keras_aevae.engine.value_checks import (
    check_values,
    check_weights,
    of_batch,
    until_true,
    warn_of_scale,
    warn_of_support,
)
from keras_aevae.layers.past import check_same

# What errors call the parts of training data.
NAMES = ("x", "y", "sample_weight")


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
            with of_batch(i, first_of(inputs), shape, name):
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
        if isinstance(x, tuple) or (isinstance(x, list) and are_batches(x, shape)):
            raise ValueError(not_one_array(name, x, shape))
        return check(x)

    def check_pair(self, x, condition, *, name, check, shape):
        two = isinstance(x, (tuple, list)) and len(x) == 2 and not is_one(x, shape)
        if condition is None and two:
            x, condition = x
        if condition is None:
            raise ValueError(
                f"{type(self).__name__} needs a condition for each {name}: condition= in the "
                "verbs; fit((x, condition)), validation_data=((x, condition),) and datasets of "
                f"batches ((x, condition),) or (x, condition). Received: `{name}` alone. An array "
                "of labels beside it goes into that pair: fit((x, labels)), not fit(x, labels)."
            )
        x = check(x)
        return x, self.condition.check(condition, x.shape[0])

    def check_codes(self, z, condition=None, steps=None):
        """Check codes and their condition, as `check_inputs` checks data."""
        shape = (self.latent_dim,)
        check = functools.partial(check_values, "z", data_shape=shape)
        return self.check_inputs(z, condition, name="z", check=check, shape=shape, steps=steps)

    def check_validation(self, data):
        """Check `validation_data`; return them as Keras takes them."""
        name = "validation_data"
        if not isinstance(data, (tuple, list)):
            data = (data,)
        names = [name] * 3 if len(data) == 1 else [f"{name}[{i}]" for i in range(3)]
        checked = self.check_fit(*(*data, None, None)[:3], names=names)
        return checked[0] if is_dataset(checked[0]) else checked

    def check_fit(self, x, y=None, sample_weight=None, names=NAMES):
        """Check the training data, which errors call by these `names`; return `x`, `y` and the
        sample weights as Keras takes them."""
        if not is_dataset(x):
            return self.check_batch(x, y, sample_weight, names=names)
        if y is not None or sample_weight is not None:
            name = names[1] if y is not None else names[2]
            raise ValueError(
                f"`{name}` goes with an array; a dataset holds its own: batches of (x, target) or "
                f"(x, target, sample_weight). Received: a {type(x).__name__} and `{name}`."
            )
        check = self.checker(name=names[0])
        return for_keras(x, check, self.arranged, self.any_length, names[0]), None, None

    def checker(self, predicting=False, name="x"):
        """Return `check(batch, index)` of the batches of a dataset, which returns them as Keras
        takes them, in a tuple: for `predict` without targets. Later batches that are on an
        accelerator aren't looked at."""
        support = None if predicting else self.likelihood.support
        check, check_noisy = self.check_of("x", support), self.check_noisy()

        def check_parts(batch, index):
            x, y, weight = parts_of(batch, self.data_shape, self.condition is not None, name)
            if predicting:
                y = weight = None
            if index and not on_host(first_of(x)):
                return packed(x, y if weight is None or y is not None else first_of(x), weight)
            with of_batch(index, first_of(x), self.data_shape, name):
                checks = check if y is None else check_noisy
                return packed(*self.check_batch(x, y, weight, checks))

        return check_parts

    def check_noisy(self, name="x"):
        """Return the check of an x of which another target is given."""
        return self.check_of(name, None, warn_of_scale)

    def arranged(self, batch):
        """Return a batch of symbolic tensors of TensorFlow as Keras takes it."""
        x, y, weight = parts_of(batch, self.data_shape, self.condition is not None)
        if self.condition is not None:
            x = (dense(x[0]), self.condition.symbolic(x[1]))
        else:
            x = dense(x)
        return packed(x, first_of(x) if y is None and weight is not None else y, weight)

    def check_batch(self, inputs, y=None, sample_weight=None, check=None, names=NAMES):
        """Check arrays of training data: `inputs` and, if given, the target `y` and sample weights.
        Return them as the model takes them."""
        support = self.likelihood.support
        if check is None:
            check = self.check_of(names[0], support) if y is None else self.check_noisy(names[0])
        inputs = self.check_arrays(inputs, name=names[0], check=check)
        x = first_of(inputs)
        if y is not None:
            y = self.check_data(names[1], y, support)
            check_length(names[1], y, x)
            if self.past is not None:
                check_same(x, y)
        if sample_weight is not None:
            sample_weight = check_weights(names[2], sample_weight, x)
            # Keras drops the weights of arrays that come without a target.
            y = x if y is None else y
        return inputs, y, sample_weight


def are_batches(x, shape):
    """Return whether the arrays in a list hold several examples of this shape each."""
    return all(len(getattr(each, "shape", ())) == len(shape) + 1 for each in x) and len(x) > 0


def not_one_array(name, x, shape):
    """Return the message about a tuple, or a list of batches, in the place of one array."""
    received = f"`{name}` must be one array. Received: a {type(x).__name__} of {len(x)}"
    if isinstance(x, tuple) and len(x) == 2 and are_batches(x, shape):
        return (
            f"{received}, both of the shape of data. A target to reconstruct is an argument of its "
            f"own, fit({name}, target); batches of data are joined by np.concatenate({name}), and "
            "pairs (x, condition) are for conditional models, such as ConditionalVAE."
        )
    if are_batches(x, shape):
        return f"{received} batches. Join them: np.concatenate({name})."
    return (
        f"{received}. Pairs ({name}, condition) are for conditional models, such as "
        f"ConditionalVAE; arrays of one example each are joined by np.stack({name})."
    )


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
