"""The same weights and noise give the same numbers on every backend.

Each backend is held against one reference, written in NumPy, so they agree with each other; and
a preset saved here is loaded by the others, each in a process of its own.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae._requirements import installed_backends
from keras_aevae.distributions import diagonal_gaussian

N, D, HIDDEN, LATENT = 16, 12, 10, 3


def reference(weights, x, noise, beta):
    """A VAE of one hidden layer under a Bernoulli, as the paper's equations say, in float64."""
    w1, b1, w2, b2, w3, b3, wh, bh = weights
    h = np.maximum(x @ w1 + b1, 0)
    raw = h @ wh + bh
    z_mean, z_log_var = raw[:, :LATENT], 15 * np.tanh(raw[:, LATENT:] / 15)
    z = z_mean + np.exp(z_log_var / 2) * noise
    logits = np.maximum(z @ w2 + b2, 0) @ w3 + b3
    p = 1 / (1 + np.exp(-logits))
    reconstruction = -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1)
    kl = 0.5 * np.sum(np.exp(z_log_var) + z_mean**2 - 1 - z_log_var, axis=1)
    return {
        "z_mean": z_mean,
        "z_log_var": z_log_var,
        "z": z,
        "reconstruction": p,
        "decoder_output": logits,
        "terms": {"reconstruction": reconstruction, "kl": kl},
        "loss": np.mean(reconstruction + beta * kl),
    }


def test_outputs_and_losses_equal_a_numpy_reference(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.random((N, D))
    noise = rng.normal(size=(N, LATENT))
    encoder, decoder = ka.networks.mlp((D,), LATENT, hidden=(HIDDEN,))
    vae = ka.VAE(encoder, decoder, beta=2.5)
    weights = [rng.normal(size=v.shape) * 0.5 for v in vae.trainable_variables]
    for variable, value in zip(vae.trainable_variables, weights):
        variable.assign(value)
    expected = reference(weights, x, noise, vae.beta)

    def normal(shape, seed=None):
        return keras.ops.convert_to_tensor(noise.astype("float32"))[None, : shape[1]]

    monkeypatch.setattr(diagonal_gaussian, "normal", normal)
    x = x.astype("float32")
    vae.compile()
    outputs = vae.predict(x, verbose=0)
    for name in ("z_mean", "z_log_var", "z", "reconstruction", "decoder_output"):
        np.testing.assert_allclose(outputs[name], expected[name], rtol=1e-5, atol=1e-5)
    for name, term in vae.evaluate_terms(x).items():
        np.testing.assert_allclose(term, expected["terms"][name], rtol=1e-5)
    loss = vae.evaluate(x, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(expected["loss"], rel=1e-5)


SCRIPT = """
import json, sys
import numpy as np
import keras_aevae as ka
from keras_aevae.distributions import diagonal_gaussian
model = ka.Autoencoder.from_preset(sys.argv[1])
x = np.load(sys.argv[2])
np.savez(
    sys.argv[3],
    encode=model.encode(x),
    reconstruct=model.reconstruct(x),
    decode=model.decode(np.linspace(-2, 2, 3 * model.latent_dim).reshape(3, -1)),
    kl=model.predict(x, verbose=0)["z_log_var"],
)
"""


def in_a_process(backend, *arguments):
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_a_preset_gives_the_same_numbers_on_the_other_backends(tmp_path):
    vae = ka.VAE(*ka.networks.conv((11, 14, 3), LATENT, filters=(4, 8), hidden=16, kernel_size=3))
    x = np.random.default_rng(0).random((5, 11, 14, 3), "float32")
    vae.compile()
    vae.fit(x, epochs=2, verbose=0)
    vae.save_to_preset(tmp_path / "preset")
    np.save(tmp_path / "x.npy", x)
    own = json.loads((tmp_path / "preset" / "metadata.json").read_text())["backend"]
    assert own == keras.backend.backend()
    others = [name for name in installed_backends() if name != own]
    running = [
        in_a_process(name, tmp_path / "preset", tmp_path / "x.npy", tmp_path / f"{name}.npz")
        for name in others
    ]
    z = np.linspace(-2, 2, 3 * LATENT).reshape(3, -1)
    expected = {
        "encode": vae.encode(x),
        "reconstruct": vae.reconstruct(x),
        "decode": vae.decode(z),
        "kl": vae.predict(x, verbose=0)["z_log_var"],
    }
    for name, process in zip(others, running):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        with np.load(tmp_path / f"{name}.npz") as received:
            for key, value in expected.items():
                np.testing.assert_allclose(received[key], value, rtol=1e-5, atol=1e-5)
