"""Bad input: an error before any training that names the argument, what came and the remedy."""

import keras
import numpy as np
import pytest

import keras_aevae as ka

SHAPE = (8, 8, 1)


def networks(**settings):
    return ka.networks.mlp(SHAPE, latent_dim=2, hidden=(8,), **settings)


@pytest.fixture(scope="module")
def vae():
    model = ka.VAE(*networks())
    model.compile()
    return model


@pytest.fixture
def x():
    return np.random.default_rng(0).random((6, *SHAPE), "float32")


def with_value(x, value):
    x = x.copy()
    x[3, 2, 1, 0] = value
    return x


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda x: with_value(x, np.nan), "`x` must be finite"),
        (lambda x: with_value(x, np.inf), "`x` must be finite"),
        (lambda x: (x * 255).astype("uint8"), r"within \[0, 1\].*Divide by 255.*'gaussian'"),
        (lambda x: x - 0.5, r"within \[0, 1\]"),
        (lambda x: x[..., 0], r"Received: x.shape=\(6, 8, 8\).*Add the channel axis"),
        (lambda x: x[0], r"shape=\(8, 8, 1\).*Add the batch axis"),
        (lambda x: x[:, :7], r"shape \(n, 8, 8, 1\).*\(6, 7, 8, 1\)"),
        (lambda x: x[:0], "at least one example"),
        (lambda x: x.astype(str), "numbers"),
    ],
)
@pytest.mark.parametrize("verb", ["fit", "evaluate"])
def test_data(vae, x, spoil, message, verb):
    before = [w.copy() for w in vae.get_weights()]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        getattr(vae, verb)(spoil(x), verbose=0)
    for a, b in zip(before, vae.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_data_in_datasets_and_generators(vae, x):
    bad = with_value(x, np.nan)
    with pytest.raises(ValueError, match="finite"):
        vae.fit(((b,) for b in [bad]), verbose=0)
    with pytest.raises(ValueError, match="at least one batch"):
        vae.fit(iter([]), verbose=0)
    with pytest.raises(ValueError, match="x=None"):
        vae.fit(verbose=0)
    with pytest.raises(ValueError, match="finite"):
        vae.fit(x, validation_data=(bad,), verbose=0)


def test_nested_lists_are_arrays(vae, x):
    assert vae.fit(x.tolist(), verbose=0).history["loss"][0] > 0


def test_labels_are_no_target(vae, x):
    with pytest.raises(ValueError, match="`y`.*takes no labels"):
        vae.fit(x, np.arange(6), verbose=0)
    with pytest.raises(ValueError, match=r"`validation_data\[1\]`.*takes no labels"):
        vae.fit(x, validation_data=(x, np.arange(6)), verbose=0)


def test_a_loss_in_compile(vae):
    with pytest.raises(ValueError, match="likelihood='mse'.*Received: loss='mse'"):
        vae.compile(loss="mse")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"latent_dim": 0}, "`latent_dim` must be a positive integer. Received: latent_dim=0"),
        ({"latent_dim": 3}, r"`decoder` doesn't fit: it takes inputs of shape \(2,\)"),
        ({"likelihood": "bernouli"}, "Unknown `likelihood`.*'bernouli'.*bernoulli"),
        ({"posterior": "gaussian"}, "Unknown `posterior`.*diagonal_gaussian"),
        ({"posterior": "point"}, "`posterior` must have a density.*`Autoencoder`"),
        ({"num_samples": 0}, "`num_samples` must be a positive integer"),
        ({"prior": "normal"}, "Unknown `prior`.*standard_normal"),
        ({"likelihood": "discretized_logistic"}, "outputs_per_value=2"),
        ({"beta": -1.0}, "`beta`.*at least 0. Received: beta=-1.0"),
        ({"beta": float("nan")}, "`beta`"),
        ({"free_bits": -0.1}, "`free_bits`"),
    ],
)
def test_constructor(settings, message):
    with pytest.raises(ValueError, match=message):
        ka.VAE(*networks(), **settings)


def test_networks_that_do_not_fit():
    encoder, decoder = networks()
    with pytest.raises(ValueError, match="`encoder` doesn't fit"):
        ka.VAE(ka.networks.mlp((9, 9, 1), 2, hidden=(8,))[0], decoder)
    with pytest.raises(ValueError, match="`encoder` must be a Keras model"):
        ka.VAE(None, decoder)
    x = keras.Input(SHAPE)
    h = keras.layers.Flatten()(x)
    two = keras.Model(x, [keras.layers.Dense(2)(h), keras.layers.Dense(2)(h)])
    with pytest.raises(ValueError, match="`encoder` must give features alone.*2 tensors"):
        ka.VAE(two, decoder)
    with pytest.raises(ValueError, match="`latent_dim` is needed"):
        ka.VAE(encoder, keras.Sequential([keras.layers.Dense(64), keras.layers.Reshape(SHAPE)]))


def test_verbs(vae, x):
    with pytest.raises(ValueError, match=r"`x` must have shape \(n, 8, 8, 1\)"):
        vae.encode(x[..., 0])
    for verb in (vae.log_likelihood, vae.elbo, vae.evaluate_terms):
        with pytest.raises(ValueError, match=r"`x` must lie within \[0, 1\]"):
            verb(255 * x)
    with pytest.raises(ValueError, match=r"`z` must have shape \(n, 2\)"):
        vae.decode(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="`num_samples` must be a positive integer"):
        vae.sample(0)
    with pytest.raises(ValueError, match="`num_samples`"):
        vae.log_likelihood(x, num_samples=0)
    with pytest.raises(ValueError, match="Unknown `prior`.*gaussian_mixture"):
        vae.fit_prior(x, "mixture")
    with pytest.raises(ValueError, match="`codes` must be at least 20"):
        vae.fit_prior(x, "gaussian_mixture")
    with pytest.raises(ValueError, match="`prior` must be a FittedMixture of 2 latent"):
        vae.set_prior(ka.distributions.FittedMixture(3))
    with pytest.raises(ValueError, match="`steps`"):
        vae.interpolate(x[:1], x[1:2], steps=1)
    with pytest.raises(ValueError, match="Unknown `method`.*linear"):
        vae.interpolate(x[:1], x[1:2], method="linea")
    with pytest.raises(ValueError, match="same number of examples"):
        vae.interpolate(x[:1], x[1:3])


def test_batches_of_another_kind(vae, x):
    with pytest.raises(ValueError, match="must yield batches .* Received: a dict"):
        vae.fit(iter([{"image": x}]), verbose=0)
    with pytest.raises(ValueError, match="must be data.* Received: the str 'images/'"):
        vae.fit("images/", verbose=0)


def test_a_support_that_differs_from_value_to_value():
    class Ages(ka.distributions.Gaussian):
        support = (np.array([0.0, -np.inf]), np.array([120.0, 0.0]))

    model = ka.VAE(*ka.networks.mlp((2,), 2, hidden=(4,)), likelihood=Ages(1.0))
    model.evaluate_terms(np.array([[119.0, -1e6]], "float32"))
    for bad in ([[121.0, -1.0]], [[-1.0, -1.0]], [[5.0, 0.1]]):
        with pytest.raises(ValueError, match=r"must lie within .*\(less for some values\)"):
            model.evaluate_terms(np.array(bad, "float32"))


@pytest.mark.parametrize(
    "model, given, expected",
    [
        (ka.VAE, {"likelyhood": "mse"}, "VAE takes no argument `likelyhood`.*mean: likelihood"),
        (ka.Autoencoder, {"laten_dim": 2}, "Did you mean: latent_dim"),
        (ka.CIWAE, {"elbo_wieght": 0.5}, "CIWAE takes no.*Did you mean: elbo_weight"),
        (ka.HierarchicalVAE, {"topdown": ()}, "Did you mean: top_down"),
        (ka.Autoencoder, {"beta": 2.0}, "Autoencoder takes no argument `beta`.*Valid: .*prior"),
    ],
)
def test_a_misspelt_argument_is_named_with_the_nearest(model, given, expected):
    with pytest.raises(TypeError, match=expected):
        model(*networks(), **given)


@pytest.mark.parametrize("model", [ka.HierarchicalVAE, ka.HypersphericalVAE, ka.VQVAE])
def test_a_posterior_is_refused_where_the_model_has_its_own(model):
    with pytest.raises(ValueError, match=f"`posterior` isn't for {model.__name__}: its .*Leave it"):
        model(*networks(), posterior="diagonal_gaussian")


def test_a_subclass_may_take_keywords_of_its_own():
    class Own(ka.VAE):
        def __init__(self, *args, **kwargs):
            self.width = kwargs.pop("width")
            super().__init__(*args, **kwargs)

    networks = ka.networks.mlp((4,), 2, hidden=(4,))
    assert Own(*networks, width=3, name="own").width == 3
    with pytest.raises(TypeError, match="Own takes no argument `widht`"):
        Own(*networks, width=3, widht=3)
