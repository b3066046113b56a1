"""The arrays that people bring, in a common form.

`as_array` makes one array of whatever holds numbers: lists, DataFrames, sparse matrices, tensors of
any framework.
"""

import os
import sys
from collections.abc import Mapping

import keras
import numpy as np

from keras_aevae.engine.inference import as_numpy, is_array, is_frame, is_sparse

TABLES = "for tables that have text, dates or missing values see keras_aevae.TabularVAE.from_frame"
# What to do with the values of arrays that hold no numbers, by the kind of their dtype.
REMEDIES = {
    "O": "Make it an array of numbers: {name}.astype('float32') or, where each entry is an array "
    "of one shape, np.stack({name}); " + TABLES + ".",
    "c": "Take the two parts as channels: np.stack([{name}.real, {name}.imag], axis=-1).",
    "M": "Count the time since a date: ({name} - {name}.min()) / np.timedelta64(1, 'D'); "
    + TABLES
    + ".",
    "m": "Count it in a unit: {name} / np.timedelta64(1, 'D').",
    "V": "Turn the fields into columns: numpy.lib.recfunctions.structured_to_unstructured({name}).",
}
OF_TEXT = "Read files first, and turn text into numbers; " + TABLES + "."


def as_array(x, name="x", missing=False):
    """Return data `x` as one array of numbers that Keras takes, or raise an error that calls it
    `name`: a NumPy array in the machine's byte order, a tensor of the backend in use or, if it is
    sparse, a SciPy matrix of compressed rows. No values are copied that needn't be.

    NaN takes the place of masked values if it means that a value is `missing`.
    """
    plain_type = type(x) is np.ndarray and x.dtype.isnative and x.dtype.itemsize <= 8
    if plain_type and x.dtype.kind in "fiub":
        return x
    if not is_array(x):
        raise ValueError(f"`{name}` must be an array of numbers. Received: {described(x, name)}")
    if is_sparse(x):
        return compressed_rows(x, name)
    if is_frame(x):
        x = frame_as_array(x, name)
    if isinstance(x, keras.Variable):
        x = x.value
    if type(x).__module__.partition(".")[0] == "torch":
        x = x.detach()
    if keras.ops.is_tensor(x) and keras.backend.standardize_dtype(x.dtype) not in UNUSUAL:
        # A variable of TensorFlow is one of its tensors, too.
        return keras.ops.copy(x) if type(x).__name__.endswith("Variable") else x
    if isinstance(x, np.ma.MaskedArray):
        x = unmasked(x, name, missing)
    given, x = x, joined(x, name) if isinstance(x, (list, tuple)) else as_numpy(x, exact=True)
    x = x.astype("float64") if x.dtype.kind == "f" and x.dtype.itemsize > 8 else x
    if x.dtype.kind not in "fiub":
        received = f"dtype {x.dtype}, shape {x.shape}" if is_array(given) else described(given)
        remedy = REMEDIES.get(x.dtype.kind, OF_TEXT).format(name=name)
        raise ValueError(f"`{name}` must hold numbers. Received: {received}. {remedy}")
    return x


# Types of tensors that hold no numbers that a model takes.
UNUSUAL = ("complex64", "complex128", "string")


def described(x, name="x"):
    """Return what `x` is, which isn't data, and what to do: the end of an error message."""
    kind = type(x).__name__
    if x is None:
        return f"{name}=None."
    if isinstance(x, (str, bytes, os.PathLike)):
        return (
            f"the {kind} {str(x)[:80]!r}. Read the files first: np.load(path), or for images "
            "keras.utils.image_dataset_from_directory(path, label_mode=None)."
        )
    if isinstance(x, Mapping):
        key = next(iter(x), "image")
        return (
            f"a {kind} with the keys {list(x)[:5]}. Take the array out of it, {name}[{key!r}]; of "
            f"batches, by dataset.map(lambda batch: batch[{key!r}]) or a generator."
        )
    if kind == "RaggedTensor":
        return f"a {kind}, whose examples differ in length. Pad them: {name}.to_tensor()."
    if callable(x) and not isinstance(x, type) and hasattr(x, "__name__"):
        return (
            f"the {kind} {x.__name__!r}. Call it: {x.__name__}() gives the generator or the data."
        )
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):
        return (
            f"a {kind}, which gives single examples. Batch them: "
            "torch.utils.data.DataLoader(dataset, batch_size=128)."
        )
    return (
        f"an object of type {kind}. Take a NumPy array, a tensor, a DataFrame, or a dataset or "
        "generator of batches."
    )


def joined(x, name):
    """Return a list of numbers, of lists of them or of arrays as one array."""
    try:
        if len(x) and is_array(x[0]) and not isinstance(x[0], (list, tuple)):
            return np.stack([as_numpy(each, exact=True) for each in x])
        return np.asarray(x)
    except (ValueError, TypeError) as error:
        arrays = [each for each in x if is_array(each) and not isinstance(each, (list, tuple))]
        shapes = sorted({str(np.shape(each)) for each in arrays})[:4]
        received = f"arrays of the shapes {', '.join(shapes)}" if shapes else f"lists: {error}"
        raise ValueError(
            f"`{name}` must hold examples of one shape. Received: a {type(x).__name__} of "
            f"{len(x)}, {received}. Crop, pad or resize them to one shape, and convert images to "
            "one mode, such as image.convert('RGB')."
        ) from None


def unmasked(x, name, missing):
    """Return the values of a masked array: those that are masked become NaN, or an error."""
    if missing:
        return x.astype("float32").filled(np.nan)
    hidden = np.ma.getmaskarray(x)
    if hidden.any():
        raise ValueError(
            f"`{name}` must have all of its values. Received: a masked array of which "
            f"{int(hidden.sum())} of {hidden.size} values are masked. Fill them: "
            f"{name}.filled(value); {TABLES}."
        )
    return x.data


def frame_as_array(frame, name):
    """Return the numbers of a DataFrame or Series as float32, with NaN for missing values."""
    pandas = sys.modules["pandas"]
    if isinstance(frame, pandas.Series):
        numeric = pandas.api.types.is_numeric_dtype(frame.dtype)
        return frame.to_numpy("float32", na_value=np.nan) if numeric else frame.to_numpy()
    odd = [c for c, each in frame.dtypes.items() if not pandas.api.types.is_numeric_dtype(each)]
    if odd:
        raise ValueError(
            f"`{name}` must hold numbers in all columns. Received: a DataFrame whose column "
            f"{odd[0]!r} is of dtype {frame.dtypes[odd[0]]}"
            f"{f', and {len(odd) - 1} more such columns' if odd[1:] else ''}. "
            "keras_aevae.TabularVAE.from_frame(frame, latent_dim) makes a model of such a table; "
            "or turn them into numbers (pandas.to_numeric, pandas.get_dummies), or leave them out: "
            f"{name}.select_dtypes(['number', 'bool'])."
        )
    return frame.to_numpy("float32", na_value=np.nan)


def compressed_rows(x, name):
    """Return a sparse matrix, of SciPy or a tensor of a framework, as SciPy's of compressed
    rows."""
    from scipy import sparse

    if len(x.shape) != 2:
        raise ValueError(
            f"`{name}` must be dense unless it is a matrix. Received: a sparse {type(x).__name__} "
            f"of shape {tuple(x.shape)}. Make it dense, batch by batch if it is large."
        )
    if not sparse.issparse(x):
        if type(x).__name__ == "SparseTensor":
            indices, values = np.asarray(x.indices).T, np.asarray(x.values)
        elif type(x).__module__.startswith("jax"):
            indices, values = np.asarray(x.indices).T, np.asarray(x.data)
        else:
            x = x.detach().to_sparse_coo().coalesce().cpu()
            indices, values = x.indices().numpy(), x.values().numpy()
        x = sparse.coo_array((values, tuple(indices)), shape=tuple(int(n) for n in x.shape))
    if x.dtype.kind not in "fiub":
        raise ValueError(f"`{name}` must hold numbers. Received: a sparse matrix of {x.dtype}.")
    return x.tocsr()
