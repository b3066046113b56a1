"""Checks of networks at construction, and of data before any training starts.

The first size in a shape of data is None where examples may be of any length.
"""

import keras
import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.endings import check_free, check_no_draw
from keras_aevae.engine.inference import as_numpy, first_batch, first_of, is_array


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


def agree(shape, other):
    """Return whether one array can have both shapes, in which None stands for any size."""
    return len(shape) == len(other) and all(a == b or None in (a, b) for a, b in zip(shape, other))


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


def check_values(name, x, data_shape, support, missing=False):
    """Check that the array `x` is non-empty, (n, *data_shape), finite and within `support`. Return
    it as an array, if it is a list.

    `support` is (minimum, maximum): numbers, or arrays that fit the values of an example; or None
    if any finite value is valid. NaN is valid only if it means that a value is `missing`.
    """
    given, x = x, as_numpy(x)
    if not agree(x.shape[1:], data_shape):
        sizes = ("any length" if size is None else str(size) for size in data_shape)
        raise ValueError(
            f"`{name}` must have shape (n, {', '.join(sizes)}). "
            f"Received: {name}.shape={x.shape}.{shape_remedy(name, x.shape, tuple(data_shape))}"
        )
    if x.size == 0:
        raise ValueError(f"`{name}` must hold at least one example. Received: shape {x.shape}.")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"`{name}` must hold numbers. Received: dtype {x.dtype}.")
    values = x[~np.isnan(x)] if missing else x
    # NaN and infinity show in these two.
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not np.isfinite([low, high]).all():
        raise ValueError(
            f"`{name}` must be finite. Received: values from {low} to {high}. Remove or impute "
            f"the bad examples; find them with np.flatnonzero(~np.isfinite({name}))."
        )
    if values.size and support is not None and outside(x, low, high, support):
        whole = x.dtype.kind in "iu" or (1 < high <= 255 and high == int(high))
        remedy = "Divide by 255" if low >= 0 and whole else "Rescale"
        raise ValueError(
            f"`{name}` must lie within {interval(support)}, the support of the "
            f"likelihood. Received: values from {low:g} to {high:g}. {remedy}, or choose "
            "likelihood='gaussian'."
        )
    return x if isinstance(given, list) else given  # Keras would take a list for many inputs


def outside(x, low, high, support):
    """Return whether a value of `x`, whose minimum is `low` and maximum `high`, is outside
    `support`."""
    if np.ndim(support[0]) or np.ndim(support[1]):
        return bool(np.any(x < support[0]) or np.any(x > support[1]))
    return low < support[0] or high > support[1]


def interval(support):
    low, high = np.min(support[0]), np.max(support[1])
    each = " (less for some values)" if np.ndim(support[0]) or np.ndim(support[1]) else ""
    return f"[{low:g}, {high:g}]{each}"


def shape_remedy(name, received, data_shape):
    if name == "y":
        return (
            " `y` is the target to reconstruct (denoising), in place of x; an autoencoder takes "
            "no labels: leave them out."
        )
    if agree(received[1:] + (1,), data_shape):
        return f" Add the channel axis: {name}[..., None]."
    if agree(received, data_shape):
        return f" Add the batch axis: {name}[None]."
    return " Build the networks for the shape of your data."


def check_fit_data(x, y, check):
    """Check the data of `fit` or `evaluate`; return `x` as the model takes it.

    Arrays are checked completely by `check(x, y)`, which returns `x`. Datasets and generators are
    checked by their first batch; a generator is returned with that batch put back.
    """
    if x is None:
        raise ValueError("`x` must be data: an array or a dataset. Received: x=None.")
    if is_array(first_of(x)):
        return check(x, y)
    first, x = first_batch(x)
    if first is None:
        raise ValueError(
            f"`x` must yield at least one batch. Received: an empty {type(x).__name__}."
        )
    first = first if isinstance(first, (tuple, list)) else (first,)
    if not first or not is_array(first_of(first[0])):
        received = type(first[0]).__name__ if first else "an empty tuple"
        raise ValueError(
            "`x` must yield batches x, (x,), (x, target) or (x, target, sample_weight), of "
            f"arrays. Received: {received}."
        )
    check(*(*first, None)[:2])
    return x
