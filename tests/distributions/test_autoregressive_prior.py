import itertools

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.distributions.autoregressive_prior import AutoregressivePrior

rng = np.random.default_rng(0)
INDICES = rng.integers(5, size=(6, 2, 3))
ALL = np.array(list(itertools.product(range(2), repeat=3)))  # 2 codes on the grid (3,)


def make(num_codes=5, grid=(2, 3), **settings):
    keras.utils.set_random_seed(0)
    settings = {"width": 8, "depth": 2, "num_heads": 2, "seed": 1, **settings}
    model = AutoregressivePrior(num_codes, grid, **settings)
    # Larger weights than at the start, so that every path carries something.
    for variable in model.trainable_variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    return model


def test_logits_are_those_of_what_came_before():
    model = make()
    logits = ops.convert_to_numpy(model(INDICES))
    assert logits.shape == (6, 6, 5) and logits.dtype == "float32"
    for i in range(6):
        changed = INDICES.reshape(6, 6).copy()
        changed[:, i] = (changed[:, i] + 1) % 5
        other = ops.convert_to_numpy(model(changed.reshape(INDICES.shape)))
        # Up to the rounding of sums in another order.
        assert_allclose(other[:, : i + 1], logits[:, : i + 1], atol=1e-5)
        for j in range(i + 1, 6):
            assert np.abs(other[:, j] - logits[:, j]).max() > 1e-3, (i, j)
    assert_allclose(logits[:, 0], np.broadcast_to(logits[:1, 0], (6, 5)), atol=1e-5)


def test_probabilities_of_all_sequences_sum_to_one():
    log_prob = make(2, (3,)).log_prob(ALL)
    assert log_prob.shape == (8,)
    assert np.std(log_prob) > 0.1
    assert np.exp(log_prob.astype("float64")).sum() == pytest.approx(1, rel=1e-5)


def test_log_prob_does_not_depend_on_the_batch():
    model = make()
    assert_allclose(model.log_prob(INDICES, batch_size=4), model.log_prob(INDICES), atol=1e-5)


def test_loss_is_minus_log_prob_with_weights_and_regularizers():
    model = make()
    model.compile()
    nats = -model.log_prob(INDICES)
    assert model.evaluate(INDICES, batch_size=6, verbose=0) == pytest.approx(nats.mean(), rel=1e-5)
    weight = rng.uniform(0, 2, 6).astype("float32")
    loss = model.evaluate(INDICES, sample_weight=weight, batch_size=6, verbose=0)
    assert loss == pytest.approx(np.average(nats, weights=weight), rel=1e-5)
    model.embedding.embeddings_regularizer = keras.regularizers.L2(0.1)
    model.embedding.embeddings.regularizer = model.embedding.embeddings_regularizer
    penalty = 0.1 * np.square(ops.convert_to_numpy(model.embedding.embeddings)).sum()
    model.compile()
    loss = model.evaluate(INDICES, batch_size=6, verbose=0)
    assert loss == pytest.approx(nats.mean() + penalty, rel=1e-5)


def test_fit_learns_a_pattern():
    # Each code follows from the one before it; the first is any of 3: log 3 nats at best.
    pattern = (np.arange(3)[:, None] + np.arange(4)) % 3
    x = pattern[rng.integers(3, size=128)].reshape(-1, 2, 2)
    keras.utils.set_random_seed(0)
    model = AutoregressivePrior(3, (2, 2), width=16, depth=1, num_heads=2)
    model.compile(keras.optimizers.Adam(0.02))
    history = model.fit(
        x,
        batch_size=32,
        epochs=12,
        validation_data=(x[:32],),
        sample_weight=np.ones(128),
        verbose=0,
    ).history
    assert history["loss"][0] > 2 and np.log(3) - 0.05 < history["loss"][-1] < 1.4
    assert history["val_loss"][-1] < 1.5
    samples = model.sample(60, seed=0, batch_size=64).reshape(-1, 4)
    right = (samples[:, 1:] - samples[:, :-1]) % 3 == 1
    assert right.mean() > 0.9


def test_fit_takes_datasets():
    model = make(dropout=0.1)
    model.compile("sgd")

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return (INDICES[3 * i : 3 * i + 3].astype("int32"),)

    assert len(model.fit(Batches(), epochs=2, verbose=0).history["loss"]) == 2


def test_samples_are_as_frequent_as_their_probability():
    model, n = make(2, (3,)), 4000
    samples = model.sample(n, seed=3, batch_size=1024)
    assert samples.shape == (n, 3) and samples.dtype == "int32"
    frequency = np.bincount(samples @ [4, 2, 1], minlength=8) / n
    p = np.exp(model.log_prob(ALL).astype("float64"))
    assert np.all(np.abs(frequency - p) < 5 * np.sqrt(p * (1 - p) / n) + 1e-9)


def test_samples_follow_the_seed():
    model = make()
    one = model.sample(10, seed=1)
    assert one.shape == (10, 2, 3)
    assert_array_equal(model.sample(10, seed=1), one)
    assert_array_equal(model.sample(10, seed=1, batch_size=4), one)
    assert np.any(model.sample(10, seed=2) != one)


def test_low_temperature_takes_the_likeliest():
    model = make()
    cold = model.sample(8, temperature=1e-4, seed=0)
    assert_array_equal(cold, np.broadcast_to(cold[:1], cold.shape))
    first = ops.convert_to_numpy(model(cold))[0]
    assert_array_equal(first.argmax(axis=-1), cold[0].ravel())


def test_save_and_reload(tmp_path):
    model = make(dropout=0.1)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(INDICES, epochs=1, verbose=0)
    model.save(tmp_path / "prior.keras")
    copy = keras.models.load_model(tmp_path / "prior.keras")
    assert_allclose(copy.log_prob(INDICES), model.log_prob(INDICES), rtol=1e-5)
    copy.fit(INDICES, epochs=1, verbose=0)

    model.save_weights(tmp_path / "prior.weights.h5")
    fresh = AutoregressivePrior.from_config(model.get_config())
    assert fresh.get_config() == model.get_config()
    fresh.load_weights(tmp_path / "prior.weights.h5")
    assert_allclose(fresh.log_prob(INDICES), model.log_prob(INDICES), rtol=1e-5)


def test_mixed_precision_gives_float32_nats():
    model = make(dtype="mixed_bfloat16")
    log_prob = model.log_prob(INDICES)
    assert log_prob.dtype == "float32" and np.isfinite(log_prob).all()
    model.compile()
    model.fit(INDICES, epochs=1, verbose=0)


# Bad input


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_codes": 0}, "`num_codes` must be a positive integer. Received: num_codes=0"),
        ({"grid": (0,)}, "`grid` must be a tuple of positive integers"),
        ({"width": 6, "num_heads": 4}, "multiple of `num_heads`. Received: width=6, num_heads=4"),
        ({"dropout": 1.0}, "`dropout` must be below 1. Received: dropout=1.0"),
        ({"seed": -1}, "`seed` must be an integer"),
    ],
)
def test_arguments_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        AutoregressivePrior(**{"num_codes": 4, "grid": (2, 2), **settings})


@pytest.mark.parametrize(
    "indices, message",
    [
        (INDICES[0], r"must have shape \(n, 2, 3\).*shape=\(2, 3\)"),
        (INDICES[:0], r"must have shape \(n, 2, 3\), with n of 1 or more"),
        (INDICES.astype("float32"), "must hold integers.*Received: dtype float32"),
        (INDICES + 3, r"must lie within 0 to 4. Received: values from 3 to 7"),
        (INDICES - 1, r"must lie within 0 to 4. Received: values from -1 to 3"),
    ],
    ids=["shape", "empty", "float", "high", "low"],
)
def test_indices_are_checked(indices, message):
    model = make()
    model.compile()
    with pytest.raises(ValueError, match=f"`x` {message}"):
        model.fit(indices)
    with pytest.raises(ValueError, match=f"`x` {message}"):
        model.fit(INDICES, validation_data=(indices,))
    with pytest.raises(ValueError, match=f"`x` {message}"):
        model.evaluate(indices)
    with pytest.raises(ValueError, match=f"`indices` {message}"):
        model.log_prob(indices)


def test_other_bad_input():
    model = make()
    with pytest.raises(ValueError, match="Received: loss='mse'"):
        model.compile(loss="mse")
    model.compile()
    with pytest.raises(ValueError, match="without a target: leave `y` out"):
        model.fit(INDICES, np.zeros(6))
    with pytest.raises(ValueError, match="`x` must be indices"):
        model.fit()
    with pytest.raises(ValueError, match="`temperature` must be"):
        model.sample(2, temperature=0)
    with pytest.raises(ValueError, match="`num_samples` must be"):
        model.sample(0)
