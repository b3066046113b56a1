import keras
import numpy as np
import pytest

from keras_aevae import VAE, Autoencoder, latent, networks


class Recorder(keras.callbacks.Callback):
    """Notes what a progress bar would show."""

    def __init__(self):
        super().__init__()
        self.seen, self.told = [], []

    def on_train_begin(self, logs=None):
        self.seen.append((self.model.name, self.params["epochs"]))

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(epoch)

    def progress(self, name, number, of):
        self.told.append((name, number, of))


@pytest.fixture(scope="session")
def recorder():
    return Recorder()


@pytest.fixture(scope="session")
def comparison(recorder):
    """Two AEs and two VAEs after one epoch on digits, and what was measured of them."""
    return latent.compare(
        epochs=1,
        seeds=2,
        betas=(),
        num_samples=20,
        callbacks=[recorder],
        progress=recorder.progress,
        verbose=0,
    )


@pytest.fixture
def tiny():
    """Makes an untrained AE and VAE for data of any shape."""

    def build(data_shape, latent_dim=3):
        keras.utils.set_random_seed(0)
        models = {"AE": Autoencoder, "VAE": VAE}
        return {
            name: model(*networks.mlp(data_shape, latent_dim, hidden=(16,)), seed=0)
            for name, model in models.items()
        }

    return build


@pytest.fixture
def rng():
    return np.random.default_rng(0)
