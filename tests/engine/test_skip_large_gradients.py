"""An optimizer that leaves steps out: those are as if they had never been, the others are the
optimizer's own."""

import keras
import numpy as np
import pytest

import keras_aevae as ka

SIZE = 8
X = np.random.default_rng(0).uniform(size=(SIZE * 6, 6)).astype("float32")
LARGE = 1e6


def build(optimizer=None, **settings):
    keras.utils.set_random_seed(0)
    model = ka.VAE(
        *ka.networks.mlp((6,), latent_dim=2, hidden=(8,)),
        likelihood=ka.distributions.Gaussian(1.0),
        beta=0.0,
        seed=1000,
    )
    model.compile(optimizer or keras.optimizers.Adam(0.01), **settings)
    return model


def skipping(max_norm=1e4, **settings):
    return build(ka.SkipLargeGradients(keras.optimizers.Adam(0.01), max_norm), **settings)


def fit(model, x):
    return model.fit(x, batch_size=SIZE, shuffle=False, verbose=0)


def test_small_gradients_are_the_optimizers_own_steps():
    plain, ours = build(), skipping()
    for model in (plain, ours):
        fit(model, X)
    for a, b in zip(plain.get_weights(), ours.get_weights()):
        np.testing.assert_allclose(b, a, atol=1e-6)
    assert int(ours.optimizer.skipped.numpy()) == 0
    assert int(ours.optimizer.iterations.numpy()) == 6
    assert float(ours.optimizer.learning_rate.numpy()) == pytest.approx(0.01)


def test_a_step_that_is_left_out_changes_nothing():
    model = skipping()
    fit(model, X[: 2 * SIZE])
    weights = model.get_weights()
    state = [v.numpy().copy() for v in model.optimizer.optimizer.variables]
    fit(model, LARGE * X[:SIZE])
    assert int(model.optimizer.skipped.numpy()) == 1
    trained = {id(v) for v in model.trainable_variables}
    for variable, before in zip(model.weights, weights):
        if id(variable) in trained:
            np.testing.assert_array_equal(variable.numpy(), before)
    for variable, before in zip(model.optimizer.optimizer.variables, state):
        np.testing.assert_array_equal(variable.numpy(), before)


def test_what_is_left_is_as_if_it_had_never_been():
    """Without noise: two batches around one that is too large are the two batches alone."""
    x = np.concatenate([X[:SIZE], LARGE * X[SIZE : 2 * SIZE], X[2 * SIZE : 3 * SIZE]])
    alone = np.concatenate([X[:SIZE], X[2 * SIZE : 3 * SIZE]])

    class Silent(ka.Autoencoder):
        pass

    found = []
    for data, skipped in ((x, 1), (alone, 0)):
        keras.utils.set_random_seed(0)
        model = Silent(
            *ka.networks.mlp((6,), latent_dim=2, hidden=(8,)),
            likelihood=ka.distributions.Gaussian(1.0),
        )
        model.compile(ka.SkipLargeGradients(keras.optimizers.Adam(0.01), 1e4))
        fit(model, data)
        assert int(model.optimizer.skipped.numpy()) == skipped
        found.append([v.numpy() for v in model.trainable_variables])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_infinite_gradients_are_left_out():
    model = skipping(max_norm=1e30)
    before = [v.numpy().copy() for v in model.trainable_variables]
    fit(model, np.float32(1e30) * X[:SIZE])
    assert int(model.optimizer.skipped.numpy()) == 1
    for variable, value in zip(model.trainable_variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_it_is_saved_with_the_model(tmp_path):
    model = skipping()
    fit(model, X)
    fit(model, LARGE * X[:SIZE])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.max_norm == 1e4
    for a, b in zip(model.optimizer.variables, loaded.optimizer.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_it_holds_optimizers_of_parts():
    model = build()
    both = ka.optimizers(model, keras.optimizers.Adam(0.01), encoder=0.0)
    model.compile(ka.SkipLargeGradients(both, 1e4))
    before = model.encoder.get_weights(), model.decoder.get_weights()
    fit(model, X)
    np.testing.assert_array_equal(model.encoder.get_weights()[0], before[0][0])
    assert not np.array_equal(model.decoder.get_weights()[0], before[1][0])


def test_the_scaling_of_a_loss_is_outside():
    plain = build(keras.optimizers.SGD(0.01))
    scaled = build(
        keras.optimizers.LossScaleOptimizer(
            ka.SkipLargeGradients(keras.optimizers.SGD(0.01), 1e4), initial_scale=256.0
        )
    )
    for model in (plain, scaled):
        fit(model, X)
    for a, b in zip(plain.get_weights(), scaled.get_weights()):
        np.testing.assert_allclose(b, a, atol=1e-6)


def test_what_is_refused():
    used = keras.optimizers.Adam()
    build(used)
    used.build([keras.Variable(np.zeros(2))])
    for optimizer in ("adam", used):
        with pytest.raises(ValueError, match="that no model has used yet"):
            ka.SkipLargeGradients(optimizer, 1.0)
    sgd = keras.optimizers.SGD
    for optimizer in (
        sgd(0.01, loss_scale_factor=1024.0),
        keras.optimizers.LossScaleOptimizer(sgd(0.01)),
    ):
        with pytest.raises(ValueError, match="must not scale the loss"):
            ka.SkipLargeGradients(optimizer, 1.0)
    for max_norm in (0, -1.0, float("inf"), None):
        with pytest.raises(ValueError, match="`max_norm` must be a finite number greater than 0"):
            ka.SkipLargeGradients(keras.optimizers.Adam(), max_norm)
