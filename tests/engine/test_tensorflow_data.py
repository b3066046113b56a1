"""On TensorFlow, `fit` makes the batches of arrays itself, in another order in each epoch."""

import keras
import numpy as np
import pytest

import keras_aevae as ka

N, SIZE = 45, 8
X = np.random.default_rng(0).uniform(size=(N, 6)).astype("float32")
Y = np.random.default_rng(1).uniform(size=(N, 6)).astype("float32")
WEIGHT = np.arange(N, dtype="float64")


class Sees(ka.VAE):
    """A VAE that keeps the batches it is trained on."""

    def train_step(self, *data):
        batch = keras.utils.unpack_x_y_sample_weight(data[-1])
        parts = [None if p is None else keras.ops.convert_to_numpy(p) for p in batch]
        self.seen.append(parts)
        return super().train_step(*data)


def fitted(x=X, y=None, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    model = Sees(*ka.networks.mlp((6,), latent_dim=2, hidden=(8,)))
    model.seen = []
    model.compile(run_eagerly=True)
    history = model.fit(x, y, verbose=0, **{"batch_size": SIZE} | settings).history
    return model, history


def examples(model, part=0):
    """The examples of each epoch, in the order in which they were seen."""
    values = np.concatenate([batch[part] for batch in model.seen])
    return values.reshape(-1, N, *values.shape[1:])


@pytest.mark.parametrize("seed", [0, 1])
def test_every_epoch_has_an_order_of_its_own(seed):
    """Keras's pipeline repeats the first one on TensorFlow, once a seed is set."""
    found = examples(fitted(epochs=4, seed=seed)[0])
    for i, order in enumerate(found):
        assert not any(np.array_equal(order, other) for other in (*found[:i], X))
        np.testing.assert_array_equal(np.sort(order, axis=0), np.sort(X, axis=0))
    again = examples(fitted(epochs=4, seed=seed)[0])
    np.testing.assert_array_equal(found, again)
    assert not np.array_equal(found, examples(fitted(epochs=4, seed=seed + 7)[0]))


def test_a_second_fit_goes_on_with_other_orders():
    model, _ = fitted()
    model.fit(X, batch_size=SIZE, verbose=0)
    first, second = examples(model)
    assert not np.array_equal(first, second)


def test_batches_are_those_of_keras():
    model, _ = fitted(shuffle=False)
    assert [len(x) for x, _, _ in model.seen] == [8, 8, 8, 8, 8, 5]
    np.testing.assert_array_equal(examples(model)[0], X)
    model, _ = fitted(y=Y, sample_weight=WEIGHT, batch_size=None)
    assert [len(x) for x, _, _ in model.seen] == [32, 13]
    order = examples(model, 2)[0].astype(int)
    for part, expected in enumerate((X, Y, WEIGHT)):
        np.testing.assert_allclose(examples(model, part)[0], expected[order])
    model, _ = fitted(batch_size=None, steps_per_epoch=3)
    assert [len(x) for x, _, _ in model.seen] == [15] * 3
    model, _ = fitted(X.astype("float64"))
    assert {x.dtype.name for x, _, _ in model.seen} == {"float32"}


def test_validation_split():
    model, history = fitted(y=Y, sample_weight=WEIGHT, validation_split=0.2, epochs=2)
    kept = 36
    seen = np.concatenate([x for x, _, _ in model.seen]).reshape(2, kept, 6)
    for epoch in seen:
        np.testing.assert_array_equal(np.sort(epoch, axis=0), np.sort(X[:kept], axis=0))
    _, apart = fitted(
        X[:kept],
        Y[:kept],
        sample_weight=WEIGHT[:kept],
        validation_data=(X[kept:], Y[kept:], WEIGHT[kept:]),
        epochs=2,
    )
    for key in apart:
        np.testing.assert_allclose(history[key], apart[key], rtol=1e-5, err_msg=key)
    with pytest.raises(ValueError, match="split"):
        fitted(validation_split=0.999)


def test_arrays_of_different_lengths_are_refused():
    longer = np.concatenate([Y, Y])
    for settings in (
        {"y": longer},
        {"y": Y[:40]},
        {"y": Y, "sample_weight": np.ones(2 * N)},
        {"y": longer, "validation_split": 0.2},
        {"validation_data": (X, longer)},
    ):
        with pytest.raises(ValueError, match="for each of x"):
            fitted(**settings)


def test_a_condition_comes_along():
    keras.utils.set_random_seed(0)
    labels = np.arange(N) % 3
    model = ka.ConditionalVAE(
        *ka.networks.mlp((6,), latent_dim=2, hidden=(8,), condition_dim=3), classes=3
    )
    model.compile()
    data = (X, labels)
    history = model.fit(data, epochs=2, validation_data=(data,), verbose=0).history
    assert np.isfinite(history["val_loss"]).all() and len(history["loss"]) == 2
