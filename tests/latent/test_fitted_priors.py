"""The rows of a model whose prior was fitted afterwards are of that prior, all of them."""

import keras
import numpy as np
import pytest
from zoo import told_grid

from keras_aevae import IWAE, VAE, VQVAE, ConditionalVAE, datasets, latent, networks
from keras_aevae.latent import plots
from keras_aevae.latent.data import Data
from keras_aevae.latent.observations import Observations
from keras_aevae.layers import VectorQuantizer


@pytest.fixture(scope="module")
def data():
    (x, y), (x_test, y_test) = datasets.load("digits")
    return (x[:300], y[:300]), (x_test[:200], y_test[:200])


def make(cls=VAE, **settings):
    keras.utils.set_random_seed(0)
    told = {"condition_dim": 10} if cls is ConditionalVAE else {}
    model = cls(*networks.mlp((8, 8, 1), 2, hidden=(16,), **told), seed=0, **settings)
    model.code.head.kernel.assign(model.code.head.kernel * 5)  # codes far from N(0, I)
    return model


MODELS = {
    "VAE": lambda: make(),
    "IWAE": lambda: make(IWAE, num_samples=5),
    "learned": lambda: make(prior="gaussian_mixture"),
    "told": lambda: make(ConditionalVAE, classes=10),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_bound_and_the_likelihood_have_one_prior(name, data):
    model, ((x, y), (x_test, y_test)) = MODELS[name](), data
    condition = {"condition": y} if model.condition_dim else {}
    condition_test = {"condition": y_test} if model.condition_dim else {}
    own = model.elbo(x_test, 20, **condition_test).mean()
    model.fit_prior(x, "gaussian_mixture", num_components=3, seed=0, **condition)
    fitted = model.elbo(x_test, 20, **condition_test)
    assert fitted.mean() > own + 0.2
    observed = Observations(model, Data.of(data), num_samples=50)
    error = 6 * (fitted.std() + 1) / np.sqrt(len(x_test))
    assert observed.bounds("test").mean() == pytest.approx(fitted.mean(), abs=min(error, 1.0))
    found = latent.compare({"M": model}, data, num_samples=50, verbose=0)
    numbers = found.numbers["M"]
    assert numbers["elbo"] == pytest.approx(fitted.mean(), abs=1.0)
    assert numbers["elbo"] == pytest.approx(-numbers["test_reconstruction"] - numbers["kl"])
    assert numbers["elbo"] - 0.1 < numbers["log_likelihood"]
    for key in ("mutual_information", "total_correlation", "dimension_wise_kl"):
        assert key in found.left_out["M"]
    pair = (lambda x, y: (x, y)) if condition else (lambda x, y: x)
    numbers = latent.summary(model, pair(x, y), pair(x_test, y_test), num_samples=50)
    assert numbers["test_elbo"] == pytest.approx(fitted.mean(), abs=1.0)
    assert numbers["test_elbo"] - 0.1 < numbers["test_log_likelihood"]


def test_without_a_fitted_prior_the_bound_is_that_of_the_loss(data):
    model = make()
    observed = Observations(model, Data.of(data))
    terms = observed.terms("test")
    wanted = -terms["reconstruction"] - terms["kl"]
    np.testing.assert_array_equal(observed.bounds("test"), wanted)


def test_pictures_of_the_prior_are_of_the_one_in_use(data):
    model = make()
    plots.manifold({"VAE": model})
    model.fit_prior(data[0][0], "gaussian")
    with pytest.raises(ValueError, match="prior FittedMixture"):
        plots.manifold({"VAE": model})


def test_a_codebook_that_is_told_a_class_is_measured(data):
    """Every row of it is given the condition."""
    keras.utils.set_random_seed(0)
    vq = VQVAE(
        *told_grid((8, 8, 1), 2, condition_dim=10),
        quantizer=VectorQuantizer(8, seed=0),
        classes=10,
        seed=0,
    )
    (x, y), (x_test, y_test) = data
    settings = {"width": 8, "depth": 1, "num_heads": 2, "epochs": 1, "seed": 0}
    vq.fit_prior(x, "autoregressive", condition=y, **settings)
    numbers = latent.compare({"VQ": vq}, data, num_samples=2, verbose=0).numbers["VQ"]
    bound = vq.elbo(x_test, condition=y_test)
    assert numbers["elbo"] == pytest.approx(bound.mean(), rel=1e-4)
    indices = vq.encode_indices(x_test, condition=y_test)
    assert numbers["perplexity"] == pytest.approx(latent.perplexity(indices, 8))
    found = latent.summary(vq, (x, y), (x_test, y_test))
    assert found["test_elbo"] == pytest.approx(bound.mean(), rel=1e-4)
