"""What the base asks of a relative's own methods, and what it gives them."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_aevae import VAE, networks, optimizers
from keras_aevae.distributions import Gaussian, GaussianMixture


def relative(terms=None, of_batch=None, weights=None):
    class Relative(VAE):
        def terms(self, x, outputs):
            own = {} if terms is None else terms(outputs)
            return {**super().terms(x, outputs), **own}

        def batch_terms(self, x, outputs):
            return {} if of_batch is None else of_batch(outputs)

        def coefficients(self):
            return {**super().coefficients(), **(weights or {})}

    return Relative(*networks.mlp((8,), latent_dim=2, hidden=(4,)))


@pytest.mark.parametrize(
    "settings, received",
    [
        ({"terms": lambda o: {"own": o["z_mean"][:, :1]}}, r"`own` of shape \(batch, 1\)"),
        ({"terms": lambda o: {"own": ops.mean(o["z_mean"])}}, r"`own` of shape \(\)"),
        ({"of_batch": lambda o: {"own": o["z_mean"][:, 0]}}, r"`own` of shape \(batch,\)"),
        ({"weights": {"kls": 1.0}}, "kls. Did you mean: kl?"),
        ({"terms": lambda o: {"loss": o["z_mean"][:, 0]}}, "other than 'loss'.*Rename loss"),
        ({"of_batch": lambda o: {"kl": ops.mean(o["z_mean"])}}, "Rename kl"),
    ],
)
def test_terms_of_other_shapes_or_names_are_refused(settings, received):
    with pytest.raises(ValueError, match=received):
        relative(**settings).compile()


def test_a_network_in_the_terms_may_know_that_it_is_trained():
    class Classified(VAE):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.normal = keras.layers.BatchNormalization(momentum=0.5)
            self.normal.build((None, self.latent_dim))

        def terms(self, x, outputs):
            z = self.normal(outputs["z_mean"], training=self.in_training)
            return {**super().terms(x, outputs), "own": ops.sum(z**2, axis=-1)}

    model = Classified(*networks.mlp((8,), latent_dim=2, hidden=(4,)))
    model.compile()
    x = np.random.default_rng(0).uniform(size=(64, 8)).astype("float32")
    before = ops.convert_to_numpy(model.normal.moving_mean).copy()
    model.evaluate(x, verbose=0)
    model.evaluate_terms(x)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.normal.moving_mean), before)
    model.fit(x, verbose=0)
    assert np.abs(ops.convert_to_numpy(model.normal.moving_mean) - before).min() > 0
    assert not model.in_training


def test_every_verb_draws_as_the_model_does():
    class Shifted(VAE):
        def draw(self, outputs, num_samples=None, training=None):
            drawn = super().draw(outputs, num_samples, training)
            return {**drawn, "z": drawn["z"] + 100.0}

    model = Shifted(*networks.mlp((8,), latent_dim=2, hidden=(4,)))
    model.compile()
    x = np.random.default_rng(0).uniform(size=(4, 8)).astype("float32")
    assert model.encode(x, sample=True).min() > 50
    far = model.evaluate_terms(x)["reconstruction"]
    kl = model.evaluate_terms(x)["kl"]
    np.testing.assert_allclose(model.elbo(x, 20), -far - kl, rtol=0.05)
    shifted = model.log_likelihood(x, 10)
    own = VAE(model.encoder, model.decoder)
    own.code.set_weights(model.code.get_weights())
    assert np.abs(shifted - own.log_likelihood(x, 10)).min() > 1


def test_the_layer_of_the_posterior_is_trained_with_the_encoder():
    model = VAE(*networks.mlp((8,), latent_dim=2, hidden=(4,)))
    model.compile(optimizers(model, keras.optimizers.Adam(0.1), encoder=0.0))
    x = np.random.default_rng(0).uniform(size=(64, 8)).astype("float32")
    before, decoder = model.encode(x), model.decoder.get_weights()
    model.fit(x, verbose=0)
    np.testing.assert_array_equal(model.encode(x), before)
    assert all((a != b).any() for a, b in zip(decoder, model.decoder.get_weights()))


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_model_that_is_not_compiled_says_so(method):
    model = VAE(*networks.mlp((8,), latent_dim=2, hidden=(4,)))
    with pytest.raises(ValueError, match=rf"`{method}` needs a compiled model.*compile\(\)"):
        getattr(model, method)(np.zeros((4, 8), "float32"))


def test_parts_have_optimizers_beside_a_frozen_encoder():
    model = VAE(*networks.mlp((8,), latent_dim=2, hidden=(4,)))
    model.encoder.trainable = False
    adam = keras.optimizers.Adam
    model.compile(optimizers(model, adam(0.1), decoder=adam(0.01)))
    x = np.random.default_rng(0).uniform(size=(64, 8)).astype("float32")
    before = model.encode(x)
    model.fit(x, verbose=0)
    np.testing.assert_array_equal(model.encode(x), before)


@pytest.mark.parametrize("prior", ["standard_normal", "gaussian_mixture"])
def test_the_noise_of_x_is_not_that_of_z(prior):
    prior = GaussianMixture(1) if prior == "gaussian_mixture" else prior
    encoder, decoder = networks.mlp((4,), latent_dim=4, hidden=(8,))
    model = VAE(encoder, decoder, likelihood=Gaussian(scale=1.0), prior=prior, seed=0)
    z = model.sample_codes(100, seed=3)
    noise = model.sample(100, seed=3, noise=True) - model.decode(z)
    correlation = np.corrcoef(z.T, noise.T)[:4, 4:]
    assert np.abs(correlation).max() < 0.5  # 5 standard errors
