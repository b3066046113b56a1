import math

import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae import VAE, Autoencoder
from keras_aevae.distributions import Gaussian, get_likelihood

rng = np.random.default_rng(0)
X = rng.uniform(size=(6, 4, 5)).astype("float32")
MEAN = (X + rng.normal(0, 0.3, X.shape)).astype("float32")
# Relative: some hundred roundings of 2^-24, of sums whose terms don't cancel.
FLOAT32 = 1e-5


def value(variable):
    return float(ops.convert_to_numpy(variable))


def state(likelihood):
    return [value(v) for v in likelihood.weights]


def tiny_model(cls, likelihood, **settings):
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    return cls(encoder, decoder, likelihood=likelihood, seed=0, **settings)


@pytest.mark.parametrize("scale", [0.05, 1, np.float32(3.0)])
def test_log_prob_is_scipys(scale):
    got = ops.convert_to_numpy(Gaussian(scale).log_prob(X, ops.convert_to_tensor(MEAN)))
    expected = scipy.stats.norm.logpdf(X, MEAN.astype("float64"), float(scale)).sum((1, 2))
    # The squares and the constant may cancel to near 0, hence the absolute part: 20 values.
    assert_allclose(got, expected, rtol=FLOAT32, atol=20 * FLOAT32)


def test_mse_is_the_squared_error_and_a_constant():
    got = ops.convert_to_numpy(get_likelihood("mse").log_prob(X, ops.convert_to_tensor(MEAN)))
    squared_error = np.square(X.astype("float64") - MEAN).sum((1, 2))
    assert_allclose(-got, squared_error + 20 / 2 * math.log(math.pi), rtol=FLOAT32)


def test_gradient_is_the_residual_over_the_variance(gradient):
    got = gradient(lambda mean: ops.sum(Gaussian(0.5).log_prob(X, mean)), MEAN)
    assert_allclose(got, (X.astype("float64") - MEAN) / 0.25, rtol=FLOAT32, atol=1e-6)


def test_mean_is_the_decoders_output_and_samples_have_the_scale():
    likelihood = Gaussian(0.7)
    assert_array_equal(ops.convert_to_numpy(likelihood.mean(MEAN)), MEAN)
    params = np.zeros((20_000, 3), "float32")
    draws = ops.convert_to_numpy(likelihood.sample(ops.convert_to_tensor(params), seed=0))
    # Five standard errors of the variance of a Gaussian sample.
    assert np.all(np.abs(draws.var(0, ddof=1) - 0.49) < 5 * 0.49 * np.sqrt(2 / 19_999))


# Which weights there are, and which of them train


@pytest.mark.parametrize("scale, trainable, count", [(0.5, 0, 1), ("learned", 1, 1)])
def test_weights(scale, trainable, count):
    likelihood = Gaussian(scale)
    assert len(likelihood.trainable_weights) == trainable
    assert len(likelihood.weights) == count


def test_a_fixed_scale_stays_fixed():
    likelihood = Gaussian(0.5)
    likelihood.calibrate(X, MEAN)
    assert_allclose(value(likelihood.log_scale), math.log(0.5), rtol=1e-6)


def test_a_learned_scale_reaches_the_maximum_likelihood_one():
    keras.utils.set_random_seed(0)
    likelihood = Gaussian("learned")
    model = tiny_model(Autoencoder, likelihood)
    for frozen in (model.encoder, model.decoder, model.code.head):
        frozen.trainable = False
    x = np.random.default_rng(1).normal(size=(32, 4)).astype("float32")
    # Per value the loss is s + m / 2 exp(-2 s), of curvature 2 at its minimum s = log(m) / 2:
    # with this rate the distance to it shrinks by 0.6 a step, in 40 steps from 1 to 1e-9.
    model.compile(keras.optimizers.SGD(0.2 / 4))
    model.fit(x, epochs=40, batch_size=32, verbose=0)
    mean_square = np.mean(np.square(x.astype("float64") - model.reconstruct(x)))
    assert_allclose(value(likelihood.log_scale), 0.5 * math.log(mean_square), atol=1e-5)


# Calibration


def test_calibrated_scale_is_the_root_mean_squared_error():
    likelihood = Gaussian("calibrated")
    assert not likelihood.trainable_weights
    for _ in range(30):
        likelihood.calibrate(X, ops.convert_to_tensor(MEAN))
    rmse = np.sqrt(np.mean(np.square(X.astype("float64") - MEAN)))
    # 30 steps of a running average, each rounded once or twice.
    assert_allclose(value(likelihood.log_scale), math.log(rmse), rtol=FLOAT32)
    # It is the maximum of the likelihood: both neighbours are less likely.
    at, below, above = (
        np.sum(ops.convert_to_numpy(Gaussian(rmse * f).log_prob(X, MEAN))) for f in (1, 0.9, 1.1)
    )
    assert at > below and at > above


def test_calibration_over_changing_batches_is_the_running_average():
    likelihood = Gaussian("calibrated")
    batches = (
        np.random.default_rng(2).normal(size=(40, 8, 3)) * np.linspace(3, 0.1, 40)[:, None, None]
    )
    mean_square = 0.0
    for i, batch in enumerate(batches.astype("float32")):
        likelihood.calibrate(batch, ops.convert_to_tensor(np.zeros_like(batch)))
        # The mean of all batches so far, until the rate would fall below 0.05.
        rate = max(1 / (i + 1), 0.05)
        mean_square += rate * (np.mean(np.square(batch.astype("float64"))) - mean_square)
        if i == 9:
            expected = np.mean(np.square(batches[:10]))
            assert_allclose(mean_square, expected, rtol=1e-6)
    assert_allclose(value(likelihood.mean_square), mean_square, rtol=FLOAT32)
    assert_allclose(value(likelihood.log_scale), 0.5 * math.log(mean_square), atol=FLOAT32)


def test_a_perfect_reconstruction_leaves_the_scale_finite():
    likelihood = Gaussian("calibrated")
    likelihood.calibrate(X, ops.convert_to_tensor(X))
    assert_allclose(value(likelihood.log_scale), 0.5 * math.log(1e-8), rtol=1e-6)
    assert np.all(np.isfinite(ops.convert_to_numpy(likelihood.log_prob(X, X))))


def test_no_gradient_passes_through_the_calibration(gradient):
    likelihood = Gaussian("calibrated")
    likelihood.calibrate(X, ops.convert_to_tensor(X + 1))  # so that this batch isn't at the optimum

    def log_prob(mean):
        with keras.StatelessScope():
            likelihood.calibrate(X, mean)
            return ops.sum(likelihood.log_prob(X, mean))

    mean_square = (1 + np.mean(np.square(X.astype("float64") - MEAN))) / 2
    expected = (X.astype("float64") - MEAN) / mean_square
    assert_allclose(gradient(log_prob, MEAN), expected, rtol=FLOAT32, atol=1e-6)


def test_only_training_calibrates():
    likelihood = Gaussian("calibrated")
    model = tiny_model(VAE, likelihood)
    x = np.random.default_rng(3).normal(size=(24, 4)).astype("float32")
    model.compile()
    start = state(likelihood)
    model.evaluate(x, verbose=0)
    assert state(likelihood) == start
    model.fit(x, validation_data=(5 * x,), epochs=2, batch_size=8, verbose=0)
    assert value(likelihood.num_batches) == 6
    trained = state(likelihood)
    assert trained != start
    model.evaluate(5 * x, verbose=0)
    assert state(likelihood) == trained


# Bad input


@pytest.mark.parametrize("scale", [0, -1.0, math.nan, math.inf, True])
def test_a_number_must_be_positive(scale):
    message = f"`scale` must be a finite number greater than 0. Received: scale={scale!r}"
    with pytest.raises(ValueError, match=message):
        Gaussian(scale)


@pytest.mark.parametrize("scale", ["learnt", None, [0.5]])
def test_other_scales_list_the_choices(scale):
    with pytest.raises(ValueError, match="positive number, 'learned' or 'calibrated'. Received"):
        Gaussian(scale)
