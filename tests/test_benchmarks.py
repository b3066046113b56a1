"""The benchmarks' scripts run on today's models. What they measure is in benchmarks/RESULTS.md."""

import importlib
import pathlib

import keras
import numpy as np
import pytest

from keras_aevae import VAE, networks

FOLDER = pathlib.Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A function that imports one of the scripts."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_the_loop_by_hand_has_the_models_loss(script):
    fit = script("fit")
    x = np.random.default_rng(0).random((8, 8, 8, 1), "float32")
    for build in (
        lambda s: networks.mlp(s, 2, hidden=(8,)),
        lambda s: networks.conv(s, 2, filters=(4,)),
    ):
        found = fit.contestants(keras.backend.backend(), x, build, 4, 1, {"defaults": ({}, False)})
        for run, _ in found.values():
            run()


def test_verbs_by_hand_give_what_the_model_gives(script):
    x = np.random.default_rng(0).random((8, 8, 8, 1), "float32")
    by_hand = script(f"by_hand.{keras.backend.backend()}")
    model = VAE(*networks.mlp(x.shape[1:], 2, hidden=(8,)))
    raw = by_hand.forward(script("by_hand").weights_of(model), x.shape[1:])
    np.testing.assert_allclose(raw["encode"](x), model.encode(x), atol=1e-5)
    np.testing.assert_allclose(raw["reconstruct"](x), model.reconstruct(x), atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="gpu.py has no such part")
def test_the_gradient_that_a_gpu_is_checked_by(script):
    x = np.random.default_rng(0).random((4, 8, 8, 1), "float32")
    model = VAE(*networks.mlp(x.shape[1:], 2, hidden=(8,)))
    noise = np.zeros((4, 2), "float32")
    loss, gradient = script("gpu").loss_and_gradient(model, x, noise)
    outputs = model.infer(x)
    outputs["z"] = outputs["z_mean"][:, None]
    terms = model.terms(x, outputs | model.generate(outputs))
    assert loss == pytest.approx(
        np.mean(sum(map(keras.ops.convert_to_numpy, terms.values()))), rel=1e-5
    )
    assert gradient.shape == (sum(int(np.prod(v.shape)) for v in model.trainable_variables),)
    assert np.linalg.norm(gradient) > 0


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="of PyTorch's recorded steps")
@pytest.mark.parametrize("name", ["all rewrites", "no denormals.flush"])
def test_an_ablation_takes_away_what_it_says(script, name):
    from keras_aevae.engine import denormals

    ablations = script("ablations")
    calls = []
    original, every = denormals.flush, denormals.EVERY
    x = keras.ops.convert_to_tensor(np.random.default_rng(0).random((8, 28, 28, 1), "float32"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(denormals, "flush", lambda o: calls.append(original(o)))
        patched.setitem(ablations.CASES, "MLP, 28x28: step", (ablations.MLP, 0, 1, set()))
        contestant = ablations.Contestant("MLP, 28x28: step", name, x, 4)
        contestant.seconds(2 * every)
    assert bool(calls) == (name == "all rewrites")


def test_members_train_beside_the_vae(script, capsys, caplog):
    members = script("members")
    x, vectors = members.table(16)
    cases = {
        "VAE, on vectors": (members.on_vectors(), vectors),
        "TabularVAE": (members.on_table(), x),
    }
    members.compare(cases, 1, {"epochs": 1, "batch_size": 8})
    assert capsys.readouterr().out.count("|") == 10
    images = np.random.default_rng(0).random((8, *members.SHAPE), "float32")
    for build in members.MEMBERS.values():
        model = build()
        model.compile()
        assert np.isfinite(model.fit(images, verbose=0).history["loss"]).all()
    assert "eagerly" not in caplog.text  # on PyTorch their steps are recorded
