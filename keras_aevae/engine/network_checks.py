"""Checks of networks at construction.

The first size in a shape of data is None where examples may be of any length.
"""

import math

import keras

from keras_aevae._checks import agree, check_positive_integer
from keras_aevae.engine.endings import check_free, check_no_draw


def check_networks(encoder, decoder, latent_dim, likelihood, code, condition_dim=0, sees_x=False):
    """Raise unless the networks fit each other and the code; return (latent_shape, data_shape,
    features_shape), where an encoder of several outputs has a list of the latter.

    Networks that aren't built yet are built.
    """
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(network, keras.Layer):
            raise ValueError(
                f"`{name}` must be a Keras model, such as those of keras_aevae.networks. "
                f"Received: {name}={network!r}."
            )
    check_not_swapped(encoder, decoder, likelihood)
    told = {"condition": (condition_dim,)} if condition_dim else {}
    check_order("encoder", encoder, {"x": None, **told})
    past = {"x_before": (first_input_shape(encoder) or (None,))[1:] or None} if sees_x else {}
    check_order("decoder", decoder, {"z": None, **past, **told})
    known = first_input_shape(decoder)
    if latent_dim is not None:
        latent_dim = check_positive_integer("latent_dim", latent_dim)
    latent_shape = code.decoder_shape(tuple(known[1:]) if known else None, latent_dim)
    condition = {"the condition's length": (condition_dim,)} if condition_dim else {}
    seen = {"the shape of x": shape_seen(encoder, decoder)} if sees_x else {}
    wanted = {"latent_dim": latent_shape, **seen, **condition}
    params = single_output("decoder", decoder, wanted, any_length=sees_x)
    check_free(decoder, wanted.values(), likelihood)
    data_shape = likelihood.data_shape(params)
    for shape in seen.values():
        if shape != data_shape:
            raise ValueError(
                "`decoder` doesn't fit: it must give the parameters of the x that it sees, step by "
                f"step. Received: a decoder that sees x of shape {shape} and gives parameters of "
                f"shape {params}, which are those of data of shape {data_shape}."
            )
    seen = likelihood.encoder_shape(data_shape)
    what = "the decoder's data shape" if seen == data_shape else "what the encoder sees"
    wanted = {what: seen, **condition}
    features = shapes_of_output("encoder", encoder, wanted)
    code.check_features(features, latent_shape)
    if isinstance(features, tuple):
        check_no_draw(encoder, wanted.values())
    return latent_shape, data_shape, features


def input_shapes(network):
    """Return the shapes of the inputs of `network` as a list, or None if they aren't known yet."""
    known = getattr(network, "input_shape", None)
    return known if isinstance(known, list) or known is None else [known]


def first_input_shape(network):
    return (input_shapes(network) or [None])[0]


def check_not_swapped(encoder, decoder, likelihood):
    """Raise an error if the decoder stands in the encoder's place, and the encoder in its."""

    def gives(network, other):
        """Return whether the outputs of a network are parameters of data that the other takes."""
        output, taken = getattr(network, "output_shape", None), first_input_shape(other)
        known = isinstance(output, tuple) and isinstance(taken, tuple)
        if not known or None in output[1:] or not isinstance(first_input_shape(network), tuple):
            return False
        try:
            return likelihood.encoder_shape(likelihood.data_shape(output[1:])) == taken[1:]
        except ValueError:
            return False

    def expands(network):
        taken, output = first_input_shape(network), network.output_shape
        return None not in taken[1:] and math.prod(output[1:]) > math.prod(taken[1:])

    if gives(encoder, decoder) and not gives(decoder, encoder) and expands(encoder):
        shapes = [(first_input_shape(each), each.output_shape) for each in (encoder, decoder)]
        takes = ["takes {} and gives {}".format(*(shape[1:] for shape in pair)) for pair in shapes]
        raise ValueError(
            "`encoder` and `decoder` are swapped: the encoder must take data, and the decoder give "
            f"the parameters of data. Received: an encoder that {takes[0]}, a decoder that "
            f"{takes[1]}. Give the encoder first: Model(encoder, decoder)."
        )


def check_order(name, network, wanted):
    """Raise an error if the inputs of `network` are in another order than those `wanted`: a dict of
    names and shapes without the batch axis, None where any is valid."""
    known = [shape[1:] if isinstance(shape, tuple) else () for shape in input_shapes(network) or []]
    if len(known) != len(wanted):
        return
    for received, shape in zip(known, wanted.values()):
        if shape is not None and not agree(received, shape) and shape in known:
            order = ", ".join(wanted)
            raise ValueError(
                f"`{name}` must take its inputs in the order [{order}]. Received: inputs of the "
                f"shapes {', '.join(map(str, known))}. Make it by keras.Model([{order}], outputs)."
            )


def shape_seen(encoder, decoder):
    """Return the shape of the x that the decoder sees, without the batch axis. It is the shape of
    the decoder's second input or, if that isn't known, of the encoder's input."""
    known = [*(input_shapes(decoder) or [])[1:2], first_input_shape(encoder)]
    known = [shape for shape in known if isinstance(shape, tuple)]
    if not known:
        raise ValueError(
            "`decoder_sees_x` needs networks whose input shapes are known: make the decoder by "
            "keras.Model([z, x_before], outputs), of two `keras.Input`s. Received: networks whose "
            "input shapes aren't known."
        )
    first, last = known[0][1:], known[-1][1:]
    # Where the decoder takes any length, the encoder may take one.
    return tuple(a or b for a, b in zip(first, last)) if agree(first, last) else tuple(first)


def check_inputs(name, network, wanted):
    """Raise an error if the inputs of `network` are known and don't have the `wanted` shapes.

    `wanted` is a dict: its keys say in words what each input is, and its values are the shapes,
    without the batch axis.
    """
    known = input_shapes(network)
    if known is None:  # Keras will tell
        return
    if len(known) != len(wanted):
        takes = "takes one input" if len(known) == 1 else f"takes {len(known)} inputs"
        raise ValueError(f"`{name}` doesn't fit: it {takes}; {remedy_of_inputs(wanted)}.")
    for one, (what, shape) in zip(known, wanted.items()):
        if not isinstance(one, tuple):
            return
        if not agree(one[1:], shape):
            raise ValueError(
                f"`{name}` doesn't fit: it takes inputs of shape {one[1:]}, and {what} is "
                f"{shape}. Build both networks with the same data_shape, latent_dim and "
                "condition_dim."
            )


def remedy_of_inputs(wanted):
    """Return the end of an error message: how to build a network that takes the `wanted` inputs."""
    if "the shape of x" in wanted:
        c = ", c" if "the condition's length" in wanted else ""
        return f"with decoder_sees_x=True a decoder of [z, x_before{c}] is wanted"
    if "the condition's length" in wanted:
        [condition_dim] = wanted["the condition's length"]
        return f"build both networks with condition_dim={condition_dim}"
    return (
        "a network of one input is wanted; for a condition use ConditionalVAE, for a decoder that "
        "takes x, too, decoder_sees_x=True"
    )


def single_output(name, network, wanted, any_length=False):
    """Return the shape of the one output of `network`, without the batch axis.

    The inputs are checked to have the `wanted` shapes. If `any_length`, the first size of the
    output may be None.
    """
    shape = shapes_of_output(name, network, wanted, any_length)
    if isinstance(shape, list):
        raise ValueError(
            f"`{name}` must give one tensor of known shape (batch, ...). Received: a list of "
            f"{len(shape)} tensors."
        )
    return shape


def shapes_of_output(name, network, wanted, any_length=False):
    """Return the shape of the output of `network`, without the batch axis; if it has several
    outputs, a list of their shapes."""
    check_inputs(name, network, wanted)
    inputs = [keras.KerasTensor((None, *shape)) for shape in wanted.values()]
    output = network(inputs if len(inputs) > 1 else inputs[0])
    output = list(output.values()) if isinstance(output, dict) else output
    outputs = output if isinstance(output, (list, tuple)) else [output]
    shapes = [getattr(each, "shape", None) for each in outputs]
    for shape in shapes:
        length = any_length and len(shape or ()) > 2
        known = shape and shape[2 if length else 1 :]
        if shape is None or None in known or len(shape) < 2:
            raise ValueError(
                f"`{name}` must give one tensor of known shape (batch, ...). The model itself adds "
                f"the layer that makes the posterior's parameters. Received: "
                f"{shape or type(output).__name__}."
            )
    shapes = [tuple(shape[1:]) for shape in shapes]
    return shapes if isinstance(output, (list, tuple)) else shapes[0]
