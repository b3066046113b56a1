"""The end of a network: the values that its outputs can have, and whether noise is drawn there.

Networks as people bring them may end in what belongs to a loss or to a model: a decoder in a
sigmoid, an encoder in a layer that draws z. Both are found by running the last operations alone,
those without weights, on numbers: so they are found whatever they are called and whatever kind of
network they are in.
"""

import dataclasses
import math

import keras
import numpy as np

from keras_aevae.engine import private

# The last operations run on this many examples, of numbers from 10 to the power of the first of
# these to that of the second (larger ones are infinite in 16 bits).
EXAMPLES, POWERS = 16, (-1.0, 4.0)
# Of large outputs on fewer, so that no more values are computed.
MOST_VALUES = 2**18
# Outputs beyond it have no limit.
LARGE = 100.0
# The length of an axis that may have any.
SOME_LENGTH = 8
# The operations that only move values, or do nothing in inference, by the names of their classes.
UNCHANGED = """
    ActivityRegularization Cast Concatenate Copy Cropping1D Cropping2D Cropping3D Dropout ExpandDims
    Flatten GaussianDropout GaussianNoise GetItem Identity Moveaxis Permute Ravel RepeatVector
    Reshape SpatialDropout1D SpatialDropout2D SpatialDropout3D Squeeze Stack StopGradient Swapaxes
    Transpose
""".split()


@dataclasses.dataclass
class Range:
    """The smallest and the largest of a network's outputs, and what it ends in, in words."""

    low: float
    high: float
    ending: str

    def __str__(self):
        low, high = (f"{round(limit, 2) + 0.0:g}" for limit in (self.low, self.high))
        limits = f"from {low} to {high}"
        if self.high > LARGE:
            limits = f"of at least {low}"
        elif self.low < -LARGE:
            limits = f"of at most {high}"
        return f"{self.ending}, with outputs {limits}"


def check_free(decoder, shapes, likelihood):
    """Raise an error if `decoder` ends in an operation that keeps its outputs, for inputs of these
    `shapes`, from values that the `likelihood` needs."""
    if likelihood.free_params is None:
        return
    found = range_of_outputs(decoder, shapes)
    if found is not None and likelihood.is_narrow(found.low, found.high):
        raise ValueError(
            f"`decoder` must give {likelihood.free_params} of any size, of which the likelihood, a "
            f"{type(likelihood).__name__}, itself makes probabilities. Received: a decoder that "
            f"ends in {found}. Remove that activation: `reconstruct`, `decode` and `sample` give "
            "values in the range of the data all the same. Where the outputs are to be means of x, "
            "choose likelihood='gaussian' or 'mse'."
        )


def check_logits(discriminator, shape):
    """Raise an error if `discriminator` ends in an operation that keeps its outputs, for inputs of
    this `shape`, from values that logits may have."""
    found = range_of_outputs(discriminator, [shape])
    if found is not None and is_narrow(found.low, found.high):
        raise ValueError(
            "`discriminator` must give logits of any size, of which the loss itself makes "
            f"probabilities. Received: one that ends in {found}. Remove that activation."
        )


def is_narrow(low, high):
    """Return whether logits that all lie within [low, high] are too near to one side of 0 to give
    all probabilities: those above -2 give none below 0.12."""
    return low > -2.0 or high < 2.0


def check_no_draw(encoder, shapes):
    """Raise an error if `encoder`, for inputs of these `shapes`, ends in a layer that draws z."""
    if draws_noise(encoder, shapes):
        raise ValueError(f"{FEATURES} Received: an encoder that ends in a layer that draws z.")


FEATURES = (
    "`encoder` must give features alone: the model itself adds what makes z of them, in a VAE the "
    "layers of z_mean and z_log_var, and the draw. End the encoder before these: keras.Model("
    "inputs, h), where h is what they were computed from."
)


def range_of_outputs(network, shapes):
    """Return the `Range` of the one output of `network`, for inputs of these `shapes`, without the
    batch axis; None if it isn't known, or if the network ends in nothing that could limit it."""
    try:
        output = output_of(network, shapes)
        ending = ending_of(output)
        if ending is None:
            return None
        with keras.StatelessScope():  # the network's own seeds stay as they are
            values = Tail(NumbersOfAllSizes()).numpy(output)
    except Exception:  # a network of any kind may have operations that can't be run alone
        return None
    low, high = float(values.min()), float(values.max())
    return Range(low, high, ending) if low < high else None  # it isn't NaN, or always the same


def draws_noise(network, shapes):
    """Return whether the one output of `network`, for inputs of these `shapes`, is drawn at its end
    from several tensors, such as a mean and a variance. It is False if that isn't known."""
    try:
        output = output_of(network, shapes)
        operation, inputs = last_operation(output)
        if len(inputs) < 2 or not isinstance(operation, keras.Layer) or is_known(operation):
            return False
        with keras.StatelessScope():
            values = Tail(ones).numpy(output)
    except Exception:
        return False
    return bool((values != values[:1]).any())


def output_of(network, shapes):
    """Return the one output of `network` as a symbolic tensor, whose operations are known."""
    inputs = [keras.KerasTensor((None, *shape)) for shape in shapes]
    [output] = outputs_of(network, (inputs if len(inputs) > 1 else inputs[0],), {})
    return output


def outputs_of(network, args, settings):
    """Return the outputs of a network, or of a layer that a user wrote, as symbolic tensors."""
    if is_known(network) and isinstance(network, keras.Model):
        return network.outputs
    return keras.tree.flatten(network.call(*args, **settings))


def is_known(operation):
    """Return whether Keras itself defines what `operation` does, with weights of its own alone."""
    own = type(operation).call.__module__.startswith("keras.")
    return own and not isinstance(operation, keras.layers.Lambda)


def has_weights(operation, args):
    """Return whether `operation`, called on `args`, depends on weights or on other arrays."""
    if isinstance(operation, keras.Layer):
        return bool(operation.weights)
    leaves = keras.tree.flatten(args)
    return any(hasattr(leaf, "shape") and not keras.utils.is_keras_tensor(leaf) for leaf in leaves)


def is_whole(operation):
    """Return whether `operation` consists of others: a network, or a user's layer with weights."""
    if not isinstance(operation, keras.Layer):
        return False
    return isinstance(operation, keras.Model) or bool(operation.weights and not is_known(operation))


def last_operation(tensor):
    """Return the operation that `tensor` comes from, without those that only move values, and the
    tensors that it takes."""
    operation, node, place = private.made_by(tensor)
    if is_whole(operation):
        whole = outputs_of(operation, node.arguments.args, node.arguments.kwargs)
        return last_operation(whole[place])
    if type(operation).__name__ in UNCHANGED and len(node.input_tensors) == 1:
        return last_operation(node.input_tensors[0])
    return operation, node.input_tensors


def ending_of(tensor):
    """Return in words what may limit the values of `tensor`: the last operation that changes them.
    None if nothing does, since that operation has weights and no activation."""
    operation, inputs = last_operation(tensor)
    if type(operation).__name__ in UNCHANGED:
        return next(filter(None, map(ending_of, inputs)), None)
    if not inputs:
        return None
    activation = operation
    if isinstance(operation, keras.Layer) and operation.weights:
        activation = activation_of(operation)
        if activation is None:
            return None
    elif isinstance(operation, keras.layers.Activation):
        activation = operation.activation
    name = getattr(activation, "__name__", type(activation).__name__).lower()
    layer = f" (the layer '{operation.name}')" if isinstance(operation, keras.Layer) else ""
    return f"{name}{layer}"


def activation_of(layer):
    """Return the activation in which a layer of Keras with weights ends, or None."""
    if isinstance(layer, keras.layers.Bidirectional):
        return activation_of(layer.forward_layer)
    if isinstance(layer, keras.layers.Wrapper):
        return activation_of(layer.layer)
    if isinstance(layer, keras.layers.RNN):
        layer = layer.cell
    activation = getattr(layer, "activation", None) if is_known(layer) else None
    return None if activation is keras.activations.linear else activation


class Tail:
    """The last operations before a tensor, those without weights, run on arrays.

    Args:
        numbers: function of a tensor, the output of an operation with weights, that returns the
            values which that operation has before its activation.
    """

    def __init__(self, numbers):
        self.numbers = numbers
        self.known = {}

    def numpy(self, tensor):
        return keras.ops.convert_to_numpy(self.value(tensor))

    def value(self, tensor):
        if id(tensor) not in self.known:  # with the tensor, whose id could be another's afterwards
            self.known[id(tensor)] = self.computed(tensor), tensor
        return self.known[id(tensor)][0]

    def computed(self, tensor):
        operation, node, place = private.made_by(tensor)
        args, settings = node.arguments.args, node.arguments.kwargs
        if is_whole(operation):
            return self.value(outputs_of(operation, args, settings)[place])
        if not node.input_tensors or has_weights(operation, (args, settings)):
            activation = isinstance(operation, keras.Layer) and activation_of(operation)
            values = self.numbers(tensor)
            return activation(values) if activation else values

        def given(leaf):
            return self.value(leaf) if isinstance(leaf, keras.KerasTensor) else leaf

        args, settings = keras.tree.map_structure(given, (args, settings))
        return keras.tree.flatten(operation(*args, **settings))[place]


class NumbersOfAllSizes:
    """Gives numbers of both signs and all sizes, in some examples of the shape of a tensor; those
    of two tensors are independent."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, tensor):
        values = MOST_VALUES // math.prod(shape_of_examples(1, tensor))
        shape = shape_of_examples(max(1, min(EXAMPLES, values)), tensor)
        powers = self.rng.random(shape, "float32") * (POWERS[1] - POWERS[0]) + POWERS[0]
        values = self.rng.standard_normal(shape, "float32") * np.float32(10.0) ** powers
        return keras.ops.convert_to_tensor(values, tensor.dtype)


def ones(tensor):
    """Return some examples of ones of the shape of `tensor`, which are all the same."""
    return keras.ops.ones(shape_of_examples(4, tensor), tensor.dtype)


def shape_of_examples(n, tensor):
    return (n, *(size or SOME_LENGTH for size in tensor.shape[1:]))
