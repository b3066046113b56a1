"""TorchDataParallel where a training fails: what Keras doesn't tell its callbacks."""

import keras
import numpy as np
import pytest
import torch

import keras_aevae as ka
from keras_aevae import TorchDataParallel
from keras_aevae.engine import replicas


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def test_a_training_that_fails_leaves_the_model_as_it_was(one_process):
    class Stops(ka.VAE):
        fails = False

        def terms(self, x, outputs):
            if self.fails:
                raise KeyboardInterrupt
            return super().terms(x, outputs)

    model = Stops(*ka.networks.mlp((6,), latent_dim=2, hidden=(8,)), seed=0)
    model.compile(keras.optimizers.Adam(0.01))
    x = np.random.default_rng(0).uniform(size=(16, 6)).astype("float32")
    model.fails = True
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, batch_size=8, verbose=0, callbacks=[TorchDataParallel()])
    assert not replicas._torch["sharing"]
    assert hasattr(model.train_function, "eagerly")  # the recorded one, not the callback's
    model.fails = False
    assert np.isfinite(model.fit(x, batch_size=8, verbose=0).history["loss"]).all()
