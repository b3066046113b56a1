"""Keras's callbacks that stop, save or slow down by a number of the model's own, such as "val_kl".

Whether less or more is better they ask only the metrics that were given to `compile`: after the
first epoch they raise an error if they monitor anything else and weren't told.
"""

import keras
from keras import callbacks as kinds

MONITORS = (
    kinds.EarlyStopping,
    kinds.ModelCheckpoint,
    kinds.OrbaxCheckpoint,
    kinds.ReduceLROnPlateau,
)


def set_modes(callbacks, mode_of):
    """Tell `callbacks` that monitor a number, and weren't told, whether less or more is better.

    Args:
        callbacks: as for `fit`: None, a callback, a list of them or a `CallbackList`.
        mode_of: function of the name of what `fit` shows, without "val_", that returns "min",
            "max", or "auto" where Keras knows it.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    for callback in keras.tree.flatten(callbacks or []):
        if isinstance(callback, MONITORS) and callback.mode == "auto":
            callback.mode = mode_of(callback.monitor.removeprefix("val_"))
