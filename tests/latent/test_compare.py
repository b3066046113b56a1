import json
import math
import subprocess
import sys

import keras
import numpy as np
import pandas
import pytest

from keras_aevae import VAE, latent
from keras_aevae.latent.claims import CLAIMS
from keras_aevae.latent.rows import ROWS
from keras_aevae.latent.subjects import models_of


def test_compare_trains_and_measures_each_seed_of_each(comparison):
    assert list(comparison.models) == list(comparison.numbers) == ["AE", "VAE"]
    assert [len(runs) for runs in comparison.models.values()] == [2, 2]
    assert [len(runs) for runs in comparison.replicates.values()] == [2, 2]
    settings = comparison.settings
    assert (settings["dataset"], settings["seeds"]) == ("digits", [0, 1])
    assert settings["epochs"] == {"AE": 1, "VAE": 1} and settings["alike"]
    assert settings["backend"] == keras.backend.backend()
    assert settings["versions"]["keras"] == keras.__version__
    assert [len(t) for t in settings["seconds"]["training"].values()] == [2, 2]
    assert settings["command"] is None  # no option says that there are no betas
    assert (settings["num_train"], settings["num_test"]) == (1437, 360)
    assert "classifier_digits" in settings["features"]


def test_numbers_are_means_of_the_runs(comparison):
    runs = comparison.replicates["VAE"]
    assert runs[0]["test_mse"] != runs[1]["test_mse"]
    for key, value in comparison.numbers["VAE"].items():
        assert value == pytest.approx(sum(run[key] for run in runs) / 2), key


def test_claims_are_judged_with_the_numbers(comparison):
    assert comparison.pair == ("AE", "VAE")
    assert [v.claim for v in comparison.verdicts] == list(CLAIMS)
    for verdict in comparison.verdicts:
        ae, vae = (comparison.numbers[name][verdict.claim.key] for name in comparison.pair)
        sign = {"higher": 1, "lower": -1}[ROWS[verdict.claim.key].better]
        sign = sign if verdict.claim.vae_is_better else -sign
        assert verdict.difference == pytest.approx(sign * (vae - ae))
    turned = comparison.judge("VAE", "AE")
    for verdict, other in zip(comparison.verdicts, turned):
        assert other.difference == pytest.approx(-verdict.difference)
        assert (other.low, other.high) == pytest.approx((-verdict.high, -verdict.low))
    with pytest.raises(ValueError, match="models='VEA'. Did you mean: VAE"):
        comparison.judge("VEA", "AE")


def test_json_has_every_number(comparison):
    written = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert written["numbers"] == comparison.numbers
    assert written["replicates"] == comparison.replicates
    assert [c["measure"] for c in written["claims"]] == [c.key for c in CLAIMS]
    for key in set().union(*comparison.numbers.values()) - {"latent_dim"}:
        sizes = written["measures"][key]["of"]
        assert sizes and all(type(n) is int and n > 0 for n in sizes.values()), key
    sizes = written["measures"]["mse_ratio"]["of"]
    assert sizes == {"test examples": 360, "training examples": 1437}
    assert written["measures"]["linear_probe_few"]["of"]["labelled codes, few"] == 100


def test_printed_table_is_aligned(comparison):
    claims, rule, numbers, features = str(comparison).split("\n\n")
    assert "classifier_digits" in features and "Welch" in rule
    assert len(claims.splitlines()) == 1 + len(CLAIMS)
    lines = [line for line in numbers.splitlines()[1:] if line.startswith("  ")]
    assert len({len(line) for line in lines}) == 1
    assert numbers.splitlines()[0].split() == ["AE", "VAE", "n"]
    assert any(line.split()[0] == "Squared" and line.endswith("  1437") for line in lines)
    fewer = len(comparison.numbers["VAE"]) - len(comparison.numbers["AE"])
    dashes = [line.split()[:3] for line in lines if " - " in line]
    assert ["log", "p(x)", "(nats)"] in dashes and len(dashes) == fewer


def test_frame_has_a_row_a_run(comparison):
    frame = comparison.to_frame()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 4
    assert frame.loc[("VAE", 1), "test_mse"] == comparison.replicates["VAE"][1]["test_mse"]
    assert math.isnan(frame.loc[("AE", 0), "kl"])


def test_a_frame_needs_pandas(comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        comparison.to_frame()


def test_callbacks_see_each_training_in_turn(recorder, comparison):
    one = [("ae_mlp_digits", 1), 0, ("vae_mlp_digits", 1), 0]
    assert recorder.seen == one * 2
    assert recorder.told[0] == ("Squared error, test", 0, 4 * len(ROWS))
    assert recorder.told[-1] == ("", 4 * len(ROWS), 4 * len(ROWS))
    assert [number for _, number, _ in recorder.told] == list(range(4 * len(ROWS) + 1))


def test_a_seed_gives_the_same_numbers_whatever_was_trained_before(comparison):
    alone = latent.compare(("vae",), epochs=1, seeds=(0,), betas=(), num_samples=20, verbose=0)
    first = comparison.replicates["VAE"][0]
    # float32 in another order
    assert alone.numbers["VAE"] == pytest.approx(first, rel=1e-3, abs=1e-3)
    assert not alone.verdicts and alone.pair is None


def test_compare_takes_trained_models_and_lists_of_them(comparison):
    chosen = {"mine": comparison.models["AE"][0], "all": comparison.models["AE"]}
    measured = latent.compare(chosen, verbose=0)
    # nothing random in an AE but what is drawn with the run's number, and nothing was trained
    assert measured.replicates["all"][0] == pytest.approx(comparison.replicates["AE"][0], rel=1e-4)
    assert measured.replicates["mine"] == measured.replicates["all"][:1]
    assert measured.settings["epochs"] is None and measured.settings["command"] is None
    assert "log p(x)" not in str(measured)


def test_rate_falls_and_distortion_rises_with_beta():
    curve = latent.compare(("ae",), epochs=10, betas=(0.1, 10.0), verbose=0).rate_distortion
    assert [point["beta"] for point in curve] == [0.1, 10.0]
    assert curve[0]["rate"] > curve[1]["rate"]
    assert curve[0]["distortion"] < curve[1]["distortion"]


def test_presets_by_name_bring_their_dataset():
    found = latent.compare(("ae_mlp_digits", "vae_mlp_digits"), num_samples=5, verbose=0)
    assert list(found.models) == ["ae_mlp_digits", "vae_mlp_digits"]
    command = "keras-aevae compare ae_mlp_digits vae_mlp_digits --dataset digits --num-samples 5"
    assert found.settings["command"] == command
    measured = VAE.presets["vae_mlp_digits"]["measured"]
    assert found.numbers["vae_mlp_digits"]["test_mse"] == pytest.approx(
        measured["test_mse"], rel=1e-3
    )
    assert {v.verdict for v in found.verdicts} == {"undecided"}  # one training of each


def test_a_large_test_set_is_measured_in_parts(tiny, rng):
    x = rng.uniform(size=(5000, 5)).astype("float32")
    found = latent.compare(tiny((5,)), ((x[:100], None), (x, None)), num_samples=2, verbose=0)
    assert [len(runs) for runs in found.replicates.values()] == [5, 5]
    assert "5 equal parts" in found.settings["replicates"]
    assert found.verdicts[0].low is not None
    whole = latent.mean_squared_error(found.models["VAE"][0], x)
    assert found.numbers["VAE"]["test_mse"] == pytest.approx(whole, rel=1e-4)


def test_the_same_question_has_the_same_answer(tiny, rng):
    x = rng.uniform(size=(60, 5)).astype("float32")
    models, data = tiny((5,)), ((x[:40], None), (x[40:], None))
    first, second = (latent.compare(models, data, num_samples=2, verbose=0) for _ in range(2))
    assert first.numbers == second.numbers


def test_recipes_of_one_dataset_have_the_same_data():
    _, recipes, _, known = models_of(
        ("vae", "factor_vae"), "dsprites", None, epochs=1, seeds=2, latent_dim=4
    )
    assert {r.latent_dim for r in recipes} == {4}
    assert {r.num_train for r in recipes} == {known["num_train"]} == {40_000}
    _, recipes, _, known = models_of(("ae",), "mnist", False)
    assert not recipes[0].binarized and not known["binarized"]


def test_a_diverged_model_is_left_out_or_named(tiny):
    models = tiny((8, 8, 1))
    models["VAE"].trainable_variables[0].assign(np.nan * models["VAE"].trainable_variables[0])
    found = latent.compare(models, num_samples=2, verbose=0)
    assert list(found.models) == ["AE"] and found.settings["diverged"] == {"VAE": 1}
    with pytest.raises(ValueError, match="'VAE' diverged"):
        latent.compare({"VAE": models["VAE"]}, verbose=0)


def test_one_diverged_run_of_several_is_left_out(tiny, rng, tmp_path):
    x = rng.uniform(size=(60, 5)).astype("float32")
    good, bad = tiny((5,)), tiny((5,))
    bad["VAE"].trainable_variables[0].assign(np.nan * bad["VAE"].trainable_variables[0])
    models = {name: [good[name], bad[name]] for name in good}
    data = (x[:40], None), (x[40:], None)
    found = latent.compare(models, data, num_samples=2, verbose=0)
    assert found.settings["diverged"] == {"VAE": 1} and len(found.replicates["VAE"]) == 1
    html, _ = found.save(tmp_path)
    assert "1 run of VAE diverged" in html.read_text(encoding="utf-8")


def test_importing_needs_no_plotting_and_no_scikit_learn():
    # Keras itself imports some of these where they are installed, so take them away.
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['matplotlib', 'sklearn', 'jinja2'])\n"
        "import keras_aevae.latent"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
