"""The flows: their Jacobians, inverses and masks, alone and in zuko's transforms."""

import keras
import numpy as np
import pytest
import torch
import zuko
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.engine.gradients import gradient_of
from keras_aevae.layers import InverseAutoregressiveFlow, RealNVP

FLOWS = [InverseAutoregressiveFlow, RealNVP]
D, CONTEXT = 5, 3


def array(tensor):
    return ops.convert_to_numpy(tensor)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def traced(function):
    """`function` of tensors as one program on JAX, which is slow at single operations."""
    if keras.backend.backend() != "jax":
        return lambda *arrays: function(*map(ops.convert_to_tensor, arrays))
    import jax

    return jax.jit(function)


def bent(cls, context=True, latent_dim=D, scale=0.5, **settings):
    """A flow with random weights, the output layers included."""
    flow = cls(**{"num_steps": 3, "hidden": (8, 7), **settings})
    flow.build((None, latent_dim), (None, CONTEXT) if context else None)
    rng = np.random.default_rng(1)
    flow.set_weights([rng.normal(0, scale, w.shape) for w in flow.get_weights()])
    return flow


def jacobian(function, z):
    """d function(z)_i / dz_j of each row of z, shape (n, i, j)."""

    def rows(z):
        each = [gradient_of(lambda z, i=i: function(z)[:, i], z) for i in range(z.shape[1])]
        return ops.stack(each, axis=1)

    return array(traced(rows)(z))


# Their Jacobians and inverses


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("cls", FLOWS)
def test_the_log_determinant_is_that_of_the_jacobian(cls, context):
    flow, z = bent(cls, context), ops.convert_to_tensor(noise(6, D))
    h = ops.convert_to_tensor(noise(6, CONTEXT, seed=2)) if context else None
    image, log_det = traced(lambda z: flow(z, h))(z)
    assert tuple(image.shape) == (6, D) and tuple(log_det.shape) == (6,)
    sign, expected = np.linalg.slogdet(jacobian(lambda z: flow(z, h)[0], z).astype("float64"))
    assert (sign > 0).all() and expected.std() > 0.01
    assert_allclose(array(log_det), expected, atol=2e-5)
    _, back = traced(lambda z: flow.inverse(z, h))(image)
    assert_allclose(array(back), -expected, atol=2e-5)


@pytest.mark.parametrize("latent_dim", [2, 9])
@pytest.mark.parametrize("cls", FLOWS)
def test_the_inverse_is_one(cls, latent_dim):
    flow, z, h = bent(cls, latent_dim=latent_dim, scale=0.3), noise(20, latent_dim), noise(20, 3)
    forward, inverse = traced(flow.forward), traced(flow.inverse)
    image, _ = forward(z, h)
    assert np.abs(array(image) - z).max() > 0.3
    assert_allclose(array(inverse(image, h)[0]), z, atol=2e-5)
    assert_allclose(array(forward(inverse(z, h)[0], h)[0]), z, atol=2e-5)


@pytest.mark.parametrize("cls", FLOWS)
def test_draws_share_a_context(cls):
    """Axes before the last one are broadcast, in both directions."""
    flow, z, h = bent(cls), noise(4, 6, D), noise(4, 1, CONTEXT, seed=3)
    for function in map(traced, (flow.forward, flow.inverse)):
        image, log_det = map(array, function(z, h))
        flat, of_flat = function(z.reshape(24, D), np.repeat(h[:, 0], 6, axis=0))
        assert_allclose(image.reshape(24, D), array(flat), atol=1e-5)
        assert_allclose(log_det.reshape(24), array(of_flat), atol=1e-5)
        each, of_each = map(array, function(z[:, :1], h[:, 0]))  # many contexts for each z
        assert each.shape == (4, 4, D) and of_each.shape == (4, 4)
        assert_allclose(each[[0, 1, 2, 3], [0, 1, 2, 3]], image[:, 0], atol=1e-5)


@pytest.mark.parametrize("cls", FLOWS)
def test_the_context_reaches_every_dimension(cls):
    flow = bent(cls)
    forward, h = traced(lambda h: flow(noise(1, D), h)[0]), noise(2, 1, CONTEXT)
    moved = array(forward(h[0])) - array(forward(h[1]))
    assert (np.abs(moved) > 1e-4).all()


# The order of dimensions


@pytest.mark.parametrize("hidden", [(8, 7), (2,), ()])
def test_a_step_is_autoregressive(hidden):
    flow = bent(InverseAutoregressiveFlow, hidden=hidden, num_steps=2)
    z, h = ops.convert_to_tensor(noise(3, D)), ops.convert_to_tensor(noise(3, CONTEXT))
    first, second = (jacobian(lambda z, s=s: s.forward(z, h)[0], z) for s in flow.steps)
    assert_array_equal(np.triu(first, 1), 0)
    assert_array_equal(np.tril(second, -1), 0)
    if hidden == (8, 7):  # enough units: each dimension depends on all those before it
        assert (first[:, *np.tril_indices(D)] != 0).all()
        assert (second[:, *np.triu_indices(D)] != 0).all()
        assert (jacobian(lambda z: flow(z, h)[0], z) != 0).all()


def test_a_gate_keeps_part_of_z():
    """z' lies between z and m: the Jacobian's diagonal, the gates, is within 0 and 1."""
    flow = bent(InverseAutoregressiveFlow, num_steps=1, scale=1.0)
    z, h = ops.convert_to_tensor(noise(50, D)), ops.convert_to_tensor(noise(50, CONTEXT))
    gates = np.diagonal(jacobian(lambda z: flow(z, h)[0], z), axis1=1, axis2=2)
    assert (gates > 0).all() and (gates <= 1).all() and gates.min() < 0.1 < 0.9 < gates.max()


def test_couplings_change_one_half_after_the_other():
    flow = bent(RealNVP, num_steps=2)
    z, h = ops.convert_to_tensor(noise(3, D)), ops.convert_to_tensor(noise(3, CONTEXT))
    first, second = (array(traced(step.forward)(z, h)[0] == z) for step in flow.steps)
    assert_array_equal(first.all(axis=0), [True, True, False, False, False])
    assert_array_equal(second.all(axis=0), [False, False, True, True, True])


# Their start


def test_how_flows_start():
    z, h = noise(4, D), noise(4, CONTEXT)
    image, log_det = traced(RealNVP(num_steps=4))(z, h)
    assert_array_equal(array(image), z)
    assert_array_equal(array(log_det), 0)
    image, log_det = traced(InverseAutoregressiveFlow(num_steps=4))(z, h)
    gate = 1 / (1 + np.exp(-2.0))
    assert_allclose(array(image), gate**4 * z, rtol=1e-5)
    assert_allclose(array(log_det), D * 4 * np.log(gate), rtol=1e-5)


@pytest.mark.parametrize("cls", FLOWS)
def test_large_inputs_stay_finite(cls):
    """Even where the networks' outputs are huge, a coupling's scale is at most exp(2)."""
    flow, z, h = bent(cls, scale=20.0), noise(50, D), noise(50, CONTEXT)
    image, log_det = map(array, traced(flow.forward)(z, h))
    assert np.isfinite(image).all() and np.isfinite(log_det).all()
    if cls is RealNVP:
        assert 4 < np.abs(log_det).max() <= (3 + 2 + 3) * 2 + 1e-4


@pytest.mark.parametrize("cls", FLOWS)
def test_seeds_of_the_weights(cls):
    one, same, other = (bent_start(cls, seed) for seed in (3, 3, 4))
    for a, b in zip(one, same):
        assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(one, other))
    kernels = [w for w in one if w.ndim == 2 and w.any()]
    assert not any(
        a.shape == b.shape and (a == b).all() for i, a in enumerate(kernels) for b in kernels[:i]
    )


def bent_start(cls, seed):
    flow = cls(num_steps=2, hidden=(6, 6), seed=seed)
    flow.build((None, 6))
    return flow.get_weights()


# Against zuko


def in_zuko(flow, context):
    """The same flow of zuko's transforms: its own code computes images, inverses and volumes, with
    networks in PyTorch of the same weights."""

    def network(conditioner, z):
        h = z
        for i, (kernel, bias) in enumerate(zip(conditioner.kernels, conditioner.biases)):
            kernel = array(kernel)
            if conditioner.masks is not None:
                kernel = kernel * conditioner.masks[i]
            h = torch.nn.functional.silu(h) if i else h
            h = h @ torch.tensor(kernel, dtype=torch.float64) + torch.tensor(array(bias))
            if not i:
                h = h + torch.tensor(context @ array(conditioner.context_kernel))
        return h.chunk(2, dim=-1)

    def affine(shift, scale):
        return zuko.transforms.DependentTransform(
            torch.distributions.AffineTransform(shift, scale), 1
        )

    def gated(step):
        def meta(z):
            mean, logit = network(step.conditioner, z)
            gate = torch.sigmoid(logit + 2.0)
            return affine((1 - gate) * mean, gate)

        return zuko.transforms.AutoregressiveTransform(meta, passes=D)

    def coupled(step):
        def meta(z):
            log_scale, shift = network(step.conditioner, z)
            return affine(shift, torch.exp(2 * torch.tanh(log_scale / 2)))

        kept = torch.arange(D) < D // 2
        return zuko.transforms.CouplingTransform(meta, kept if step.second_half else ~kept)

    made = gated if isinstance(flow, InverseAutoregressiveFlow) else coupled
    return zuko.transforms.ComposedTransform(*map(made, flow.steps))


@pytest.mark.parametrize("cls", FLOWS)
def test_flows_are_those_of_zuko(cls):
    flow, z, h = bent(cls), noise(7, D), noise(7, CONTEXT, seed=5)
    other = in_zuko(flow, h)
    image, log_det = map(array, traced(flow.forward)(z, h))
    expected, volume = other.call_and_ladj(torch.tensor(z, dtype=torch.float64))
    assert_allclose(image, expected.numpy(), rtol=1e-5, atol=1e-5)
    assert_allclose(log_det, volume.numpy(), atol=2e-5)
    start, log_det = map(array, traced(flow.inverse)(z, h))
    expected, volume = other.inv.call_and_ladj(torch.tensor(z, dtype=torch.float64))
    assert_allclose(start, expected.numpy(), rtol=1e-4, atol=1e-4)
    assert_allclose(log_det, volume.numpy(), rtol=1e-4, atol=1e-4)


# As layers


@pytest.mark.parametrize("cls", FLOWS)
def test_flows_are_layers_of_any_model(cls, tmp_path):
    z, h = keras.Input((D,)), keras.Input((CONTEXT,))
    model = keras.Model([z, h], cls(num_steps=2, hidden=(6,), seed=1)(z, h))
    flow = model.layers[-1]
    flow.set_weights([noise(*w.shape) for w in flow.get_weights()])
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    given = [noise(4, D), noise(4, CONTEXT)]
    for a, b in zip(model.predict(given, verbose=0), again.predict(given, verbose=0)):
        assert_array_equal(a, b)
    assert again.layers[-1].get_config() == flow.get_config()


@pytest.mark.parametrize("cls", FLOWS)
def test_flows_keep_their_32_bits(cls):
    before = keras.config.dtype_policy()
    flow, z, h = bent(cls), noise(4, D), noise(4, CONTEXT)
    expected = [array(value) for value in traced(flow.forward)(z, h)]
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((D,), dtype="float32"), keras.Input((CONTEXT,), dtype="float32")
        own = bent(cls)
        model = keras.Model(inputs, own(*inputs))
        found = model.predict([z, h], verbose=0)
    finally:
        keras.config.set_dtype_policy(before)
    for a, b in zip(found, expected):
        assert a.dtype == "float32"
        assert_allclose(a, b, atol=1e-5)


# What is refused


@pytest.mark.parametrize("cls", FLOWS)
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_steps": 0}, "`num_steps` must be a positive integer.*num_steps=0"),
        ({"hidden": 8}, "`hidden` must be a tuple of positive integers.*hidden=8"),
        ({"hidden": (8, 0)}, "`hidden`.*hidden=0"),
        ({"seed": -1}, "`seed` must be an integer of 0 or more.*seed=-1"),
    ],
)
def test_bad_arguments(cls, settings, message):
    with pytest.raises(ValueError, match=message):
        cls(**settings)


def test_one_dimension():
    with pytest.raises(ValueError, match="RealNVP needs 2 or more latent dimensions.*1"):
        RealNVP()(noise(4, 1))
    flow, z, h = bent(InverseAutoregressiveFlow, latent_dim=1), noise(4, 1), noise(4, CONTEXT)
    image, _ = traced(flow.forward)(z, h)
    assert_allclose(array(traced(flow.inverse)(image, h)[0]), z, atol=1e-5)
