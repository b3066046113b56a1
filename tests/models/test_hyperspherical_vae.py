"""What the hyperspherical VAE promises."""

import logging

import keras
import numpy as np
import pytest
from zoo import GRID, SHAPE, build

import keras_aevae as ka
from keras_aevae.codes import VonMisesFisherCode


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((64, *SHAPE), "float32")


def networks(latent_dim=3):
    return ka.networks.mlp(SHAPE, latent_dim, hidden=(16,))


def test_codes_are_on_the_sphere_and_kappa_is_a_number_for_each(x):
    model = build("HypersphericalVAE")
    outputs = model.predict(x, verbose=0)
    assert outputs["z_concentration"].shape == (len(x),)
    assert (outputs["z_concentration"] >= 1).all()
    for name in ("z", "z_mean"):
        np.testing.assert_allclose(np.linalg.norm(outputs[name], axis=-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(model.encode(x), outputs["z_mean"], atol=1e-6)
    z = model.sample_codes(50, seed=0)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1.0, atol=1e-5)


def test_the_decoder_sees_the_sphere_alone(x):
    model = build("HypersphericalVAE")
    z = model.encode(x[:4])
    np.testing.assert_allclose(model.decode(3 * z), model.decode(z), atol=1e-6)
    straight, arc = (model.interpolate(x[:2], x[2:4], 5, method=m) for m in ("linear", "spherical"))
    np.testing.assert_allclose(straight[:, [0, 2, 4]], arc[:, [0, 2, 4]], atol=1e-5)


def test_log_likelihood_is_the_integral_over_the_circle(x):
    keras.utils.set_random_seed(0)
    model = ka.HypersphericalVAE(*networks(2), seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(x, epochs=3, verbose=0)
    angle = np.arange(2000) * 2 * np.pi / 2000
    circle = np.stack([np.cos(angle), np.sin(angle)], -1).astype("float32")
    params = keras.ops.convert_to_numpy(model.decoder(circle))
    each = [model.likelihood.log_prob(np.repeat(one[None], 2000, 0), params) for one in x[:8]]
    logs = np.stack([keras.ops.convert_to_numpy(log) for log in each])
    exact = np.logaddexp.reduce(logs, axis=-1) - np.log(2000)
    got = model.log_likelihood(x[:8], num_samples=3000)
    np.testing.assert_allclose(got, exact, atol=0.05)
    assert (model.elbo(x[:8], num_samples=200) < got + 0.1).all()


@pytest.mark.parametrize("prior", ["vamp_prior", "given"])
def test_vampprior_is_on_the_sphere(x, prior):
    given = ka.distributions.VampPrior(8, start="random", seed=0)
    model = ka.HypersphericalVAE(*networks(), prior=given if prior == "given" else prior, seed=0)
    if prior == "given":
        model.compile()
        history = model.fit(x, epochs=2, verbose=0).history
        assert np.isfinite(history["kl"]).all()
        z = model.sample_codes(20, seed=0)
        np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1.0, atol=1e-5)
        assert (model.log_likelihood(x, 100).mean() >= model.elbo(x, 20).mean() - 0.1).all()


@pytest.mark.parametrize("gradient", ["reparameterized", "doubly_reparameterized"])
def test_iwae_takes_the_code(x, gradient):
    code = VonMisesFisherCode(seed=1)
    model = ka.IWAE(*networks(), posterior=code, prior="uniform", num_samples=3, gradient=gradient)
    model.compile()
    assert np.isfinite(model.fit(x, epochs=2, verbose=0).history["loss"]).all()


def test_free_bits_are_of_the_whole_code(x):
    model = build("HypersphericalVAE", free_bits=0.5, beta=0.0)
    model.compile()
    terms = model.evaluate(x, return_dict=True, verbose=0)
    np.testing.assert_allclose(terms["free_bits"], max(0.5 - terms["kl"], 0), atol=1e-4)


@pytest.mark.parametrize(
    "prior", ["standard_normal", "gaussian_mixture", ka.distributions.GaussianMixture(3), None]
)
def test_priors_off_the_sphere_are_refused(prior):
    with pytest.raises(
        ValueError, match="`prior` must be a distribution on the sphere in 3 dimensions: 'uniform'"
    ):
        ka.HypersphericalVAE(*networks(), prior=prior)
    if isinstance(prior, str):
        with pytest.raises(ValueError, match="`prior` must be a distribution on the sphere"):
            ka.VAE(*networks(), posterior="von_mises_fisher", prior=prior)


def test_gaussians_are_not_fitted_to_a_sphere(x):
    model = build("HypersphericalVAE")
    with pytest.raises(ValueError, match="Unknown `prior`.*prior='gaussian'.*von_mises"):
        model.fit_prior(x, "gaussian")
    with pytest.raises(ValueError, match="`prior` must be a FittedVonMisesFisher of 3 latent dim"):
        model.set_prior(ka.distributions.FittedMixture(3, 2))


def test_shapes_without_a_sphere_are_refused():
    with pytest.raises(ValueError, match="`latent_dim` must be at least 2.*latent_dim=1"):
        ka.HypersphericalVAE(*networks(1))
    grid = {k: v for k, v in GRID.items() if k != "network"}
    with pytest.raises(ValueError, match="A code on a sphere is one vector.*grids of shape"):
        ka.HypersphericalVAE(*ka.networks.conv(SHAPE, 3, **grid))


def test_a_step_is_recorded(x, caplog):
    """On PyTorch a step that can't be recorded runs on with a warning."""
    model = build("HypersphericalVAE")
    model.compile()
    with caplog.at_level(logging.WARNING):
        model.fit(x, epochs=2, verbose=0)
        model.evaluate(x, verbose=0)
        model.encode(x, sample=True)
    assert not [r for r in caplog.records if r.name.startswith("keras_aevae")]
