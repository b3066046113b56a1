"""The verbs of every model: their conditions, their seeds, and the prior's own settings."""

import inspect

import keras
import numpy as np
import pytest
from zoo import ONE_EACH, SHAPE, TABLES, ZOO, build, given, inputs

import keras_aevae as ka
from keras_aevae.distributions import AutoregressivePrior

TOLD = "VQVAE, told a class"


@pytest.fixture(scope="module")
def x():
    return ka.datasets.load("digits")[0][0][:64]


def with_prior(row="VQVAE"):
    model = build(row)
    model.set_prior(AutoregressivePrior(16, (4, 4), width=8, depth=1, num_heads=2, seed=0))
    return model


# The prior's own settings


@pytest.mark.parametrize("temperature", [0.5, 1.0])
@pytest.mark.parametrize("noise", [False, True])
def test_samples_at_a_temperature_are_those_of_the_seed(temperature, noise):
    model = with_prior()
    settings = {"temperature": temperature, "noise": noise}
    samples = model.sample(3, seed=0, **settings)
    np.testing.assert_array_equal(samples, model.sample(3, seed=0, **settings))
    assert (samples != model.sample(3, seed=1, **settings)).any()
    if temperature == 1.0:
        np.testing.assert_array_equal(samples, model.sample(3, seed=0, noise=noise))


@pytest.mark.parametrize("row", ONE_EACH)
def test_a_prior_without_a_temperature_refuses_it(row):
    model = build(row)
    kind = type(model.prior).__name__
    for verb in (model.sample, model.sample_codes):
        with pytest.raises(ValueError, match=f"no `temperature`.*a {kind}.*temperature=0.5"):
            verb(2, temperature=0.5, seed=0)
    with pytest.raises(ValueError, match="no `sed`"):
        model.sample(2, sed=0)


def test_the_settings_are_named():
    with pytest.raises(ValueError, match="no `temperatur` .*AutoregressivePrior.*: temperature"):
        with_prior().sample(2, temperatur=0.5)
    with pytest.raises(ValueError, match="`temperature` must be"):
        with_prior().sample(2, temperature=-1.0)


# Conditions

DATA = ("x", "z", "indices", "start")


def verbs(cls):
    """The methods of a model that take data or codes, as arrays, and return arrays."""
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        keras_own = name in dir(keras.Model)  # `predict`, which takes pairs
        if name.startswith("_") or keras_own or not inspect.isfunction(method):
            continue
        known = inspect.signature(method).parameters
        if list(known)[1:2] and list(known)[1] in DATA and "batch_size" in known:
            yield name, known


CLASSES = {row.cls for row in [*ZOO.values(), *TABLES.values()]}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_verb_takes_a_condition(cls):
    found = dict(verbs(cls))
    assert {"encode", "decode", "interpolate", "elbo", "evaluate_terms", "fit_prior"} <= set(found)
    assert [name for name, known in found.items() if "condition" not in known] == []


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_indices_have_their_condition(x, n):
    model = build(TOLD)
    x, c = x[:n], given(TOLD, n)["condition"]
    indices = model.encode_indices(x, condition=c)
    assert indices.shape == (n, 4, 4)
    np.testing.assert_array_equal(indices, model.encode_indices((x, c)))
    decoded = model.decode_indices(indices, condition=c)
    np.testing.assert_allclose(decoded, model.reconstruct(x, condition=c), atol=1e-5)
    np.testing.assert_allclose(decoded, model.decode_indices((indices, c)), atol=1e-6)
    np.testing.assert_allclose(decoded, model.decode_indices(iter([((indices, c),)])), atol=1e-5)
    other = model.decode_indices(indices, condition=(c + 1) % 10)
    assert np.abs(other - decoded).max() > 1e-4
    with pytest.raises(ValueError, match="needs a condition for each indices"):
        model.decode_indices(indices)
    with pytest.raises(ValueError, match="needs a condition for each x"):
        model.encode_indices(x)
    with pytest.raises(ValueError, match="`condition` must hold labels"):
        model.decode_indices(indices, condition=np.full(n, 12))
    with pytest.raises(ValueError, match="`indices` must be integers from 0 to 15"):
        model.decode_indices(indices + 16, condition=c)


def test_a_model_without_a_condition_refuses_it(x):
    model = build("VQVAE")
    indices = model.encode_indices(x[:2])
    for verb, what in ((model.encode_indices, x[:2]), (model.decode_indices, indices)):
        with pytest.raises(ValueError, match="`condition` is for conditional models"):
            verb(what, condition=np.zeros(2, "int32"))


def test_lists_have_their_condition(x):
    for row in ("ConditionalVAE", TOLD):
        model, c = build(row), np.array([3, 4])
        np.testing.assert_allclose(
            model.encode([x[0], x[1]], condition=c), model.encode(x[:2], condition=c), atol=1e-6
        )


class Batches(keras.utils.PyDataset):
    """Batches of 16 pairs."""

    def __init__(self, x, c):
        super().__init__()
        self.x, self.c = x, c

    def __len__(self):
        return len(self.x) // 16

    def __getitem__(self, i):
        here = slice(16 * i, 16 * i + 16)
        return ((self.x[here], self.c[here]),)


def test_the_codebook_starts_from_codes_with_their_condition(x):
    """In each kind of data that `fit` takes."""
    c = given(TOLD, len(x))["condition"]
    codebooks = []
    for data in ((x, c), Batches(x, c), iter([((x, c),)])):
        model = build(TOLD)
        model.compile(keras.optimizers.SGD(0.0))
        before = keras.ops.convert_to_numpy(model.quantizer.codebook).copy()
        model.before_first_step(data)
        codebooks.append(keras.ops.convert_to_numpy(model.quantizer.codebook).copy())
        assert np.abs(codebooks[-1] - before).max() > 0.01
    for codebook in codebooks[1:]:
        np.testing.assert_allclose(codebook, codebooks[0], atol=1e-5)


# Datasets


@pytest.mark.parametrize("row", ["VAE", "ConditionalVAE", TOLD])
def test_a_path_has_arrays_at_both_ends(row, x):
    model, c = build(row), given(row, 4)
    array = inputs(row, x[:4])
    dataset = [(array,)]
    data = (batch for batch in dataset)
    with pytest.raises(ValueError, match="`start` must be an array of data.*generator"):
        model.interpolate(data, x[:4])
    with pytest.raises(ValueError, match="`end` must be an array of data.*generator"):
        model.interpolate(x[:4], data, **c)
    assert model.interpolate(array, array, steps=3).shape == (4, 3, *SHAPE)


@pytest.mark.parametrize("row", ONE_EACH + [TOLD])
def test_verbs_take_datasets_of_pairs(row, x):
    model, c = build(row), given(row, 6)

    def batches(values):
        pairs = values if not c else (values, c["condition"])
        cut = (
            (lambda a: pairs[a : a + 4])
            if not c
            else (lambda a: tuple(p[a : a + 4] for p in pairs))
        )
        return ((cut(a),) for a in (0, 4))

    z = model.encode(x[:6], **c)
    np.testing.assert_allclose(model.encode(batches(x[:6])), z, atol=1e-5)
    np.testing.assert_allclose(model.decode(batches(z)), model.decode(z, **c), atol=1e-5)
    if model.past is None:
        again = model.reconstruct(batches(x[:6]))
        np.testing.assert_allclose(again, model.reconstruct(x[:6], **c), atol=1e-5)
    assert model.evaluate_terms(batches(x[:6]))["reconstruction"].shape == (6,)
    if model.stores == "codebook":
        indices = model.encode_indices(x[:6], **c)
        np.testing.assert_array_equal(model.encode_indices(batches(x[:6])), indices)
        decoded = model.decode_indices(indices, **c)
        np.testing.assert_allclose(model.decode_indices(batches(indices)), decoded, atol=1e-5)
