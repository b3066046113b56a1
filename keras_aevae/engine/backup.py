"""The state of training in a file, so that an interrupted run can go on."""

from pathlib import Path

import h5py
import keras
from keras import ops


class Backup(keras.callbacks.Callback):
    """Keeps the weights of a model and of its optimizer after each epoch, in one file.

    It keeps the states of the generators of noise, too, which Keras leaves out of a model's
    weights: so a run that goes on draws what it would have drawn.

    Whenever the process is killed, the file holds a whole epoch: the new state takes the place of
    the old one only when all of it is written. (`keras.callbacks.BackupAndRestore` writes the
    epoch's number apart from the weights, so a kill can leave two that don't fit.) Copies of the
    file can be taken while the run goes on.

    Args:
        path: the file, such as "backup/latest.weights.h5". Its folder must be there.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def restore(self, model):
        """Load the state into `model`, which is compiled and built, if there is one."""
        if not self.path.exists():
            return
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.path)
        with h5py.File(self.path) as file:
            for name, state in noise_states(model).items():
                state.assign(file.attrs[name])

    def on_epoch_end(self, epoch, logs=None):
        new = self.path.with_name("new.weights.h5")
        self.model.save_weights(new, overwrite=True)
        with h5py.File(new, "a") as file:
            for name, state in noise_states(self.model).items():
                file.attrs[name] = ops.convert_to_numpy(state)
        new.replace(self.path)


def noise_states(model):
    """The states of the model's generators of noise, by names for a file."""
    states = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    return {f"noise_{i}": state for i, state in enumerate(states)}
