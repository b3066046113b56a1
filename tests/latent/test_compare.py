import json
import math
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_aevae import latent
from keras_aevae.latent.labels import classes, one_of_each
from keras_aevae.latent.table import ROWS, fill


def test_compare_trains_and_measures_both(comparison):
    assert list(comparison.models) == list(comparison.numbers) == ["AE", "VAE"]
    assert "test_kl" in comparison.numbers["VAE"] and "test_kl" not in comparison.numbers["AE"]
    settings = comparison.settings
    assert (settings["dataset"], settings["epochs"], settings["seed"]) == ("digits", 1, 0)
    assert settings["backend"] == keras.backend.backend()
    assert settings["versions"]["keras"] == keras.__version__
    assert set(settings["seconds"]["training"]) == {"AE", "VAE"}
    assert settings["command"] == "keras-aevae compare --dataset digits --epochs 1 --seed 0"
    (x_train, _), (x_test, _) = comparison.data
    assert comparison.numbers["AE"]["num_train"] == len(x_train) == 1437
    assert comparison.numbers["AE"]["num_test"] == len(x_test) == 360


def test_json_has_every_number_of_the_table(comparison):
    written = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    header, rows = comparison.table()
    assert header == ["", "AE", "VAE"] and len(rows) == len(ROWS)
    for row, (name, *values) in zip(ROWS, rows):
        assert values == [fill(row.text, written["models"][model]) for model in header[1:]]
        assert row.unit in name
    assert [row[1] for row in rows].count("-") == 3  # KL, ELBO, log p(x): an AE has none


def test_printed_table_is_aligned(comparison):
    lines = str(comparison).splitlines()
    assert "20 samples" in str(comparison)
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["AE", "VAE"]


def test_callbacks_see_each_model_in_turn(recorder, comparison):
    assert recorder.seen == [("ae_mlp_digits", 1), 0, ("vae_mlp_digits", 1), 0]


def test_a_seed_gives_the_same_numbers_whatever_was_trained_before(comparison):
    alone = latent.compare(("vae",), epochs=1, num_samples=20, verbose=0)
    assert alone.numbers["VAE"] == pytest.approx(comparison.numbers["VAE"], rel=1e-4, abs=1e-4)


def test_compare_takes_trained_models(comparison):
    chosen = {"mine": comparison.models["AE"]}
    measured = latent.compare(chosen, verbose=0)
    # nothing random in an AE, and nothing was trained
    assert measured.numbers["mine"] == pytest.approx(comparison.numbers["AE"], rel=1e-5)
    assert measured.settings["epochs"] is None and measured.settings["command"] is None
    assert "log p(x)" not in str(measured)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"models": "digits"}, r"models='digits'.*compare\(dataset="),
        ({"models": ()}, r"models=\(\)"),
        ({"models": ("ae", "vea")}, "models='vea'. Did you mean: vae"),
        ({"models": {}}, "Received: models={}"),
        ({"models": {"AE": 3}}, "Received: models={'AE': 'int'}"),
        ({"dataset": "digit"}, "dataset='digit'. Did you mean: digits"),
        ({"epochs": 0}, "epochs=0"),
        ({"seed": -1}, "seed=-1"),
        ({"num_samples": 0}, "num_samples=0"),
    ],
)
def test_bad_arguments_are_named_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        latent.compare(**{"verbose": 0, **arguments})


def test_trained_models_must_fit_and_need_no_epochs(tiny):
    with pytest.raises(ValueError, match=r"\(8, 8, 1\).*'AE'.*\(5, 5, 1\)"):
        latent.compare(tiny((5, 5, 1)), verbose=0)
    with pytest.raises(ValueError, match="`epochs` is for training"):
        latent.compare(tiny((8, 8, 1)), epochs=3, verbose=0)


def test_a_diverged_model_is_named(tiny):
    models = tiny((8, 8, 1))
    models["VAE"].trainable_variables[0].assign(np.nan * models["VAE"].trainable_variables[0])
    with pytest.raises(ValueError, match="'VAE' diverged"):
        latent.compare(models, num_samples=2, verbose=0)


def test_one_of_each_takes_turns():
    labels = np.array([1, 1, 0, 2, 0, 1])
    assert one_of_each(labels, 5).tolist() == [2, 0, 3, 4, 1]
    assert one_of_each(labels, 99).tolist() == [2, 0, 3, 4, 1, 5]


def test_classes_of_factors_are_the_first_factor():
    assert classes(np.array([[2, 5], [0, 7]])).tolist() == [2, 0]
    assert classes(np.array([4, 1])).tolist() == [4, 1]


def test_seconds_are_numbers(comparison):
    seconds = comparison.settings["seconds"]
    assert seconds["total"] >= math.fsum(seconds["training"].values()) - 0.1 * 2


def test_importing_needs_no_plotting_and_no_scikit_learn():
    # Keras itself imports some of these where they are installed, so take them away.
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['matplotlib', 'sklearn', 'jinja2'])\n"
        "import keras_aevae.latent"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
