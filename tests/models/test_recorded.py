"""What PyTorch's recorded steps must be: the same as Keras's own, for every model of the zoo."""

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae import networks

if keras.backend.backend() != "torch":
    pytest.skip("PyTorch's alone", allow_module_level=True)

import torch

from keras_aevae.models.recorded import MOST_SHAPES, Recorded

SHAPE, LATENT = (6,), 2


def networks_of(**settings):
    return networks.mlp(SHAPE, LATENT, hidden=(8,), **settings)


MODELS = {
    "AE": lambda: ka.Autoencoder(*networks_of(), seed=1),
    "VAE": lambda: ka.VAE(*networks_of(), seed=1),
    "VAE, calibrated, warm-up, free bits": lambda: ka.VAE(
        *networks_of(),
        likelihood="gaussian",
        beta=ka.objectives.LinearWarmUp(5),
        free_bits=0.1,
        seed=1,
    ),
    "VAE, 3 draws": lambda: ka.VAE(*networks_of(), num_samples=3, seed=1),
    "VampPrior": lambda: ka.VampPriorVAE(*networks_of(), num_components=4, seed=1),
    "IWAE": lambda: ka.IWAE(*networks_of(), num_samples=3, seed=1),
    "PIWAE": lambda: ka.PIWAE(*networks_of(), num_samples=2, num_bounds=2, seed=1),
    "FactorVAE": lambda: ka.FactorVAE(*networks_of(), discriminator=(8,), seed=1),
    "VQ-VAE": lambda: ka.VQVAE(
        *networks_of(), quantizer=ka.layers.VectorQuantizer(8, revive_below=1.0, seed=2), seed=1
    ),
    "dropout and batch normalisation": lambda: ka.VAE(
        keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.Dense(8, use_bias=False, kernel_regularizer="l2"),
                keras.layers.BatchNormalization(),
                keras.layers.ActivityRegularization(l2=0.01),
            ]
        ),
        networks_of()[1],
        seed=1,
    ),
}


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(0.1, 0.9, size=(40, *SHAPE)).astype("float32")


def trained(build, x, optimizer="adam", **settings):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(optimizer if isinstance(optimizer, str) else optimizer(), **settings)
    history = model.fit(x, batch_size=8, epochs=4, shuffle=False, validation_data=(x,), verbose=0)
    return model, history.history


def check_equal(build, x, optimizer="adam"):
    recorded, history = trained(build, x, optimizer)
    eager, expected = trained(build, x, optimizer, run_eagerly=True)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for ours, theirs in zip(recorded.variables, eager.variables):
        np.testing.assert_allclose(
            ours.numpy(), theirs.numpy(), rtol=1e-3, atol=1e-5, err_msg=ours.path
        )
    return recorded


def graphs(function):
    return [graph for graph in function.graphs.values() if isinstance(graph, tuple)]


@pytest.mark.parametrize("name", MODELS)
def test_equals_keras_step(name, x):
    model = check_equal(MODELS[name], x)
    assert graphs(model.train_function) and graphs(model.test_function)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 20)),
        lambda: keras.optimizers.Adam(0.01, amsgrad=True, weight_decay=0.1, global_clipnorm=0.5),
        lambda: keras.optimizers.AdamW(0.01),
        lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        lambda: keras.optimizers.Adam(0.01, use_ema=True),
    ],
)
def test_optimizers(optimizer, x):
    model = check_equal(MODELS["VAE"], x, optimizer)
    assert graphs(model.train_function)


def test_noise_is_new_in_every_step(x):
    model, _ = trained(MODELS["VAE"], x)
    codes = [model.encode(x, sample=True) for _ in range(4)]
    assert len({c.tobytes() for c in codes}) == 4
    assert graphs(model._compiled[("_encode", ("sample", True))].recorded)


def test_the_users_own_step_runs(x):
    calls = []

    class Own(ka.VAE):
        def train_step(self, data):
            calls.append(1)
            return super().train_step(data)

    model = Own(*networks_of())
    model.compile()
    model.fit(x, batch_size=8, epochs=2, verbose=0)
    assert len(calls) == 10 and not isinstance(model.train_function, Recorded)


def test_what_cannot_be_recorded_runs_eagerly(x):
    class Branches(ka.VAE):
        def terms(self, x, outputs):
            terms = super().terms(x, outputs)
            if float(terms["kl"].sum()) > -1:  # reads the tensor's value
                return terms

    recorded, history = trained(lambda: Branches(*networks_of(), seed=1), x)
    _, expected = trained(MODELS["VAE"], x)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)
    assert not graphs(recorded.train_function)


def test_shapes():
    calls = []

    def double(a):
        calls.append(1)
        return {"b": 2 * a["y"], "a": a["x"]}

    recorded = Recorded(double, lambda mapping, a: double(a), list)
    for _ in range(5):
        for n in (1, 2, 3):
            a, b = torch.arange(float(n)), torch.ones(n)
            outputs = recorded({"y": a, "x": b})  # not in the order of the alphabet
            np.testing.assert_array_equal(outputs["b"], 2 * a)
            np.testing.assert_array_equal(outputs["a"], b)
    assert len(calls) == 2 * 3  # once eagerly, once recorded, of each shape
    for n in range(100):
        recorded({"y": torch.ones(n), "x": torch.ones(n)})
    assert len(graphs(recorded)) <= MOST_SHAPES


def test_a_change_of_the_rate_counts(x):
    model, _ = trained(MODELS["VAE"], x)
    before = [v.numpy().copy() for v in model.trainable_variables]
    model.optimizer.learning_rate = 0.0
    model.fit(x, batch_size=8, verbose=0)
    for v, old in zip(model.trainable_variables, before):
        np.testing.assert_array_equal(v.numpy(), old)
