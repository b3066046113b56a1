"""A model's numbers, such as beta: a new value holds from the next step on, on every backend."""

import keras
from keras import ops

from keras_aevae._checks import check_number

SCHEDULE = keras.optimizers.schedules.LearningRateSchedule


class Setting:
    """A setting that a model's steps are traced with, such as a number of draws. It is checked, may
    be set at any time, like a `Number`, and steps are then traced anew.

    Args:
        check: function of the name and the value; it returns the value or raises an error.
    """

    def __init__(self, check):
        self.checked_by = check

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, model, owner=None):
        return self if model is None else model.numbers.given[self.name]

    def __set__(self, model, value):
        model.set_number(self, value)

    def checked(self, value):
        return self.checked_by(self.name, value)


class Number(Setting):
    """A number of a model that may be set at any time, also in `fit`: `beta = Number(minimum=0)`.

    It takes an integer or a float, a schedule over the model's training steps
    (`keras.optimizers.schedules.LearningRateSchedule`), or a scalar `keras.Variable`, which is then
    no longer trained. Reading the attribute gives what was set; `model.number("beta")` gives its
    value at the current step, as a tensor.

    The value is kept in a variable of the model, so a new value needs no new trace. It is in the
    config and not in the weights' file, so loading weights never changes it.

    Args:
        minimum, exclusive, maximum: the valid range, as for `check_number`.
        remedy: a sentence that is added to errors, such as the usual value.
        optional: whether None is allowed.
    """

    def __init__(self, minimum=None, exclusive=False, maximum=None, remedy="", optional=False):
        self.limits = {"minimum": minimum, "exclusive": exclusive, "maximum": maximum}
        self.remedy = remedy
        self.optional = optional

    def checked(self, value):
        """Return `value` as a float, a schedule, a variable or None, or raise an error."""
        if isinstance(value, SCHEDULE) or (value is None and self.optional):
            return value
        if isinstance(value, keras.Variable) and tuple(value.shape) == ():
            return value
        if keras.ops.is_tensor(value) and tuple(value.shape) == ():
            value = float(value)
        return check_number(self.name, value, **self.limits, remedy=self.remedy)


class Refused:
    """An argument that a model inherits and can't honour: `free_bits = Refused("it has no KL")`.

    Setting it raises an error with the reason, in the constructor and afterwards, so that it is
    never ignored. Reading it gives `allowed`, the parent's value for "not used". (An argument that
    the model itself passes to its parent is set first, `self.posterior = posterior`.)
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


class ReadOnly(property):
    """A property of a model whose setter raises an error that says what to do instead.

    Any other property is set as Keras and PyTorch do it: they keep a layer that is assigned, and
    PyTorch never calls the setter then.
    """


class Numbers(keras.layers.Layer):
    """The variables that hold a model's numbers. `given` holds what was set, by name."""

    def __init__(self):
        super().__init__(name="numbers", dtype="float32", trainable=False)
        self.own = {}
        self.given = {}
        self.built = True

    def set(self, name, value):
        """Keep `value`, which is checked; return whether it is of another kind than the last
        one."""
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
        """Return the value at training step `step`, a float32 scalar."""
        value = self.given[name]
        if isinstance(value, float):
            return self.own[name].value
        return ops.cast(value(step) if isinstance(value, SCHEDULE) else value.value, "float32")

    def config(self):
        """Return what was set, by name, in a form for JSON; of a variable its present value."""
        return {name: as_config(value) for name, value in self.given.items()}

    # They are in `variables`, which a step takes, but not in `weights` or in any file.

    @property
    def weights(self):
        return []

    def save_own_variables(self, store):
        """Keep nothing: numbers are part of the config."""

    def load_own_variables(self, store):
        """Read nothing: numbers are part of the config."""


def kind_of(value):
    """Return what a step that was traced with `value` depends on."""
    if value is None or isinstance(value, float):
        return type(value)
    return value if isinstance(value, (int, str)) else id(value)


def as_config(value):
    if isinstance(value, SCHEDULE):
        return keras.saving.serialize_keras_object(value)
    return float(value.numpy()) if isinstance(value, keras.Variable) else value


class HasNumbers:
    """A mixin of models, to be placed before `keras.Model`, for attributes of the types `Number`,
    `Setting`, `Refused` and `ReadOnly`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.numbers = Numbers()
        # The model's own count of training steps, for schedules: on some backends `compute_loss`
        # can't read an optimizer's count.
        self.step = self.add_weight(
            name="step", shape=(), dtype="int", initializer="zeros", trainable=False
        )

    def __setattr__(self, name, value):
        # Otherwise Keras would track a variable as a weight of the model, and PyTorch a layer as a
        # part of it.
        attribute = getattr(type(self), name, None)
        if isinstance(attribute, (Setting, Refused, ReadOnly)):
            attribute.__set__(self, value)
        else:
            super().__setattr__(name, value)

    def set_number(self, number, value):
        if keras.backend.backend() == "jax":
            self.jax_state_sync()  # within `fit`, JAX's step holds the values of variables
        value = number.checked(value)
        self.check_number(number.name, value)
        if self.numbers.set(number.name, value):
            self.retrace()

    def check_number(self, name, value):
        """Raise an error if this model can't take `value`, which is valid as such, for `name`."""

    def number(self, name):
        """Return the value of the number `name` at the current training step, a float32 scalar."""
        return self.numbers.now(name, self.step.value)

    def retrace(self):
        """Trace compiled steps and verbs anew, since they depend on what has changed."""
        self.forget_compiled()
        for kind in ("train", "test", "predict"):
            if getattr(self, f"{kind}_function") is not None:
                getattr(self, f"make_{kind}_function")(force=True)
