"""The VAE of tables: imputation against the exact conditional, DataFrames, and what a missing value
changes: nothing."""

import sys

import keras
import numpy as np
import pandas
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from scipy import stats

import keras_aevae as ka
from keras_aevae.distributions import Column, Columns
from keras_aevae.distributions.column_groups import LOG_VAR_BOUND
from keras_aevae.distributions.diagonal_gaussian import LOG_VAR_BOUND as POSTERIOR_BOUND
from keras_aevae.engine.noise import noise_states

NAN = np.nan
assert_equal, assert_close = np.testing.assert_array_equal, np.testing.assert_allclose


# A model that can be solved exactly: x = w z + b + noise, with one latent dimension, of which the
# last two of four columns are missing.

W, B, NOISE = (
    np.array([2.0, -1.0, 1.5, 0.5]),
    np.array([5.0, 0.0, -3.0, 9.0]),
    np.array([1.0, 0.5, 0.8, 0.3]),
)
LOCATION, SCALE = np.array([4.0, 1.0, -3.0, 8.0]), np.array([2.0, 1.0, 0.5, 3.0])
SEEN = np.array([True, True, False, False])
PRECISION = 1.0 + np.sum((W**2 / NOISE**2)[SEEN])  # of p(z|x_obs)


def posterior_mean(x):
    return np.sum((W * (x - B) / NOISE**2)[:, SEEN], axis=1) / PRECISION


def linear(shift=0.0):
    """The exact model, with the exact p(z|x_obs) as its encoder, moved by `shift`."""
    columns = Columns(
        [
            Column(f"x{i}", "gaussian", location=location, scale=scale)
            for i, (location, scale) in enumerate(zip(LOCATION, SCALE))
        ]
    )
    encoder = keras.Sequential([keras.Input(columns.encoder_shape()), keras.layers.Identity()])
    decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(columns.num_params)])
    model = ka.TabularVAE(encoder, decoder, likelihood=columns, seed=1000)
    kernel, bias = np.zeros((1, 8)), np.zeros(8)
    for i in range(4):
        mean, log_var = range(8)[columns.slices[f"x{i}"]]
        kernel[0, mean], bias[mean] = W[i] / SCALE[i], (B[i] - LOCATION[i]) / SCALE[i]
        ratio = 2 * np.log(NOISE[i] / SCALE[i])
        bias[log_var] = LOG_VAR_BOUND * np.arctanh(ratio / LOG_VAR_BOUND)
    decoder.set_weights([kernel, bias])
    # What the encoder sees of the observed columns: (x - location) / scale.
    head, start = np.zeros((8, 2)), np.zeros(2)
    head[:4, 0] = np.where(SEEN, W * SCALE / NOISE**2 / PRECISION, 0.0)
    start[0] = shift + np.sum(np.where(SEEN, W * (LOCATION - B) / NOISE**2 / PRECISION, 0.0))
    start[1] = POSTERIOR_BOUND * np.arctanh(-np.log(PRECISION) / POSTERIOR_BOUND)
    model.code.head.set_weights([head, start])
    return model


def linear_data(n=24):
    rng = np.random.default_rng(0)
    x = (W * rng.normal(size=(n, 1)) + B + NOISE * rng.normal(size=(n, 4))).astype("float32")
    return x, np.where(SEEN, x, NAN).astype("float32")


def test_log_likelihood_is_that_of_what_is_observed():
    x, gappy = linear_data()
    w, b, noise = W[SEEN], B[SEEN], NOISE[SEEN]
    exact = stats.multivariate_normal(b, np.outer(w, w) + np.diag(noise**2)).logpdf(x[:, SEEN])
    # With the true posterior every weight is the likelihood.
    assert_close(linear().log_likelihood(gappy, num_samples=3), exact, atol=1e-4)
    rough = linear(shift=0.3).log_likelihood(gappy, num_samples=20_000)
    assert_close(rough, exact, atol=0.05)


@pytest.mark.parametrize("shift, spread", [(0.0, 1.0), (0.3, 1.5)])
def test_impute_gives_the_mean_of_the_exact_conditional(shift, spread):
    x, gappy = linear_data()
    model, n = linear(shift), 20_000
    exact = B + W * posterior_mean(x)[:, None]  # E[x_mis|x_obs]
    got = model.impute(gappy, num_samples=n)
    assert_equal(got[:, SEEN], x[:, SEEN])
    # The weights of a q moved by 0.3, of deviation 0.35, leave a third of the draws, and their
    # error; 48 values at 5 standard errors each.
    error = spread * np.exp(0.5 * shift**2 * PRECISION) * np.abs(W) / np.sqrt(PRECISION * n)
    assert np.all(np.abs(got - exact)[:, ~SEEN] < 5 * error[~SEEN])
    if shift:  # without weights, the means are those of q
        means = model.reconstruct(gappy)
        assert np.all(np.abs(means - exact)[:, ~SEEN] > 10 * error[~SEEN])


def test_draws_are_of_the_exact_conditional():
    x, gappy = linear_data()
    draws = linear(0.2).impute(gappy, num_samples=20_000, draws=50)
    assert draws.shape == (50, 24, 4) and draws.dtype == "float32"
    assert_equal(draws[:, :, SEEN], np.broadcast_to(x[:, SEEN], (50, 24, 2)))
    mean, std = B + W * posterior_mean(x)[:, None], np.sqrt(W**2 / PRECISION + NOISE**2)
    for i in np.flatnonzero(~SEEN):
        noise = (draws[:, :, i] - mean[:, i]) / std[i]  # 1200 draws
        assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-4
    # Both depend on one z.
    pairs = (draws - mean)[:, :, ~SEEN].reshape(-1, 2)
    exact = W[2] * W[3] / PRECISION / (std[2] * std[3])
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(exact, abs=0.12)


def test_impute_uses_the_prior_that_was_fitted():
    _, gappy = linear_data()
    model = linear()
    before = model.impute(gappy, num_samples=2000)
    prior = ka.distributions.FittedMixture(1, seed=0)
    prior.fit(np.random.default_rng(0).normal(3.0, 0.1, (500, 1)).astype("float32"))
    model.set_prior(prior)
    after = model.impute(gappy, num_samples=2000)
    # It expects a z of 3, whatever is observed.
    assert np.all((after - before)[:, 2] > 0.2)


# A table of all kinds


def frame(n=150, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    height = 170 + 10 * size
    table = pandas.DataFrame(
        {
            "height": height,
            "income": np.exp(8 + 0.5 * size + 0.2 * rng.normal(size=n)),
            "children": rng.poisson(2, n),
            "visits": pandas.array(rng.poisson(np.exp(3 + size)), dtype="Int64"),
            "size": np.where(height > 172, "L", "M"),
            "tall": height > 170,
            "grade": pandas.Categorical.from_codes(
                (size > -0.5) * 1 + (size > 0.5), ["lo", "mid", "hi"], ordered=True
            ),
        },
        index=[f"row {i}" for i in range(n)],
    )
    for name in ("height", "visits", "size", "grade"):
        table.loc[rng.random(n) < 0.2, name] = None
    return table


KINDS = {"income": "log_normal", "children": "poisson"}


def build(**settings):
    keras.utils.set_random_seed(1)
    settings = {"latent_dim": 2, "hidden": (16,), "kinds": KINDS, "seed": 5, **settings}
    return ka.TabularVAE.from_frame(frame(), verbose=0, **settings)


@pytest.fixture(scope="module")
def trained():
    model = build()
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(
        frame(), epochs=20, verbose=0, batch_size=32, validation_data=(frame(40, seed=1),)
    )
    return model, history.history


def test_fit_takes_a_frame(trained):
    model, history = trained
    assert model.term_names == ("reconstruction", "kl")
    assert history["loss"][-1] < history["loss"][0] - 1.0
    assert np.isfinite(history["val_loss"]).all()
    # As an array does.
    x = model.likelihood.to_array(frame())
    kl = [model.evaluate(data, verbose=0, return_dict=True)["kl"] for data in (frame(), x)]
    assert kl[0] == pytest.approx(kl[1], rel=1e-5)


def test_every_verb_takes_a_frame_or_its_array(trained):
    model, _ = trained
    table = frame(21, seed=2)
    x = model.likelihood.to_array(table)
    turned = table[table.columns[::-1]]  # columns are found by their names
    for given in (table, turned):
        assert_equal(model.encode(given), model.encode(x))
        assert_close(model.evaluate_terms(given)["kl"], model.evaluate_terms(x)["kl"], rtol=1e-5)
        assert model.elbo(given).shape == (21,)
    nats = []
    for given in (table, x):
        model.code.start_noise(7)  # the same draws of z
        nats.append(model.log_likelihood(given, num_samples=20))
    assert_close(nats[0], nats[1], rtol=1e-5)
    assert model.interpolate(table[:3], table[3:6], steps=4).shape == (3, 4, 7)
    rebuilt, as_array = model.reconstruct(table), model.reconstruct(x)
    assert isinstance(as_array, np.ndarray) and list(rebuilt.columns) == model.likelihood.names
    assert list(rebuilt.index) == list(table.index)
    assert_equal(rebuilt["children"], as_array[:, 2])
    assert_equal(rebuilt["grade"].cat.codes, as_array[:, 6])
    assert_equal(rebuilt["size"], np.array(["L", "M"])[as_array[:, 4].astype(int)])


def test_a_sample_is_a_frame_like_the_data(trained):
    model, _ = trained
    made = model.sample(400, seed=3)
    assert_series_equal(made.dtypes, frame().dtypes)
    assert not made.isna().any().any()
    assert set(made["size"]) == {"L", "M"} and set(made["grade"]) == {"lo", "mid", "hi"}
    assert_frame_equal(made, model.sample(400, seed=3))
    # With noise: a Poisson's variance, not that of its means.
    assert made["children"].var() == pytest.approx(2.0, rel=0.4)
    assert model.sample(400, seed=3, noise=False)["children"].var() < 0.5
    z = model.encode(frame(5))
    assert isinstance(model.decode(z), pandas.DataFrame)


def test_impute_fills_the_gaps_alone(trained):
    model, _ = trained
    table = frame(60, seed=4)
    filled = model.impute(table[table.columns[::-1]], num_samples=50)[table.columns]
    assert not filled.isna().any().any() and list(filled.index) == list(table.index)
    for name in table.columns:
        known = table[name].notna()
        given, same = table[name][known], filled[name][known]
        assert_series_equal(same, given, check_dtype=name != "visits")
    # Means of counts are no integers; draws are.
    assert str(filled["visits"].dtype) == "Float64"
    draws = model.impute(table, num_samples=50, draws=2)
    assert len(draws) == 2 and not draws[0].equals(draws[1])
    for each in draws:
        assert_series_equal(each.dtypes, table.dtypes)
        assert not each.isna().any().any()
    whole = table.dropna()
    assert_frame_equal(model.impute(whole, num_samples=5), whole)


@pytest.mark.parametrize("draws", [None, 2])
def test_a_seed_reproduces_what_is_imputed(trained, draws):
    """And leaves the model's own noise as it is."""
    model, _ = trained
    table = frame(30, seed=4)

    def states():
        return [keras.ops.convert_to_numpy(state).copy() for state in noise_states(model)]

    def numbers(**seed):
        filled = model.impute(table, num_samples=20, draws=draws, **seed)
        filled = filled if draws is None else pandas.concat(filled)
        return filled["height"].to_numpy()

    before = states()
    first = numbers(seed=3)
    assert_equal(states(), before)
    assert_equal(numbers(seed=3), first)
    assert (numbers(seed=4) != first).any()
    assert (numbers() != first).any()


def test_rows_may_share_an_index(trained):
    model, _ = trained
    table = frame(20, seed=4)
    table.index = [0, 1] * 10
    filled = model.impute(table.assign(size=None), num_samples=5)
    assert list(filled.index) == list(table.index) and not filled.isna().any().any()
    known = table["height"].notna().to_numpy()
    assert_equal(filled["height"].to_numpy()[known], table["height"].to_numpy()[known])
    assert list(model.reconstruct(table).index) == list(table.index)


def test_it_has_learned_what_hangs_together(trained):
    model, _ = trained
    table = frame(300, seed=6).dropna()
    hidden = table.assign(size=None, grade=None, visits=pandas.NA)
    filled = model.impute(hidden, num_samples=100)
    # The most frequent size alone would be right in 60 of 100.
    assert (filled["size"] == table["size"]).mean() > 0.8
    truth = np.log1p(table["visits"].astype(float))
    assert np.corrcoef(np.log1p(filled["visits"].astype(float)), truth)[0, 1] > 0.6


def test_the_columns_are_saved_with_the_model(trained, tmp_path):
    model, _ = trained
    table = frame(9, seed=7)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    again = keras.saving.load_model(tmp_path / "model.keras")
    preset = ka.Autoencoder.from_preset(tmp_path / "preset")
    for other in (again, preset):
        assert type(other) is ka.TabularVAE
        assert other.likelihood.columns == model.likelihood.columns
        assert_close(other.encode(table), model.encode(table), atol=1e-6)
        assert_series_equal(other.sample(3).dtypes, table.dtypes)
    again.fit(table, verbose=0)


# A missing value changes nothing


def arrays():
    """A model, and an array with missing values, of which the third column has none left."""
    model = build()
    x = model.likelihood.to_array(frame(64))
    x[:, 2] = NAN
    return model, x


def other_nans(x):
    """The same array, with other bits in each NaN."""
    bits = x.copy().view("uint32")
    bits[np.isnan(x)] = 0xFFC00000 + np.arange(np.isnan(x).sum(), dtype="uint32") % 9999
    return bits.view("float32")


def test_whatever_a_missing_value_holds_changes_neither_loss_nor_gradient():
    weights, losses = [], []
    start = arrays()[0].get_weights()
    for change in (np.copy, other_nans):
        model, x = arrays()
        model.set_weights(start)
        x = change(x)
        assert np.isnan(x[:, 2]).all()
        model.compile(keras.optimizers.SGD(0.01))
        losses.append(model.fit(x, epochs=2, batch_size=24, shuffle=False, verbose=0).history)
        weights.append(model.get_weights())
    assert losses[0] == losses[1]
    assert any((a != b).any() for a, b in zip(weights[0], start))
    for a, b in zip(*weights):
        assert np.isfinite(a).all()
        assert_equal(a, b)


def test_a_column_that_is_missing_everywhere_is_not_trained():
    model, x = arrays()
    own = model.likelihood.slices[model.likelihood.names[2]]
    kernel, bias = (w.copy() for w in model.decoder.get_weights()[-2:])
    model.compile()
    model.fit(x, epochs=2, verbose=0)
    new_kernel, new_bias = model.decoder.get_weights()[-2:]
    assert_equal(new_kernel[:, own], kernel[:, own])
    assert_equal(new_bias[own], bias[own])
    changed = np.delete(new_kernel != kernel, np.r_[own], axis=1)
    assert changed.any(axis=0).all()


def test_the_loss_is_that_of_what_is_observed():
    model, x = arrays()
    outputs = model.predict(x, verbose=0)
    each = model.likelihood.log_prob_of_each(x, outputs["decoder_output"])
    each = keras.ops.convert_to_numpy(each)
    assert_equal(each[np.isnan(x)], 0.0)
    terms = model.terms(x, model.with_one_draw(outputs))
    reconstruction = keras.ops.convert_to_numpy(terms["reconstruction"])
    assert_close(reconstruction, -each.sum(axis=-1), rtol=1e-5)


def test_a_row_of_which_nothing_is_known_costs_its_kl():
    model = build()
    x = np.full((3, 7), NAN, "float32")
    assert_equal(model.evaluate_terms(x)["reconstruction"], 0.0)
    assert_close(model.log_likelihood(x, num_samples=20_000), 0.0, atol=0.1)


# Sources of data, parts, other models


def test_sources():
    model = build()
    model.compile()
    x = model.likelihood.to_array(frame(50))
    model.fit(((x[i : i + 20],) for i in range(0, 50, 20)), verbose=0)
    model.fit(frame(50), sample_weight=np.ones(50), verbose=0)
    model.fit(frame(50), validation_split=0.2, verbose=0)
    whole = frame(50).ffill().bfill()
    history = model.fit(frame(50), whole, verbose=0).history  # to reconstruct what was hidden
    assert np.isfinite(history["loss"]).all()


def test_a_condition_goes_with_a_frame():
    table, labels = frame(40), np.array(["a", "b"] * 20)
    model = build(classes=["a", "b"])
    model.compile()
    model.fit((table, labels), verbose=0)
    assert not model.impute(table, 20, condition=labels).isna().any().any()
    assert len(model.impute(table, 20, draws=2, condition=labels)) == 2
    assert model.sample(3, condition="a").shape == (3, 7)


def test_several_draws_give_whole_codes():
    model = build(num_samples=4)
    outputs = model.predict(model.likelihood.to_array(frame(30)), verbose=0)
    codes = outputs["reconstruction"][:, [c.categorical for c in model.likelihood.columns]]
    assert_equal(codes, np.round(codes))


def test_other_models_take_columns_too():
    columns = Columns.from_frame(frame(), KINDS)
    shape, outputs = columns.encoder_shape(), columns.params_shape()
    networks = ka.networks.mlp(shape, latent_dim=2, hidden=(8,), output_shape=outputs)
    model = ka.IWAE(*networks, likelihood=columns, num_samples=3)
    model.compile()
    assert np.isfinite(model.fit(frame(), verbose=0).history["loss"]).all()
    assert model.log_likelihood(frame(5), num_samples=10).shape == (5,)


def test_mixed_precision_does_not_round_the_data():
    """In 16 bits, 2019 and 2021 are one year."""
    years = pandas.DataFrame({"year": np.random.default_rng(0).normal(2020, 2, 64)})
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = ka.TabularVAE.from_frame(years, latent_dim=1, hidden=(8,), verbose=0, seed=0)
        x = model.likelihood.to_array(years)
        z = model.predict(x, verbose=0)["z_mean"]
    finally:
        keras.config.set_dtype_policy(before)
    assert_close(z, model.encode(x), atol=1e-6)
    # 64 codes of 8 bits or so are nearly all different; rounded years would give three.
    assert len(np.unique(z)) > 20


def test_arrays_need_no_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    columns = Columns([Column("sold", "poisson"), Column("color", "categorical", ("red", "blue"))])
    model = ka.TabularVAE.from_columns(columns, latent_dim=2, hidden=(8,))
    x = np.array([[3.0, NAN], [NAN, 1.0]], "float32")
    model.compile()
    model.fit(x, verbose=0)
    assert isinstance(model.sample(4), np.ndarray)
    filled = model.impute(x, num_samples=10)
    assert filled.shape == (2, 2) and not np.isnan(filled).any()
    with pytest.raises(ImportError, match="pip install pandas"):
        columns.to_frame(x)


# Errors


@pytest.fixture(scope="module")
def untrained():
    model = build()
    model.compile()
    return model


@pytest.mark.parametrize("verb", ["fit", "evaluate", "encode", "impute", "log_likelihood"])
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda f: f.assign(height=np.inf), "`x` must be finite"),
        (lambda f: f.assign(children=-1), "'children', which is poisson. Received: -1"),
        (lambda f: f.assign(size="XXL"), "'size' must hold the categories L, M. Received: 'XXL'"),
        (lambda f: f.drop(columns="tall"), "without 'tall'"),
        (lambda f: f.assign(more=1), "'more' beside them"),
        (lambda f: f[:0], "at least one example"),
        (lambda f: np.zeros((4, 6), "float32"), r"must have shape \(n, 7\)"),
        (lambda f: np.full((4, 7), 1.5, "float32"), "must hold"),
    ],
)
def test_bad_tables(untrained, spoil, message, verb):
    with pytest.raises(ValueError, match=message):
        getattr(untrained, verb)(spoil(frame(20)), verbose=0)


def test_missing_values_are_valid_nowhere_else(untrained):
    with pytest.raises(ValueError, match="`z` must be finite"):
        untrained.decode(np.array([[NAN, 0.0]], "float32"))
    vae = ka.VAE(*ka.networks.mlp((7,), 2, (8,)), likelihood="gaussian")
    vae.compile()
    x = untrained.likelihood.to_array(frame(8))
    for verb in (vae.fit, vae.encode, vae.elbo):
        with pytest.raises(ValueError, match="`x` must be finite"):
            verb(x, verbose=0)


def test_parts_that_do_not_fit():
    columns = Columns.from_frame(frame(), KINDS)
    shapes = {"data_shape": columns.encoder_shape(), "output_shape": columns.params_shape()}
    networks = ka.networks.mlp(latent_dim=2, hidden=(8,), **shapes)
    for likelihood in (None, "gaussian"):
        with pytest.raises(ValueError, match="`likelihood` must be .*Columns.*Received: likel"):
            ka.TabularVAE(*networks, likelihood=likelihood)
    with pytest.raises(ValueError, match="`decoder_sees_x` isn't for data with missing values"):
        ka.TabularVAE(*networks, likelihood=columns, decoder_sees_x=True)
    with pytest.raises(ValueError, match="`prior` can't be .* VampPrior"):
        ka.TabularVAE(*networks, likelihood=columns, prior="vamp_prior")
    narrow, decoder = ka.networks.mlp((7,), 2, (8,), output_shape=columns.params_shape())
    with pytest.raises(ValueError, match=r"inputs of shape \(7,\), and what the encoder sees is"):
        ka.TabularVAE(narrow, decoder, likelihood=columns)
    with pytest.raises(ValueError, match="`decoder` must give the .* parameters of the columns"):
        ka.TabularVAE(*ka.networks.mlp((7,), 2, (8,)), likelihood=columns)
    model = build()
    with pytest.raises(ValueError, match="'tf_saved_model', 'torch' .*format='onnx'"):
        model.export("model.onnx", format="onnx")
    with pytest.raises(ValueError, match="`x` must be a DataFrame or an array"):
        model.impute(iter([1]))
    with pytest.raises(ValueError, match="`draws` must be a positive integer"):
        model.impute(frame(), draws=0)
