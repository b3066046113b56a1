import keras
import numpy as np
import pytest

from keras_aevae.datasets import DynamicBinarization


def epoch_of(batches):
    return np.concatenate([batch for (batch,) in batches])


def grey(n=50):
    return np.random.default_rng(0).random((n, 4, 4, 1), dtype="float32")


def test_batches_hold_bits_and_the_last_is_partial():
    batches = DynamicBinarization(grey(50), batch_size=16)
    assert len(batches) == 4
    assert [len(batch) for (batch,) in batches] == [16, 16, 16, 2]
    bits = epoch_of(batches)
    assert bits.shape == (50, 4, 4, 1) and bits.dtype == "float32"
    assert set(np.unique(bits)) == {0, 1}
    with pytest.raises(IndexError):
        batches[4]


def test_each_epoch_is_drawn_anew_and_the_seed_repeats_it():
    a, b = (DynamicBinarization(grey(), batch_size=16, seed=5) for _ in range(2))
    first, first_again = epoch_of(a), epoch_of(b)
    assert np.array_equal(first, first_again)
    a.on_epoch_end()
    b.on_epoch_end()
    second = epoch_of(a)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, epoch_of(b))
    assert not np.array_equal(first, epoch_of(DynamicBinarization(grey(), 16, seed=6)))


def test_mean_over_epochs_approximates_the_grey_value():
    x = grey()
    batches = DynamicBinarization(x, batch_size=16, shuffle=False)
    total = 0
    for _ in range(400):
        total = total + epoch_of(batches)
        batches.on_epoch_end()
    assert np.abs(total / 400 - x).max() < 5 * 0.5 / np.sqrt(400)


def test_batches_of_one_epoch_have_independent_draws():
    batches = DynamicBinarization(np.full((32, 100), 0.5), batch_size=16, shuffle=False)
    agreement = (batches[0][0] == batches[1][0]).mean()
    assert agreement == pytest.approx(0.5, abs=0.07)


def test_shuffling_visits_each_example_once_in_a_new_order():
    # bits as grey values: drawing leaves them, and they spell the example's number
    x = (np.arange(64)[:, None] >> np.arange(6) & 1).astype("float32")
    batches = DynamicBinarization(x, batch_size=10)
    orders = []
    for _ in range(2):
        orders.append((epoch_of(batches) @ 2 ** np.arange(6)).astype(int).tolist())
        batches.on_epoch_end()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(64))
    assert orders[0] != orders[1] != list(range(64))
    still = DynamicBinarization(x, batch_size=10, shuffle=False)
    assert np.array_equal(epoch_of(still), x)


class Recorder(DynamicBinarization):
    """Notes the batches asked for, by epoch and index."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = {}

    def __getitem__(self, index):
        batch = super().__getitem__(index)
        self.asked[self.epoch, index] = batch[0]
        return batch


class OnlyX(keras.Model):
    """A model whose loss needs no target."""

    def __init__(self):
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(16, activation="sigmoid")

    def call(self, x):
        return self.dense(self.flatten(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        assert y is None and sample_weight is None
        return keras.ops.mean((self.flatten(x) - y_pred) ** 2)


def fit(workers):
    model = OnlyX()
    model.compile(optimizer="adam")
    batches = Recorder(grey(), batch_size=16, workers=workers)
    history = model.fit(batches, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    return batches.asked, model


def test_fit_draws_anew_each_epoch_whatever_the_workers():
    asked, model = fit(workers=1)
    # epoch 0 is spent on building: Keras ends it before the first epoch of `fit` begins
    assert set(asked) >= {(epoch, index) for epoch in (1, 2) for index in range(4)}
    by_two, _ = fit(workers=2)
    assert set(by_two) >= {(1, index) for index in range(4)}
    for key in set(asked) & set(by_two):
        assert np.array_equal(asked[key], by_two[key])
    assert np.isfinite(model.evaluate(DynamicBinarization(grey(20), 16), verbose=0))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "`batch_size` must be a positive integer. Received: batch_size=0"),
        ({"batch_size": 2.5}, "Received: batch_size=2.5"),
        ({"seed": -1}, "`seed` must be an integer of 0 or more"),
        ({"seed": None}, "Received: seed=None"),
        ({"x": np.zeros((0, 3))}, r"shape \(0, 3\)"),
        ({"x": np.zeros(3)}, r"shape \(3,\)"),
        ({"x": np.full((2, 3), 2.0)}, "from 2.0 to 2.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DynamicBinarization(**({"x": grey()} | arguments))
