"""Several steps in one execution: the same training, and everyone sees what they look at."""

import re

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae.engine.executions import MOST, looks_at_batches, number_of_batches, steps_at_once

TENSORFLOW = keras.backend.backend() == "tensorflow"
SIZE, STEPS = 8, 23
X = np.random.default_rng(0).uniform(size=(SIZE * STEPS - 3, 6)).astype("float32")


def build(**settings):
    keras.utils.set_random_seed(0)
    model = ka.VAE(*ka.networks.mlp((6,), latent_dim=2, hidden=(8,)), seed=1000)
    model.compile(keras.optimizers.Adam(0.01), **settings)
    return model


def count_executions(model):
    model.make_train_function()
    function, calls = model.train_function, []

    def counted(*arguments):
        calls.append(model.steps_per_execution)
        return function(*arguments)

    model.train_function = counted
    return calls


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return STEPS

    def __getitem__(self, i):
        return (X[SIZE * i : SIZE * (i + 1)],)


def tf_data(x):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(x).batch(SIZE)


def endless():
    while True:
        for i in range(STEPS):
            yield (X[SIZE * i : SIZE * (i + 1)],)


class Watches(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(batch)


SETTINGS = {
    "arrays": ({}, 4),
    "validation": ({"validation_data": (X[:50],)}, 4),
    "validation_steps": ({"validation_data": (X[:50],), "validation_steps": 2}, 2),
    "some of the data": ({"steps_per_epoch": 20}, 1),
    "steps_per_epoch": ({"x": endless, "steps_per_epoch": 20}, 4),
    "prime number of steps": ({"x": endless, "steps_per_epoch": 19}, 1),
    "initial_epoch": ({"initial_epoch": 1}, 4),
    "a callback of epochs": ({"callbacks": keras.callbacks.EarlyStopping("loss")}, 4),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_training(name):
    settings, steps = SETTINGS[name]
    settings = {"epochs": 3, "shuffle": False, "verbose": 0} | settings
    if "x" in settings:
        data, _ = settings.pop("x"), settings.pop("shuffle")
    else:
        settings |= {"batch_size": SIZE}

        def data():
            return X

    callbacks = keras.tree.flatten(settings.pop("callbacks", []))
    model, watched, watch = build(), build(), Watches()
    calls = count_executions(model)
    history = model.fit(data(), callbacks=callbacks, **settings).history
    expected = watched.fit(data(), callbacks=[*callbacks, watch], **settings).history
    assert history.keys() == expected.keys()
    for key in expected:
        np.testing.assert_allclose(history[key], expected[key], rtol=1e-5, err_msg=key)
    for ours, theirs in zip(model.variables, watched.variables):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6)
    epochs, num_steps = len(history["loss"]), settings.get("steps_per_epoch", STEPS)
    steps = steps if TENSORFLOW else 1
    assert set(calls) == {steps}
    if name != "some of the data":  # Keras's epochs then differ in their number of steps
        assert watch.seen == list(range(num_steps)) * epochs
        assert len(calls) == -(-num_steps // steps) * epochs
    assert model.steps_per_execution == watched.steps_per_execution == 1
    assert int(model.step.numpy()) == len(watch.seen)


@pytest.mark.skipif(not TENSORFLOW, reason="one step at once")
def test_every_kind_of_data_with_a_known_length():
    for data in (Batches(), tf_data(X)):
        model = build()
        calls = count_executions(model)
        losses = model.fit(data, shuffle=False, verbose=0).history["loss"]
        assert calls == [4] * 6
        np.testing.assert_allclose(
            losses, build().fit(X, batch_size=SIZE, shuffle=False, verbose=0).history["loss"], 1e-5
        )
    assert number_of_batches(iter([X]), {}) is None
    assert steps_at_once(build(), iter([X]), {}) == 1
    assert steps_at_once(build(), np.zeros((32_000, 6)), {}) == MOST


def test_settings_of_the_users_own_stay():
    for settings in ({"steps_per_execution": 3}, {"run_eagerly": True}):
        if keras.backend.backend() != "torch" or "steps_per_execution" not in settings:
            model = build(**settings)
            calls = count_executions(model)
            model.fit(X, batch_size=SIZE, verbose=0)
            assert set(calls) == {settings.get("steps_per_execution", 1)}


def test_who_looks_at_batches(tmp_path):
    callbacks = keras.callbacks

    class Own(callbacks.ModelCheckpoint):
        def on_train_batch_begin(self, batch, logs=None):
            pass

    path = str(tmp_path / "model.keras")
    for callback in (
        callbacks.ModelCheckpoint(path, save_freq=10),
        callbacks.BackupAndRestore(tmp_path / "backup", save_freq=10),
        callbacks.TerminateOnNaN(),
        callbacks.LambdaCallback(on_train_batch_begin=print),
        callbacks.ProgbarLogger(),
        Own(path),
        Watches(),
    ):
        assert looks_at_batches(callback), callback
    for callback in (
        callbacks.ModelCheckpoint(path),
        callbacks.BackupAndRestore(tmp_path / "backup"),
        callbacks.LambdaCallback(on_epoch_end=print),
        callbacks.EarlyStopping(),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.ReduceLROnPlateau(),
        callbacks.LearningRateScheduler(lambda epoch: 0.1),
        callbacks.History(),
    ):
        assert not looks_at_batches(callback), callback


def test_a_callback_may_use_the_model():
    """Though `fit` takes several steps at once; what it asks for was compiled for one."""
    model, codes = build(), []
    model.predict(X, batch_size=SIZE, verbose=0)

    class Asks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            codes.append(self.model.predict(X, batch_size=SIZE, verbose=0)["z_mean"])
            self.model.evaluate(X, batch_size=SIZE, verbose=0)

    model.fit(X, batch_size=SIZE, epochs=2, verbose=0, callbacks=[Asks()])
    np.testing.assert_allclose(codes[-1], model.encode(X), atol=1e-5)
    assert len(codes[0]) == len(X)


def test_a_callback_may_take_single_batches():
    model, found = build(), []

    class Asks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append(self.model.predict_on_batch(X[:SIZE])["z_mean"])
            self.model.test_on_batch(X[:SIZE])

    model.fit(X, batch_size=SIZE, epochs=2, verbose=0, callbacks=[Asks()])
    np.testing.assert_allclose(found[-1], model.encode(X[:SIZE]), atol=1e-5)
    np.testing.assert_allclose(
        model.predict(X, batch_size=SIZE, verbose=0)["z_mean"], model.encode(X), atol=1e-5
    )


def test_the_bar_moves_to_its_end_and_no_further(capsys):
    build().fit(X, batch_size=SIZE, verbose=1)
    printed = capsys.readouterr().out
    shown = {int(number) for number in re.findall(rf"(\d+)/{STEPS}", printed)}
    assert max(shown) == STEPS and len(shown) >= 2


@pytest.mark.skipif(not TENSORFLOW, reason="on the others Keras itself builds the optimizer")
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_evaluation_needs_no_state_of_the_optimizer(run_eagerly):
    model = build(run_eagerly=run_eagerly)
    model.evaluate(X[:SIZE], verbose=0)
    model.test_on_batch(X[:SIZE])
    assert not model.optimizer.built
    model.train_on_batch(X[:SIZE])
    assert model.optimizer.built
