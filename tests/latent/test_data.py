import keras
import numpy as np
import pytest

from keras_aevae import ConditionalVAE, latent, networks
from keras_aevae.latent.data import Data
from keras_aevae.latent.labels import classes, one_of_each


def test_one_class_only_is_said(tiny, rng):
    x, y = rng.uniform(size=(60, 5)).astype("float32"), np.zeros(60, int)
    found = latent.compare(tiny((5,)), ((x[:40], y[:40]), (x[40:], y[40:])), verbose=0)
    assert found.left_out["AE"]["linear_probe_few"] == "the labels are of one class only"


def test_constant_codes_and_few_examples_leave_the_rest_standing(tiny, rng, tmp_path):
    x = rng.uniform(size=(12, 5)).astype("float32")
    models = tiny((5,))
    for variable in models["AE"].code.head.trainable_variables:
        variable.assign(0 * variable)
    found = latent.compare(models, ((x[:8], None), (x[8:], None)), num_samples=2, verbose=0)
    assert {"test_mse", "effective_dimension", "frechet_prior"} <= set(found.numbers["AE"])
    assert found.numbers["AE"]["effective_dimension"] == 0
    assert "at least 20" in found.left_out["VAE"]["frechet_mixture"]
    assert "precision_prior" in found.left_out["VAE"]  # fewer examples than neighbours want
    found.save(tmp_path)


def test_codes_that_overflow_leave_the_rest_standing(tiny, rng, tmp_path):
    x = rng.uniform(0.5, 1, size=(60, 5)).astype("float32")
    models = tiny((5,))
    for variable in models["AE"].code.head.trainable_variables:
        variable.assign(0 * variable + 3e38)
    found = latent.compare(models, ((x[:40], None), (x[40:], None)), num_samples=2, verbose=0)
    assert "finite" in found.left_out["AE"]["code_scale"]
    assert set(found.numbers["VAE"]) > {"code_scale", "frechet_prior", "log_likelihood"}
    found.save(tmp_path)


def test_a_conditional_model_is_told_the_labels():
    keras.utils.set_random_seed(0)
    networks_of = networks.mlp((8, 8, 1), 3, hidden=(16,), condition_dim=10)
    model = ConditionalVAE(*networks_of, classes=10, seed=0)
    found = latent.compare({"told": model}, num_samples=2, verbose=0)
    assert {"log_likelihood", "frechet_prior", "midpoint"} <= set(found.numbers["told"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"models": "digits"}, r"models='digits'.*compare\(dataset="),
        ({"models": ()}, r"models=\(\)"),
        ({"models": ("ae", "vea")}, "models='vea'. Did you mean: vae"),
        ({"models": ("ae", "vae_mlp_digits")}, "not both"),
        ({"models": ("ae_mlp_digits", "vae_conv_mnist")}, "'vae_conv_mnist' of mnist"),
        ({"models": ("ae_mlp_digits",), "epochs": 3}, "epochs=3"),
        ({"models": ("ae_mlp_digits",), "seeds": 2}, "`seeds` is for training.*seeds=2"),
        ({"models": ("ae_mlp_digits",), "betas": (2.0,)}, r"betas=\(2.0,\)"),
        ({"models": {}}, "Received: models={}"),
        ({"models": {"AE": [3]}}, "Received: models={'AE': 'int'}"),
        ({"models": {"AE": 3}}, "Received: models={'AE': 'int'}"),
        ({"dataset": "digit"}, "dataset='digit'. Did you mean: digits"),
        ({"dataset": ((np.zeros((3, 8, 8, 1)), None),) * 2}, "`dataset` must be a name"),
        ({"epochs": 0}, "epochs=0"),
        ({"seeds": 0}, "seeds=0"),
        ({"seeds": ()}, r"seeds=\(\)"),
        ({"seeds": (-1,)}, "seed=-1"),
        ({"betas": (0,)}, "betas=0"),
        ({"num_samples": 0}, "num_samples=0"),
    ],
)
def test_bad_arguments_are_named_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        latent.compare(**{"verbose": 0, **arguments})


def labelled(y):
    """Data whose training labels are `y`."""
    return (np.zeros((3, 5)), y), (np.zeros((3, 5)), np.arange(3))


@pytest.mark.parametrize(
    "data, message",
    [
        (3, "a int"),
        ((np.zeros((3, 5)), None), r"\(\(x_train, y_train\)"),
        (((np.full((3, 5), np.nan), None), (np.zeros((3, 5)), None)), "x_train with 15 NaN"),
        (((iter([]), None), (np.zeros((3, 5)), None)), "x_train, a list_iterator"),
        (((np.zeros((3, 5)), [1]), (np.zeros((3, 5)), None)), "y_train of length 1 beside 3"),
        (labelled(5), "y_train`.*a int"),
        (labelled({0: 1, 1: 2, 2: 3}), "y_train`.*a dict"),
        (labelled([0, None, 1]), "2 int, 1 NoneType"),
        (labelled([0, "cat", b"dog"]), "1 int, 1 str, 1 bytes"),
        (labelled([0, np.nan, 1]), "1 NaN"),
        (labelled([[0, 1], [2], [3]]), "y_train`.*a list of 3"),
        (labelled(np.zeros((3, 2, 2))), r"y_train of shape \(3, 2, 2\)"),
        (labelled(np.zeros(3, "datetime64[D]")), "datetime64"),
        (labelled(np.zeros((3, 2), int)), "labels of one kind"),
        (labelled(["a", "b", "c"]), "labels of one kind"),
        (((np.zeros((3, 5)), None), (np.zeros((1, 5)), None)), r"x_test of shape \(1, 5\)"),
        (((np.zeros((3, 5)), None), (np.zeros((3, 6)), None)), r"x_test of shape \(3, 6\)"),
    ],
)
def test_bad_data_are_named(tiny, data, message):
    with pytest.raises(ValueError, match=message):
        latent.compare(tiny((5,)), data, verbose=0)


def test_labels_of_any_kind(tiny, rng, tmp_path):
    x = rng.uniform(size=(60, 8, 8, 1)).astype("float32")
    kinds = {
        "names": np.array(["cat", "dog", "owl"])[np.arange(60) % 3],
        "floats": (np.arange(60) % 3 + 1).astype("float32"),
        "a column": (np.arange(60) % 3)[:, None],
        "one-hot": np.eye(3)[np.arange(60) % 3],
    }
    found = {}
    for kind, y in kinds.items():
        data = (x[:40], y[:40]), (x[40:], y[40:])
        found[kind] = latent.compare(tiny((8, 8, 1)), data, num_samples=2, verbose=0)
        found[kind].save(tmp_path)
    assert all(one.numbers == found["names"].numbers for one in found.values())
    targets = rng.uniform(size=60)
    data = (x[:40], targets[:40]), (x[40:], targets[40:])
    left_out = latent.compare(tiny((8, 8, 1)), data, num_samples=2, verbose=0).left_out
    assert "whole numbers" in left_out["AE"]["adjusted_rand"]


def test_bytes_and_objects_are_labels_as_strings_are():
    x, names = np.zeros((3, 5)), np.array(["cat", "dog", "owl"])
    for y in (names.astype("S"), names.astype(object), names.tolist(), [b"cat", b"dog", b"owl"]):
        assert Data.of(((x, y), (x, y))).labels("test").tolist() == names.tolist()
    assert Data.of(((x, np.array([2, 0, 1], object)), (x, [1, 0, 2]))).y_train.dtype.kind == "i"


def test_trained_models_must_fit_and_need_no_epochs(tiny):
    with pytest.raises(ValueError, match=r"\(8, 8, 1\).*'AE'.*\(5, 5, 1\)"):
        latent.compare(tiny((5, 5, 1)), verbose=0)
    with pytest.raises(ValueError, match="`epochs` is for training"):
        latent.compare(tiny((8, 8, 1)), epochs=3, verbose=0)


def test_models_without_names_are_told_how(tiny):
    models = tiny((8, 8, 1))
    for given in (models["AE"], list(models.values())):
        with pytest.raises(ValueError, match=r"compare\({'AE': ae, 'VAE': vae}\)"):
            latent.compare(given, verbose=0)


def test_one_of_each_takes_turns():
    labels = np.array([1, 1, 0, 2, 0, 1])
    assert one_of_each(labels, 5).tolist() == [2, 0, 3, 4, 1]
    assert one_of_each(labels, 99).tolist() == [2, 0, 3, 4, 1, 5]


def test_classes_of_factors_are_the_first_factor():
    assert classes(np.array([[2, 5], [0, 7]])).tolist() == [2, 0]
    assert classes(np.array([4, 1])).tolist() == [4, 1]
