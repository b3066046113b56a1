"""Checks of the values of data, before any training starts.

The first size in a shape of data is None where examples may be of any length.
"""

import contextlib
import math
import warnings

import keras
import numpy as np

from keras_aevae._checks import agree
from keras_aevae.engine.arrays import as_array
from keras_aevae.engine.inference import as_numpy, is_sparse


def check_values(name, x, data_shape, support=None, missing=False, noisy=False, warn=None):
    """Check that `x` is an array of numbers, non-empty, (n, *data_shape), finite and within
    `support`. Return it as Keras takes it.

    Args:
        support: (minimum, maximum): numbers, or arrays that fit the values of an example; or None
            if any finite value is valid.
        missing: whether NaN is valid, and means that a value is missing.
        noisy: whether values may be somewhat out of the support, as those of noisy data are whose
            reconstruction is another target. Those on another scale, such as 0..255, are not.
        warn: `warn(name, x, low, high, support)` is called for values that are noisy or have no
            support, such as `warn_of_scale`.
    """
    x, low, high = check_numbers(name, x, data_shape, missing)
    out = support is not None and outside(x, low, high, support)
    if out and (not noisy or on_another_scale(x, low, high, support)):
        raise ValueError(out_of_range(name, x, low, high, support))
    if warn is not None and not missing and (out or support is None):
        warn(name, x, low, high, support)
    return x


def check_numbers(name, x, data_shape, missing=False):
    """Return `x` as an array of numbers, non-empty, (n, *data_shape), with its least and largest
    value; raise an error unless it is one and finite, but for NaN where values may be `missing`."""
    x = as_array(x, name, missing)
    shape = tuple(x.shape)
    if not agree(shape[1:], data_shape) or not shape:
        sizes = ("any length" if size is None else str(size) for size in data_shape)
        raise ValueError(
            f"`{name}` must have shape (n, {', '.join(sizes)}). "
            f"Received: {name}.shape={shape}.{shape_remedy(name, shape, tuple(data_shape))}"
        )
    if 0 in shape:
        raise ValueError(f"`{name}` must hold at least one example. Received: shape {shape}.")
    low, high = least_and_largest(x, missing)
    # False for NaN, too.
    if not (-LARGEST <= low and high <= LARGEST):
        raise ValueError(not_finite(name, x, missing))
    return x, low, high


LARGEST = float(np.finfo("float32").max)


def least_and_largest(x, missing=False):
    """Return the least and the largest value of an array, NaN if it has one that isn't `missing`;
    0 of no values."""
    if is_sparse(x):
        low, high = least_and_largest(x.data, missing)
        return (low, high) if x.nnz == x.shape[0] * x.shape[1] else (min(low, 0.0), max(high, 0.0))
    x = as_numpy(x, exact=True)
    if missing and x.dtype.kind == "f":
        x = x[~np.isnan(x)]
    return (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)


def outside(x, low, high, support):
    """Return whether a value of `x`, whose minimum is `low` and maximum `high`, is outside
    `support`."""
    least, largest = support
    if isinstance(least, (int, float)) and isinstance(largest, (int, float)):
        return low < least or high > largest
    return bool(rows_outside(x, support).size)


def rows_where(x, wrong):
    """Return the rows of `x` in which `wrong(values)` is True of a value: an array of indices."""
    if is_sparse(x):
        return np.unique(x.tocoo().row[wrong(x.tocoo().data)])
    x = as_numpy(x, exact=True)
    return np.flatnonzero(wrong(x).reshape(len(x), -1).any(axis=1))


def rows_outside(x, support):
    x = as_numpy(x, exact=True) if np.ndim(support[0]) or np.ndim(support[1]) else x
    return rows_where(x, lambda values: (values < support[0]) | (values > support[1]))


def listed(rows, n):
    """Return how many of n rows these are, and which."""
    first = ", ".join(map(str, rows[:5]))
    return f"{len(rows)} of {n} examples, row{'s' if len(rows) > 1 else ''} {first}" + (
        ", ..." if len(rows) > 5 else ""
    )


def not_finite(name, x, missing):
    """Return the message about NaN or infinity in `x`, or about values too large for float32."""
    if missing:
        rows = rows_where(x, lambda values: np.abs(values) > LARGEST)
    else:
        rows = rows_where(x, lambda values: ~(np.abs(values.astype("float64")) <= LARGEST))
    axes = "1" if len(x.shape) == 2 else str(tuple(range(1, len(x.shape))))
    remedy = f"Leave these examples out, {name}[np.isfinite({name}).all(axis={axes})], or impute"
    if len(x.shape) == 2 and not missing:
        remedy += " the values; keras_aevae.TabularVAE is a model of tables with missing values"
    else:
        remedy += " the values"
    return (
        f"`{name}` must be finite. Received: NaN, infinity or numbers beyond float32 in "
        f"{listed(rows, x.shape[0])}. {remedy}."
    )


def is_whole(x, low, high):
    """Return whether `x` holds integers, such as the grey levels of images: by its type, or by its
    least and largest values and those of its first examples."""
    if not (low == int(low) and high == int(high)):
        return False
    some = as_numpy(x[:8], exact=True)
    return some.dtype.kind in "iub" or bool((some == np.rint(some)).all())


def are_images(x):
    """Return whether `x` may hold images, by its shape: grids, or vectors as long as 8 x 8 pixels;
    other matrices are tables."""
    return len(x.shape) > 2 or x.shape[-1] >= 64


def levels(x, low, high):
    """Return the largest grey level that `x` may hold if it holds integers from 0 on, in words and
    as Python; None if it doesn't."""
    if low < 0 or high <= 1:
        return None
    of_8_bits = "255, the largest value of images of 8 bits", "255"
    if not is_whole(x, low, high):  # images that were resized are between the levels
        return of_8_bits if 100 < high <= 255 and are_images(x) else None
    dtype = keras.backend.standardize_dtype(x.dtype) if not is_sparse(x) else str(x.dtype)
    integers = "int" in dtype
    if dtype == "uint8":
        return "255", "255"
    if integers and (np.iinfo(dtype).bits <= 16 or high > 65535):
        largest = np.iinfo(dtype).max
        short = str(largest) if largest < 2**16 else f"np.iinfo('{dtype}').max"
        words = f"np.iinfo('{dtype}').max, the largest value of its type, which is {largest}"
        return words, short
    if are_images(x) and 100 < high <= 255:
        return of_8_bits
    if are_images(x) and 255 < high <= 65535:
        return "65535, the largest value of images of 16 bits", "65535"
    return f"the largest value that they can have, such as {high:g}", f"{high:g}"


def on_another_scale(x, low, high, support):
    """Return whether values out of a bounded `support` are too far from it to be noisy data: grey
    levels, or nine times its width away."""
    least, largest = support
    if np.ndim(least) or np.ndim(largest) or not np.isfinite([least, largest]).all():
        return False
    if high > largest and levels(x, low, high) is not None:
        return True
    return max(least - low, high - largest) > 9 * (largest - least)


def out_of_range(name, x, low, high, support):
    """Return the message about values of `x` out of `support`, with the remedy that fits it."""
    least, largest = np.min(support[0]), np.max(support[1])
    each = np.ndim(support[0]) or np.ndim(support[1])
    known = levels(x, low, high)
    if each or not np.isfinite([least, largest]).all():
        bound = f"{least:g} or more" if np.isfinite(least) else f"{largest:g} or less"
        bound = "within the limits of its place" if each else bound
        remedy = (
            f"Under this likelihood each value is {bound}. Those that aren't are in "
            f"{listed(rows_outside(x, support), x.shape[0])}: correct them or leave them out, or "
            "take a likelihood whose support has them"
        )
    elif known is not None:
        words, number = known
        scaled = f"{name} / {number}"
        if (least, largest) != (0, 1):
            scaled = f"{least:g} + {largest - least:g} * ({name} / {number})"
        remedy = f"Divide by {words}: {scaled}"
        if (least, largest) == (0, 1):
            remedy += ". Data that aren't images: standardise them, with likelihood='gaussian'"
    else:
        width = "" if largest - least == 1 else f"{largest - least:g} * "
        start = "" if least == 0 else f"{least:g} + "
        remedy = (
            f"Rescale, such as {start}{width}(x - low) / (high - low) with the same two numbers "
            "for all data"
        )
        if (least, largest) == (0, 1):
            remedy += ", or standardise them and choose likelihood='gaussian'"
    return (
        f"`{name}` must lie within {interval(support)}, the support of the likelihood. "
        f"Received: values from {low:g} to {high:g}. {remedy}."
    )


def interval(support):
    low, high = np.min(support[0]), np.max(support[1])
    each = " (less for some values)" if np.ndim(support[0]) or np.ndim(support[1]) else ""
    return f"[{low:g}, {high:g}]{each}"


# Data of this root mean square, and of values this large, are far from the scale of weights at the
# start.
USUAL_SCALE, USUAL_LARGEST = 5.0, 10.0


def warn_of_support(name, x, low, high, support):
    """Warn of data `x`, from `low` to `high`, out of the `support`, or as `warn_of_scale` does."""
    if support is None:
        return warn_of_scale(name, x, low, high)
    warnings.warn(
        f"{out_of_range(name, x, low, high, support)} Noisy data, of which a model was trained to "
        "reconstruct another target, may be out of it; the codes of others mean little.",
        stacklevel=2,
    )
    return True


def warn_of_scale(name, x, low, high, support=None):
    """Warn if the data `x` of a likelihood of any number, from `low` to `high`, are on a scale far
    from 1, for which no network is initialized: the loss is then huge, and so are the codes.
    Return whether they are."""
    if max(-low, high) <= USUAL_LARGEST or support is not None:
        return False
    some = as_numpy(x[:1000], exact=True).astype("float64")
    size = float(np.sqrt(np.mean(np.square(some))))
    if size <= USUAL_SCALE:
        return False
    known = levels(x, low, high)
    if known is not None and are_images(x):
        remedy = f"Divide by {known[0]}: {name} / {known[1]}"
    else:
        remedy = f"Standardise them: ({name} - {name}.mean(axis=0)) / {name}.std(axis=0)"
    warnings.warn(
        f"`{name}` should be on a scale of about 1, for which networks are initialized; the loss "
        f"and the KL may be huge otherwise. Received: values from {low:g} to {high:g}, of root "
        f"mean square {size:.3g}. {remedy}, with the same numbers for all data.",
        stacklevel=2,
    )
    return True


def until_true(function):
    """Return `function`, which is called until it has returned True."""
    done = False

    def call(*arguments):
        nonlocal done
        done = done or function(*arguments)

    return call


# What targets are called.
TARGETS = ("y", "validation_data[1]")


def shape_remedy(name, received, data_shape):
    if name in TARGETS:
        return (
            " It is the target to reconstruct (denoising), in place of x; an autoencoder takes "
            "no labels: leave them out (of a dataset, yield x alone). A model that is told a label "
            "is made with `classes=`, as ConditionalVAE."
        )
    if name == "z":
        return f" The model's codes have {data_shape[-1]} dimensions."
    if agree(received[1:] + (1,), data_shape):
        return f" Add the channel axis: {name}[..., None]."
    if agree(received, data_shape):
        return f" Add the batch axis: {name}[None]."
    if agree((*received, 1), data_shape):
        return f" Add the batch and the channel axis: {name}[None, ..., None]."
    if len(data_shape) > 1 and agree(received[2:] + received[1:2], data_shape):
        return f" Move the channels last: np.moveaxis({name}, 1, -1)."
    if len(data_shape) > 1 and agree(received[1:] + received[:1], data_shape):
        return f" Move the channels last and add the batch axis: np.moveaxis({name}, 0, -1)[None]."
    if agree(received[1:], data_shape[:-1] + (1,)) and data_shape[-1] == 3:
        return f" Repeat the grey values as three channels: np.repeat({name}, 3, axis=-1)."
    if None not in data_shape and received[1:] and math.prod(received[1:]) == math.prod(data_shape):
        return f" Reshape: {name}.reshape(-1, {', '.join(map(str, data_shape))})."
    return " Build the networks for the shape of your data."


def check_weights(name, weights, x):
    """Return sample weights as an array (n,), or raise an error unless there is one for each
    example of the array x, of 0 or more."""
    weights = as_array(weights, name)
    low, high = least_and_largest(weights)
    if not (0 <= low and high <= LARGEST):  # False for NaN, too
        wrong = rows_where(weights, lambda values: ~((values >= 0) & (values <= LARGEST)))
        raise ValueError(
            f"`{name}` must be finite numbers of 0 or more. Received: others in "
            f"{listed(wrong, weights.shape[0])}. A weight of 0 leaves an example out."
        )
    n = x.shape[0]
    if weights.shape == (n, 1):
        return weights[:, 0]
    if weights.shape != (n,):
        steps = ""
        if len(weights.shape) > 1 and weights.shape[0] == n:
            axes = "1" if len(weights.shape) == 2 else str(tuple(range(1, len(weights.shape))))
            steps = (
                " A weight of each step or pixel has no meaning for an example's KL, whose code is "
                f"one of all of them: average, {name}.mean(axis={axes}), or, to leave values out, "
                "take a likelihood of data with gaps."
            )
        raise ValueError(
            f"`{name}` must hold one value or example for each of x: shape ({n},). Received: "
            f"{n} examples in x, {name}.shape={tuple(weights.shape)}.{steps}"
        )
    return weights


@contextlib.contextmanager
def of_batch(index, x, data_shape, name="x"):
    """Open a scope in which errors say that they are about this batch of the dataset `name`, with
    array `x`."""
    try:
        yield
    except ValueError as error:
        shape = getattr(x, "shape", None)
        if index == 0 and shape is not None and agree(tuple(shape), data_shape):
            raise ValueError(
                f"`{name}` must yield batches, of shape (batch, *{tuple(data_shape)}). Received: "
                "single examples. Batch them: dataset.batch(128) of tf.data, or "
                "torch.utils.data.DataLoader(dataset, batch_size=128)."
            ) from None
        dataset = "the dataset" if name == "x" else f"`{name}`"
        where = f"This is batch {index} of {dataset}, counted from 0."
        raise ValueError(f"{error} {where}") from None
