"""What every likelihood promises: a new one is one row of `LIKELIHOODS`."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.distributions import (
    Bernoulli,
    Categorical,
    DiscretizedLogistic,
    Gaussian,
    Likelihood,
    get_likelihood,
)

# name: (constructor, is the data on the grid 0, 1/3, 2/3, 1 or, with two values, on 0, 1?)
LIKELIHOODS = {
    "bernoulli": (Bernoulli, 2),
    "gaussian": (lambda: Gaussian(0.5), 4),
    "gaussian_learned": (lambda: Gaussian("learned"), 4),
    "gaussian_calibrated": (lambda: Gaussian("calibrated"), 4),
    "categorical": (lambda: Categorical(4), 4),
    "discretized_logistic": (lambda: DiscretizedLogistic(4), 4),
}
DATA_SHAPE = (3, 2, 2)
NUM_SAMPLES = 4000


@pytest.fixture(params=LIKELIHOODS)
def case(request):
    """A likelihood, data x of shape (5, 3, 2, 2), and parameters for it."""
    make, num_values = LIKELIHOODS[request.param]
    likelihood = make()
    rng = np.random.default_rng(0)
    x = rng.integers(0, num_values, (5, *DATA_SHAPE)).astype("float32") / (num_values - 1)
    params = rng.normal(size=(5, *likelihood.params_shape(DATA_SHAPE))).astype("float32")
    return likelihood, x, params


def compute(f, *arrays):
    return ops.convert_to_numpy(f(*(ops.convert_to_tensor(a) for a in arrays)))


def log_prob(likelihood, x, params):
    return compute(likelihood.log_prob, x, params)


def test_params_shape_lengthens_the_last_axis(case):
    likelihood, _, _ = case
    assert likelihood.params_shape((7,)) == (7 * likelihood.outputs_per_value,)
    assert likelihood.params_shape((4, 5, 3)) == (4, 5, 3 * likelihood.outputs_per_value)


def test_data_shape_is_the_inverse_of_params_shape(case):
    likelihood, _, _ = case
    for shape in ((7,), (4, 5, 3)):
        assert likelihood.data_shape(likelihood.params_shape(shape)) == shape
    if likelihood.outputs_per_value > 1:
        with pytest.raises(ValueError, match=r"`decoder` must give.*outputs_per_value=.*\(5, 7\)"):
            likelihood.data_shape((5, 7))


def test_the_mode_is_the_most_probable(case):
    likelihood, x, params = case
    mode = compute(likelihood.mode, params)
    assert mode.shape == x.shape
    best = log_prob(likelihood, mode, params)
    for other in (x, compute(likelihood.mean, params), mode[::-1], 1 - mode):
        assert np.all(log_prob(likelihood, other, params) <= best + 1e-5)


def test_log_prob_is_one_number_for_each_example(case):
    likelihood, x, params = case
    result = log_prob(likelihood, x, params)
    assert result.shape == (5,) and result.dtype == "float32"
    # Nothing is averaged or shared over the batch: alone, an example has the same value.
    for i in (0, 3):
        alone = log_prob(likelihood, x[i : i + 1], params[i : i + 1])
        assert_allclose(result[i : i + 1], alone, rtol=1e-6)  # 12 terms, perhaps in another order


def test_log_prob_with_sample_axes_is_that_of_each_sample(case):
    likelihood, x, params = case
    params = np.stack([params, params + 1, -params])
    result = log_prob(likelihood, x, params)
    assert result.shape == (3, 5)
    for got, one in zip(result, params):
        assert_allclose(got, log_prob(likelihood, x, one), rtol=1e-6)


def test_lists_and_float64_arrays_will_do(case):
    likelihood, x, params = case
    expected = log_prob(likelihood, x, params)
    for convert in (np.ndarray.tolist, np.float64):
        got = ops.convert_to_numpy(likelihood.log_prob(convert(x), convert(params)))
        assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_parameters_are_computed_in_float32(case, dtype):
    likelihood, x, params = case

    narrow = ops.cast(params, dtype)
    wide = ops.convert_to_numpy(ops.cast(narrow, "float32"))
    for method in (lambda p: likelihood.log_prob(x, p), likelihood.mean):
        got = compute(method, narrow)
        assert got.dtype == "float32"
        assert_array_equal(got, compute(method, wide))


def test_samples_have_the_mean_that_is_stated(case):
    likelihood, _, params = case
    many = np.broadcast_to(params[:1], (NUM_SAMPLES, *params.shape[1:]))
    draws, again, other = (
        compute(lambda p, s=s: likelihood.sample(p, seed=s), many) for s in (1, 1, 20_000)
    )
    assert draws.shape == (NUM_SAMPLES, *DATA_SHAPE) and draws.dtype == "float32"
    assert_array_equal(draws, again)
    assert np.any(draws != other)
    mean = compute(likelihood.mean, params[:1])
    assert mean.shape == (1, *DATA_SHAPE)
    standard_error = draws.std(0) / np.sqrt(NUM_SAMPLES)
    assert np.all(np.abs(draws.mean(0) - mean[0]) < 5 * standard_error)
    # Every value has noise of its own.
    correlation = np.corrcoef(draws.reshape(NUM_SAMPLES, -1), rowvar=False) - np.eye(12)
    assert np.all(np.abs(correlation) < 5 / np.sqrt(NUM_SAMPLES))
    if likelihood.support is not None:
        assert draws.min() == likelihood.support[0] and draws.max() == likelihood.support[1]


def test_extreme_parameters_have_finite_values_and_gradients(case, gradient):
    likelihood, x, params = case
    # Squares of 1e15 are about the largest that float32 holds; the others must bear more.
    extreme = 1e15 if isinstance(likelihood, Gaussian) else 1e30
    signs = np.random.default_rng(2).choice([-1, 0, 1], params.shape).astype("float32")

    def total(params):  # of both, so that one gradient serves
        return ops.sum(likelihood.log_prob(x, params)) + ops.sum(likelihood.mean(params))

    for size in (extreme, 1e4):
        params = signs * np.float32(size)
        assert np.all(np.isfinite(compute(likelihood.log_prob, x, params)))
        assert np.all(np.isfinite(compute(likelihood.mean, params)))
        assert np.all(np.isfinite(gradient(total, params)))


def test_config_survives_json(case):
    likelihood, x, params = case
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(likelihood)))
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(likelihood) and copy.get_config() == likelihood.get_config()
    assert_array_equal(log_prob(copy, x, params), log_prob(likelihood, x, params))


def test_kerass_default_float_type_changes_nothing(case):
    likelihood, x, params = case
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        many = np.broadcast_to(params[:1], (NUM_SAMPLES, *params.shape[1:]))
        outputs = [
            compute(lambda p: likelihood.sample(p, seed=0), many),
            compute(likelihood.mean, params),
            compute(likelihood.log_prob, x, params),
        ]
    finally:
        keras.config.set_floatx(before)
    assert [y.dtype for y in outputs] == ["float32"] * 3


# By name


@pytest.mark.parametrize(
    "name, cls",
    {
        "bernoulli": Bernoulli,
        "binary_crossentropy": Bernoulli,
        "gaussian": Gaussian,
        "mse": Gaussian,
        "categorical": Categorical,
        "discretized_logistic": DiscretizedLogistic,
    }.items(),
)
def test_names(name, cls):
    likelihood = get_likelihood(name)
    assert type(likelihood) is cls and isinstance(likelihood, Likelihood)
    assert get_likelihood(name) is not likelihood  # each model has weights of its own
    assert get_likelihood(likelihood) is likelihood


@pytest.mark.parametrize(
    "name, message",
    [
        ("bernouli", "likelihood='bernouli'. Did you mean: bernoulli"),
        ("MSE", "likelihood='MSE'. .*mse"),
        (None, "likelihood=None. Valid: bernoulli, "),
        (["mse"], r"likelihood=\['mse'\]. .*mse"),
        (Bernoulli, "likelihood=<class .*bernoulli"),
    ],
)
def test_unknown_names_list_the_nearest(name, message):
    with pytest.raises(ValueError, match=message):
        get_likelihood(name)
