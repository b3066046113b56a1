"""What every model of the zoo promises. A new model is one row in `zoo.ZOO`."""

import json

import keras
import numpy as np
import pytest
from zoo import GRID, ONE_EACH, TABLES, ZOO, build, given, inputs, row_of

import keras_aevae as ka
from keras_aevae.engine.noise import noise_states


@pytest.fixture(params=[*ZOO, *TABLES], scope="module")
def row(request):
    return request.param


def digits_of(row):
    """The data for training and for tests: images, or what the row makes of them."""
    (x_train, _), (x_test, _) = ka.datasets.load("digits")
    data = row_of(row).data or np.asarray
    return data(x_train[:512]), data(x_test[:67])  # a batch of 64 and one that is padded


@pytest.fixture(scope="module")
def digits(row):
    return digits_of(row)


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
    # Noise differs between passes: average it out where there is any, over 20 copies of the data.
    n = len(digits[1])
    own = [model.evaluate_terms(digits[1], **given(row, n)) for _ in range(20)]
    copies = keras.tree.map_structure(
        lambda each: np.concatenate([each] * 20), inputs(row, digits[1])
    )
    found = model.evaluate(copies, verbose=0, return_dict=True)
    coefficients = {
        name: value if isinstance(value, float) else float(keras.ops.convert_to_numpy(value))
        for name, value in model.coefficients().items()
    }
    total = sum(coefficients.get(name, 0.0) * found[name] for name in model.term_names)
    assert found["loss"] == pytest.approx(total, rel=1e-5)
    for name in set(model.term_names) & set(own[0]):  # the others are statistics of batches
        terms = np.array([terms[name] for terms in own])
        assert terms.shape == (20, n)
        error = terms.mean(axis=1).std() * np.sqrt(2 / 20)
        assert abs(terms.mean() - found[name]) <= 5 * error + 1e-4 * abs(terms.mean())


def exact_terms(model):
    """The names of the terms of a model with a density that don't depend on what is drawn."""
    if not model.code.exact_kl or isinstance(model, ka.IWAE):
        return set()
    return {(*model.code.shown_parts, "kl")[0]}  # of a ladder, the KL of the top group


def test_terms_of_an_example_are_its_own(row, trained, digits):
    """Whatever it shares a batch with, and whether the batch was padded."""
    model, _ = trained
    x, c = digits[1], given(row, len(digits[1]))
    sizes = [model.evaluate_terms(x, batch_size=size, **c) for size in (64, 5, 67)]
    names = set(sizes[0])
    if model.stores == "distribution":  # whose draws differ from pass to pass
        names &= exact_terms(model)
    for terms in sizes[1:]:
        for name in names:
            np.testing.assert_allclose(terms[name], sizes[0][name], rtol=1e-4, atol=1e-4)


def test_predict_gives_the_documented_dict(row, trained, digits):
    model, _ = trained
    outputs = model.predict(inputs(row, digits[1]), verbose=0)
    assert {"reconstruction", "decoder_output", "z", "z_mean"} <= set(outputs)
    n = len(digits[1])
    draws = model.num_draws
    between = (draws,) if draws > 1 else ()
    assert outputs["reconstruction"].shape == (n, *model.data_shape)
    assert outputs["z_mean"].shape == (n, model.latent_dim)
    assert outputs["z"].shape == (n, *between, model.latent_dim)
    params = model.likelihood.params_shape(model.data_shape)
    assert outputs["decoder_output"].shape == (n, *between, *params)
    trained_on = model(inputs(row, digits[1][:2]), training=True)
    assert set(trained_on) == set(outputs)
    if "z_log_var" in outputs:
        mean, log_var = (
            outputs[name].reshape(n, *(1 for _ in between), -1) for name in ("z_mean", "z_log_var")
        )
        noise = (outputs["z"] - mean) / np.exp(0.5 * log_var)
        assert 0.7 < noise.std() < 1.3 and abs(noise.mean()) < 0.4  # 192 draws of N(0, 1)
    elif model.stores == "point":
        np.testing.assert_array_equal(outputs["z"], outputs["z_mean"])


def test_verbs(row, trained, digits):
    model, _ = trained
    x, n = digits[1], len(digits[1])
    c = given(row, n)
    first = {name: value[:2] for name, value in c.items()}
    z = model.encode(x, **c)
    assert z.shape == (n, model.latent_dim)
    outputs = model.predict(inputs(row, x), verbose=0)
    if "indices" in outputs:
        own = outputs["z"]
    else:
        inferred = {name: keras.ops.convert_to_tensor(v) for name, v in outputs.items()}
        own = keras.ops.convert_to_numpy(model.code.center(inferred))
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
    assert path.shape == (2, 5, *model.data_shape)
    np.testing.assert_allclose(path[:, 0], model.reconstruct(x[:2], **first), atol=1e-5)
    np.testing.assert_allclose(path[:, -1], model.reconstruct(x[2:4], **first), atol=1e-5)
    middle = (model.encode(x[:2], **first) + model.encode(x[2:4], **first)) / 2
    np.testing.assert_allclose(path[:, 2], model.decode(middle, **first), atol=1e-5)


def test_sample(row, trained, digits):
    model, _ = trained
    c = given(row, 5)
    samples = model.sample(5, seed=3, noise=False, **c)
    assert samples.shape == (5, *model.data_shape) and samples.std(axis=0).max() > 0
    np.testing.assert_array_equal(samples, model.sample(5, seed=3, noise=False, **c))
    assert (samples != model.sample(5, seed=4, noise=False, **c)).any()
    drawn = model.sample(5, seed=3, noise=True, **c)  # of the same codes
    assert drawn.shape == samples.shape and np.abs(drawn - samples).max() > 0.01
    np.testing.assert_array_equal(drawn, model.sample(5, seed=3, noise=True, **c))


def test_bounds_of_the_likelihood(row, trained, digits):
    model, _ = trained
    if model.stores != "distribution":
        remedy = "`evaluate_terms` gives" if model.stores == "point" else "`elbo` gives a lower"
        wanted = f"`log_likelihood` needs a model that stores a distribution.*{remedy}"
        with pytest.raises(ValueError, match=wanted):
            model.log_likelihood(digits[1])
        if model.stores == "point":
            with pytest.raises(ValueError, match="`elbo` needs a model.*which stores a point"):
                model.elbo(digits[1])
        return
    x, c = digits[1], given(row, len(digits[1]))
    elbo = model.elbo(x, num_samples=20, **c)
    terms = [model.evaluate_terms(x, **c) for _ in range(20)]
    if "kl" in terms[0]:  # an adversary takes its place in some
        own = -np.mean([t["reconstruction"] + t["kl"] for t in terms], axis=0)
        spread = np.std([t["reconstruction"] + t["kl"] for t in terms], axis=0)
        # `elbo` takes 20 draws in all, the terms 20 times the model's own number of them.
        variance = (1 + model.num_draws) * np.square(spread).mean() / 20 / len(x)
        assert abs((elbo - own).mean()) < 5 * np.sqrt(variance)
    nats = model.log_likelihood(x, num_samples=100, **c)
    assert nats.shape == elbo.shape == (len(x),)
    assert elbo.mean() < nats.mean() < elbo.mean() + 20


@pytest.mark.each_kind
def test_fitted_prior(row, trained, digits, tmp_path):
    """It is drawn from and scored by, not trained with; it is saved, and may be fitted again."""
    model = type(trained[0]).from_config(trained[0].get_config())
    model.set_weights(trained[0].get_weights())
    x, c, five = digits[0][:300], given(row, 300), given(row, 5)
    before = model.sample(5, seed=1, **five)
    known = model.code.fitted_priors
    if not known:
        name = type(model.code).__name__
        with pytest.raises(ValueError, match=f"No prior can be fitted to the codes of a {name}"):
            model.fit_prior(x, **c)
        return
    if "autoregressive" in known:
        model.fit_prior(x, "autoregressive", width=8, depth=1, num_heads=2, epochs=1, seed=0, **c)
    for name in {"autoregressive", "gaussian"} - set(known):
        with pytest.raises(ValueError, match=f"Unknown `prior`.*{known[0]}"):
            model.fit_prior(x, name, **c)
    if "autoregressive" not in known:
        one, several, *_ = known
        model.fit_prior(x, **c)  # by default the first
        assert len(model.fitted_prior.get_weights()[0]) == 1  # of one component
        model.fit_prior(x, several, num_components=2, seed=0, **c)
        model.fit_prior(x, one, **c)  # again, in its place
        z = model.encode(x, sample=True, **c)
        mean = keras.ops.convert_to_numpy(model.p(fitted=True).mean)
        roots = z[:, : model.code.root_dim]
        atol = 6 * (roots.std() / np.sqrt(300)) + 1e-3
        np.testing.assert_allclose(mean, roots.mean(axis=0), atol=atol)
    samples = model.sample(5, seed=1, **five)
    assert np.abs(samples - before).max() > 1e-3
    if model.stores != "point":
        assert np.isfinite(model.elbo(digits[1], **given(row, 67))).all()
    if model.stores == "distribution":
        assert np.isfinite(model.log_likelihood(digits[1], 8, **given(row, 67))).all()
    terms = model.evaluate_terms(digits[1], **given(row, 67))
    own = trained[0].evaluate_terms(digits[1], **given(row, 67))
    for name in exact_terms(model) & set(terms):
        np.testing.assert_allclose(terms[name], own[name], atol=1e-4)  # its own prior's
    model.save_to_preset(tmp_path / "preset")
    again = ka.Autoencoder.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(again.sample(5, seed=1, **five), samples, atol=1e-5)
    model.compile()
    model.fit(inputs(row, digits[0][:64]), verbose=0)
    model.set_prior(None)
    assert model.fitted_prior is None
    assert len(model.weights) == len(trained[0].weights)


def same_model(row, first, second, x):
    c = given(row, len(x))
    np.testing.assert_allclose(first.encode(x, **c), second.encode(x, **c), atol=1e-6)
    np.testing.assert_allclose(first.reconstruct(x, **c), second.reconstruct(x, **c), atol=1e-6)
    for a, b in zip(first.weights, second.weights):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), err_msg=a.path
        )


@pytest.mark.each_kind
def test_save_and_reload_whole(row, trained, digits, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    same_model(row, model, again, digits[1])
    iterations = int(again.optimizer.iterations)
    assert iterations == int(model.optimizer.iterations) == 5 * 16
    again.fit(inputs(row, digits[0][:64]), verbose=0)  # it goes on, compiled
    assert int(again.optimizer.iterations) == iterations + 2


@pytest.mark.each_kind
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


@pytest.mark.each_kind
@pytest.mark.parametrize(
    "row, policy",
    [(row, "mixed_bfloat16") for row in [*ZOO, *TABLES]]
    + [(row, "mixed_float16") for row in [*ONE_EACH, *TABLES]],
)
def test_mixed_precision(row, policy):
    digits = digits_of(row)
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


SEEDED = (
    *ONE_EACH,
    *TABLES,
    "VAE, a decoder that sees x",
    "VAE, a flow",
    "VAE, a code of two parts",
)


def draws_of(row, x, weights=None, **seeds):
    """What of a step of a new model is drawn, by name; the losses of `fit`, and the weights."""
    model = build(row, **seeds)
    if weights is not None:
        model.set_weights(weights)
    weights = model.get_weights()
    given = inputs(row, x)
    outputs = model(given, training=True)
    drawn = {"x_before": outputs["x_before"]} if model.past is not None else {}
    if model.stores == "distribution":
        drawn |= {"z": outputs["z"]}
    drawn = {name: keras.ops.convert_to_numpy(value) for name, value in drawn.items()}
    model.compile()
    loss = model.fit(given, epochs=2, shuffle=False, verbose=0).history["loss"]
    return drawn, loss, weights


@pytest.mark.parametrize("row", SEEDED)
def test_seeds_reproduce(row):
    """All noise is that of `seed`, whatever Keras's global seed."""
    x, _ = digits_of(row)
    drawn, loss, weights = draws_of(row, x, global_seed=1)
    same, same_loss, _ = draws_of(row, x, weights, global_seed=2)
    np.testing.assert_allclose(same_loss, loss, rtol=1e-6)
    other, other_loss, _ = draws_of(row, x, weights, global_seed=1, seed=2000)
    assert set(drawn) == set(same) == set(other)
    for name, values in drawn.items():
        np.testing.assert_array_equal(same[name], values)
        assert (other[name] != values).any(), name
    if drawn:
        assert other_loss != loss
    elif not noise_states(build(row)):
        assert other_loss == loss
    if "x_before" in drawn:
        true_past = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
        hidden = (drawn["x_before"] != true_past).any(axis=(2, 3)).mean()
        assert 0.05 < hidden < 0.35  # a fifth, of which some were zero anyway


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
    assert np.isfinite(model.sample(3, **given(row, 3))).all()


def test_no_two_classes_share_a_name():
    registered = keras.saving.get_custom_objects()
    ours = [name for name in registered if name.startswith("keras_aevae>")]
    for name in ours:
        assert registered[name].__name__ == name.split(">")[1]
        assert registered[name].__module__.startswith("keras_aevae.")
    for row in [*ZOO.values(), *TABLES.values()]:
        name = f"keras_aevae>{row.cls.__name__}"
        assert keras.saving.get_registered_object(name) is row.cls
