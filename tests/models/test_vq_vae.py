"""The vector-quantised VAE: its loss, its codes, and the prior that it samples from."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_aevae as ka
from keras_aevae.layers import FiniteScalarQuantizer, VectorQuantizer

SHAPE, GRID = (8, 8, 1), (4, 4)


@pytest.fixture(scope="module")
def x():
    (x, _), _ = ka.datasets.load("digits")
    return x[:256]


def build(quantizer=None, **settings):
    keras.utils.set_random_seed(0)
    quantizer = quantizer or VectorQuantizer(16, seed=5)
    networks = ka.networks.conv(SHAPE, 3, filters=(8,), hidden=None)
    return ka.VQVAE(*networks, quantizer=quantizer, seed=1000, **settings)


def test_terms_are_the_papers(x):
    model = build(VectorQuantizer(16, update="gradient", seed=5), commitment=0.4)
    model.compile()
    outputs = model.predict(x, verbose=0)
    codebook = ops.convert_to_numpy(model.quantizer.codebook).astype("float64")
    z_e = outputs["z_mean"].reshape(-1, *GRID, 3).astype("float64")
    distances = np.square(z_e[..., None, :] - codebook).sum(axis=-1)
    np.testing.assert_array_equal(outputs["indices"], distances.argmin(axis=-1))
    squared = distances.min(axis=-1).sum(axis=(1, 2))
    np.testing.assert_allclose(outputs["z"].reshape(z_e.shape), codebook[outputs["indices"]])
    terms = model.evaluate_terms(x)
    assert set(terms) == {"reconstruction", "codebook", "commitment"}
    np.testing.assert_allclose(terms["codebook"], squared, rtol=1e-4)
    np.testing.assert_allclose(terms["commitment"], squared, rtol=1e-4)
    values = model.evaluate(x, verbose=0, return_dict=True)
    expected = values["reconstruction"] + values["codebook"] + 0.4 * values["commitment"]
    assert values["loss"] == pytest.approx(expected, rel=1e-6)
    shares = np.bincount(outputs["indices"].ravel(), minlength=16) / outputs["indices"].size
    entropy = -np.sum(shares[shares > 0] * np.log(shares[shares > 0]))
    assert values["perplexity"] == pytest.approx(np.exp(entropy), rel=1e-4)


def test_the_terms_do_not_depend_on_the_batch_size(x):
    model = build()
    model.compile()
    values = [
        model.evaluate(data, batch_size=size, verbose=0, return_dict=True)
        for data, size in ((x, 8), (x, 256), (np.concatenate([x, x]), 512))
    ]
    for other in values[1:]:
        for name, value in values[0].items():
            assert other[name] == pytest.approx(value, rel=1e-4), name


def test_the_codebook_starts_at_the_data_and_only_once(x):
    model = build()
    model.compile(keras.optimizers.SGD(0.0))
    before = ops.convert_to_numpy(model.quantizer.codebook).copy()
    random = model.evaluate(x, verbose=0, return_dict=True)["commitment"]
    model.start_from(x)
    started = ops.convert_to_numpy(model.quantizer.codebook).copy()
    assert np.abs(started - before).max() > 1e-3
    assert model.evaluate(x, verbose=0, return_dict=True)["commitment"] < random / 2
    # `fit` does so by itself, before its first step alone
    calls = []
    other = build()
    other.compile(keras.optimizers.SGD(0.0))
    other.quantizer.start_from = lambda z: calls.append(z.shape)
    other.fit(x, verbose=0)
    other.fit(x, verbose=0)
    assert calls == [(256, *GRID, 3)]


def test_nothing_moves_in_evaluation(x):
    model = build()
    model.compile()
    model.fit(x, verbose=0)
    before = [w.copy() for w in model.get_weights()]
    model.evaluate(x, verbose=0)
    model.predict(x, verbose=0)
    model.encode(x)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_indices_and_vectors_are_two_names_of_a_code(x):
    model = build()
    model.start_from(x)
    indices = model.encode_indices(x)
    assert indices.shape == (256, *GRID) and indices.dtype == "int32"
    z = model.encode(x)
    codebook = ops.convert_to_numpy(model.quantizer.codebook)
    np.testing.assert_allclose(z.reshape(-1, *GRID, 3), codebook[indices], atol=1e-6)
    np.testing.assert_allclose(model.decode_indices(indices), model.decode(z), atol=1e-5)
    np.testing.assert_allclose(model.decode_indices(indices), model.reconstruct(x), atol=1e-5)


def test_a_vector_of_one_code_for_each_input(x):
    keras.utils.set_random_seed(0)
    model = ka.VQVAE(*ka.networks.mlp(SHAPE, 3, hidden=(16,)), quantizer=VectorQuantizer(16))
    model.compile()
    model.fit(x, verbose=0)
    assert model.encode_indices(x).shape == (256,)
    assert model.encode(x).shape == (256, 3)


@pytest.mark.parametrize("kind", ["vectors", "scalars"])
def test_samples_come_from_the_prior(x, kind, tmp_path):
    quantizer = {
        "vectors": VectorQuantizer(16, seed=5),
        "scalars": FiniteScalarQuantizer((4, 2, 2)),
    }
    model = build(quantizer[kind])
    model.compile()
    model.fit(x, epochs=2, verbose=0)
    indices = model.encode_indices(x)
    prior = ka.AutoregressivePrior(16, GRID, width=16, depth=1, num_heads=2, seed=0)
    prior.compile(keras.optimizers.Adam(0.01))
    prior.fit(indices, epochs=2, verbose=0)
    model.set_prior(prior)
    images = model.sample(4, seed=1)
    assert images.shape == (4, *SHAPE)
    np.testing.assert_array_equal(images, model.sample(4, seed=1))
    np.testing.assert_allclose(images, model.decode_indices(prior.sample(4, seed=1)), atol=1e-6)
    # a bound of log p(x): the code is certain given x
    elbo = model.elbo(x)
    terms = model.evaluate_terms(x)
    np.testing.assert_allclose(elbo, prior.log_prob(indices) - terms["reconstruction"], rtol=1e-5)
    once = (x[i : i + 16] for i in range(0, len(x), 16))  # as a dataset that is shuffled anew
    np.testing.assert_allclose(model.elbo(once), elbo, rtol=1e-4)
    # the prior travels with its model, and is not trained by it
    model.save_to_preset(tmp_path / "p")
    again = ka.VQVAE.from_preset(tmp_path / "p")
    np.testing.assert_allclose(again.elbo(x), elbo, rtol=1e-4)
    model.save(tmp_path / "m.keras")
    whole = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(whole.elbo(x), elbo, rtol=1e-4)
    before = [w.copy() for w in again.fitted_prior.get_weights()]
    again.compile()
    again.fit(x, verbose=0)
    for a, b in zip(before, again.fitted_prior.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_the_bound_under_the_uniform_prior_costs_log_k_a_code(x):
    model = build()
    elbo, terms = model.elbo(x), model.evaluate_terms(x)
    np.testing.assert_allclose(-elbo - terms["reconstruction"], 16 * np.log(16), rtol=1e-4)


def test_a_prior_is_replaced_whole(x, tmp_path):
    model = build()
    own = ka.AutoregressivePrior(16, GRID, width=8, depth=1, num_heads=2, seed=0)
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        model.set_prior(ka.AutoregressivePrior(16, GRID, width=8, depth=1, num_heads=2, seed=seed))
    keras.utils.set_random_seed(3)
    model.set_prior(own)
    assert len(model.weights) == len(build().weights) + len(own.weights)
    model.save(tmp_path / "m.keras")
    model.save_to_preset(tmp_path / "p")
    for again in (
        keras.saving.load_model(tmp_path / "m.keras"),
        ka.VQVAE.from_preset(tmp_path / "p"),
    ):
        np.testing.assert_allclose(again.elbo(x), model.elbo(x), rtol=1e-4)
    # the one that was given goes on learning, by itself
    before = model.elbo(x)
    own.compile(keras.optimizers.Adam(0.05))
    first, *_, last = own.fit(model.encode_indices(x), epochs=3, verbose=0).history["loss"]
    assert last < first - 1.0
    np.testing.assert_array_equal(model.elbo(x), before)
    model.set_prior(None)
    assert len(model.weights) == len(build().weights)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"quantizer": 512}, "`quantizer` must be a VectorQuantizer"),
        ({"commitment": -1.0}, "`commitment` must be .*at least 0"),
        (
            {"prior": ka.AutoregressivePrior(8, GRID, width=8, depth=1)},
            "`prior`.*'uniform'.*fit_prior",
        ),
        ({"quantizer": FiniteScalarQuantizer((5, 5))}, "levels"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        build(**{"quantizer": None, **settings})


def test_bad_indices(x):
    model = build()
    for bad in (np.zeros((2, 4, 4)), np.full((2, 4, 4), 16), np.zeros((2, 3, 4), "int32")):
        with pytest.raises(ValueError, match="`indices` must be integers from 0 to 15"):
            model.decode_indices(bad)
    other = ka.AutoregressivePrior(8, GRID, width=8, depth=1)
    for bad in (other, ka.distributions.FittedMixture(3)):
        with pytest.raises(ValueError, match=r"16 codes on the grid \(4, 4\)"):
            model.set_prior(bad)
    with pytest.raises(AttributeError, match=r"`prior` is chosen.*set_prior\(prior\)"):
        model.prior = other
    with pytest.raises(ValueError, match="`encoder` doesn't fit: the decoder takes a grid"):
        ka.VQVAE(
            ka.networks.mlp(SHAPE, 3, hidden=(16,))[0],
            ka.networks.conv(SHAPE, 3, filters=(8,), hidden=None)[1],
        )
