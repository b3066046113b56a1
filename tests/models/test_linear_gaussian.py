"""A VAE that can be solved exactly: x = W z + b + noise, with the true posterior as its encoder.

p(x) = N(b, W W^T + s^2 I); p(z|x) = N(S W^T (x - b) / s^2, S), S = (I + W^T W / s^2)^-1, which is
diagonal where the columns of W are orthogonal. (Bishop 2006, Pattern Recognition, section 12.2)
"""

import keras
import numpy as np
import pytest
from scipy import stats

import keras_aevae as ka
from keras_aevae.distributions.diagonal_gaussian import LOG_VAR_BOUND

D, LATENT, SCALE = 5, 2, 0.7


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(D, LATENT)))
    w = orthogonal * [1.5, 0.6]  # (D, LATENT), orthogonal columns
    b = rng.normal(size=D)
    covariance = w @ w.T + SCALE**2 * np.eye(D)
    x = rng.multivariate_normal(b, covariance, size=32)
    return {
        "w": w,
        "b": b,
        "x": x.astype("float32"),
        "log_p": stats.multivariate_normal(b, covariance).logpdf(x),
        "posterior_var": 1.0 / (1.0 + np.square(w).sum(axis=0) / SCALE**2),  # (LATENT,)
    }


def build(problem, shift=0.0, beta=1.0, likelihood=None, **settings):
    """The VAE with the true posterior, its mean moved by `shift` in each dimension."""
    w, b, var = problem["w"], problem["b"], problem["posterior_var"]
    encoder = keras.Sequential([keras.Input((D,)), keras.layers.Identity()])
    decoder = keras.Sequential([keras.Input((LATENT,)), keras.layers.Dense(D)])
    likelihood = likelihood or ka.distributions.Gaussian(SCALE)
    vae = ka.VAE(encoder, decoder, likelihood=likelihood, beta=beta, seed=1000, **settings)
    decoder.set_weights([w.T, b])
    kernel = w * var / SCALE**2  # z_mean = (x - b) @ kernel
    raw_log_var = LOG_VAR_BOUND * np.arctanh(np.log(var) / LOG_VAR_BOUND)
    vae.code.head.set_weights(
        [
            np.concatenate([kernel, np.zeros_like(kernel)], axis=1),
            np.concatenate([shift - b @ kernel, raw_log_var]),
        ]
    )
    return vae


@pytest.mark.parametrize("num_samples", [1, 2, 7, 100])
def test_with_the_true_posterior_every_weight_is_the_likelihood(problem, num_samples):
    log_p = build(problem).log_likelihood(problem["x"], num_samples=num_samples)
    np.testing.assert_allclose(log_p, problem["log_p"], atol=2e-5)


def kl_to_true_posterior(problem, shift):
    return 0.5 * np.sum(shift**2 / problem["posterior_var"])


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_the_elbo_falls_short_by_the_kl_to_the_true_posterior(problem, shift):
    vae = build(problem, shift)
    draws = np.array([vae.elbo(problem["x"]) for _ in range(200)])  # (200, n)
    error = draws.std(axis=0) / np.sqrt(len(draws))
    expected = problem["log_p"] - kl_to_true_posterior(problem, shift)
    # 32 examples at 5 standard errors each: one in 50 000 by chance.
    assert (np.abs(draws.mean(axis=0) - expected) < 5 * error + 1e-4).all()


def test_elbo_averages_num_samples(problem):
    vae = build(problem, 0.4)
    one = np.array([vae.elbo(problem["x"]) for _ in range(100)]).std(axis=0).mean()
    many = np.array([vae.elbo(problem["x"], num_samples=16) for _ in range(100)])
    # The spread falls as 1/sqrt(16); 100 draws know it within 7 percent, 32 examples better.
    assert many.std(axis=0).mean() == pytest.approx(one / 4, rel=0.1)


def test_importance_sampling_mends_a_wrong_posterior(problem):
    vae = build(problem, 0.4)

    def gap(num_samples, repeats):
        x = np.tile(problem["x"], (repeats, 1))
        log_p = np.tile(problem["log_p"], repeats)
        return np.mean(log_p - vae.log_likelihood(x, num_samples=num_samples))

    # 6400 examples: the mean of the first gap is known to 0.015 nats, of the second to 0.01.
    first, second = gap(1, 200), gap(10, 200)
    assert first == pytest.approx(kl_to_true_posterior(problem, 0.4), abs=0.08)
    assert 0.0 < second < first / 2
    assert abs(gap(5000, 1)) < 0.02


def test_log_likelihood_uses_exactly_num_samples(problem, monkeypatch):
    """Weights 0, -1, -2, ... within each chunk: the result tells how many were counted."""
    monkeypatch.setattr(
        "keras_aevae.models.bounds.ROWS_AT_A_TIME", 3 * len(problem["x"])
    )  # chunks of 3
    vae = build(problem)

    def log_ratio(outputs, p):
        steps = -keras.ops.arange(outputs["z"].shape[1], dtype="float32")
        return steps[:, None] + 0.0 * outputs["z_mean"][:, 0]

    monkeypatch.setattr(vae.code, "log_ratio", log_ratio)
    monkeypatch.setattr(vae, "log_conditional", lambda x, outputs: 0.0)
    for num_samples in (1, 2, 3, 4, 6, 8):
        weights = -np.arange(num_samples) % -3.0  # 0, -1, -2, 0, -1, -2, ...
        expected = np.log(np.mean(np.exp(weights)))
        received = vae.log_likelihood(problem["x"], num_samples=num_samples)
        np.testing.assert_allclose(received, expected, rtol=1e-5)


def test_loss_is_minus_the_elbo_at_beta_1(problem):
    vae = build(problem)
    vae.compile()
    # With the true posterior q.kl is exact, and the terms' noise cancels in no single draw, so
    # compare the same draw: the seed generator is set back.
    state = keras.ops.convert_to_numpy(vae.code.sampling.seed_generator.state).copy()
    loss = vae.evaluate(problem["x"], batch_size=32, verbose=0)
    loss = loss[0] if isinstance(loss, list) else loss
    vae.code.sampling.seed_generator.state.assign(state)
    assert -vae.elbo(problem["x"], batch_size=32).mean() == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_gradient_of_the_loss_is_its_finite_difference(problem, beta):
    """One step of SGD moves each weight by minus rate times the gradient, on every backend."""
    vae = build(problem, 0.2, beta)
    vae.compile(keras.optimizers.SGD(1.0))
    generator = vae.code.sampling.seed_generator.state
    state = keras.ops.convert_to_numpy(generator).copy()
    x = problem["x"]

    def loss():
        generator.assign(state)
        terms = vae.evaluate_terms(x, batch_size=32)
        return np.mean(terms["reconstruction"].astype("float64") + beta * terms["kl"])

    variables = vae.trainable_variables
    before = [keras.ops.convert_to_numpy(v).copy() for v in variables]
    generator.assign(state)
    vae.train_on_batch(x)
    gradients = [b - keras.ops.convert_to_numpy(v) for b, v in zip(before, variables)]
    for variable, value in zip(variables, before):
        variable.assign(value)
    rng = np.random.default_rng(1)
    directions = [rng.normal(size=b.shape).astype("float32") for b in before]
    expected = sum(np.sum(g * d) for g, d in zip(gradients, directions))
    step, values = 3e-3, []
    for sign in (1, -1):
        for variable, value, direction in zip(variables, before, directions):
            variable.assign(value + sign * step * direction)
        values.append(loss())
    # Central difference: its error falls with step^2, the noise of float32 rises with 1 / step;
    # here each is about 1e-3 of the slope.
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, rel=5e-3)


def test_elbo_uses_exactly_num_samples_whatever_the_model_draws(problem):
    """The spread of the estimate is that of as many draws, also of a model that trains on more."""
    x = np.tile(problem["x"], (50, 1))
    spread = {}
    for draws in (1, 5):
        vae = build(problem, 0.4, num_samples=draws)
        for n in (1, 4):
            estimates = vae.elbo(x, num_samples=n).reshape(50, -1)
            spread[draws, n] = estimates.std(axis=0).mean()
    assert spread[5, 1] == pytest.approx(spread[1, 1], rel=0.1)
    assert spread[5, 4] == pytest.approx(spread[1, 1] / 2, rel=0.1)


def test_a_calibrated_scale_is_that_of_all_draws(problem):
    """With as many draws as examples, so that the two axes can't be told apart by their lengths."""
    x = problem["x"]
    vae = build(problem, 0.4, num_samples=len(x), likelihood=ka.distributions.Gaussian())
    vae.compile(keras.optimizers.SGD(0.0))
    state = keras.ops.convert_to_numpy(vae.code.sampling.seed_generator.state).copy()
    vae.train_on_batch(x)
    vae.code.sampling.seed_generator.state.assign(state)
    params = vae.predict(x, verbose=0)["decoder_output"]  # (batch, draws, D)
    expected = np.square(x[:, None] - params).mean()
    received = keras.ops.convert_to_numpy(vae.likelihood.mean_square)
    assert received == pytest.approx(expected, rel=1e-4)
