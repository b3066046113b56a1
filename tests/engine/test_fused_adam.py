"""The backend's kernel for Adam against Keras's own operations."""

import contextlib

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

import keras_aevae as ka
from keras_aevae.engine.fused_adam import fused_adam

Adam = keras.optimizers.Adam
OPTIMIZERS = {
    "default": lambda: Adam(),
    "schedule": lambda: Adam(keras.optimizers.schedules.CosineDecay(0.1, 8)),
    "everything": lambda: Adam(
        0.1, beta_1=0.5, beta_2=0.9, epsilon=1e-3, weight_decay=0.1, clipnorm=0.5, use_ema=True
    ),
    "amsgrad": lambda: Adam(0.1, amsgrad=True),
    "accumulation": lambda: Adam(0.1, gradient_accumulation_steps=2),
    "another": lambda: keras.optimizers.AdamW(0.1),
}


def compiled(function):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function


def weights_after(optimizer, scope, steps=10):
    keras.utils.set_random_seed(0)
    starts = np.linspace(-1, 1, 12).reshape(4, 3), np.array([0.1, 5.0])
    weights = [keras.Variable(start.astype("float32")) for start in starts]
    optimizer.build(weights)
    generator = np.random.default_rng(1)
    apply = compiled(lambda a, b: optimizer.apply([a, b], weights))
    for _ in range(steps):
        gradients = [generator.normal(size=w.shape).astype("float32") for w in weights]
        with scope(optimizer):
            apply(*[ops.convert_to_tensor(g) for g in gradients])
    variables = [*weights, *optimizer.variables]
    return [ops.convert_to_numpy(v).copy() for v in variables]


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_weights_and_state_are_those_of_keras(optimizer):
    own = weights_after(optimizer(), contextlib.nullcontext)
    fused = weights_after(optimizer(), fused_adam)
    for a, b in zip(own, fused, strict=True):
        # TensorFlow's kernel takes 1 - beta_2 in float32: 0.001 within 5e-5 of it.
        assert_allclose(b, a, rtol=5e-5, atol=5e-6)


def test_sparse_gradients():
    """Of an embedding, a row of which isn't used."""

    def after(scope):
        keras.utils.set_random_seed(0)
        layer, optimizer = keras.layers.Embedding(4, 2), Adam(0.1)
        model = keras.Sequential([layer, keras.layers.Flatten(), keras.layers.Dense(1)])
        model.compile(optimizer, loss="mse")
        model(np.zeros((1, 2)))
        with scope(optimizer):
            model.train_on_batch(np.array([[0, 1], [2, 1]]), np.array([[1.0], [2.0]]))
        return model.get_weights()

    for a, b in zip(after(contextlib.nullcontext), after(fused_adam)):
        assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def test_a_subclass_keeps_its_own_update():
    class Still(Adam):
        def update_step(self, gradient, variable, learning_rate):
            pass

    start, *_ = weights_after(Still(), fused_adam, steps=0)
    after, *_ = weights_after(Still(), fused_adam)
    assert_array_equal(after, start)


def test_the_optimizer_is_left_as_it_was():
    optimizer = Adam(0.01)
    before = set(vars(optimizer))
    with pytest.raises(ZeroDivisionError), fused_adam(optimizer):
        assert set(vars(optimizer)) - before
        raise ZeroDivisionError
    assert set(vars(optimizer)) == before


def test_fit_uses_it(monkeypatch):
    model = ka.VAE(*ka.networks.mlp((6,), latent_dim=2, hidden=(8,)), seed=0)
    model.compile(Adam(0.01), jit_compile=False)
    calls = []
    monkeypatch.setattr(Adam, "update_step", lambda *_: calls.append(1))
    weights = model.get_weights()
    model.fit(np.random.default_rng(0).uniform(size=(32, 6)), batch_size=8, verbose=0)
    assert all((a != b).any() for a, b in zip(weights, model.get_weights()))
    assert not calls
    if keras.backend.backend() == "torch":
        [(operations, *_)] = model.train_function.graphs.values()
        assert "_fused_adam_" in operations.code
