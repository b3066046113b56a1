"""What every model of the zoo promises. A new model is one row in `ZOO`."""

import json

import keras
import numpy as np
import pytest

import keras_aevae as ka

# name: the class, and settings beyond encoder and decoder.
ZOO = {
    "Autoencoder": (ka.Autoencoder, {}),
    "VAE": (ka.VAE, {}),
    "VAE, warm-up, free bits, calibrated Gaussian": (
        ka.VAE,
        {
            "beta": ka.objectives.LinearWarmUp(20),
            "free_bits": 0.05,
            "likelihood": "gaussian",
        },
    ),
    "Autoencoder, learned Gaussian": (
        ka.Autoencoder,
        {"likelihood": ka.distributions.Gaussian("learned")},
    ),
    "VAE, discretised logistic": (ka.VAE, {"likelihood": "discretized_logistic"}),
}
SHAPE, LATENT = (8, 8, 1), 3


@pytest.fixture(params=ZOO, scope="module")
def row(request):
    return request.param


@pytest.fixture(scope="module")
def digits():
    (x_train, _), (x_test, _) = ka.datasets.load("digits")
    return x_train[:512], x_test[:64]


def build(row, shape=SHAPE, network=ka.networks.mlp, **settings):
    cls, own = ZOO[row]
    keras.utils.set_random_seed(1)
    likelihood = ka.distributions.get_likelihood(own.get("likelihood", "bernoulli"))
    size = {"hidden": (32,)} if network is ka.networks.mlp else {"filters": (4, 8), "hidden": 16}
    encoder, decoder = network(
        shape, LATENT, outputs_per_value=likelihood.outputs_per_value, **size
    )
    # A likelihood with weights belongs to one model: make it anew from its config.
    fresh = type(likelihood).from_config(likelihood.get_config())
    return cls(encoder, decoder, **{**own, "likelihood": fresh, "seed": 1000, **settings})


@pytest.fixture(scope="module")
def trained(row, digits):
    model = build(row)
    model.compile()
    history = model.fit(digits[0], epochs=5, verbose=0, validation_data=(digits[1],))
    return model, history.history


def test_fit_lowers_the_loss_and_shows_every_term(row, trained):
    model, history = trained
    reconstruction = history["reconstruction"]
    assert reconstruction[-1] < reconstruction[0] - 1.0  # nats, of the tens at the start
    for name in ("loss", *model.term_names):
        assert np.isfinite(history[name]).all() and np.isfinite(history[f"val_{name}"]).all()


def test_evaluate_is_the_weighed_mean_of_the_terms(row, trained, digits):
    model, _ = trained
    # Noise differs between the two passes: average it out where there is any.
    passes = [model.evaluate(digits[1], verbose=0, return_dict=True) for _ in range(20)]
    own = [model.evaluate_terms(digits[1]) for _ in range(20)]
    coefficients = {
        name: float(value) if isinstance(value, float) else float(keras.ops.convert_to_numpy(value))
        for name, value in model.coefficients().items()
    }
    total = 0.0
    for name in model.term_names:
        terms = np.array([terms[name] for terms in own])
        assert terms.shape == (20, len(digits[1]))
        mean, means = terms.mean(), np.array([p[name] for p in passes])
        error = np.hypot(terms.mean(axis=1).std(), means.std()) / np.sqrt(20)
        assert abs(mean - means.mean()) <= 5 * error + 1e-4 * abs(mean)
        total = total + coefficients.get(name, 1.0) * means
    losses = np.array([p["loss"] for p in passes])
    np.testing.assert_allclose(losses, total, rtol=1e-5)


def test_predict_gives_the_documented_dict(row, trained, digits):
    model, _ = trained
    outputs = model.predict(digits[1], verbose=0)
    assert {"reconstruction", "decoder_output", "z", "z_mean"} <= set(outputs)
    n = len(digits[1])
    assert outputs["reconstruction"].shape == (n, *SHAPE)
    assert outputs["decoder_output"].shape == (n, *model.likelihood.params_shape(SHAPE))
    assert outputs["z"].shape == outputs["z_mean"].shape == (n, LATENT)
    if isinstance(model, ka.VAE):
        noise = (outputs["z"] - outputs["z_mean"]) / np.exp(0.5 * outputs["z_log_var"])
        assert 0.7 < noise.std() < 1.3 and abs(noise.mean()) < 0.4  # 192 draws of N(0, 1)
    else:
        np.testing.assert_array_equal(outputs["z"], outputs["z_mean"])


def test_verbs(row, trained, digits):
    model, _ = trained
    x = digits[1]
    z = model.encode(x)
    np.testing.assert_allclose(z, model.predict(x, verbose=0)["z_mean"], atol=1e-5)
    np.testing.assert_allclose(model.encode(x, batch_size=7), z, atol=1e-5)
    np.testing.assert_allclose(model.encode(x[3:4])[0], z[3], atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(x), model.decode(z), atol=1e-5)
    path = model.interpolate(x[:2], x[2:4], steps=5)
    assert path.shape == (2, 5, *SHAPE)
    np.testing.assert_allclose(path[:, 0], model.reconstruct(x[:2]), atol=1e-5)
    np.testing.assert_allclose(path[:, -1], model.reconstruct(x[2:4]), atol=1e-5)
    np.testing.assert_allclose(path[:, 2], model.decode((z[:2] + z[2:4]) / 2), atol=1e-5)
    samples = model.sample(5, seed=3)
    assert samples.shape == (5, *SHAPE) and samples.std(axis=0).max() > 0
    np.testing.assert_array_equal(samples, model.sample(5, seed=3))
    assert (samples != model.sample(5, seed=4)).any()
    assert model.sample(5, codes=z, seed=3).shape == (5, *SHAPE)


def same_model(first, second, x):
    np.testing.assert_allclose(first.encode(x), second.encode(x), atol=1e-6)
    np.testing.assert_allclose(first.reconstruct(x), second.reconstruct(x), atol=1e-6)
    for a, b in zip(first.weights, second.weights):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), err_msg=a.path
        )


def test_save_and_reload_whole(row, trained, digits, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    same_model(model, again, digits[1])
    iterations = int(again.optimizer.iterations)
    assert iterations == int(model.optimizer.iterations) == 5 * 16
    again.fit(digits[0][:64], verbose=0)  # it goes on, compiled
    assert int(again.optimizer.iterations) == iterations + 2


def test_save_and_reload_weights_and_preset(row, trained, digits, tmp_path):
    model, _ = trained
    model.save_weights(tmp_path / "m.weights.h5")
    fresh = build(row)
    fresh.compile()
    fresh.load_weights(tmp_path / "m.weights.h5")
    same_model(model, fresh, digits[1])
    model.save_to_preset(tmp_path / "preset")
    same_model(model, ka.Autoencoder.from_preset(tmp_path / "preset"), digits[1])
    architecture = type(model).from_preset(tmp_path / "preset", load_weights=False)
    assert type(architecture) is type(model)
    assert np.abs(architecture.encode(digits[1]) - model.encode(digits[1])).max() > 1e-3


def test_config_round_trip(row):
    model = build(row)
    config = model.get_config()
    text = json.dumps(config)
    again = type(model).from_config(json.loads(text))
    assert json.dumps(again.get_config()) == text


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(row, policy, digits):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build(row)
        model.compile()
        history = model.fit(digits[0][:256], epochs=2, verbose=0).history
        terms = model.evaluate_terms(digits[1])
    finally:
        keras.config.set_dtype_policy(before)
    assert history["reconstruction"][1] < history["reconstruction"][0]
    assert np.isfinite(history["loss"]).all()
    assert all(values.dtype == "float32" for values in terms.values())
    assert model.decoder.compute_dtype == policy.removeprefix("mixed_")


def test_seeds_reproduce(row, digits):
    def losses():
        model = build(row)
        model.compile()
        return model.fit(digits[0], epochs=2, verbose=0).history["loss"]

    np.testing.assert_allclose(losses(), losses(), rtol=1e-6)


@pytest.mark.parametrize(
    "shape, network",
    [((13,), "mlp"), ((9, 7, 3), "conv"), ((5, 12, 4), "conv"), ((6, 5, 1), "mlp")],
    ids=str,
)
def test_odd_shapes(row, shape, network):
    model = build(row, shape, getattr(ka.networks, network))
    x = np.random.default_rng(0).random((20, *shape), "float32")
    model.compile()
    model.fit(x, verbose=0)
    assert model.reconstruct(x).shape == x.shape
    assert np.isfinite(model.sample(3)).all()


def test_no_two_classes_share_a_name():
    registered = keras.saving.get_custom_objects()
    ours = [name for name in registered if name.startswith("keras_aevae>")]
    for name in ours:
        assert registered[name].__name__ == name.split(">")[1]
        assert registered[name].__module__.startswith("keras_aevae.")
    for cls, _ in ZOO.values():
        assert keras.saving.get_registered_object(f"keras_aevae>{cls.__name__}") is cls
