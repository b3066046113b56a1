"""Datasets that Keras downloads: their place on disk, and checks of their content."""

import os
from pathlib import Path

import numpy as np


def cache_directory():
    """Return Keras's directory of datasets: `$KERAS_HOME/datasets`, or `~/.keras/datasets`.

    The rules are Keras's, which it doesn't export.
    """
    home = Path.home() if os.access(Path.home(), os.W_OK) else Path("/tmp")
    return Path(os.environ.get("KERAS_HOME", home / ".keras")).expanduser() / "datasets"


def download(load_data, files, remedy):
    """Call Keras's `load_data`; if that fails, the error says which `files` to put where."""
    try:
        return load_data()
    except Exception as error:  # no narrower class: Keras raises plain `Exception` for a bad URL
        raise RuntimeError(
            f"{files} could neither be read from {cache_directory()} nor downloaded "
            f"({type(error).__name__}: {error}). {remedy}"
        ) from error


def prepare(data, means, source):
    """Check Keras's 28x28 images and labels, and convert them to our convention.

    Args:
        data: `(x_train, y_train), (x_test, y_test)`, uint8.
        means: the means of the pixels of `x_train` and of `x_test`, to be checked.
        source: their origin, for the error message.
    """
    return tuple(
        _prepare_part(x, y, part, num, mean, source)
        for (x, y), part, num, mean in zip(data, ("train", "test"), (60_000, 10_000), means)
    )


def _prepare_part(x, y, part, num, mean, source):
    _check(f"x_{part}", x, (num, 28, 28), source)
    _check(f"y_{part}", y, (num,), source)
    if abs(x.mean() - mean) > 1e-3:
        raise ValueError(
            f"`x_{part}` of {source} must have a mean of {mean}. Received: {x.mean():.3f}. "
            "The file is damaged or holds other images; replace it, or delete it to download it "
            "anew."
        )
    return (x[..., None] / np.float32(255)), y.astype("int64")


def _check(name, array, shape, source):
    if array.shape != shape or array.dtype != "uint8":
        raise ValueError(
            f"`{name}` of {source} must have shape {shape} and dtype uint8. "
            f"Received: shape {array.shape} and dtype {array.dtype}. "
            "Replace the file, or delete it to download it anew."
        )
