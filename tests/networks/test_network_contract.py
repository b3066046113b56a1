"""What every builder of networks promises: a new one is one row of `CASES`."""

import functools

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.networks import NETWORKS, conv, mlp

# A smooth activation, since a few ReLUs may all be off.
small_mlp = functools.partial(mlp, hidden=(12, 8), activation="tanh")
small_conv = functools.partial(conv, filters=(4, 8), hidden=16, activation="tanh")
LATENT_DIM = 3

CASES = {
    "mlp_784": (small_mlp, (784,)),
    "mlp_8x8x1": (small_mlp, (8, 8, 1)),
    "mlp_5x3x2": (small_mlp, (5, 3, 2)),
    "mlp_1x1x1": (small_mlp, (1, 1, 1)),
    "conv_28x28x1": (small_conv, (28, 28, 1)),
    "conv_8x8x1": (small_conv, (8, 8, 1)),
    "conv_50x70x3": (functools.partial(small_conv, filters=(4, 8, 8)), (50, 70, 3)),
    "conv_17x23x4": (functools.partial(small_conv, filters=(5,)), (17, 23, 4)),
    "conv_5x3x2": (functools.partial(small_conv, filters=(4, 4, 4)), (5, 3, 2)),
    "conv_1x1x1": (small_conv, (1, 1, 1)),
    "conv_9x6x3_kernel_3": (functools.partial(small_conv, kernel_size=3), (9, 6, 3)),
}


@pytest.fixture(autouse=True)
def weights_from_numpy(monkeypatch):
    """The same weights on every backend (and without compiling a draw for every shape on JAX)."""
    generator = np.random.default_rng(0)

    def draw(self, shape, dtype=None):
        limit = np.sqrt(6 / (np.prod(shape[:-1]) + np.prod(shape[:-2]) * shape[-1]))
        return ops.convert_to_tensor(generator.uniform(-limit, limit, shape), dtype)

    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", draw)


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def data(shape, batch=2):
    return np.random.default_rng(1).uniform(size=(batch, *shape)).astype("float32")


def codes(batch=2):
    return np.random.default_rng(2).normal(size=(batch, LATENT_DIM)).astype("float32")


def outputs_of(network, x):
    return ops.convert_to_numpy(network(ops.convert_to_tensor(x)))


def test_shapes_fit_the_data(case):
    build, shape = case
    encoder, decoder = build(shape, LATENT_DIM)
    assert encoder.input_shape == (None, *shape) and decoder.input_shape == (None, LATENT_DIM)
    assert decoder.output_shape == (None, *shape)
    features = outputs_of(encoder, data(shape))
    assert features.shape == (2, encoder.output_shape[1]) and np.all(np.isfinite(features))
    decoded = outputs_of(decoder, codes())
    assert decoded.shape == (2, *shape) and np.all(np.isfinite(decoded))
    # Examples are independent, and what comes out depends on what goes in.
    assert np.any(features[0] != features[1]) and np.any(decoded[0] != decoded[1])


@pytest.mark.parametrize(
    "name", ["mlp_5x3x2", "conv_50x70x3", "conv_17x23x4", "conv_5x3x2", "conv_9x6x3_kernel_3"]
)
def test_every_weight_has_a_gradient(name, gradient):
    build, shape = CASES[name]
    encoder, decoder = build(shape, LATENT_DIM)
    variables = encoder.trainable_variables + decoder.trainable_variables
    x, z = ops.convert_to_tensor(data(shape)), ops.convert_to_tensor(codes())

    def total(*weights):
        split = len(encoder.trainable_variables)
        features, _ = encoder.stateless_call(list(weights[:split]), [], x)
        decoded, _ = decoder.stateless_call(list(weights[split:]), [], z)
        return ops.sum(ops.square(features + 1)) + ops.sum(ops.square(decoded + 1))

    gradients = gradient(total, *(ops.convert_to_numpy(v) for v in variables))
    for variable, got in zip(variables, gradients):
        assert np.all(np.isfinite(got)) and np.any(got != 0), variable.path


@pytest.mark.parametrize("outputs_per_value", [2, 256])
@pytest.mark.parametrize("build, shape", [(small_mlp, (4, 3, 2)), (small_conv, (5, 4, 2))])
def test_outputs_per_value_lengthens_the_last_axis(build, shape, outputs_per_value):
    _, decoder = build(shape, LATENT_DIM, outputs_per_value=outputs_per_value)
    assert outputs_of(decoder, codes()).shape == (2, *shape[:-1], shape[-1] * outputs_per_value)


def test_the_same_weights_give_the_same_outputs_under_channels_first(case):
    build, shape = case
    pair = build(shape, LATENT_DIM)
    before = keras.config.image_data_format()
    other = "channels_first" if before == "channels_last" else "channels_last"
    keras.config.set_image_data_format(other)
    try:
        others = build(shape, LATENT_DIM)
    finally:
        keras.config.set_image_data_format(before)
    for network, copy, x in zip(pair, others, (data(shape), codes())):
        copy.set_weights(network.get_weights())
        assert_array_equal(outputs_of(copy, x), outputs_of(network, x))


def test_config_survives_json(case):
    build, shape = case
    for network, x in zip(build(shape, LATENT_DIM), (data(shape), codes())):
        copy = keras.models.model_from_json(network.to_json())
        assert copy.to_json() == network.to_json()
        copy.set_weights(network.get_weights())
        assert_array_equal(outputs_of(copy, x), outputs_of(network, x))


@pytest.mark.parametrize("build, shape", [(small_mlp, (5,)), (small_conv, (6, 5, 1))])
def test_no_activation_bounds_the_decoders_output(build, shape):
    _, decoder = build(shape, LATENT_DIM, activation="sigmoid")
    decoded = outputs_of(decoder, 1000 * codes())
    assert decoded.min() < 0
    decoder.set_weights([1000 * w for w in decoder.get_weights()])
    assert outputs_of(decoder, codes()).max() > 1


@pytest.mark.parametrize("build, shape", [(small_mlp, (5,)), (small_conv, (6, 5, 1))])
def test_mixed_precision(build, shape):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder, decoder = build(shape, LATENT_DIM)
    finally:
        keras.config.set_dtype_policy(before)
    for network in (encoder, decoder):
        assert network.output.dtype == "bfloat16"
        assert {v.dtype for v in network.weights} == {"float32"}


def dense(inputs, outputs):
    return inputs * outputs + outputs


def test_number_of_weights_of_an_mlp():
    encoder, decoder = mlp((4, 3, 2), latent_dim=5, hidden=(7, 6), outputs_per_value=2)
    assert encoder.count_params() == dense(24, 7) + dense(7, 6)
    assert decoder.count_params() == dense(5, 6) + dense(6, 7) + dense(7, 48)
    encoder, decoder = mlp((24,), latent_dim=5, hidden=())  # no hidden layer: linear
    assert encoder.count_params() == 0
    assert decoder.count_params() == dense(5, 24)


def test_number_of_weights_of_a_conv():
    encoder, decoder = conv((8, 6, 3), latent_dim=5, filters=(4, 8), hidden=7)
    # 8x6 -> 4x3, padded to 4x4 -> 2x2, where all 8 channels are left.
    levels = dense(2 * 2 * 4 * 3, 4) + dense(2 * 2 * 4 * 4, 8)
    assert encoder.count_params() == levels + dense(8, 8) + dense(2 * 2 * 8, 7)
    levels = dense(2 * 2 * 8, 4 * 4) + dense(2 * 2 * 4, 4 * 3)
    assert decoder.count_params() == dense(5, 7) + dense(7, 32) + dense(8, 8) + levels
    # Of many channels, a quarter is left for the dense layer.
    encoder, _ = conv((2, 2, 1), latent_dim=5, filters=(64,), hidden=7)
    assert encoder.count_params() == dense(2 * 2 * 4, 64) + dense(64, 16) + dense(16, 7)


def test_an_mlp_reads_the_pixels_in_row_order():
    encoder, _ = mlp((2, 3, 2), LATENT_DIM, hidden=(4,))
    flat, _ = mlp((12,), LATENT_DIM, hidden=(4,))
    flat.set_weights(encoder.get_weights())
    x = data((2, 3, 2))
    assert_allclose(outputs_of(encoder, x), outputs_of(flat, x.reshape(2, 12)), rtol=1e-6)


def test_names():
    assert {"mlp": mlp, "conv": conv} == NETWORKS


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: mlp((), 2), r"`data_shape` must be a tuple of positive .*data_shape=\(\)"),
        (lambda: mlp(784, 2), r"`data_shape` .*such as \(28, 28, 1\).*data_shape=784"),
        (lambda: mlp((None, 4), 2), r"`data_shape` .*data_shape=\(None, 4\)"),
        (lambda: mlp((8, -1), 2), r"`data_shape` .*data_shape=\(8, -1\)"),
        (lambda: mlp((8,), 0), "`latent_dim` must be a positive integer. Received: latent_dim=0"),
        (lambda: mlp((8,), 2.0), "`latent_dim` must be a positive .*latent_dim=2.0"),
        (lambda: mlp((8,), 2, hidden=64), "`hidden` must be a tuple .*hidden=64"),
        (lambda: mlp((8,), 2, hidden=(64, 0)), "`hidden` must be a positive .*hidden=0"),
        (lambda: mlp((8,), 2, outputs_per_value=0), "`outputs_per_value` .*outputs_per_value=0"),
        (lambda: conv((784,), 2), r"\(height, width, channels\); for flat .*data_shape=\(784,\)"),
        (lambda: conv((28, 28), 2), r"\(height, width, channels\).*data_shape=\(28, 28\)"),
        (lambda: conv((8, 8, 1), -1), "`latent_dim` .*latent_dim=-1"),
        (lambda: conv((8, 8, 1), 2, filters=()), r"`filters` .*and not empty.*filters=\(\)"),
        (lambda: conv((8, 8, 1), 2, filters=32), r"`filters` must be a tuple .*filters=32"),
        (lambda: conv((8, 8, 1), 2, filters=("a",)), "`filters` must be .*filters='a'"),
        (lambda: conv((8, 8, 1), 2, hidden=0), "`hidden` must be a positive .*hidden=0"),
        (lambda: conv((8, 8, 1), 2, kernel_size=0), "`kernel_size` .*kernel_size=0"),
        (lambda: conv((8, 8, 1), 2, activation="rellu"), "activation .*rellu"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
