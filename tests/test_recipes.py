"""Recipes: rates, and runs that are interrupted."""

import json

import keras
import numpy as np
import pytest

from keras_aevae.pretrain import pretrain
from keras_aevae.recipes import BURDA_STAGES, recipe


def rates(optimizer, steps):
    return [float(optimizer._learning_rate(keras.ops.array(step))) for step in steps]


def test_stages_change_the_rate_between_epochs():
    chosen = recipe("vae", learning_rate=((1, 0.5), (2, 0.25), (1, 0.125)), epsilon=1e-4)
    optimizer = chosen.optimizer(steps_per_epoch=10, epochs=5)
    assert rates(optimizer, (0, 9, 10, 29, 30, 39, 40, 49)) == [
        *(0.5, 0.5),
        *(0.25, 0.25),
        *(0.125, 0.125, 0.125, 0.125),  # the last rate stays
    ]
    assert optimizer.epsilon == 1e-4


def test_one_stage_is_a_constant_rate():
    optimizer = recipe("vae", learning_rate=((1, 0.5),)).optimizer(10, epochs=3)
    assert rates(optimizer, (0, 9, 10, 29)) == [0.5] * 4


def test_one_rate_falls_to_0_along_a_cosine():
    optimizer = recipe("vae", learning_rate=0.5).optimizer(10, epochs=2)
    assert rates(optimizer, (0, 10, 20)) == pytest.approx([0.5, 0.25, 0], abs=1e-7)
    assert optimizer.epsilon == keras.optimizers.Adam().epsilon


def test_the_published_stages():
    chosen = recipe("vae", "mnist", **BURDA_STAGES)
    assert chosen.binarized and chosen.likelihood == "bernoulli" and chosen.latent_dim == 50
    assert chosen.epochs == 3280 and chosen.batch_size == 20
    lengths, _ = zip(*chosen.learning_rate)
    assert lengths == (1, 3, 9, 27, 81, 243, 729, 2187)
    optimizer = chosen.optimizer(steps_per_epoch=3000, epochs=chosen.epochs)
    seen = rates(optimizer, (0, 2999, 3000, 3000 * 1093 - 1, 3000 * 1093, 3000 * 3280 - 1))
    wanted = [1e-3, 1e-3, 1e-3 * 10 ** (-1 / 7), 1e-3 * 10 ** (-6 / 7), 1e-4, 1e-4]
    assert seen == pytest.approx(wanted)


class Kill(keras.callbacks.Callback):
    """Ends a run within its third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 2:
            raise KeyboardInterrupt


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path):
    """The same steps, rates, bits and noise: so the same weights, but for rounding."""
    stages = ((1, 1e-2), (2, 1e-3), (1, 1e-4))
    chosen = recipe(
        "vae",
        binarized=True,
        likelihood="bernoulli",
        network_settings={"hidden": (8,)},
        latent_dim=2,
        num_train=100,
        batch_size=20,
        epochs=4,
        learning_rate=stages,
    )
    steps = 1 if keras.backend.backend() == "torch" else 3  # which takes 1 only
    settings = {"num_samples": 2, "verbose": 0, "steps_per_execution": steps}
    whole, _ = pretrain(chosen, tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        pretrain(chosen, tmp_path / "killed", callbacks=[Kill()], **settings)
    assert (tmp_path / "killed" / "backup" / "latest.weights.h5").exists()
    with pytest.raises(ValueError, match="interrupted run of another recipe"):
        pretrain(recipe("vae"), tmp_path / "killed", **settings)
    resumed, _ = pretrain(chosen, tmp_path / "killed", **settings)
    assert int(resumed.step.numpy()) == int(whole.step.numpy()) == 4 * 5
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    metadata = json.loads((tmp_path / "killed" / "metadata.json").read_text())
    assert metadata["recipe"]["learning_rate"] == [list(stage) for stage in stages]
    assert not (tmp_path / "killed" / "backup").exists()
