"""The state of training in a file, from which an interrupted run can be resumed."""

from pathlib import Path

import h5py
import keras
from keras import ops

from keras_aevae.engine.noise import noise_states


class Backup(keras.callbacks.Callback):
    """Keeps the weights of a model and of its optimizer after each epoch, in one file.

    It also keeps the states of the generators of noise, which Keras leaves out of a model's
    weights: so a resumed run draws the same noise as an uninterrupted one.

    Even if the process is killed, the file holds a whole epoch: the new state replaces the old one
    only after it is written completely. (`keras.callbacks.BackupAndRestore` writes the epoch's
    number apart from the weights, so a kill can leave two that don't fit.) The file can be copied
    during the run.

    Args:
        path: the file, such as "backup/latest.weights.h5". Its folder must exist.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def restore(self, model):
        """Load the state, if there is one, into `model`, which is compiled and built."""
        if not self.path.exists():
            return
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.path)
        with h5py.File(self.path) as file:
            for i, state in enumerate(noise_states(model)):
                state.assign(file.attrs[f"noise_{i}"])

    def on_epoch_end(self, epoch, logs=None):
        new = self.path.with_name("new.weights.h5")
        self.model.save_weights(new, overwrite=True)
        with h5py.File(new, "a") as file:
            for i, state in enumerate(noise_states(self.model)):
                file.attrs[f"noise_{i}"] = ops.convert_to_numpy(state)
        new.replace(self.path)
