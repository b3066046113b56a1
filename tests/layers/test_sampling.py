import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.layers import Sampling

rng = np.random.default_rng(0)
MEAN = rng.normal(size=(16, 3)).astype("float32")
LOG_VAR = rng.uniform(-3, 3, (16, 3)).astype("float32")


def draw(layer, *parameters):
    return ops.convert_to_numpy(layer(list(parameters or (MEAN, LOG_VAR))))


def encoder(seed=None):
    features = keras.Input((4,))
    z_mean = keras.layers.Dense(3)(features)
    z_log_var = keras.layers.Dense(3)(features)
    z = Sampling(seed=seed)([z_mean, z_log_var])
    return keras.Model(features, [z_mean, z_log_var, z])


# Noise


def test_draws_are_mean_and_scaled_noise():
    shape = (20_000, 2)
    mean = np.broadcast_to(np.float32([1, -2]), shape)
    log_var = np.broadcast_to(np.float32([-4, 2]), shape)
    z = draw(Sampling(seed=0), mean, log_var).astype("float64")
    variance = np.exp([-4, 2])
    assert np.all(np.abs(z.mean(0) - [1, -2]) < 5 * np.sqrt(variance / 20_000))
    assert np.all(np.abs(z.var(0, ddof=1) - variance) < 5 * variance * np.sqrt(2 / 19_999))


def test_same_seed_same_draws_in_order():
    one, two = Sampling(seed=7), Sampling(seed=7)
    first = draw(one)
    assert_array_equal(first, draw(two))
    second = draw(one)
    assert np.all(second != first)
    assert_array_equal(second, draw(two))


def test_layers_without_a_seed_differ():
    assert np.all(draw(Sampling()) != draw(Sampling()))


def test_set_random_seed_fixes_layers_without_a_seed():
    draws = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        draws.append(draw(Sampling()))
    assert_array_equal(*draws)


def test_gradient_passes_through_the_noise(gradient):
    noise = draw(Sampling(seed=3), np.zeros_like(MEAN), np.zeros_like(LOG_VAR))
    by_mean, by_log_var = gradient(lambda m, v: ops.sum(Sampling(seed=3)([m, v])), MEAN, LOG_VAR)
    assert_array_equal(by_mean, np.ones_like(MEAN))
    expected = 0.5 * np.exp(0.5 * LOG_VAR.astype("float64")) * noise
    assert_allclose(by_log_var, expected, rtol=1e-5)  # a product of three float32 numbers


def test_a_point_is_passed_on():
    assert_array_equal(draw(Sampling("point"), MEAN), MEAN)


# Mixed precision


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_draws_in_float32(dtype):
    parameters = [ops.cast(a, dtype) for a in (MEAN, LOG_VAR)]
    z = Sampling(seed=1, dtype=f"mixed_{dtype}")(parameters)
    assert keras.backend.standardize_dtype(z.dtype) == dtype
    wide = Sampling(seed=1)([ops.cast(p, "float32") for p in parameters])
    assert_array_equal(
        ops.convert_to_numpy(ops.cast(z, "float32")),
        ops.convert_to_numpy(ops.cast(ops.cast(wide, dtype), "float32")),
    )


def test_mixed_precision_does_not_round_float32_parameters():
    narrow = Sampling(seed=1, dtype="mixed_bfloat16")(
        [ops.convert_to_tensor(MEAN), ops.convert_to_tensor(LOG_VAR)]
    )
    expected = ops.cast(ops.convert_to_tensor(draw(Sampling(seed=1))), "bfloat16")
    assert_array_equal(
        ops.convert_to_numpy(ops.cast(narrow, "float32")),
        ops.convert_to_numpy(ops.cast(expected, "float32")),
    )


def test_a_wide_variance_does_not_overflow_in_float16():
    # The variance is 4.9e8, where float16 ends at 65504; the standard deviation is 22026.
    shape = (200, 2)
    mean, log_var = np.zeros(shape, "float16"), np.full(shape, 20, "float16")
    z = draw(Sampling(seed=2, dtype="mixed_float16"), mean, log_var).astype("float64")
    wide = draw(Sampling(seed=2), mean, log_var)
    small = np.abs(wide) < 65000
    assert small.mean() > 0.99
    assert_allclose(z[small], wide[small], rtol=2**-11)  # one rounding to float16
    assert 0.8 < wide.std() / np.exp(10) < 1.2  # 20 % is five standard errors: 5 / sqrt(2 * 400)


# In models


def test_it_works_in_a_functional_model_and_reloads(tmp_path):
    model = encoder(seed=11)
    path = tmp_path / "encoder.keras"
    model.save(path)
    x = rng.normal(size=(8, 4)).astype("float32")
    copy = keras.models.load_model(path)
    outputs = model.predict(x, verbose=0)
    assert [y.shape for y in outputs] == [(8, 3)] * 3
    # A reloaded model starts its noise anew: its first draw is the original's first.
    for got, expected in zip(copy.predict(x, verbose=0), outputs):
        assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    assert np.all(copy.predict(x, verbose=0)[2] != outputs[2])


def test_two_layers_in_one_model_draw_apart():
    inputs = keras.Input((3,))
    parameters = [inputs, keras.layers.Rescaling(0.0)(inputs)]
    model = keras.Model(inputs, [Sampling()(parameters), Sampling()(parameters)])
    one, two = model.predict(MEAN, verbose=0)
    assert np.all(one != two)


def test_shape_and_dtype_are_known_before_the_call():
    parameters = [keras.Input((5,)), keras.Input((5,))]
    z = Sampling(dtype="mixed_bfloat16")(parameters)
    assert z.shape == (None, 5) and z.dtype == "bfloat16"
    assert Sampling().compute_output_shape([(None, 5), (None, 5)]) == (None, 5)


@pytest.mark.parametrize("seed", [None, 0, 1337])
def test_config_keeps_distribution_and_seed(seed):
    layer = Sampling("diagonal_gaussian", seed=seed, name="z", dtype="mixed_float16")
    copy = Sampling.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.seed == seed and copy.distribution == "diagonal_gaussian"
    if seed is not None:
        assert_array_equal(draw(copy), draw(layer))


# Bad input


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1", 2**31])
def test_seed_is_checked(seed):
    with pytest.raises(ValueError, match=f"`seed` must be an integer .*Received: seed={seed!r}"):
        Sampling(seed=seed)


def test_numpy_seeds_are_integers():
    layer = Sampling(seed=np.int64(3))
    assert type(layer.get_config()["seed"]) is int
    assert_array_equal(draw(layer), draw(Sampling(seed=3)))


def test_unknown_distribution_lists_the_nearest():
    with pytest.raises(ValueError, match="'diagonal_gausian'. Did you mean: diagonal_gaussian?"):
        Sampling("diagonal_gausian")


@pytest.mark.parametrize(
    "parameters, received",
    [
        (lambda: [MEAN], "1 tensors"),
        (lambda: [MEAN, LOG_VAR, MEAN], "3 tensors"),
        # A lone tensor of two rows has the length of the list.
        (lambda: ops.convert_to_tensor(MEAN[:2]), "no list"),
        (lambda: keras.Input((3,)), "no list"),
        (lambda: [keras.Input((3,))], "1 tensors"),
    ],
)
def test_parameters_are_a_list_of_the_right_length(parameters, received):
    message = rf"takes a list of tensors: \[mean, log_var\]. Received: {received}"
    with pytest.raises(ValueError, match=message):
        Sampling()(parameters())
