"""The importance weighted family: its bounds, and whose gradient reaches whom."""

import itertools
import math

import keras
import numpy as np
import pytest
import scipy.special
from keras import ops

import keras_aevae as ka
from keras_aevae.distributions.diagonal_gaussian import LOG_VAR_BOUND

D, LATENT, N = 5, 2, 16


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((N, D), "float32")


def build(cls, **settings):
    keras.utils.set_random_seed(3)
    networks = ka.networks.mlp((D,), LATENT, hidden=(7,))
    return cls(*networks, likelihood=ka.distributions.Gaussian(0.5), seed=1000, **settings)


def log_weights(model, x):
    """The log-weights of the first draws that a model of that seed makes, (draws, batch)."""
    x = ops.convert_to_tensor(x)
    outputs = model.with_one_draw(model(x, training=False))
    log_ratio = model.code.log_ratio(outputs, model.p())
    return ops.convert_to_numpy(model.log_conditional(x, outputs) + log_ratio)


def shown(model, x):
    """`nll_bound` of each example at the first draws of a fresh model."""
    x = ops.convert_to_tensor(x)
    terms = model.terms(x, model.with_one_draw(model(x, training=False)))
    return ops.convert_to_numpy(terms["nll_bound"])


def bound_of(weights):
    return scipy.special.logsumexp(weights.astype("float64"), axis=0) - math.log(len(weights))


def gradients(model, x):
    """Of encoder and head, and of the decoder: minus what one step of SGD of rate 1 adds."""
    if not model.compiled:
        model.compile(keras.optimizers.SGD(1.0))
    variables = [
        [*model.encoder.trainable_variables, *model.code.head.trainable_variables],
        model.decoder.trainable_variables,
    ]
    before = [[ops.convert_to_numpy(v).copy() for v in group] for group in variables]
    model.train_on_batch(x)
    return [
        np.concatenate([(b - ops.convert_to_numpy(v)).ravel() for b, v in zip(old, group)])
        for old, group in zip(before, variables)
    ]


def test_one_sample_is_the_elbo_to_the_last_bit(x):
    iwae = shown(build(ka.IWAE, num_samples=1), x)
    np.testing.assert_array_equal(iwae, -log_weights(build(ka.VAE), x)[0])


@pytest.mark.parametrize("gradient", ["reparameterized", "doubly_reparameterized"])
def test_the_bound_is_that_of_the_weights(x, gradient):
    settings = {"num_samples": 4, "gradient": gradient}
    weights = log_weights(build(ka.IWAE, **settings), x)
    assert weights.shape == (4, N)
    np.testing.assert_allclose(shown(build(ka.IWAE, **settings), x), -bound_of(weights), rtol=1e-6)


def test_the_bound_grows_with_the_samples(x):
    many = np.tile(x, (200, 1))
    bounds = [-shown(build(ka.IWAE, num_samples=k), many).reshape(200, N) for k in (1, 2, 8, 32)]
    for fewer, more in itertools.pairwise(bounds):
        gain = (more.mean(axis=0) - fewer.mean(axis=0)).mean()
        error = np.sqrt((more.var(axis=0) + fewer.var(axis=0)).mean() / 200 / N)
        assert gain > 5 * error


def test_miwae_is_normalised_over_the_samples_of_each_bound(x):
    settings = {"num_bounds": 2, "num_samples": 3}
    weights = log_weights(build(ka.MIWAE, **settings), x)
    assert weights.shape == (6, N)
    expected = -(bound_of(weights[:3]) + bound_of(weights[3:])) / 2
    np.testing.assert_allclose(shown(build(ka.MIWAE, **settings), x), expected, rtol=1e-6)


def test_ends_of_miwae(x):
    iwae = shown(build(ka.IWAE, num_samples=6), x)
    one_bound = shown(build(ka.MIWAE, num_bounds=1, num_samples=6), x)
    np.testing.assert_allclose(one_bound, iwae, rtol=1e-6)
    elbo = -log_weights(build(ka.VAE, num_samples=6), x).mean(axis=0)
    one_sample = shown(build(ka.MIWAE, num_bounds=6, num_samples=1), x)
    np.testing.assert_allclose(one_sample, elbo, rtol=1e-6)


def test_ends_of_ciwae(x):
    def ciwae(weight):
        return shown(build(ka.CIWAE, num_samples=6, elbo_weight=weight), x)

    iwae = shown(build(ka.IWAE, num_samples=6), x)
    elbo = -log_weights(build(ka.VAE, num_samples=6), x).mean(axis=0)
    np.testing.assert_array_equal(ciwae(0.0), iwae)
    np.testing.assert_allclose(ciwae(1.0), elbo, rtol=1e-6)
    np.testing.assert_allclose(ciwae(0.3), 0.3 * elbo + 0.7 * iwae, rtol=1e-6)


def test_the_gradients_of_ciwae_at_its_ends(x):
    for weight, cls in ((0.0, ka.IWAE), (1.0, ka.MIWAE)):
        settings = {"num_samples": 1, "num_bounds": 6} if cls is ka.MIWAE else {"num_samples": 6}
        received = gradients(build(ka.CIWAE, num_samples=6, elbo_weight=weight), x)
        for a, b in zip(received, gradients(build(cls, **settings), x)):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_piwae_trains_the_encoder_as_miwae_and_the_decoder_as_iwae(x):
    piwae = gradients(build(ka.PIWAE, num_bounds=2, num_samples=3), x)
    miwae = gradients(build(ka.MIWAE, num_bounds=2, num_samples=3), x)
    iwae = gradients(build(ka.IWAE, num_samples=6), x)
    np.testing.assert_allclose(piwae[0], miwae[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(piwae[1], iwae[1], rtol=1e-4, atol=1e-6)
    # and these are not the same
    assert np.abs(miwae[0] - iwae[0]).max() > 1e-3 and np.abs(miwae[1] - iwae[1]).max() > 1e-3
    np.testing.assert_allclose(
        shown(build(ka.PIWAE, num_bounds=2, num_samples=3), x),
        shown(build(ka.IWAE, num_samples=6), x),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    "cls, settings",
    [
        (ka.IWAE, {"num_samples": 8}),
        (ka.IWAE, {"num_samples": 8, "beta": 0.5}),
        (ka.IWAE, {"num_samples": 8, "beta": 0.0}),
        (ka.MIWAE, {"num_samples": 4, "num_bounds": 2}),
        (ka.CIWAE, {"num_samples": 8, "elbo_weight": 0.3, "beta": 0.7}),
    ],
    ids=str,
)
def test_doubly_reparameterised_gradient(x, cls, settings):
    """Unbiased for the encoder, with less noise; the decoder's to the last bits the same."""
    runs = {}
    for gradient in ("reparameterized", "doubly_reparameterized"):
        # Many copies of the data: the gradient is a mean over as many draws.
        model = build(cls, gradient=gradient, **settings)
        weights = model.get_weights()
        seen = []
        for _ in range(10):
            model.set_weights(weights)
            seen.append(gradients(model, np.tile(x, (64, 1))))
        runs[gradient] = [np.array(group) for group in zip(*seen)]  # (10, weights) each
    plain, double = runs.values()
    np.testing.assert_allclose(plain[1], double[1], rtol=1e-3, atol=1e-5)
    difference = plain[0].mean(axis=0) - double[0].mean(axis=0)
    error = np.sqrt((plain[0].var(axis=0) + double[0].var(axis=0)) / 9)
    alive = error > 0  # units that are off for all the data have no gradient at all
    assert np.square(difference[alive] / error[alive]).mean() < 3  # 1 expected, of dozens
    if settings == {"num_samples": 8}:
        assert double[0].var(axis=0).sum() < 0.7 * plain[0].var(axis=0).sum()


@pytest.mark.parametrize("seed", [None, 1])
def test_the_two_passes_have_the_same_dropout(x, seed):
    decoder = keras.Sequential(
        [keras.Input((LATENT,)), keras.layers.Dropout(0.5, seed=seed), keras.layers.Dense(D)]
    )
    encoder = keras.Sequential([keras.Input((D,)), keras.layers.Dense(4)])
    model = ka.PIWAE(encoder, decoder, num_samples=2, num_bounds=2, seed=1000)
    for _ in range(2):  # and new masks each time
        outputs = model(ops.convert_to_tensor(x), training=True)
        one, other = (
            ops.convert_to_numpy(outputs[name])
            for name in ("decoder_output", "frozen_decoder_output")
        )
        np.testing.assert_array_equal(one, other)
    again = model(ops.convert_to_tensor(x), training=True)["decoder_output"]
    assert np.abs(ops.convert_to_numpy(again) - one).max() > 1e-3


def test_with_the_true_posterior_the_doubly_reparameterised_gradient_is_zero():
    """p(x) = N(0, W W^T + s^2 I) in closed form: every weight is p(x), whatever z."""
    w, scale = np.array([[1.5, 0.0, 0.5], [0.0, 0.8, 0.0]], "float32"), 0.7
    var = 1.0 / (1.0 + np.square(w).sum(axis=1) / scale**2)
    x = np.random.default_rng(0).normal(size=(N, 3)).astype("float32")
    for gradient in ("doubly_reparameterized", "reparameterized"):
        encoder = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
        decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        model = ka.IWAE(
            encoder,
            decoder,
            likelihood=ka.distributions.Gaussian(scale),
            num_samples=4,
            gradient=gradient,
        )
        decoder.set_weights([w, np.zeros(3)])
        kernel = w.T * var / scale**2
        raw = LOG_VAR_BOUND * np.arctanh(np.log(var) / LOG_VAR_BOUND)
        bias = np.concatenate([np.zeros(2), raw])
        model.code.head.set_weights([np.concatenate([kernel, 0 * kernel], axis=1), bias])
        largest = np.abs(gradients(model, x)[0]).max()
        assert largest < 1e-5 if gradient == "doubly_reparameterized" else largest > 1e-2


def test_beta_weighs_the_prior_against_the_posterior(x):
    plain, off = (build(ka.IWAE, num_samples=4, beta=beta) for beta in (1.0, 0.0))
    outputs = off(ops.convert_to_tensor(x), training=False)
    log_conditional = ops.convert_to_numpy(off.log_conditional(ops.convert_to_tensor(x), outputs))
    np.testing.assert_allclose(
        shown(build(ka.IWAE, num_samples=4, beta=0.0), x), -bound_of(log_conditional), rtol=1e-6
    )
    assert np.abs(shown(plain, x) + bound_of(log_conditional)).max() > 1e-3


@pytest.mark.parametrize(
    "cls, settings, message",
    [
        (ka.IWAE, {"num_samples": 0}, "`num_samples` must be a positive integer.*num_samples=0"),
        (ka.IWAE, {"free_bits": 0.1}, "`free_bits` isn.t for IWAE: .*free_bits=0.1"),
        (ka.IWAE, {"gradient": "doubly"}, "Unknown `gradient`.*doubly_reparameterized"),
        (ka.IWAE, {"posterior": "point"}, "`posterior` must have a density"),
        (ka.MIWAE, {"num_bounds": 0}, "`num_bounds` must be a positive integer"),
        (ka.CIWAE, {"elbo_weight": 1.5}, "`elbo_weight` must be .*at most 1.*0 is the IWAE"),
        (ka.CIWAE, {"elbo_weight": -0.1}, "`elbo_weight`"),
        (ka.PIWAE, {"gradient": "doubly_reparameterized"}, "`gradient` isn.t for PIWAE: it routes"),
    ],
)
def test_bad_arguments(cls, settings, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        build(cls, **settings)
