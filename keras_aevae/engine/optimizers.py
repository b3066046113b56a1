"""One optimizer for each part of a model."""

import itertools
import numbers

import keras
from keras.optimizers import MultiOptimizer, OptimizerMap
from keras.optimizers.schedules import LearningRateSchedule

from keras_aevae._checks import check_number, nearest
from keras_aevae.engine.own_loss import OwnLoss


def optimizers(model, default, /, **parts):
    """Return an optimizer for `compile` that gives parts of a model their own optimizers.

    Good for: networks that are trained against each other, such as an adversary, which often needs
    a lower rate; a pretrained encoder that should change slowly. Misleads with callbacks that know
    only one rate: `LearningRateScheduler` sets the rates of all parts to the same value, whereas
    `ReduceLROnPlateau` lowers each by its factor.

    Args:
        model: a Keras model that is built, with its frozen layers already frozen.
        default: a Keras optimizer for all other weights.
        **parts: for attributes of the model that are layers or networks, such as `discriminator` or
            `encoder` (to which the layer of the posterior's parameters belongs), a Keras optimizer;
            or a learning rate (a number or a schedule), which gives the part an optimizer like
            `default` with that rate. A rate of 0 means no training.

    Returns:
        A `keras.optimizers.MultiOptimizer`, whose `optimizers` are those of the parts and
        `default`. It finds the weights by the part that they belong to, whatever their names, and
        is saved and loaded with the model. Without any part, it is `default` itself.

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
    if isinstance(model, OwnLoss):
        model.freeze_beside()
    own = {name: optimizer_of_part(name, given, default) for name, given in parts.items()}
    check_distinct({"default": default, **own})
    places = {name: places_of_part(model, name) for name in parts}
    check_apart(places)
    shapes = [list(v.shape) for v in model.trainable_variables]
    return PartOptimizer(PartMap(default, own, places, shapes))


@keras.saving.register_keras_serializable(package="keras_aevae")
class PartMap(OptimizerMap):
    """A map from each trainable variable to the optimizer of the part that it belongs to.

    Names of variables may occur twice, and may differ in a model that is loaded, but their order
    doesn't. So parts are stored as positions in `model.trainable_variables`.

    Args:
        default_optimizer: the optimizer of all other variables.
        optimizer_map: the optimizers of the parts, by the parts' names.
        places: for each part, the positions of its variables among all the trainable ones.
        shapes: the shapes of all the trainable ones.
    """

    def __init__(self, default_optimizer, optimizer_map, places, shapes):
        super().__init__(default_optimizer, optimizer_map)
        self.places = places
        self.shapes = shapes
        self.part_of = {}

    def find(self, variables):
        """Use `variables` as the model's trainable variables."""
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
    """Return the optimizer that is `given`, or one like `default` with the rate that is given."""
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
    """Return the positions of the part's variables among the model's trainable ones."""
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
    known = {id(v) for layer in layers_of_part(model, name) for v in layer.variables}
    places = [i for i, v in enumerate(model.trainable_variables) if id(v) in known]
    if not places:
        raise ValueError(
            f"`{name}` has no trainable variables: leave it out, or set its `trainable` to True "
            f"first. Received: {name}={part!r}."
        )
    return places


def layers_of_part(model, name):
    """Return the layers that are trained with the part: itself, and what the model adds to it."""
    added = model.layers_beside(name) if isinstance(model, OwnLoss) else []
    return [getattr(model, name), *added]


def names_of_parts(model):
    """Return the names of the model's attributes that are layers with trainable variables."""
    members = dict(vars(model))
    if keras.backend.backend() == "torch":  # where layers are modules, stored separately
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
