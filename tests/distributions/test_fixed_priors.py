"""Fixed priors: objects that a user makes."""

import json

import keras
import numpy as np
import pytest
import scipy.stats
from families import Scaled, StandardLaplace, WideNormal
from keras import ops

import keras_aevae as ka
from keras_aevae.distributions import FittedMixture, StandardNormal, UniformIndices

SHAPE, LATENT = (8, 8, 1), 2
# Each prior, its density and its standard deviation.
PRIORS = {
    "Laplace": (StandardLaplace, scipy.stats.laplace(), np.sqrt(2)),
    "wide": (WideNormal, scipy.stats.norm(0, 2), 2.0),
    "not a distribution": (lambda n: Scaled(n, 3.0), scipy.stats.norm(0, 3), 3.0),
    "standard": (StandardNormal, scipy.stats.norm(), 1.0),
}


def make(cls=ka.VAE, **settings):
    keras.utils.set_random_seed(1)
    return cls(*ka.networks.mlp(SHAPE, LATENT, hidden=(16,)), **{"seed": 7, **settings})


@pytest.fixture(scope="module")
def x():
    return ka.datasets.load("digits")[0][0][:128]


@pytest.mark.parametrize("name", PRIORS)
def test_a_fixed_prior_is_drawn_from_and_scored_by(name, x, tmp_path):
    prior, density, deviation = PRIORS[name]
    model = make(prior=prior(LATENT))
    codes = model.sample_codes(4000, seed=1)
    assert abs(codes.std() / deviation - 1) < 0.06
    log_p = ops.convert_to_numpy(model.p().log_prob(codes[:50]))
    np.testing.assert_allclose(log_p, density.logpdf(codes[:50]).sum(-1), rtol=1e-4)
    assert model.code.exact_kl == (name != "Laplace")
    # The KL and the bound are those of this density, at the same draws.
    outputs = model.predict(x, verbose=0)
    mean, log_var = outputs["z_mean"], outputs["z_log_var"]
    z = mean + np.exp(log_var / 2) * np.random.default_rng(0).normal(size=(2000, *mean.shape))
    q = scipy.stats.norm(mean, np.exp(log_var / 2)).logpdf(z)
    kl = (q - density.logpdf(z)).sum(-1)
    own = np.mean([model.evaluate_terms(x)["kl"] for _ in range(10)])
    error = np.hypot(kl.mean(1).std() / np.sqrt(2000), kl.std() / np.sqrt(10 * len(x)))
    assert abs(own - kl.mean()) < 5 * error
    elbo, nats = model.elbo(x, 50), model.log_likelihood(x, 200)
    assert elbo.mean() < nats.mean() < elbo.mean() + 5
    # It is trained with, and kept.
    model.compile()
    model.fit(x, verbose=0)
    model.save(tmp_path / "m.keras")
    model.save_to_preset(tmp_path / "preset")
    for again in (
        keras.saving.load_model(tmp_path / "m.keras"),
        ka.Autoencoder.from_preset(tmp_path / "preset"),
        ka.VAE.from_config(json.loads(json.dumps(model.get_config()))),
    ):
        assert type(again.prior) is type(model.prior)
        np.testing.assert_array_equal(again.sample_codes(5, seed=1), model.sample_codes(5, seed=1))
    # `fit_prior` puts another in its place, and None brings it back.
    model.fit_prior(x, "gaussian")
    assert type(model.p(fitted=True)) is not type(model.p())
    model.set_prior(None)
    np.testing.assert_array_equal(model.sample_codes(4000, seed=1), codes)


def test_a_prior_is_fixed_for_a_point_too(x):
    model = make(ka.Autoencoder, prior=WideNormal(LATENT))
    assert model.sample_codes(4000, seed=1).std() > 1.8
    assert type(ka.Autoencoder.from_config(model.get_config()).prior) is WideNormal


def test_a_fixed_prior_with_weights_is_saved_and_not_trained(x, tmp_path):
    prior = FittedMixture(LATENT, 2, seed=0)
    prior.fit(np.random.default_rng(0).normal(3.0, 0.5, (200, LATENT)))
    model = make(prior=prior)
    assert not model.code.exact_kl
    before = model.sample_codes(100, seed=1)
    assert abs(before.mean() - 3) < 0.3
    model.compile()
    model.fit(x, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    for one in (model, again):
        np.testing.assert_array_equal(one.sample_codes(100, seed=1), before)


def test_a_name_stays_a_name():
    assert make().get_config()["prior"] == "standard_normal"
    assert make(prior=StandardNormal(LATENT)).get_config()["prior"]["config"] == {"latent_dim": 2}


@pytest.mark.parametrize(
    "prior, match",
    [
        (WideNormal(3), "`prior` must be one of vectors of 2 latent dimensions.*of 3 dimensions"),
        (Scaled(1), "`prior` must be one of vectors of 2 latent dimensions.*Scaled.*of 1 dim"),
        (UniformIndices(2, (2,)), "`prior` must be one of vectors.*a UniformIndices of indices"),
        (WideNormal, "Unknown `prior`.*keras_aevae.distributions.Prior"),
        ("normal", "Unknown `prior`.*standard_normal.*keras_aevae.distributions.Prior"),
    ],
)
def test_a_prior_of_something_else_is_refused(prior, match):
    with pytest.raises(ValueError, match=match):
        make(prior=prior)
