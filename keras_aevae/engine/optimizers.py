"""One optimizer for each part of a model."""

import itertools
import numbers

import keras
from keras.optimizers import MultiOptimizer, OptimizerMap
from keras.optimizers.schedules import LearningRateSchedule

from keras_aevae._checks import check_number, nearest


def optimizers(model, default, /, **parts):
    """An optimizer for `compile` that gives parts of a model optimizers of their own.

    Good for: networks that are trained against each other, such as an adversary, which often wants
    a lower rate; a pretrained encoder that should move slowly. Misleads under callbacks that know
    one rate: `LearningRateScheduler` sets all parts to the same one, whereas `ReduceLROnPlateau`
    lowers each by its factor.

    Args:
        model: a Keras model that has its weights, with everything frozen that will be.
        default: a Keras optimizer, of all the weights that no part names.
        **parts: by the name of an attribute of the model that is a layer or a network, such as
            `discriminator` or `encoder`: a Keras optimizer; or a learning rate (a number or a
            schedule), for an optimizer that is otherwise as `default`. 0 is no training at all.

    Returns:
        A `keras.optimizers.MultiOptimizer`, whose `optimizers` are those of the parts and
        `default`. It finds the weights by what they belong to, whatever their names are, and is
        saved and loaded with the model. Without any part, `default` itself.

    Example:

    ```python
    from keras.optimizers import Adam
    from keras_aevae import FactorVAE, datasets, networks, optimizers
    (x_train, _), _ = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=8)
    model = FactorVAE(encoder, decoder, discriminator=(64, 64))
    model.compile(optimizers(model, Adam(1e-3), discriminator=Adam(1e-4)))
    model.fit(x_train, epochs=2)
    ```
    """
    check_optimizer("default", default)
    if not parts:
        return default
    own = {name: optimizer_of_part(name, given, default) for name, given in parts.items()}
    check_distinct({"default": default, **own})
    places = {name: places_of_part(model, name) for name in parts}
    check_apart(places)
    shapes = [list(v.shape) for v in model.trainable_variables]
    return PartOptimizer(PartMap(default, own, places, shapes))


@keras.saving.register_keras_serializable(package="keras_aevae")
class PartMap(OptimizerMap):
    """Which optimizer a trainable variable has: that of the part of the model that it belongs to.

    Names of variables may occur twice, and may differ in a model that is loaded, but their order
    is that of the model; so parts are kept as places in `model.trainable_variables`.

    Args:
        default_optimizer: that of all other variables.
        optimizer_map: the optimizers of the parts, by their names.
        places: for each part, the places of its variables among all the trainable ones.
        shapes: the shapes of all the trainable ones.
    """

    def __init__(self, default_optimizer, optimizer_map, places, shapes):
        super().__init__(default_optimizer, optimizer_map)
        self.places = places
        self.shapes = shapes
        self.part_of = {}

    def find(self, variables):
        """Take `variables` for all the trainable ones of the model."""
        shapes = [list(v.shape) for v in variables]
        if shapes != self.shapes:
            other = "" if len(shapes) != len(self.shapes) else ", of other shapes"
            raise ValueError(
                "The optimizers of parts were made for other trainable variables than the model "
                f"has. Received: {len(shapes)} variables, in place of {len(self.shapes)}{other}. "
                "Freeze layers first, then call `optimizers(model, ...)` and compile anew; a saved "
                "model loads without its optimizer by keras.saving.load_model(path, compile=False)."
            )
        self.part_of = {
            id(variables[place]): name for name, places in self.places.items() for place in places
        }

    def __call__(self, variable):
        name = self.part_of.get(id(variable))
        return self.default_optimizer if name is None else self[name]

    def get_config(self):
        return {**super().get_config(), "places": self.places, "shapes": self.shapes}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        made = OptimizerMap.from_config(config, custom_objects)
        return cls(made.default_optimizer, dict(made), config["places"], config["shapes"])


@keras.saving.register_keras_serializable(package="keras_aevae")
class PartOptimizer(MultiOptimizer):
    """Keras's `MultiOptimizer` with a `PartMap`, made by `optimizers`."""

    def __init__(self, optimizer_map, **kwargs):
        super().__init__(optimizer_map, **kwargs)
        self.part_map = optimizer_map

    def build(self, variables):
        if not self.built:
            self.part_map.find(variables)
        super().build(variables)


def check_optimizer(name, value):
    kinds = (MultiOptimizer, keras.optimizers.LossScaleOptimizer)
    if not isinstance(value, keras.optimizers.Optimizer) or isinstance(value, kinds):
        raise ValueError(
            f"`{name}` must be one Keras optimizer, such as keras.optimizers.Adam(1e-3). "
            f"Received: {name}={value!r}."
        )
    if value.built:
        raise ValueError(
            f"`{name}` must be an optimizer that no model has used yet, since it keeps moments of "
            f"the weights it was used for. Received: {name}={value!r}. Make a new one."
        )


def optimizer_of_part(name, given, default):
    """The optimizer that is `given`, or `default` once more with the rate that is."""
    if isinstance(given, numbers.Real) and not isinstance(given, bool):
        given = check_number(name, given, minimum=0)
    elif not isinstance(given, LearningRateSchedule):
        check_optimizer(name, given)
        return given
    config = {**default.get_config(), "learning_rate": given, "name": name}
    return type(default).from_config(config)


def check_distinct(given):
    for (a, one), (b, other) in itertools.combinations(given.items(), 2):
        if one is other:
            raise ValueError(
                f"`{a}` and `{b}` must be two optimizers, since each keeps moments of its own "
                f"weights. Received: the same {type(one).__name__} for both. Make one for each."
            )


def places_of_part(model, name):
    """The places of the part's variables among the model's trainable ones."""
    part = getattr(model, name, None)
    if not isinstance(part, keras.Layer):
        raise ValueError(
            f"`{name}` must name an attribute of the model that is a layer or a network. Received: "
            f"{name}, which is {'missing' if part is None else repr(part)}. "
            f"{nearest(name, names_of_parts(model))}"
        )
    if not part.variables:
        raise ValueError(
            f"`{name}` has no variables, so nothing to train. If it isn't built yet, call the "
            f"model on a batch first; otherwise leave it out. Received: {name}={part!r}."
        )
    known = {id(v) for v in part.variables}
    places = [i for i, v in enumerate(model.trainable_variables) if id(v) in known]
    if not places:
        raise ValueError(
            f"`{name}` has no trainable variables: leave it out, or set its `trainable` to True "
            f"first. Received: {name}={part!r}."
        )
    return places


def names_of_parts(model):
    """The names of the model's attributes that are layers with trainable variables."""
    members = dict(vars(model))
    if keras.backend.backend() == "torch":  # where layers are modules, and kept apart
        members |= model.named_children()
    return [
        name
        for name, value in members.items()
        if not name.startswith("_") and isinstance(value, keras.Layer) and value.trainable_variables
    ]


def check_apart(places):
    for (a, one), (b, other) in itertools.combinations(places.items(), 2):
        if set(one) & set(other):
            raise ValueError(
                f"`{a}` and `{b}` must not share variables, of which each has one optimizer. "
                f"Received: {len(set(one) & set(other))} variables in both. Leave one of them out."
            )
