"""Checks of networks at construction, and of data before any training starts."""

import itertools
import math

import keras
import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.models.inference import as_numpy, is_array


def check_networks(encoder, decoder, latent_dim, likelihood):
    """Raise unless the networks fit each other; return (latent_dim, data_shape, features).

    Builds networks that aren't built yet.
    """
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(network, keras.Layer):
            raise ValueError(
                f"`{name}` must be a Keras model, such as those of keras_aevae.networks. "
                f"Received: {name}={network!r}."
            )
    if latent_dim is None:
        if not hasattr(decoder, "input_shape"):
            raise ValueError(
                "`latent_dim` is needed where the decoder's input shape isn't known: pass it. "
                "Received: latent_dim=None."
            )
        latent_dim = decoder.input_shape[-1]
    latent_dim = check_positive_integer("latent_dim", latent_dim)
    check_input_shape("decoder", decoder, (latent_dim,), "latent_dim")
    params = single_output("decoder", decoder, (latent_dim,))
    if params[-1] % likelihood.outputs_per_value:
        raise ValueError(
            f"`decoder` must give {likelihood.outputs_per_value} outputs for each data value under "
            f"{type(likelihood).__name__}: build it with outputs_per_value="
            f"{likelihood.outputs_per_value}. Received: output shape {params}."
        )
    data_shape = (*params[:-1], params[-1] // likelihood.outputs_per_value)
    check_input_shape("encoder", encoder, data_shape, "the decoder's data shape")
    return latent_dim, data_shape, math.prod(single_output("encoder", encoder, data_shape))


def check_input_shape(name, network, shape, what):
    known = getattr(network, "input_shape", None)
    if not isinstance(known, tuple):  # not known yet, or several inputs: Keras will tell
        return
    fits = len(known) == len(shape) + 1
    if not fits or any(a is not None and a != b for a, b in zip(known[1:], shape)):
        raise ValueError(
            f"`{name}` doesn't fit: it takes inputs of shape {tuple(known[1:])}, and {what} is "
            f"{shape}. Build both networks with the same data_shape and latent_dim."
        )


def single_output(name, network, shape):
    """Shape of the one output of `network` for an input of `shape`, both without batch axis."""
    output = network(keras.KerasTensor((None, *shape)))
    output_shape = getattr(output, "shape", None)
    if output_shape is None or None in output_shape[1:] or len(output_shape) < 2:
        received = output_shape or f"{type(output).__name__} of {len(output)} tensors"
        raise ValueError(
            f"`{name}` must give one tensor of known shape (batch, ...). The model itself adds "
            f"the layer that makes the posterior's parameters. Received: {received}."
        )
    return tuple(output_shape[1:])


def check_values(name, x, data_shape, support):
    """Raise unless the array `x` is non-empty, (n, *data_shape), finite and within `support`.

    `support` is (minimum, maximum), or None for any finite value.
    """
    x = as_numpy(x)
    if x.shape[1:] != tuple(data_shape):
        raise ValueError(
            f"`{name}` must have shape (n, {', '.join(map(str, data_shape))}). "
            f"Received: {name}.shape={x.shape}.{shape_remedy(name, x.shape, tuple(data_shape))}"
        )
    if x.size == 0:
        raise ValueError(f"`{name}` must hold at least one example. Received: shape {x.shape}.")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"`{name}` must hold numbers. Received: dtype {x.dtype}.")
    low, high = float(x.min()), float(x.max())  # NaN and infinity show in these two
    if not np.isfinite([low, high]).all():
        raise ValueError(
            f"`{name}` must be finite. Received: values from {low} to {high}. Remove or impute "
            f"the bad examples; find them with np.flatnonzero(~np.isfinite({name}))."
        )
    if support is not None and (low < support[0] or high > support[1]):
        whole = x.dtype.kind in "iu" or (1 < high <= 255 and high == int(high))
        remedy = "Divide by 255" if low >= 0 and whole else "Rescale"
        raise ValueError(
            f"`{name}` must lie within [{support[0]:g}, {support[1]:g}], the support of the "
            f"likelihood. Received: values from {low:g} to {high:g}. {remedy}, or choose "
            "likelihood='gaussian'."
        )


def shape_remedy(name, received, data_shape):
    if name == "y":
        return (
            " `y` is the target to reconstruct (denoising), in place of x; an autoencoder takes "
            "no labels: leave them out."
        )
    if received[1:] + (1,) == data_shape:
        return f" Add the channel axis: {name}[..., None]."
    if received == data_shape:
        return f" Add the batch axis: {name}[None]."
    return " Build the networks for the shape of your data."


def check_fit_data(x, y, data_shape, support):
    """Check what `fit` or `evaluate` is given; return `x`, whole again if it was a generator.

    Arrays are checked in full, datasets and generators by their first batch.
    """
    if x is None:
        raise ValueError("`x` must be data: an array or a dataset. Received: x=None.")
    if is_array(x):
        check_values("x", x, data_shape, support if y is None else None)
        if y is not None:
            check_values("y", y, data_shape, support)
        return x
    if isinstance(x, keras.utils.PyDataset):
        if len(x) == 0:
            raise ValueError("`x` must hold at least one batch. Received: an empty PyDataset.")
        first = x[0]
    else:
        iterator = iter(x)
        first = next(iterator, None)
        if first is None:
            raise ValueError("`x` must yield at least one batch. Received: an empty dataset.")
        if iterator is x:  # a generator: put the batch that was taken back in front
            x = (batch for batch in itertools.chain([first], iterator))
    first = first if isinstance(first, (tuple, list)) else (first,)
    if not first or not is_array(first[0]):
        received = type(first[0]).__name__ if first else "an empty tuple"
        raise ValueError(
            "`x` must yield batches x, (x,), (x, target) or (x, target, sample_weight), of "
            f"arrays. Received: {received}."
        )
    check_fit_data(*(*first, None)[:2], data_shape, support)
    return x
