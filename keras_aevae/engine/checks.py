"""Checks of networks at construction, and of data before any training starts."""

import math

import keras
import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.inference import as_numpy, first_batch, first_of, is_array


def check_networks(encoder, decoder, latent_dim, likelihood, condition_dim=0):
    """Check that the networks fit each other; return (latent_shape, data_shape, features_shape).

    Networks that aren't built yet are built.
    """
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(network, keras.Layer):
            raise ValueError(
                f"`{name}` must be a Keras model, such as those of keras_aevae.networks. "
                f"Received: {name}={network!r}."
            )
    known = getattr(decoder, "input_shape", None)
    known = known[0] if isinstance(known, list) else known
    if latent_dim is not None:
        latent_dim = check_positive_integer("latent_dim", latent_dim)
    elif known is None:
        raise ValueError(
            "`latent_dim` is needed where the decoder's input shape isn't known: pass it. "
            "Received: latent_dim=None."
        )
    # A grid of codes with that many dimensions in all, or a vector.
    latent_shape = tuple(known[1:]) if known else (latent_dim,)
    if None in latent_shape or latent_dim not in (None, math.prod(latent_shape)):
        latent_shape = (latent_dim,)
    check_input_shape("decoder", decoder, latent_shape, "latent_dim", condition_dim)
    params = single_output("decoder", decoder, latent_shape, condition_dim)
    data_shape = likelihood.data_shape(params)
    check_input_shape("encoder", encoder, data_shape, "the decoder's data shape", condition_dim)
    features = single_output("encoder", encoder, data_shape, condition_dim)
    if latent_shape[1:] and features[:-1] != latent_shape[:-1]:
        raise ValueError(
            f"`encoder` doesn't fit: the decoder takes a grid of codes, {latent_shape}, so the "
            f"encoder must give features of that grid, {(*latent_shape[:-1], 'channels')}. "
            f"Received: features of shape {features}."
        )
    return latent_shape, data_shape, features


def check_input_shape(name, network, shape, what, condition_dim):
    known = getattr(network, "input_shape", None)
    if isinstance(known, list) != bool(condition_dim) and known is not None:
        takes = f"takes {len(known)} inputs" if isinstance(known, list) else "takes one input"
        wanted = (
            f"build both networks with condition_dim={condition_dim}"
            if condition_dim
            else "a network of one input is wanted; for a condition use ConditionalVAE"
        )
        raise ValueError(f"`{name}` doesn't fit: it {takes}; {wanted}.")
    shapes = [(None, *shape), (None, condition_dim)] if condition_dim else [(None, *shape)]
    for one, wanted in zip(known if isinstance(known, list) else [known], shapes):
        if not isinstance(one, tuple):  # not known yet: Keras will tell
            return
        fits = len(one) == len(wanted)
        if not fits or any(a is not None and a != b for a, b in zip(one[1:], wanted[1:])):
            what = "the condition's length" if wanted is not shapes[0] else what
            raise ValueError(
                f"`{name}` doesn't fit: it takes inputs of shape {one[1:]}, and {what} is "
                f"{wanted[1:]}. Build both networks with the same data_shape, latent_dim and "
                "condition_dim."
            )


def single_output(name, network, shape, condition_dim):
    """Return the shape of the single output of `network` for an input of `shape`, without batch
    axes."""
    x = keras.KerasTensor((None, *shape))
    output = network([x, keras.KerasTensor((None, condition_dim))] if condition_dim else x)
    output_shape = getattr(output, "shape", None)
    if output_shape is None or None in output_shape[1:] or len(output_shape) < 2:
        received = output_shape or f"{type(output).__name__} of {len(output)} tensors"
        raise ValueError(
            f"`{name}` must give one tensor of known shape (batch, ...). The model itself adds "
            f"the layer that makes the posterior's parameters. Received: {received}."
        )
    return tuple(output_shape[1:])


def check_values(name, x, data_shape, support):
    """Check that the array `x` is non-empty, (n, *data_shape), finite and within `support`.

    `support` is (minimum, maximum): numbers, or arrays that fit the values of an example; or None
    if any finite value is valid.
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
    if support is not None and outside(x, low, high, support):
        whole = x.dtype.kind in "iu" or (1 < high <= 255 and high == int(high))
        remedy = "Divide by 255" if low >= 0 and whole else "Rescale"
        raise ValueError(
            f"`{name}` must lie within {interval(support)}, the support of the "
            f"likelihood. Received: values from {low:g} to {high:g}. {remedy}, or choose "
            "likelihood='gaussian'."
        )


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
    if received[1:] + (1,) == data_shape:
        return f" Add the channel axis: {name}[..., None]."
    if received == data_shape:
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
