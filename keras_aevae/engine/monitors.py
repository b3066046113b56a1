"""Keras's callbacks that stop, save or slow down by a number of the model's own, such as "val_kl".

Whether less or more is better they ask only the metrics that were given to `compile`: after the
first epoch they raise an error if they monitor anything else and weren't told.
"""

import keras
from keras import callbacks as kinds

from keras_aevae._checks import nearest

MONITORS = (
    kinds.EarlyStopping,
    kinds.ModelCheckpoint,
    kinds.OrbaxCheckpoint,
    kinds.ReduceLROnPlateau,
)


def set_modes(callbacks, mode_of, names):
    """Tell `callbacks` that monitor a number, and weren't told, whether less or more is better.

    Args:
        callbacks: as for `fit`: None, a callback, a list of them or a `CallbackList`.
        mode_of: function of the name of what `fit` shows, without "val_", that returns "min",
            "max", or "auto" where Keras knows it.
        names: the names of what `fit` shows of the model's own, without "val_".

    Raises:
        ValueError: if a callback monitors what is no such name but nearly one, and wasn't told
            whether less or more is better: Keras would raise an error after the first epoch.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    for callback in keras.tree.flatten(callbacks or []):
        if not isinstance(callback, MONITORS):
            continue
        name = callback.monitor.removeprefix("val_")
        if callback.mode != "auto":
            continue
        known = nearest(name, names)
        if name not in names and known.startswith("Did you mean"):
            raise ValueError(
                f"`monitor` of the {type(callback).__name__} must be the name of a number that "
                f"`fit` shows. Received: monitor={callback.monitor!r}. {known} Of validation data "
                "with 'val_' in front."
            )
        callback.mode = mode_of(name)
