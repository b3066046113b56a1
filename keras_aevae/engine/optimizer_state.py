"""The state of an optimizer in a file of weights.

Keras reads it only if the optimizer has as many variables as the file, and warns otherwise. But an
optimizer has most of its variables only after the first step, and a file without any state, such
as that of a model which was never trained, has nothing to lose.
"""

import contextlib
import warnings
from pathlib import Path

import h5py
import keras


@contextlib.contextmanager
def restoring(model, filepath):
    """Open a scope in which the weights in `filepath` are loaded into `model`, and the state of its
    optimizer, if it is compiled and the file has a state. Files of other kinds than ".weights.h5"
    are left to Keras."""
    known = str(filepath).endswith(".weights.h5") and Path(filepath).is_file()
    if not known or not model.compiled:
        yield
    elif holds_state(filepath):
        if not model.optimizer.built:
            with scope_of(model):
                model.optimizer.build(model.trainable_variables)
        yield
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            yield


def holds_state(filepath):
    """Return whether the file of weights holds more of an optimizer than its single numbers, the
    count of steps and the rate."""
    found = []

    def look(name, value):
        found.append(isinstance(value, h5py.Dataset) and value.ndim > 0)

    with h5py.File(filepath) as file:
        if "optimizer" in file:
            file["optimizer"].visititems(look)
    return any(found)


def scope_of(model):
    """Return the scope in which variables of `model` are made: on TensorFlow, that of its
    strategy."""
    if keras.backend.backend() == "tensorflow":
        return model.distribute_strategy.scope()
    return contextlib.nullcontext()
