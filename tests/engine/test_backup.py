"""What a killed run leaves behind."""

import numpy as np
import pytest
from keras import ops

from keras_aevae import VAE, networks
from keras_aevae.engine.backup import Backup


def make():
    model = VAE(*networks.mlp((6,), latent_dim=2, hidden=(8,)), seed=0)
    model.compile()
    return model


def test_a_new_model_gets_weights_moments_noise_and_steps(tmp_path):
    x, backup = np.zeros((8, 6), "float32"), Backup(tmp_path / "latest.weights.h5")
    model = make()
    model.fit(x, batch_size=4, epochs=3, verbose=0, callbacks=[backup])
    other = make()
    backup.restore(other)
    assert int(other.step.numpy()) == int(other.optimizer.iterations) == 6
    pairs = zip(
        model.variables + model.optimizer.variables, other.variables + other.optimizer.variables
    )
    for a, b in pairs:
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


def test_without_a_file_nothing_is_restored(tmp_path):
    model = make()
    Backup(tmp_path / "latest.weights.h5").restore(model)
    assert not int(model.step.numpy())


def test_a_kill_while_writing_leaves_the_last_whole_state(tmp_path, monkeypatch):
    x, backup = np.zeros((8, 6), "float32"), Backup(tmp_path / "latest.weights.h5")
    model = make()
    model.fit(x, batch_size=4, epochs=1, verbose=0, callbacks=[backup])

    def killed(path, overwrite):
        path.write_bytes(b"half of a state")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save_weights", killed)
    with pytest.raises(KeyboardInterrupt):
        backup.on_epoch_end(1)
    other = make()
    backup.restore(other)
    assert int(other.step.numpy()) == 2
