"""The advice on a VAE's latent dimensions, of models that were made to need it."""

import keras
import numpy as np
import pytest

from keras_aevae import VAE, distributions, latent
from keras_aevae.latent.measures.posterior_collapse import off_prior


@pytest.fixture(scope="module")
def advised():
    """Makes a VAE of data that three numbers determine, and returns what is said of it."""
    rng = np.random.default_rng(0)
    numbers, weights = rng.normal(size=(512, 3)), rng.normal(size=(3, 12)) / np.sqrt(3)
    x = (numbers @ weights + 0.1 * rng.normal(size=(512, 12))).astype("float32")

    def of(latent_dim, epochs, **settings):
        keras.utils.set_random_seed(0)
        encoder = [keras.Input((12,)), keras.layers.Dense(16, activation="tanh")]
        decoder = [keras.Input((latent_dim,)), keras.layers.Dense(12)]
        likelihood = distributions.Gaussian(scale=0.3)
        networks = keras.Sequential(encoder), keras.Sequential(decoder)
        vae = VAE(*networks, likelihood=likelihood, seed=0, **settings)
        vae.compile(keras.optimizers.Adam(1e-2))
        if epochs:
            vae.fit(x, epochs=epochs, batch_size=64, verbose=0)
        outputs = vae.predict(x, verbose=0)
        return latent.posterior_collapse(outputs["z_mean"], outputs["z_log_var"])

    return of


def test_a_healthy_model_needs_nothing(advised):
    found = advised(8, epochs=120)
    assert found["verdict"] == "partial" and len(found["active"]) >= 3
    assert found["near_prior"] and found["effective_dimension"] == pytest.approx(3, abs=0.3)
    assert "Nothing is wrong" in found["advice"] and "rain longer" not in found["advice"]


@pytest.mark.parametrize("epochs", [0, 2, 5])
def test_a_model_that_is_not_trained_to_the_end_is_to_be_trained(epochs, advised):
    """All dimensions vary and hold nats; more of them is the wrong remedy."""
    found = advised(8, epochs)
    assert found["verdict"] == "none" and not found["near_prior"]
    assert "Train longer" in found["advice"] and "may store it" not in found["advice"]
    directions = f"{found['effective_dimension']:.1f} of 8 directions"
    assert directions in found["advice"] and found["effective_dimension"] < 3


def test_too_few_dimensions(advised):
    found = advised(2, epochs=40)
    assert found["verdict"] == "none" and found["near_prior"]
    assert "more latent dimensions may store it" in found["advice"]


def test_a_collapsed_model(advised):
    found = advised(8, epochs=20, beta=1000.0)
    assert (found["verdict"], found["active"]) == ("full", [])
    assert "ignores the code" in found["advice"] and "Warm beta up" in found["advice"]


def test_beta_of_0_leaves_the_prior(advised):
    found = advised(8, epochs=20, beta=0.0)
    assert not found["near_prior"] and "raise beta" in found["advice"]


def test_no_dimension_varies_and_the_posterior_is_not_the_prior():
    mean, log_var = np.full((50, 4), 0.3), np.full((50, 4), -0.5)
    found = latent.posterior_collapse(mean, log_var)
    assert found["verdict"] == "full" and "hardly been trained" in found["advice"]
    assert found["off_prior"] == pytest.approx(found["rate"])  # it says nothing


@pytest.mark.parametrize(
    "small, advice",
    [(0.999, "2 of 3 store next to nothing"), (0.7, "number of dimensions is enough")],
)
def test_dimensions_that_hold_little(small, advice, rng):
    """Codes at the prior, two of whose dimensions have posteriors almost as wide as it."""
    variance = np.array([0.05, small**2, small**2])
    mean = rng.normal(size=(4000, 3)) * np.sqrt(1 - variance)
    found = latent.posterior_collapse(mean, np.tile(np.log(variance), (4000, 1)), threshold=1e-4)
    assert found["verdict"] == "none" and found["near_prior"]
    assert advice in found["advice"]


def test_the_bound_in_closed_form_and_below_the_rate(rng):
    """Of Gaussian codes it is their KL to the prior; the mutual information is the rest."""
    s, r = 0.5, np.array([[2.0, 0.6], [0.6, 1.0]])
    mean = rng.multivariate_normal([0.4, 0.0], r - s**2 * np.eye(2), size=50_000)
    log_var = np.full(mean.shape, 2 * np.log(s))
    expected = (3 + 0.16 - 2 - np.log(np.linalg.det(r))) / 2
    assert off_prior(mean, log_var) == pytest.approx(expected, abs=0.02)
    parts = latent.kl_decomposition(mean[:2000], log_var[:2000], num_draws=4000)
    beyond = parts["total_correlation"] + parts["dimension_wise_kl"]
    assert off_prior(mean[:2000], log_var[:2000]) == pytest.approx(beyond, abs=0.1)


def test_few_examples_of_the_prior_are_near_it(rng):
    """With 8 dimensions, 60 examples have a covariance that is 0.4 nats off by chance."""
    found = [off_prior(rng.normal(size=(60, 8)), np.full((60, 8), -20.0)) for _ in range(20)]
    assert np.mean(found) == pytest.approx(0, abs=0.1)


def test_variances_of_0_give_finite_numbers():
    found = latent.posterior_collapse(np.zeros((5, 2)), np.full((5, 2), -2000.0))
    assert np.isfinite(found["off_prior"]) and "nan" not in found["advice"]
