"""Every shipped preset gives the numbers that it gave when it was made, on every backend."""

import json
import pathlib

import keras
import numpy as np
import pytest

import keras_aevae as ka

# Of `inputs_of`, on JAX, on the day that the format of the files changed last: before the change.
EXPECTED = json.loads(pathlib.Path(__file__).with_name("preset_numbers.json").read_text())
CLASSES = np.array([3, 1, 4], "int32")


def inputs_of(model):
    generator = np.random.default_rng(0)
    x = (generator.random((3, *model.data_shape)) < 0.3).astype("float32")
    return x, generator.normal(size=(3, model.latent_dim)).astype("float32")


def thinned(x):
    return x.reshape(len(x), -1)[:, ::97]


def numbers_of(model):
    x, z = inputs_of(model)
    condition = {"condition": CLASSES} if model.condition_dim else {}
    numbers = {
        "encode": model.encode(x, **condition)[:, :32],
        "decode": thinned(model.decode(z, **condition)),
        "reconstruct": thinned(model.reconstruct(x, **condition)),
    }
    if model.stores == "codebook":
        indices = model.encode_indices(x)
        samples = thinned(model.sample(2, seed=0))
        more = {"indices": indices.reshape(3, -1), "elbo": model.elbo(x), "sample": samples}
    elif isinstance(model.prior, ka.distributions.VampPrior):
        more = {"log_prior": keras.ops.convert_to_numpy(model.p().log_prob(z))}
    elif model.stores == "distribution" and not isinstance(model, ka.IWAE):
        more = {"kl": model.evaluate_terms(x, **condition)["kl"]}
    else:
        more = {}
    return numbers | more


@pytest.mark.parametrize("name", EXPECTED)
def test_numbers_of_a_preset(name):
    numbers = numbers_of(ka.Autoencoder.from_preset(f"{name}/1"))
    assert set(EXPECTED[name]) == set(numbers)
    for what, value in numbers.items():
        np.testing.assert_allclose(value, EXPECTED[name][what], atol=1e-5, rtol=1e-5, err_msg=what)
