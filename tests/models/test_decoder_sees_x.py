"""A decoder that sees x: exact likelihoods, decoding step by step, masks, and what is refused."""

import logging

import keras
import numpy as np
import pytest
from scipy import stats
from zoo import causal

import keras_aevae as ka
from keras_aevae.layers.past import Past

layers = keras.layers
STEPS, VALUES, LATENT = 5, 2, 3
SHAPE = (STEPS, VALUES)


@pytest.fixture
def x():
    return (np.random.default_rng(0).random((20, *SHAPE)) < 0.5).astype("float32")


def linear(seed=0):
    """A decoder of means or logits a + B z + C x_t-1 + D x_t-2, and NumPy's for (z, x)."""
    rng = np.random.default_rng(seed)
    a, b, c, d = (
        rng.normal(size=size).astype("float32")
        for size in (VALUES, (LATENT, VALUES), (VALUES, VALUES), (VALUES, VALUES))
    )
    z, before = keras.Input((LATENT,)), keras.Input(SHAPE)
    of_z = layers.Dense(VALUES, name="of_z")
    of_x = layers.Conv1D(VALUES, 2, padding="causal", use_bias=False, name="of_x")
    decoder = keras.Model([z, before], of_x(before) + layers.RepeatVector(STEPS)(of_z(z)))
    of_z.set_weights([b, a])
    of_x.set_weights([np.stack([d, c])])

    def by_hand(z, x):
        before = np.pad(x, ((0, 0), (2, 0), (0, 0)))
        return (a + z @ b)[:, None] + before[:, 1:-1] @ c + before[:, :-2] @ d

    return decoder, by_hand


def encoder():
    return ka.networks.mlp(SHAPE, LATENT, hidden=(8,))[0]


def log_prob(likelihood, x, params):
    """log p(x|z), each step given the true ones before it."""
    if likelihood == "bernoulli":
        each = stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-params.astype("float64"))))
    else:
        each = stats.norm.logpdf(x, params, 0.7)
    return each.sum(axis=(1, 2))


LIKELIHOODS = {"bernoulli": ka.distributions.Bernoulli, "gaussian": ka.distributions.Gaussian}


def make(cls, likelihood="bernoulli", **settings):
    decoder, by_hand = linear()
    scale = {"scale": 0.7} if likelihood == "gaussian" else {}
    made = LIKELIHOODS[likelihood](**scale)
    model = cls(encoder(), decoder, likelihood=made, decoder_sees_x=True, seed=7, **settings)
    model.compile()
    return model, by_hand


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_log_likelihood_is_the_sum_over_the_steps(x, likelihood):
    model, by_hand = make(ka.Autoencoder, likelihood)
    expected = log_prob(likelihood, x, by_hand(model.encode(x), x))
    terms = model.evaluate_terms(x)
    np.testing.assert_allclose(-terms["reconstruction"], expected, rtol=1e-4)
    shown = model.evaluate(x, verbose=0, return_dict=True)
    assert shown["loss"] == pytest.approx(-expected.mean(), rel=1e-4)


@pytest.mark.parametrize("cls", [ka.VAE, ka.IWAE])
def test_bounds_where_z_says_nothing(x, cls):
    """With q(z|x) = p(z) and a decoder that ignores z, every bound is log p(x) itself."""
    model, by_hand = make(cls, num_samples=4)
    model.code.head.set_weights([np.zeros_like(w) for w in model.code.head.get_weights()])
    kernel, bias = model.decoder.get_layer("of_z").get_weights()
    model.decoder.get_layer("of_z").set_weights([0 * kernel, bias])
    expected = log_prob("bernoulli", x, by_hand(np.zeros((len(x), LATENT)), x))
    np.testing.assert_allclose(model.elbo(x, 2), expected, rtol=1e-4)
    np.testing.assert_allclose(model.log_likelihood(x, 7), expected, rtol=1e-4)
    terms = model.evaluate_terms(x)
    total = terms["nll_bound"] if cls is ka.IWAE else terms["reconstruction"] + terms["kl"]
    np.testing.assert_allclose(-total, expected, rtol=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_decoding_step_by_step(x, likelihood):
    """The most probable steps go back in, the means come out; whoever is encoded is decoded so."""
    model, by_hand = make(ka.VAE, likelihood)
    z = model.encode(x)
    made = np.zeros_like(x)
    for step in range(STEPS):
        params = by_hand(z, made)
        mode = params > 0 if likelihood == "bernoulli" else params
        made[:, step] = mode[:, step]
    mean = 1 / (1 + np.exp(-params)) if likelihood == "bernoulli" else params
    np.testing.assert_allclose(model.decode(z), mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(x), mean, rtol=1e-4, atol=1e-5)
    path = model.interpolate(x[:3], x[3:6], steps=2)
    np.testing.assert_allclose(path[:, 1], mean[3:6], rtol=1e-4, atol=1e-5)


def test_each_step_is_drawn_given_those_that_were_drawn():
    z, before = keras.Input((1,)), keras.Input((6, 1))
    params = 40.0 * before - 20.0 * layers.Concatenate(axis=1)(
        [layers.RepeatVector(1)(0.0 * z), layers.RepeatVector(5)(0.0 * z + 1.0)]
    )
    networks = ka.networks.mlp((6, 1), 1, hidden=())[0], keras.Model([z, before], params)
    model = ka.VAE(*networks, decoder_sees_x=True)
    drawn = model.sample(400, noise=True, seed=1)[..., 0]
    np.testing.assert_array_equal(drawn, np.repeat(drawn[:, :1], 6, axis=1))
    assert 0.4 < drawn.mean() < 0.6
    np.testing.assert_allclose(model.sample(2)[:, :, 0], [[0.5, 0, 0, 0, 0, 0]] * 2, atol=1e-6)


def test_draws_and_a_condition(x):
    """Every draw of z goes with its own example's x and condition."""
    networks = causal(SHAPE, LATENT, condition_dim=3, recurrent=True)
    model = ka.IWAE(*networks, classes=3, num_samples=2, decoder_sees_x=True, seed=0)
    labels = np.arange(len(x)) % 3
    outputs = model.predict((x, labels), verbose=0)
    before = np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    for draw in range(2):
        alone = model.decoder([outputs["z"][:, draw], before, np.eye(3, dtype="float32")[labels]])
        alone = keras.ops.convert_to_numpy(alone)
        np.testing.assert_allclose(outputs["decoder_output"][:, draw], alone, atol=1e-5)
    model.compile()
    model.fit((x, labels), verbose=0)
    first = model.sample(4, condition=1, seed=0)
    assert first.shape == (4, *SHAPE)
    assert np.abs(first - model.sample(4, condition=2, seed=0)).max() > 1e-4
    assert np.isfinite(model.log_likelihood(x, 5, condition=labels)).all()


def test_masks(x):
    past = Past(seed=1)
    masked = keras.ops.convert_to_numpy(past(np.ones((500, *SHAPE), "float32"), dropout=0.3))
    assert not masked[:, 0].any()
    later = masked[:, 1:]
    np.testing.assert_array_equal(later[..., 0], later[..., 1])  # whole steps
    assert abs(later.mean() - 0.7) < 0.05
    assert np.abs(later.mean(axis=0) - 0.7).max() < 0.1

    model, _ = make(ka.Autoencoder, x_dropout=1.0)
    assert not keras.ops.convert_to_numpy(model(x, training=True)["x_before"]).any()
    np.testing.assert_array_equal(model.predict(x, verbose=0)["x_before"][:, 1:], x[:, :-1])
    model.x_dropout = None
    seen = keras.ops.convert_to_numpy(model(x, training=True)["x_before"])
    np.testing.assert_array_equal(seen[:, 1:], x[:, :-1])


class Shows(ka.Autoencoder):
    """Shows how much of x its decoder saw."""

    def terms(self, x, outputs):
        seen = keras.ops.mean(outputs["x_before"], axis=(1, 2))
        return {**super().terms(x, outputs), "seen": seen}


def test_masks_are_drawn_anew_in_each_step(caplog):
    """Where steps are recorded, too."""
    decoder, _ = linear()
    model = Shows(encoder(), decoder, decoder_sees_x=True, x_dropout=0.5, seed=0)
    model.compile()
    ones = np.ones((32, *SHAPE), "float32")
    with caplog.at_level(logging.INFO, "keras_aevae"):
        history = model.fit(ones, epochs=6, verbose=0, validation_data=(ones,)).history
    assert "eagerly" not in caplog.text
    assert len(set(history["seen"])) > 2
    assert np.abs(np.array(history["seen"]) - 0.4).max() < 0.15
    np.testing.assert_allclose(history["val_seen"], 0.8, rtol=1e-6)


def fit_chains(**settings):
    """Terms of a VAE of Markov chains of bits, each of which is the one before but for one in ten,
    and their entropy."""
    keras.utils.set_random_seed(0)
    bits = np.cumsum(np.random.default_rng(0).random((512, 8)) < 0.1, axis=1) % 2
    bits[::2] = 1 - bits[::2]
    model = ka.VAE(*causal((8, 1), 2), decoder_sees_x=True, seed=0, **settings)
    model.compile(keras.optimizers.Adam(0.02))
    x = bits[..., None].astype("float32")
    model.fit(x, epochs=25, batch_size=64, verbose=0)
    entropy = np.log(2) - 7 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9))
    return model.evaluate(x, verbose=0, return_dict=True), entropy


def test_a_decoder_that_sees_all_ignores_z():
    """Whatever z says costs its nats, and the past says as much for nothing."""
    seeing, entropy = fit_chains()
    assert abs(seeing["loss"] - entropy) < 0.3
    masked, _ = fit_chains(x_dropout=1.0)
    assert masked["kl"] > 2 * seeing["kl"]


def sequence_decoder(layer):
    z, before = keras.Input((LATENT,)), keras.Input(SHAPE)
    h = layers.Concatenate()([layers.RepeatVector(STEPS)(z), before])
    return keras.Model([z, before], layers.Dense(VALUES)(layer(h)))


def attention(causal):
    def layer(h):
        return layers.MultiHeadAttention(1, 4)(h, h, use_causal_mask=causal)

    return layer


@pytest.mark.parametrize(
    "layer, causal",
    [
        (layers.GRU(4, return_sequences=True), True),
        (layers.Conv1D(4, 3, padding="causal", dilation_rate=2), True),
        (attention(True), True),
        (layers.Conv1D(4, 3, padding="same"), False),
        (layers.Bidirectional(layers.GRU(4, return_sequences=True)), False),
        (attention(False), False),
        (lambda h: layers.Reshape((STEPS, 2))(layers.Dense(10)(layers.Flatten()(h))), False),
    ],
    ids=str,
)
def test_the_decoder_must_be_causal(x, layer, causal):
    model = ka.Autoencoder(encoder(), sequence_decoder(layer), decoder_sees_x=True)
    model.compile()
    if causal:
        model.fit(x, verbose=0)
        return
    with pytest.raises(ValueError, match="(?s)`decoder` must be causal.*padding='causal'"):
        model.fit(x, verbose=0)
    assert int(model.step.numpy()) == 0


def test_a_target_is_x_itself(x):
    model, _ = make(ka.VAE)
    weights = np.linspace(0, 1, len(x)).astype("float32")
    model.fit(x, sample_weight=weights, verbose=0)
    model.fit(x, x.copy(), verbose=0)
    model.fit(((x, x, weights) for _ in range(2)), verbose=0)
    for call in (
        lambda: model.fit(x, 1 - x, verbose=0),
        lambda: model.evaluate(x, 1 - x, verbose=0),
        lambda: model.fit(x, validation_data=(x, 1 - x), verbose=0),
        lambda: model.fit(((x, 1 - x) for _ in range(2)), verbose=0),
    ):
        with pytest.raises(ValueError, match="`y` must be x itself.*GaussianNoise"):
            call()


def test_a_codebook(x):
    networks = causal(SHAPE, LATENT)
    quantizer = ka.layers.VectorQuantizer(8, seed=0)
    model = ka.VQVAE(*networks, quantizer=quantizer, decoder_sees_x=True)
    model.compile()
    model.fit(x, verbose=0)
    decoded = model.decode_indices(model.encode_indices(x))
    np.testing.assert_allclose(decoded, model.reconstruct(x), atol=1e-5)
    assert model.sample(3, noise=True).shape == (3, *SHAPE)


def test_a_pseudo_input_prior(x):
    prior = ka.distributions.VampPrior(4)
    model = ka.VAE(*causal(SHAPE, LATENT), prior=prior, decoder_sees_x=True, x_dropout=0.3)
    model.compile()
    model.fit(x, verbose=0)
    assert np.isfinite(model.log_likelihood(x, 3)).all()
    assert model.sample(2).shape == (2, *SHAPE)


def test_what_does_not_fit(x):
    decoder, _ = linear()
    plain = ka.networks.mlp(SHAPE, LATENT, hidden=(8,))[1]
    for network, settings, message in (
        (plain, {}, r"`decoder`.*takes one input; .*\[z, x_before\] is wanted"),
        (decoder, {"classes": 2}, r"takes 2 inputs; .*\[z, x_before, c\] is wanted"),
        (decoder, {"likelihood": "categorical"}, "`decoder`"),
        (decoder, {"x_dropout": 1.5}, "`x_dropout`"),
        (decoder, {"decoder_sees_x": False}, "takes 2 inputs.*decoder_sees_x=True"),
        (plain, {"decoder_sees_x": False, "x_dropout": 0.1}, "`x_dropout` masks.*decoder_sees_x"),
    ):
        with pytest.raises(ValueError, match=message):
            ka.VAE(encoder(), network, **{"decoder_sees_x": True, **settings})
    half = keras.Model(decoder.inputs, decoder.output[:, :, :1])
    with pytest.raises(ValueError, match="must give the parameters of the x that it sees"):
        ka.VAE(encoder(), half, decoder_sees_x=True)
    model, _ = make(ka.VAE)
    for part in (None, "decoder"):
        with pytest.raises(ValueError, match="`part` must be 'encoder'"):
            model.export("file.onnx", format="onnx", part=part)
    with pytest.raises(ValueError, match="`length` is for models.*leave it out"):
        model.sample(2, length=3)


# Data of any length


def any_length(cls=ka.VAE, **settings):
    x = keras.Input((None, VALUES))
    z, before = keras.Input((LATENT,)), keras.Input((None, VALUES))
    start = layers.Dense(8, activation="tanh")(z)
    h = layers.GRU(8, return_sequences=True)(before, initial_state=start)
    networks = keras.Model(x, layers.GRU(8)(x)), keras.Model([z, before], layers.Dense(VALUES)(h))
    return cls(*networks, decoder_sees_x=True, seed=0, **settings)


def sequences(length, n=8):
    return (np.random.default_rng(length).random((n, length, VALUES)) < 0.5).astype("float32")


def test_sequences_of_any_length(tmp_path):
    model = any_length(x_dropout=0.2)
    assert model.data_shape == (None, VALUES)
    model.compile()
    model.fit(sequences(6), verbose=0)
    model.fit(((sequences(length),) for length in (4, 6, 4)), verbose=0)
    x = sequences(4)
    assert np.isfinite(model.evaluate(x, verbose=0)).all()
    assert np.isfinite(model.log_likelihood(x, 3)).all()
    z = model.encode(x)
    assert z.shape == (8, LATENT)
    decoded = model.decode(z, length=4)
    np.testing.assert_allclose(model.reconstruct(x), decoded, atol=1e-5)
    np.testing.assert_allclose(model.decode(z, length=7)[:, :4], decoded, atol=1e-5)
    assert model.sample(8, length=4, noise=True).shape == (8, 4, VALUES)
    assert model.interpolate(x[:4], x[4:], steps=2).shape == (4, 2, 4, VALUES)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.reconstruct(x), model.reconstruct(x), atol=1e-6)
    model.save_to_preset(tmp_path / "preset")
    again = ka.Autoencoder.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(again.reconstruct(x), model.reconstruct(x), atol=1e-6)


def test_what_any_length_does_not_fit():
    model = any_length()
    with pytest.raises(ValueError, match="`length` must be a positive integer.*say which"):
        model.sample(2)
    with pytest.raises(ValueError, match=r"`x` must have shape \(n, any length, 2\)"):
        model.encode(sequences(3)[..., :1])
    with pytest.raises(ValueError, match="VampPrior is made of inputs of one length"):
        any_length(prior="vamp_prior")
    with pytest.raises(ValueError, match="`export` writes files for data of one length"):
        model.export("file.onnx", format="onnx", part="encoder")
    fixed = encoder()
    one_length = ka.VAE(fixed, any_length().decoder, decoder_sees_x=True)
    assert one_length.data_shape == SHAPE
