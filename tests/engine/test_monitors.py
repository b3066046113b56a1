"""Keras's callbacks that monitor a term know whether less or more of it is better."""

import numpy as np
import pytest
from keras import ops
from keras.callbacks import CallbackList, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from zoo import SHAPE, build, inputs

import keras_aevae as ka
from keras_aevae.engine.monitors import set_modes


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((16, *SHAPE), "float32")


class Spread(ka.VAE):
    """The loss subtracts a term of the user's own, and shows another."""

    def terms(self, x, outputs):
        size = ops.mean(ops.square(outputs["z_mean"]), axis=-1)
        return {**super().terms(x, outputs), "spread": size, "shown": size}

    def coefficients(self):
        return {**super().coefficients(), "spread": -0.1}


@pytest.mark.parametrize("row", ["FactorVAE", "VQVAE"])
def test_a_training_may_monitor_each_number_that_is_shown(row, x, tmp_path):
    """Each number has the callbacks of its own, all in one training."""
    model = build(row)
    model.compile()
    names = [*model.term_names, "loss", *(["perplexity"] if row.startswith("VQVAE") else [])]
    monitors = [f"{val}{name}" for name in names for val in ("", "val_")]
    callbacks = [
        [
            EarlyStopping(name, patience=9),
            ReduceLROnPlateau(name, patience=9),
            ModelCheckpoint(tmp_path / "best.keras", name, save_best_only=True)
            if name == "val_reconstruction"
            else EarlyStopping(name, patience=9, mode="min"),
        ]
        for name in monitors
    ]
    given, flat = inputs(row, x), [callback for own in callbacks for callback in own]
    settings = {"validation_data": (given,), "callbacks": flat, "verbose": 0}
    history = model.fit(given, epochs=2, **settings).history
    assert set(monitors) <= set(history)
    for name, (stop, slow, _) in zip(monitors, callbacks):
        more = name.endswith("perplexity")
        assert stop.best == (max if more else min)(history[name]), name
        assert slow.monitor_op is (ops.greater if more else ops.less)
    assert (tmp_path / "best.keras").exists()


def test_a_term_that_the_loss_subtracts_is_better_if_larger(x):
    model = Spread(*ka.networks.mlp(SHAPE, 2, hidden=(4,)), seed=1)
    model.compile(metrics=["mse"])
    names = {"spread": "max", "val_spread": "max", "shown": "min", "kl": "min", "mse": "auto"}
    callbacks = {name: EarlyStopping(name) for name in names}
    told = EarlyStopping("kl", mode="max")
    set_modes(CallbackList([*callbacks.values(), told]), model.mode_of, [])
    assert {name: callback.mode for name, callback in callbacks.items()} == names
    assert told.mode == "max"
    model.fit(x, callbacks=EarlyStopping("mse"), verbose=0)  # which Keras knows
