"""The adversarial autoencoder: its terms, where their gradients go, and what they do, against NumPy
in float64."""

import functools

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from finite_differences import central_differences
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

import keras_aevae as ka

D, LATENT, BATCH, SCALE = 4, 3, 12, 0.7
SLOPE = 0.2  # of the discriminator's leaky ReLUs
DATA = np.random.default_rng(8).normal(size=(BATCH, D)).astype("float32")


def value(variable):
    return ops.convert_to_numpy(variable).copy()


def linear(cls=ka.AdversarialAutoencoder, **settings):
    """Linear both ways: z = x K + b, p(x|z) = N(z W + d, s^2)."""
    keras.utils.set_random_seed(2)
    encoder = keras.Sequential([keras.Input((D,)), keras.layers.Identity()])
    decoder = keras.Sequential([keras.Input((LATENT,)), keras.layers.Dense(D)])
    if cls is ka.AdversarialAutoencoder:
        settings = {"discriminator": (5,), **settings}
    likelihood = ka.distributions.Gaussian(SCALE)
    return cls(encoder, decoder, likelihood=likelihood, **{"seed": 1000, **settings})


def names_of(model):
    """The model's trainable variables by a name of their part."""
    parts = {"code": model.code, "decoder": model.decoder}
    if isinstance(model, ka.AdversarialAutoencoder):
        parts["discriminator"] = model.discriminator
    return {
        f"{part}/{i}": v
        for part, layer in parts.items()
        for i, v in enumerate(layer.trainable_variables)
    }


class Fixed(ka.distributions.FixedPrior, ka.distributions.DiagonalGaussian):
    """A prior whose draws are the same each time."""

    draws = np.random.default_rng(3).normal(2.0, 1.0, size=(BATCH, LATENT)).astype("float32")
    mean = property(lambda self: ops.zeros((self.latent_dim,)))
    log_var = property(lambda self: ops.zeros((self.latent_dim,)))

    def sample(self, sample_shape=(), seed=None):
        return ops.convert_to_tensor(self.draws)


@functools.cache
def step_of_sgd(cls=ka.AdversarialAutoencoder, **settings):
    """The weights by name, and what one step of SGD on `DATA` took from each of them."""
    model = linear(cls, prior=Fixed(LATENT), **settings)
    if cls is ka.AdversarialAutoencoder:  # its own scale would make for small gradients
        model.discriminator.set_weights([3 * w for w in model.discriminator.get_weights()])
    model.compile(keras.optimizers.SGD(1.0))
    before = {name: value(v) for name, v in names_of(model).items()}
    model.train_on_batch(DATA)
    after = {name: value(v) for name, v in names_of(model).items()}
    return before, {name: before[name] - after[name] for name in before}


def codes(w):
    return DATA.astype("float64") @ w["code/0"] + w["code/1"]


def logit(w, z):
    h = z @ w["discriminator/0"] + w["discriminator/1"]
    h = np.where(h > 0, h, SLOPE * h)
    return (h @ w["discriminator/2"] + w["discriminator/3"])[..., 0]


def reconstruction(w):
    decoded = codes(w) @ w["decoder/0"] + w["decoder/1"]
    return -scipy.stats.norm.logpdf(DATA, decoded, SCALE).sum(-1).mean()


def generator(w):
    return -scipy.special.log_expit(logit(w, codes(w))).mean()


def discriminator(w, z):
    real, fake = logit(w, Fixed.draws.astype("float64")), logit(w, z)
    return -0.5 * (scipy.special.log_expit(real) + scipy.special.log_expit(-fake)).mean()


@pytest.mark.parametrize("weight", [0.0, 6.0])
def test_each_gradient_is_that_of_its_loss(weight):
    """Of the encoder and decoder: reconstruction and generator, the discriminator fixed. Of the
    discriminator: its own cross-entropy, the codes fixed."""
    before, gradients = step_of_sgd(adversary_weight=weight)
    weights = {name: w.astype("float64") for name, w in before.items()}
    z = codes(weights)
    assert len(weights) == 8
    for name in weights:
        if name.startswith("discriminator"):
            f = lambda w: discriminator(w, z)  # noqa: E731
        else:
            f = lambda w: reconstruction(w) + weight * generator(w)  # noqa: E731
        expected = central_differences(f, weights, name)
        assert np.abs(expected).max() > 0.02, name  # there is something to compare
        largest = max(np.abs(before[name]).max(), np.abs(expected).max())
        assert_allclose(gradients[name], expected, atol=1e-5 * largest, err_msg=name)


def test_without_weight_it_learns_as_the_autoencoder():
    before, plain = step_of_sgd(cls=ka.Autoencoder)
    own_before, own = step_of_sgd(adversary_weight=0.0)
    for name, gradient in plain.items():
        assert_array_equal(before[name], own_before[name])
        assert_allclose(own[name], gradient, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


def test_terms():
    model = linear(prior=Fixed(LATENT), adversary_weight=3.0)
    model.compile()
    weights = {name: value(v).astype("float64") for name, v in names_of(model).items()}
    logs = model.evaluate(DATA, verbose=0, return_dict=True)
    expected = {
        "reconstruction": reconstruction(weights),
        "generator": generator(weights),
        "discriminator": discriminator(weights, codes(weights)),
    }
    for name, term in expected.items():
        assert_allclose(logs[name], term, rtol=1e-5, err_msg=name)
    total = expected["reconstruction"] + 3 * expected["generator"] + expected["discriminator"]
    assert_allclose(logs["loss"], total, rtol=1e-5)
    each = model.evaluate_terms(DATA)
    assert set(each) == {"reconstruction", "generator"}
    assert_allclose(each["generator"].mean(), expected["generator"], rtol=1e-5)


def test_a_discriminator_that_says_nothing_pays_log_2():
    model = linear(discriminator=())
    model.discriminator.set_weights([np.zeros((LATENT, 1)), np.zeros(1)])
    model.compile()
    logs = model.evaluate(DATA, verbose=0, return_dict=True)
    assert_allclose([logs["generator"], logs["discriminator"]], np.log(2), rtol=1e-6)


@pytest.mark.parametrize("posterior", ["point", "diagonal_gaussian"])
def test_codes_come_to_follow_the_prior(posterior):
    """Of data far from N(0, I), in two clusters, the codes' mean and spread come near the prior's,
    as those of an autoencoder don't."""
    generator = np.random.default_rng(0)
    x = generator.normal(generator.choice([3.0, 6.0], size=(2000, 1)), 0.5, size=(2000, 2))
    x = x.astype("float32")

    def trained(weight):
        keras.utils.set_random_seed(0)
        encoder, decoder = ka.networks.mlp((2,), latent_dim=2, hidden=(32,))
        model = ka.AdversarialAutoencoder(
            encoder,
            decoder,
            likelihood=ka.distributions.Gaussian(1.0),
            posterior=posterior,
            adversary_weight=weight,
            discriminator=(32,),
            seed=0,
        )
        adam = keras.optimizers.Adam
        model.compile(ka.optimizers(model, adam(3e-3), discriminator=adam(3e-3)))
        model.fit(x, batch_size=200, epochs=80, verbose=0)
        z = model.encode(x, sample=True)
        return max(np.abs(z.mean(axis=0)).max(), np.abs(z.std(axis=0) - 1).max())

    assert trained(3.0) < trained(0.0) / 3


def test_a_users_own_network_gets_its_rate():
    network = keras.Sequential(
        [keras.Input((LATENT,)), keras.layers.Dense(4), keras.layers.Dense(2)]
    )
    model = linear(discriminator=network)
    sgd = keras.optimizers.SGD
    model.compile(ka.optimizers(model, sgd(0.0), discriminator=sgd(0.1)))
    before = {name: value(v) for name, v in names_of(model).items()}
    model.fit(DATA, verbose=0)
    moved = {name for name, v in names_of(model).items() if (value(v) != before[name]).any()}
    assert moved == {name for name in before if name.startswith("discriminator")}


def test_the_prior_is_drawn_anew_and_by_the_models_seed():
    def losses(seed):
        model = linear(seed=seed)
        model.discriminator.set_weights([3 * w for w in model.discriminator.get_weights()])
        model.compile()
        return [model.evaluate(DATA, verbose=0, return_dict=True)["discriminator"] for _ in "ab"]

    first = losses(1)
    assert first == losses(1) and first != losses(2) and first[0] != first[1]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"adversary_weight": -1}, "`adversary_weight` must be a finite number of at least 0"),
        ({"prior": "gaussian_mixture", "posterior": "diagonal_gaussian"}, "`prior` must be fixed"),
        ({"discriminator": "mlp"}, r"`discriminator` must be a Keras model.*\(256, 256\).*'mlp'"),
        ({"discriminator": (8, 0)}, "`hidden` must be a positive integer.*hidden=0"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        linear(**settings)
