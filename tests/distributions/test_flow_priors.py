"""Distributions that a flow makes of another one, as priors: learned, and fitted."""

import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

import keras_aevae as ka
from keras_aevae.distributions import (
    DiagonalGaussian,
    FittedRealNVP,
    RealNVPPrior,
    StandardNormal,
    Transformed,
)
from keras_aevae.layers import InverseAutoregressiveFlow, RealNVP

SHAPE, LATENT = (8, 8, 1), 2
EDGES = np.linspace(-12, 12, 481)
CELL = EDGES[1] - EDGES[0]
POINTS = (EDGES[:-1] + EDGES[1:]) / 2  # the centres of the cells
GRID = np.stack(np.meshgrid(POINTS, POINTS, indexing="ij"), -1).reshape(-1, 2).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def build(cls=ka.VAE, **settings):
    keras.utils.set_random_seed(1)
    return cls(*ka.networks.mlp(SHAPE, LATENT, hidden=(16,)), **{"seed": 1000, **settings})


def bend(flow, scale=0.4):
    rng = np.random.default_rng(3)
    flow.set_weights([rng.normal(0, scale, w.shape) for w in flow.get_weights()])
    return flow


def bent(cls=RealNVP):
    flow = cls(num_steps=2, hidden=(8,))
    flow.build((None, LATENT))
    return bend(flow)


def cells(p):
    """The probability of each cell of the grid, by quadrature."""
    return np.exp(array(p.log_prob(GRID)).astype("float64")) * CELL**2


# The density


@pytest.mark.parametrize("cls", [RealNVP, InverseAutoregressiveFlow])
def test_the_density_is_that_of_the_draws(cls):
    p = Transformed(StandardNormal(LATENT), bent(cls))
    mass = cells(p)
    assert mass.sum() == pytest.approx(1, abs=2e-3)
    assert np.abs(mass - cells(StandardNormal(LATENT))).sum() > 0.3
    z = array(p.sample((20_000,), seed=1))
    counts, *_ = np.histogram2d(*z.T, bins=[EDGES[::16]] * 2)
    coarse = mass.reshape(30, 16, 30, 16).sum(axis=(1, 3))
    large = coarse * len(z) > 10
    observed = np.append(counts[large], len(z) - counts[large].sum())
    expected = np.append(coarse[large], 1 - coarse[large].sum()) * len(z)
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4


def test_each_has_a_context_of_its_own():
    flow = RealNVP(num_steps=2, hidden=(8,))
    flow.build((None, LATENT), (None, 3))
    bend(flow)
    rng = np.random.default_rng(0)
    mean, log_var, h = (rng.normal(size=(4, n)).astype("float32") for n in (LATENT, LATENT, 3))
    several = Transformed(DiagonalGaussian(mean, log_var), flow, ops.convert_to_tensor(h))
    z = rng.normal(size=(5, LATENT)).astype("float32")
    each = array(several.log_prob_of_each(z))
    drawn = array(several.sample_of_each(ops.convert_to_tensor([2, 0, 2]), seed=4))
    for i in range(4):
        q = Transformed(DiagonalGaussian(mean[i], log_var[i]), flow, ops.convert_to_tensor(h[i]))
        assert_allclose(each[:, i], array(q.log_prob(z)), rtol=1e-5, atol=1e-5)
        if i in (0, 2):
            chosen = drawn[[1]] if i == 0 else drawn[[0, 2]]
            base = np.exp(-0.5 * log_var[i]) * (array(flow.inverse(chosen, h[i])[0]) - mean[i])
            noise = array(DiagonalGaussian(np.zeros((3, 2)), np.zeros((3, 2))).sample(seed=4))
            assert_allclose(base, noise[[1]] if i == 0 else noise[[0, 2]], atol=1e-4)


# Learned with a model


def test_it_starts_as_the_standard_normal():
    model, usual = build(prior="real_nvp"), build()
    assert type(model.prior) is RealNVPPrior and not model.code.exact_kl
    assert_array_equal(array(model.p().log_prob(GRID)), array(usual.p().log_prob(GRID)))
    assert_array_equal(model.sample(5, seed=3), usual.sample(5, seed=3))
    x = np.random.default_rng(0).random((6, *SHAPE), "float32")
    iwae, usual = (build(ka.IWAE, prior=name) for name in ("real_nvp", "standard_normal"))
    expected = usual.evaluate_terms(x)
    for name, values in iwae.evaluate_terms(x).items():  # at the same draws
        assert_allclose(values, expected[name], rtol=1e-6, atol=1e-6)


def clusters(n, seed):
    """Five patterns of 30 bits, each bit flipped with probability 0.02."""
    patterns = np.random.default_rng(100).random((5, 30)) < 0.5
    rng = np.random.default_rng(seed)
    x = patterns[rng.integers(5, size=n)] ^ (rng.random((n, 30)) < 0.02)
    return x.astype("float32")


def test_on_clustered_data_it_beats_the_standard_normal():
    x, x_test = clusters(1000, 0), clusters(500, 1)

    def elbo(prior):
        keras.utils.set_random_seed(1)
        networks = ka.networks.mlp((30,), LATENT, hidden=(32,))
        model = ka.VAE(*networks, prior=prior, seed=1000)
        model.compile(keras.optimizers.Adam(0.003))
        model.fit(x, epochs=20, batch_size=50, verbose=0)
        return model.elbo(x_test, num_samples=20)

    gain = elbo(RealNVPPrior(4, (32,))) - elbo("standard_normal")
    # Over seeds of both it is from 0.3 to 0.5 nats.
    assert gain.mean() > max(0.1, 4 * gain.std() / np.sqrt(len(gain)))


def test_it_belongs_to_one_model():
    prior = RealNVPPrior(2, (8,))
    build(prior=prior)
    with pytest.raises(ValueError, match="RealNVPPrior belongs to one model"):
        build(prior=prior)
    with pytest.raises(ValueError, match="RealNVPPrior is trained by the KL.*stores a point"):
        build(ka.Autoencoder, prior="real_nvp")
    with pytest.raises(ValueError, match="`free_bits` need a KL by dimension"):
        build(prior="real_nvp", free_bits=0.1)


# Fitted afterwards


def banana(n, seed):
    """Draws of (u, u^2 - 1 + v / 4) with u, v from N(0, 1), moved and scaled, and log p of each."""
    u, v = np.random.default_rng(seed).normal(size=(2, n))
    z = np.stack([10 * u + 30, u**2 - 1 + v / 4], axis=1).astype("float32")
    log_p = scipy.stats.norm.logpdf(u) + scipy.stats.norm.logpdf(v) + np.log(4) - np.log(10)
    return z, log_p


def test_it_learns_a_density_that_no_gaussian_has():
    (codes, _), (test, log_p) = banana(4000, 0), banana(2000, 1)
    keras.utils.set_random_seed(0)
    prior = FittedRealNVP(2, num_steps=4, hidden=(32,), seed=0)
    rate = keras.optimizers.schedules.CosineDecay(0.005, 20 * 40)
    prior.compile(keras.optimizers.Adam(rate))
    losses = prior.fit(codes, epochs=20, batch_size=100, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 0.3
    found = array(prior.distribution().log_prob(test))
    assert_allclose(prior.predict(test, verbose=0), found, rtol=1e-5, atol=1e-5)
    assert_allclose(prior.evaluate(test, verbose=0), -found.mean(), rtol=1e-4)
    gaussian = scipy.stats.multivariate_normal(codes.mean(axis=0), np.cov(codes.T)).logpdf(test)
    assert (log_p - gaussian).mean() > 0.8  # nats that the best Gaussian lacks
    assert -0.02 < (log_p - found).mean() < 0.1
    z = array(prior.distribution().sample((4000,), seed=2))
    assert_allclose(z.mean(axis=0), codes.mean(axis=0), atol=0.1 * codes.std(axis=0).max())
    assert np.corrcoef((z[:, 0] - 30) ** 2, z[:, 1])[0, 1] > 0.9


def test_a_fit_starts_from_the_moments_of_the_codes():
    codes = np.float32([[1, 5], [3, 5], [2, 5]])
    prior = FittedRealNVP(2, num_steps=1, hidden=(4,))
    prior.compile(keras.optimizers.SGD(0.0))
    prior.fit(codes, epochs=1, verbose=0)
    expected = scipy.stats.norm.logpdf(codes, [2, 5], [codes[:, 0].std(), 1]).sum(axis=1)
    assert_allclose(array(prior.distribution().log_prob(codes)), expected, rtol=1e-5)
    prior.fit(10 * codes, epochs=1, verbose=0)  # the flow was trained on codes standardised so
    assert_allclose(array(prior.distribution().log_prob(codes)), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (5,), (1, 2)])
def test_codes_of_another_shape_are_refused(shape):
    prior = FittedRealNVP(2)
    prior.compile()
    with pytest.raises(ValueError, match=r"`x` must have shape \(n, 2\).*Received: shape"):
        prior.fit(np.zeros(shape, "float32"))


def test_a_model_with_a_fitted_flow_is_kept(tmp_path):
    x = ka.datasets.load("digits")[0][0][:128]
    model = build(ka.Autoencoder)
    model.compile()
    model.fit(x, verbose=0)
    model.fit_prior(x, "real_nvp", num_steps=2, hidden=(8,), epochs=2, seed=3)
    assert model.fitted_prior.get_config()["seed"] == 3
    trained = len(model.trainable_variables)
    z = model.encode(x)
    log_p, samples = array(model.p(fitted=True).log_prob(z)), model.sample(5, seed=1)
    model.save(tmp_path / "m.keras")
    model.save_to_preset(tmp_path / "preset")
    for again in (
        keras.saving.load_model(tmp_path / "m.keras"),
        ka.Autoencoder.from_preset(tmp_path / "preset"),
    ):
        assert_allclose(array(again.p(fitted=True).log_prob(z)), log_p, rtol=1e-5, atol=1e-5)
        assert_allclose(again.sample(5, seed=1), samples, atol=1e-5)
        assert len(again.trainable_variables) == trained  # on any backend, it isn't trained on
    with pytest.raises(ValueError, match="'real_nvp' takes no `width`, but num_steps, hidden"):
        model.fit_prior(x, "real_nvp", width=8)
    with pytest.raises(ValueError, match="`prior` must be a FittedMixture of 2.*FittedRealNVP"):
        model.set_prior(FittedRealNVP(3))
