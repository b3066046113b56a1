"""What the measures are given: arrays, or a model first. Each error says what it got instead."""

import inspect
import re

import numpy as np
import pytest

from keras_aevae import VAE, latent, networks
from keras_aevae.datasets import DSprites

OF_MODEL = {
    "beta_vae_score",
    "decoder_jacobian_spectrum",
    "elbo",
    "factor_vae_score",
    "kl",
    "log_likelihood",
    "mean_squared_error",
    "reconstruction_error",
    "summary",
}
NOT_MEASURES = {"compare"}
MEASURES = {
    name: getattr(latent, name)
    for name in latent.__all__
    if inspect.isfunction(getattr(latent, name)) and name not in NOT_MEASURES
}
OF_ARRAYS = sorted(set(MEASURES) - OF_MODEL)

CODES = np.random.default_rng(0).normal(size=(12, 3))
LABELS, FACTORS = np.arange(12) % 3, np.stack([np.arange(12) % 2, np.arange(12) % 3], axis=1)
# What each argument may be.
VALID = {
    **dict.fromkeys("codes codes_test fit_on draws real fake mean log_var x".split(), CODES),
    **dict.fromkeys("x_train x_test path".split(), CODES),
    **dict.fromkeys("labels labels_test".split(), LABELS),
    **dict.fromkeys("factors factors_test".split(), FACTORS),
    **dict.fromkeys("scores anomalous_scores train_errors test_errors".split(), CODES[:, 0]),
    "path": CODES.reshape(2, 6, 3),
    "indices": LABELS,
    "num_codes": 3,
}
OF_ANY_SHAPE = {"indices", "path", "fake", "x", "x_train", "x_test"}  # flattened, by some
WHOLE = {"labels", "labels_test", "factors", "factors_test", "indices"}


def arrays_of(measure):
    """The arguments without a default, each with what it may be."""
    known = inspect.signature(measure).parameters.values()
    return {
        p.name: VALID[p.name] for p in known if p.default is p.empty and p.kind != p.VAR_KEYWORD
    }


@pytest.fixture(scope="module")
def vae():
    return VAE(*networks.mlp((4,), latent_dim=3, hidden=(4,)))


def test_the_model_comes_first_in_exactly_those_that_need_one():
    first = {
        name
        for name, f in MEASURES.items()
        if next(iter(inspect.signature(f).parameters)) == "model"
    }
    assert first == OF_MODEL
    for name in OF_ARRAYS:
        assert "model" not in inspect.signature(MEASURES[name]).parameters


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_arrays_are_taken_and_what_is_none_is_named(name, vae):
    measure = MEASURES[name]
    given = arrays_of(measure)
    assert measure(**given) is not None
    for argument, array in given.items():
        if argument == "num_codes":
            continue
        wrong = {
            "a VAE": vae,
            "None": None,
            "a dict": {"z_mean": array},
            "a str": "codes",
            "a list of 2": [[1.0, 2.0], [3.0]],
            "a generator": (row for row in array),
        }
        if argument in WHOLE:
            wrong["NoneType"] = [None, *array[1:].tolist()]
        else:
            wrong["1 NaN"] = np.where(np.arange(array.size).reshape(array.shape), array, np.nan)
        if argument not in OF_ANY_SHAPE:
            more = array[..., None, None]
            wrong[re.escape(str(more.shape))] = more
        for received, value in wrong.items():
            with pytest.raises(ValueError, match=f"`{argument}`.* must .*Received: .*{received}"):
                measure(**{**given, argument: value})


@pytest.mark.parametrize("name", sorted(OF_MODEL - {"beta_vae_score", "factor_vae_score"}))
def test_a_model_is_taken_and_what_is_none_is_named(name, vae):
    measure = MEASURES[name]
    x = np.zeros((12, 4), "float32")
    given = (
        (CODES,) if name == "decoder_jacobian_spectrum" else (x, x) if name == "summary" else (x,)
    )
    assert measure(vae, *given) is not None
    for received, value in {
        r"an array of shape \(12, 4\)": x,
        "a list of 1": [vae],
        "None": None,
        "a str": "vae_mlp_digits",
        "a dict": vae.evaluate_terms(x),
    }.items():
        with pytest.raises(
            ValueError, match=f"`model` must be .*first argument.*Received: {received}"
        ):
            measure(value, *given)
    first = (
        "codes" if name == "decoder_jacobian_spectrum" else "x_train" if len(given) == 2 else "x"
    )
    with pytest.raises(ValueError, match=f"`{first}` must be .*Received: .*a VAE"):
        measure(vae, vae, *given[1:])


@pytest.mark.parametrize("measure", [latent.beta_vae_score, latent.factor_vae_score])
def test_scores_of_chosen_factors_name_what_they_got(measure, vae):
    with pytest.raises(
        ValueError, match=r"`model` must be .*Received: an array of shape \(12, 3\)"
    ):
        measure(CODES, DSprites())
    with pytest.raises(ValueError, match="`model` must be .*Received: a str"):
        measure("vae", DSprites())
    with pytest.raises(ValueError, match="`dataset` must make images.*Received: a VAE"):
        measure(vae, vae)
    with pytest.raises(ValueError, match="`size` must be a positive integer"):
        measure(vae, DSprites(), size=0)


@pytest.mark.parametrize("measure", [latent.linear_probe, latent.nearest_neighbour_probe])
def test_labels_of_any_kind_that_names_classes(measure):
    """Bytes, strings, booleans, whole floats and objects of one kind are labels as integers are."""
    names = np.array(["a", "b", "c"])
    expected = measure(CODES, LABELS, CODES, LABELS)
    for labels in (
        names[LABELS],
        names[LABELS].astype("S"),
        names[LABELS].astype(object),
        LABELS.astype(object),
        LABELS.astype("float32"),
        LABELS.tolist(),
    ):
        assert measure(CODES, labels, CODES, labels) == expected
        assert latent.clustering_agreement(CODES, labels) == latent.clustering_agreement(
            CODES, LABELS
        )


@pytest.mark.parametrize(
    "labels, received",
    [
        (LABELS[:7], r"shape \(7,\) beside 12 codes"),
        (np.where(LABELS == 0, None, LABELS), "4 NoneType"),
        (np.where(LABELS == 0, np.nan, LABELS), "4 NaN"),
        (LABELS + 0.5, "aren't whole"),
        (np.array(["a", 1, b"c"] * 4, object), "4 str, 4 int, 4 bytes"),
        (LABELS.astype("datetime64[D]"), "datetime64"),
        (np.zeros(12, int), "0"),
    ],
)
def test_labels_that_name_no_classes(labels, received):
    for call in (
        lambda: latent.clustering_agreement(CODES, labels),
        lambda: latent.linear_probe(CODES, labels, CODES, LABELS),
    ):
        with pytest.raises(ValueError, match=f"`labels` must .*Received: .*{received}"):
            call()
    if len(labels) < 12:
        with pytest.raises(ValueError, match="`labels_test` must have shape"):
            latent.linear_probe(CODES, LABELS, CODES, labels)


def test_a_codebook_s_indices():
    with pytest.raises(ValueError, match="`indices` must lie within 0 to 1. Received: .* 0 to 2"):
        latent.perplexity(LABELS, 2)
    with pytest.raises(ValueError, match="`indices` must be one integer or more.*float64"):
        latent.perplexity(CODES, 3)
