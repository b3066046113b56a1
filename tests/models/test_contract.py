"""What every model of the zoo promises. A new model is one row in `zoo.ZOO`."""

import json

import keras
import numpy as np
import pytest
from zoo import GRID, ONE_EACH, SHAPE, ZOO, build, given, inputs

import keras_aevae as ka


@pytest.fixture(params=ZOO, scope="module")
def row(request):
    return request.param


@pytest.fixture(scope="module")
def digits():
    (x_train, _), (x_test, _) = ka.datasets.load("digits")
    return x_train[:512], x_test[:64]


@pytest.fixture(scope="module")
def trained(row, digits):
    model = build(row)
    model.compile()
    x, x_test = (inputs(row, x) for x in digits)
    history = model.fit(x, epochs=5, verbose=0, validation_data=(x_test,))
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
    x, condition = inputs(row, digits[1]), given(row, len(digits[1]))
    passes = [model.evaluate(x, verbose=0, return_dict=True) for _ in range(20)]
    own = [model.evaluate_terms(digits[1], **condition) for _ in range(20)]
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
        # (FactorVAE's discriminator sees batches of other sizes in the two: its bias differs.)
        if name != "discriminator":
            assert abs(mean - means.mean()) <= 5 * error + 1e-4 * abs(mean)
        total = total + coefficients.get(name, 0.0) * means
    losses = np.array([p["loss"] for p in passes])
    np.testing.assert_allclose(losses, total, rtol=1e-5)


def test_predict_gives_the_documented_dict(row, trained, digits):
    model, _ = trained
    outputs = model.predict(inputs(row, digits[1]), verbose=0)
    assert {"reconstruction", "decoder_output", "z", "z_mean"} <= set(outputs)
    n = len(digits[1])
    draws = getattr(model, "num_draws", 1)
    between = (draws,) if draws > 1 else ()
    assert outputs["reconstruction"].shape == (n, *SHAPE)
    assert outputs["z_mean"].shape == (n, model.latent_dim)
    assert outputs["z"].shape == (n, *between, model.latent_dim)
    params = model.likelihood.params_shape(SHAPE)
    assert outputs["decoder_output"].shape == (n, *between, *params)
    if "z_log_var" in outputs:
        mean, log_var = (
            outputs[name].reshape(n, *(1 for _ in between), -1) for name in ("z_mean", "z_log_var")
        )
        noise = (outputs["z"] - mean) / np.exp(0.5 * log_var)
        assert 0.7 < noise.std() < 1.3 and abs(noise.mean()) < 0.4  # 192 draws of N(0, 1)
    elif "indices" not in outputs:
        np.testing.assert_array_equal(outputs["z"], outputs["z_mean"])


def test_verbs(row, trained, digits):
    model, _ = trained
    x, n = digits[1], len(digits[1])
    c = given(row, n)
    first = {name: value[:2] for name, value in c.items()}
    z = model.encode(x, **c)
    assert z.shape == (n, model.latent_dim)
    outputs = model.predict(inputs(row, x), verbose=0)
    own = outputs["z" if "indices" in outputs else "z_mean"]
    np.testing.assert_allclose(z, own, atol=1e-5)
    kept = z.copy()
    np.testing.assert_allclose(model.encode(x, batch_size=7, **c), z, atol=1e-5)
    model.encode(x[::-1], **{name: value[::-1] for name, value in c.items()})
    np.testing.assert_array_equal(z, kept)  # its memory is its own
    assert z.flags.writeable
    one = {name: value[3:4] for name, value in c.items()}
    np.testing.assert_allclose(model.encode(x[3:4], **one)[0], z[3], atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(x, **c), model.decode(z, **c), atol=1e-5)
    assert model.encode(x, sample=True, **c).shape == z.shape
    path = model.interpolate(x[:2], x[2:4], steps=5, **first)
    assert path.shape == (2, 5, *SHAPE)
    np.testing.assert_allclose(path[:, 0], model.reconstruct(x[:2], **first), atol=1e-5)
    np.testing.assert_allclose(path[:, -1], model.reconstruct(x[2:4], **first), atol=1e-5)
    middle = (model.encode(x[:2], **first) + model.encode(x[2:4], **first)) / 2
    np.testing.assert_allclose(path[:, 2], model.decode(middle, **first), atol=1e-5)


def test_sample(row, trained, digits):
    model, _ = trained
    if not ZOO[row].samples:
        with pytest.raises(ValueError, match="`sample` needs a prior"):
            model.sample(5)
        return
    c = given(row, 5)
    samples = model.sample(5, seed=3, **c)
    assert samples.shape == (5, *SHAPE) and samples.std(axis=0).max() > 0
    np.testing.assert_array_equal(samples, model.sample(5, seed=3, **c))
    assert (samples != model.sample(5, seed=4, **c)).any()
    z = model.encode(digits[1], **given(row, len(digits[1])))
    assert model.sample(5, codes=z, seed=3, **c).shape == (5, *SHAPE)


def test_bounds_of_the_likelihood(row, trained, digits):
    model, _ = trained
    if not isinstance(model, ka.VAE):
        assert not hasattr(model, "log_likelihood")
        with pytest.raises(AttributeError, match="has no `log_likelihood`: its codes have no den"):
            model.log_likelihood(digits[1])
        with pytest.raises(AttributeError, match="no attribute 'log_likelihoods'"):
            model.log_likelihoods()
        return
    x, c = digits[1], given(row, len(digits[1]))
    elbo = model.elbo(x, num_samples=20, **c)
    terms = [model.evaluate_terms(x, **c) for _ in range(20)]
    own = -np.mean([t["reconstruction"] + t["kl"] for t in terms], axis=0)
    spread = np.std([t["reconstruction"] + t["kl"] for t in terms], axis=0)
    assert abs((elbo - own).mean()) < 5 * np.sqrt(2 * np.square(spread).mean() / 20 / len(x))
    nats = model.log_likelihood(x, num_samples=100, **c)
    assert nats.shape == elbo.shape == (len(x),)
    assert elbo.mean() < nats.mean() < elbo.mean() + 20


def same_model(row, first, second, x):
    c = given(row, len(x))
    np.testing.assert_allclose(first.encode(x, **c), second.encode(x, **c), atol=1e-6)
    np.testing.assert_allclose(first.reconstruct(x, **c), second.reconstruct(x, **c), atol=1e-6)
    for a, b in zip(first.weights, second.weights):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), err_msg=a.path
        )


def test_save_and_reload_whole(row, trained, digits, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    same_model(row, model, again, digits[1])
    iterations = int(again.optimizer.iterations)
    assert iterations == int(model.optimizer.iterations) == 5 * 16
    again.fit(inputs(row, digits[0][:64]), verbose=0)  # it goes on, compiled
    assert int(again.optimizer.iterations) == iterations + 2


def test_save_and_reload_weights_and_preset(row, trained, digits, tmp_path):
    model, _ = trained
    model.save_weights(tmp_path / "m.weights.h5")
    fresh = build(row)
    fresh.compile()
    fresh.load_weights(tmp_path / "m.weights.h5")
    same_model(row, model, fresh, digits[1])
    model.save_to_preset(tmp_path / "preset")
    same_model(row, model, ka.Autoencoder.from_preset(tmp_path / "preset"), digits[1])
    architecture = type(model).from_preset(tmp_path / "preset", load_weights=False)
    assert type(architecture) is type(model)
    c = given(row, len(digits[1]))
    assert np.abs(architecture.encode(digits[1], **c) - model.encode(digits[1], **c)).max() > 1e-3


def test_config_round_trip(row):
    model = build(row)
    config = model.get_config()
    text = json.dumps(config)
    again = type(model).from_config(json.loads(text))
    assert json.dumps(again.get_config()) == text


@pytest.mark.parametrize(
    "row, policy",
    [(row, "mixed_bfloat16") for row in ZOO] + [(row, "mixed_float16") for row in ONE_EACH],
)
def test_mixed_precision(row, policy, digits):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build(row)
        model.compile()
        history = model.fit(inputs(row, digits[0][:256]), epochs=2, verbose=0).history
        terms = model.evaluate_terms(digits[1], **given(row, len(digits[1])))
    finally:
        keras.config.set_dtype_policy(before)
    assert history["reconstruction"][1] < history["reconstruction"][0]
    assert np.isfinite(history["loss"]).all()
    assert all(values.dtype == "float32" for values in terms.values())
    assert model.decoder.compute_dtype == policy.removeprefix("mixed_")


@pytest.mark.parametrize("row", ONE_EACH)
def test_seeds_reproduce(row, digits):
    def losses():
        model = build(row)
        model.compile()
        return model.fit(inputs(row, digits[0]), epochs=2, verbose=0).history["loss"]

    np.testing.assert_allclose(losses(), losses(), rtol=1e-6)


SHAPES = [((13,), "mlp"), ((9, 7, 3), "conv")]


@pytest.mark.parametrize(
    "row, shape, network",
    [
        (row, shape, network)
        for row in ONE_EACH
        for shape, network in SHAPES
        if len(shape) > 1 or ZOO[row].networks is not GRID  # a grid of codes is for images
    ],
    ids=str,
)
def test_odd_shapes(row, shape, network):
    model = build(row, shape, getattr(ka.networks, network))
    x = np.random.default_rng(0).random((20, *shape), "float32")
    model.compile()
    model.fit(inputs(row, x), verbose=0)
    assert model.reconstruct(x, **given(row, len(x))).shape == x.shape
    if ZOO[row].samples:
        assert np.isfinite(model.sample(3, **given(row, 3))).all()


def test_no_two_classes_share_a_name():
    registered = keras.saving.get_custom_objects()
    ours = [name for name in registered if name.startswith("keras_aevae>")]
    for name in ours:
        assert registered[name].__name__ == name.split(">")[1]
        assert registered[name].__module__.startswith("keras_aevae.")
    for row in ZOO.values():
        name = f"keras_aevae>{row.cls.__name__}"
        assert keras.saving.get_registered_object(name) is row.cls
