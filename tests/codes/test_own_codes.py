"""Codes as a user writes them: of another family, with settings, without a fitted prior."""

import json

import keras
import numpy as np
import pytest
from families import Laplace, LaplaceCode, StandardLaplace, WideNormal, WiderCode
from keras import ops
from zoo import ZOO, Row, build

import keras_aevae as ka
from keras_aevae.codes import CODES, Code, CodebookCode, GaussianCode, PointCode

SHAPE, LATENT = (8, 8, 1), 3


def make(cls=ka.VAE, **settings):
    keras.utils.set_random_seed(1)
    return cls(*ka.networks.mlp(SHAPE, LATENT, hidden=(16,)), **{"seed": 7, **settings})


@pytest.fixture(scope="module")
def x():
    return ka.datasets.load("digits")[0][0][:128]


def reloaded(model, path):
    """The model by each of the ways in which it is kept."""
    model.save(path / "m.keras")
    model.save_to_preset(path / "preset")
    config = json.loads(json.dumps(model.get_config()))
    return (
        keras.saving.load_model(path / "m.keras"),
        ka.Autoencoder.from_preset(path / "preset"),
        type(model).from_config(config),
    )


# Another family


def test_a_code_of_another_family_is_its_family(x):
    model = make(posterior=LaplaceCode(), prior=StandardLaplace(LATENT))
    assert model.code.inferred == ("z_mean", "z_log_scale") and model.code.exact_kl
    outputs = model.predict(x, verbose=0)
    assert {"z_mean", "z_log_scale", "z"} <= set(outputs)
    q = Laplace(outputs["z_mean"], outputs["z_log_scale"])
    exact = ops.convert_to_numpy(q.kl(StandardLaplace(LATENT)))
    np.testing.assert_allclose(model.evaluate_terms(x)["kl"], exact, rtol=1e-4, atol=1e-5)
    # Its density, its draws and its closed form agree.
    z = q.sample((4000,), seed=1)
    each = ops.convert_to_numpy(q.log_prob(z) - StandardLaplace(LATENT).log_prob(z))
    error = each.std(axis=0) / np.sqrt(4000)
    assert np.all(np.abs(each.mean(axis=0) - exact) < 5 * error + 1e-5)
    noise = (outputs["z"] - outputs["z_mean"]) / np.exp(outputs["z_log_scale"])
    assert abs(np.abs(noise).mean() - 1) < 5 / np.sqrt(noise.size)  # of |Laplace|: 1, deviation 1


def test_a_code_of_another_family_is_trained_and_kept(x, tmp_path):
    model = make(ka.IWAE, posterior=LaplaceCode(), gradient="doubly_reparameterized")
    assert not model.code.exact_kl  # to N(0, I)
    model.compile()
    history = model.fit(x, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0] - 1
    assert np.isfinite(model.elbo(x)).all() and np.isfinite(model.log_likelihood(x, 10)).all()
    model.fit_prior(x, "gaussian")
    for again in reloaded(model, tmp_path)[:2]:
        assert type(again.code) is LaplaceCode
        np.testing.assert_allclose(again.encode(x), model.encode(x), atol=1e-6)
        np.testing.assert_allclose(again.sample(3, seed=1), model.sample(3, seed=1), atol=1e-5)


def test_free_bits_need_a_kl_by_dimension(x):
    assert make(posterior=LaplaceCode(), prior=StandardLaplace(LATENT), free_bits=0.1).free_bits
    assert make(prior=WideNormal(LATENT), free_bits=0.1).free_bits
    with pytest.raises(ValueError, match="`free_bits`.*LaplaceCode, StandardNormal"):
        make(posterior=LaplaceCode(), free_bits=0.1)


# A subclass is not its parent


def test_a_subclass_of_a_code_is_kept_with_its_settings(x, tmp_path):
    model = make(posterior=WiderCode(5.0))
    log_vars = model.predict(x, verbose=0)["z_log_var"]
    for again in reloaded(model, tmp_path):
        assert type(again.code) is WiderCode and again.code.factor == 5.0
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again.predict(x, verbose=0)["z_log_var"], log_vars, atol=1e-5)


def test_a_code_is_kept_as_it_was_given():
    assert make().get_config()["posterior"] == "diagonal_gaussian"
    given = make(posterior=GaussianCode(seed=3, dtype="float64", name="mine"))
    again = ka.VAE.from_config(given.get_config())
    assert (again.code.name, again.code.compute_dtype, again.code.seed) == ("mine", "float64", 3)


# Fitted priors


def test_a_prior_is_fitted_only_to_codes_that_say_so(x):
    class OneHots(GaussianCode):
        fitted_priors = ()

    assert Code.fitted_priors == ()
    for cls in (PointCode, GaussianCode):
        assert cls.fitted_priors == ("gaussian", "gaussian_mixture")
    assert CodebookCode.fitted_priors == ("autoregressive",)
    model = make(posterior=OneHots())
    mixture = ka.distributions.FittedMixture(LATENT, 1)
    for prior in ("gaussian", "gausian", mixture):
        with pytest.raises(ValueError, match="No prior can be fitted to the codes of a OneHots"):
            model.fit_prior(x, prior)
    with pytest.raises(ValueError, match="No prior can be fitted to the codes of a OneHots"):
        model.set_prior(mixture)
    assert model.fitted_prior is None


def test_a_prior_that_cannot_be_fitted_is_refused_before_the_fit(x):
    prior = ka.AutoregressivePrior(16, (3,), width=8, depth=1, num_heads=2)
    with pytest.raises(ValueError, match="`prior` must be a FittedMixture of 3 latent dimensions"):
        make().fit_prior(x, prior)


# Seeds


def test_every_named_code_has_the_seed():
    for name in CODES:
        cls = ka.Autoencoder if name == "point" else ka.VAE
        assert make(cls, posterior=name, seed=11).get_config()["seed"] == 11


def test_a_row_may_choose_the_latent_dimensions(monkeypatch):
    row = Row(ka.VAE, networks={"latent_dim": 12})
    monkeypatch.setitem(ZOO, "of 12", row)
    assert build("of 12").latent_dim == 12 and build("VAE").latent_dim == LATENT
