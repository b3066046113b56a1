"""The optimizer in files: its state is restored, on every backend, and nothing is said in vain."""

import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae._requirements import installed_backends
from keras_aevae.engine import private

SHAPE = (6,)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((16, *SHAPE), "float32")


def build(optimizer=None):
    model = ka.VAE(*ka.networks.mlp(SHAPE, 2, hidden=(4,)), seed=1)
    if optimizer:
        model.compile(optimizer)
    return model


@pytest.fixture(scope="module")
def files(x, tmp_path_factory):
    """Files of weights: of a model that was trained, made only, and not even compiled."""
    path = tmp_path_factory.mktemp("files")
    models = {"trained": build("adam"), "made": build("adam"), "bare": build()}
    models["trained"].fit(x, verbose=0)
    for name, model in models.items():
        model.save_weights(path / f"{name}.weights.h5")
    for name in ("trained", "made"):
        models[name].save(path / f"{name}.keras")
    return path, models


@pytest.fixture
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def state(model):
    return [v.numpy() for v in model.optimizer.variables]


def test_weights_come_with_the_optimizers_state(files, x, no_warnings):
    path, models = files
    model = build("adam")
    model.load_weights(path / "trained.weights.h5")
    assert len(state(model)) > 2
    for a, b in zip(state(model), state(models["trained"]), strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(x, verbose=0)


@pytest.mark.parametrize("name", ["made", "bare"])
def test_a_file_without_a_state_is_loaded_without_a_word(name, files, x, no_warnings):
    path, models = files
    model = build("adam")
    for _ in range(2):  # before the first step, and after it
        model.load_weights(path / f"{name}.weights.h5")
        for a, b in zip(model.get_weights(), models[name].get_weights()):
            np.testing.assert_array_equal(a, b)
        model.fit(x, verbose=0)


def test_another_optimizer_is_said(files):
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        build("sgd").load_weights(files[0] / "trained.weights.h5")


@pytest.mark.parametrize("name", ["trained", "made"])
def test_a_whole_model_is_loaded_without_a_word(name, files, x, no_warnings):
    model = keras.saving.load_model(files[0] / f"{name}.keras")
    for a, b in zip(state(model), state(files[1][name])):
        np.testing.assert_array_equal(a, b)
    model.fit(x, verbose=0)


def renamed(config):
    """`config` with the class that Keras writes on PyTorch in place of its Adam."""
    if isinstance(config, dict):
        config = {k: renamed(v) for k, v in config.items()}
        if config.get("class_name") == "Adam":
            config["module"] = "keras.src.backend.torch.optimizers.torch_adam"
    return config


ADAM = keras.optimizers.Adam


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda model: ADAM(0.01),
        lambda model: ka.optimizers(model, ADAM(0.01), encoder=ADAM(0.1)),
        lambda model: ka.SkipLargeGradients(ADAM(0.01), max_norm=100.0),
        lambda model: keras.optimizers.LossScaleOptimizer(ADAM(0.01)),
    ],
)
def test_an_optimizer_of_pytorch_is_made_on_every_backend(optimizer, x):
    model = build()
    model.compile(optimizer(model))
    config = renamed(keras.saving.serialize_keras_object(model)["compile_config"])
    assert "torch_adam" in str(config) and "torch_adam" not in str(private.of_any_backend(config))
    again = build()
    again.compile_from_config(config)
    assert type(again.optimizer) is type(model.optimizer)
    again.fit(x, verbose=0)
    assert int(again.step.numpy()) == 1


def test_whether_steps_are_compiled_is_left_to_the_backend():
    model = build()
    for given in ("auto", False):
        model.compile(jit_compile=given)
        assert model.get_compile_config()["jit_compile"] == given


@pytest.mark.skipif(
    keras.backend.backend() != "torch" or "tensorflow" not in installed_backends(),
    reason="of a model that was trained on PyTorch, which TensorFlow reads",
)
def test_a_model_trained_on_pytorch_goes_on_training_on_tensorflow(files):
    code = (
        "import keras, numpy as np, keras_aevae\n"
        f"model = keras.saving.load_model({str(files[0] / 'trained.keras')!r})\n"
        "before = [v.numpy() for v in model.optimizer.variables]\n"
        "model.fit(np.full((16, 6), 0.5, 'float32'), verbose=0)\n"
        "print(type(model.optimizer).__name__, int(before[0]), int(model.step.numpy()))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["Adam", "1", "2"]


# What Keras says of data that it can't shuffle.


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return (np.full((8, *SHAPE), 0.1 + 0.5 * i, "float32"),)


def test_data_that_keras_cannot_shuffle_are_taken_without_a_word(x, no_warnings):
    model = build("adam")
    model.fit(((x[:8],) for _ in range(3)), steps_per_epoch=2, verbose=0)
    model.fit(Batches(), verbose=0)
    with pytest.warns(UserWarning, match="`shuffle=True` was passed"):
        model.fit(((x[:8],) for _ in range(3)), steps_per_epoch=2, shuffle=True, verbose=0)
