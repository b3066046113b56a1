"""A model's numbers, such as beta: what is set holds from the next step on, on every backend."""

import keras
from keras import ops

from keras_aevae._checks import check_number

SCHEDULE = keras.optimizers.schedules.LearningRateSchedule


class Number:
    """A number of a model that may be set at any time, in `fit` too: `beta = Number(minimum=0)`.

    It takes an integer or a float, a schedule over the model's training steps
    (`keras.optimizers.schedules.LearningRateSchedule`), or a scalar `keras.Variable`, which then
    is no longer trained. Reading it gives what was set; `model.number("beta")` gives its value at
    this step, as a tensor.

    A number lives in a variable of the model, so setting another one needs no new trace. It is in
    the config and in no file of weights, so loaded weights never override it.

    Args:
        minimum, exclusive, maximum: the numbers that are allowed, as for `check_number`.
        remedy: what an error adds, such as what the usual value is.
        optional: whether None is allowed.
    """

    def __init__(self, minimum=None, exclusive=False, maximum=None, remedy="", optional=False):
        self.limits = {"minimum": minimum, "exclusive": exclusive, "maximum": maximum}
        self.remedy = remedy
        self.optional = optional

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, model, owner=None):
        return self if model is None else model.numbers.given[self.name]

    def __set__(self, model, value):
        model.set_number(self, value)

    def checked(self, value):
        """`value` as a float, a schedule, a variable or None, or an error."""
        if isinstance(value, SCHEDULE) or (value is None and self.optional):
            return value
        if isinstance(value, keras.Variable) and tuple(value.shape) == ():
            return value
        if keras.ops.is_tensor(value) and tuple(value.shape) == ():
            value = float(value)
        return check_number(self.name, value, **self.limits, remedy=self.remedy)


class Refused:
    """An argument that a model inherits and can't honour: `free_bits = Refused("it has no KL")`.

    Giving it raises an error with the reason, in the constructor and afterwards, so that it is
    never ignored. It reads as `allowed`, its parent's value for "not used".
    """

    def __init__(self, reason, allowed=None):
        self.reason, self.allowed = reason, allowed

    def __set_name__(self, owner, name):
        self.name, self.owner = name, owner.__name__

    def __get__(self, model, owner=None):
        return self if model is None else self.allowed

    def __set__(self, model, value):
        if value != self.allowed:
            raise ValueError(
                f"`{self.name}` isn't for {self.owner}: {self.reason}. Leave it out. Received: "
                f"{self.name}={value!r}."
            )


class Numbers(keras.layers.Layer):
    """The variables in which a model's numbers live. `given` holds what was set, by name."""

    def __init__(self):
        super().__init__(name="numbers", dtype="float32", trainable=False)
        self.own = {}
        self.given = {}
        self.built = True

    def set(self, name, value):
        """Keep `value`, which is checked; return whether it is of another kind than before."""
        before = kind_of(self.given.pop(name)) if name in self.given else None
        if isinstance(value, float):
            if name not in self.own:
                self.own[name] = self.add_weight(
                    name=name, shape=(), initializer="zeros", trainable=False, autocast=False
                )
            self.own[name].assign(value)
        elif isinstance(value, keras.Variable):
            value.trainable = False
        self.given[name] = value
        return before != kind_of(value)

    def now(self, name, step):
        """The value at training step `step`, a float32 scalar."""
        value = self.given[name]
        if isinstance(value, float):
            return self.own[name].value
        return ops.cast(value(step) if isinstance(value, SCHEDULE) else value.value, "float32")

    def config(self):
        """What was set, by name, as JSON can hold it; of a variable its present value."""
        return {name: as_config(value) for name, value in self.given.items()}

    # In `variables`, which a step is given, and neither in `weights` nor in any file.

    @property
    def weights(self):
        return []

    def save_own_variables(self, store):
        """Keep nothing: numbers are part of the config."""

    def load_own_variables(self, store):
        """Read nothing: numbers are part of the config."""


def kind_of(value):
    """What a step that was traced with `value` knows of it."""
    return type(value) if value is None or isinstance(value, float) else id(value)


def as_config(value):
    if isinstance(value, SCHEDULE):
        return keras.saving.serialize_keras_object(value)
    return float(value.numpy()) if isinstance(value, keras.Variable) else value


class HasNumbers:
    """A mixin of models, in front of `keras.Model`: their attributes of the types `Number` and
    `Refused`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.numbers = Numbers()
        # The model's own count of training steps, for schedules: an optimizer's can't be read
        # inside `compute_loss` on every backend.
        self.step = self.add_weight(
            name="step", shape=(), dtype="int", initializer="zeros", trainable=False
        )

    def __setattr__(self, name, value):
        # Keras would take a variable for a weight of the model, and PyTorch a layer for a part of
        # it, before they ask the class.
        attribute = getattr(type(self), name, None)
        if isinstance(attribute, (Number, Refused, property)):
            attribute.__set__(self, value)
        else:
            super().__setattr__(name, value)

    def set_number(self, number, value):
        if keras.backend.backend() == "jax":
            self.jax_state_sync()  # within `fit`, its step holds what variables are worth
        if self.numbers.set(number.name, number.checked(value)):
            self.retrace()

    def number(self, name):
        """The value of the number `name` at the model's training step, a float32 scalar."""
        return self.numbers.now(name, self.step.value)

    def retrace(self):
        """Trace compiled steps and verbs anew, since they know what has changed."""
        self.forget_compiled()
        for kind in ("train", "test", "predict"):
            if getattr(self, f"{kind}_function") is not None:
                getattr(self, f"make_{kind}_function")(force=True)
