import json
import math
import subprocess
import sys

import keras
import numpy as np
import pandas
import pytest

from keras_aevae import VAE, VQVAE, ConditionalVAE, datasets, latent, networks
from keras_aevae.latent.claims import CLAIMS
from keras_aevae.latent.data import Data
from keras_aevae.latent.labels import classes, one_of_each
from keras_aevae.latent.measures._values import spaced
from keras_aevae.latent.observations import Part
from keras_aevae.latent.rows import ROWS
from keras_aevae.latent.rows.sizes import sample_sizes
from keras_aevae.latent.subjects import models_of
from keras_aevae.layers import VectorQuantizer

# What an AE has no number for.
OF_DENSITIES = {
    "kl",
    "elbo",
    "log_likelihood",
    "mutual_information",
    "total_correlation",
    "dimension_wise_kl",
    "anomalies_elbo",
}
OF_FACTORS = {
    "mutual_information_gap",
    "dci_disentanglement",
    "dci_completeness",
    "dci_informativeness",
    "separated_attribute_predictability",
    "modularity",
    "explicitness",
    "beta_vae_score",
    "factor_vae_score",
}
OF_LABELS = {
    key
    for key in ROWS
    if key.startswith(("linear_probe", "nearest_neighbours", "adjusted", "normalized"))
    or key.endswith("_between")
}
assert len(OF_LABELS) == 10 + 4 + 6


def test_compare_trains_and_measures_each_seed_of_each(comparison):
    assert list(comparison.models) == list(comparison.numbers) == ["AE", "VAE"]
    assert [len(runs) for runs in comparison.models.values()] == [2, 2]
    assert [len(runs) for runs in comparison.replicates.values()] == [2, 2]
    measured = set(ROWS) - OF_FACTORS - {"perplexity"}
    assert set(comparison.numbers["AE"]) == measured - OF_DENSITIES
    assert set(comparison.numbers["VAE"]) == measured
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


def test_numbers_are_those_of_the_measures(comparison):
    """The table's rows against the public functions, asked by hand."""
    vae, data = comparison.models["VAE"][0], comparison.data
    found = comparison.replicates["VAE"][0]
    (x, y), (x_test, y_test) = datasets.load("digits")
    assert found["test_mse"] == pytest.approx(latent.mean_squared_error(vae, x_test), rel=1e-4)
    assert found["train_mse"] == pytest.approx(latent.mean_squared_error(vae, x), rel=1e-4)
    codes, codes_test = vae.encode(x), vae.encode(x_test)
    assert found["active_units"] == latent.active_units(codes_test)
    assert found["latent_dim"] == vae.latent_dim
    order = np.random.default_rng((0, 0)).permutation(len(y))
    few = order[:100]
    for name, chosen in (("few", few), ("many", order)):
        given = codes[chosen], y[chosen], codes_test, y_test
        probe = latent.nearest_neighbour_probe(*given)
        assert found[f"nearest_neighbours_{name}"] == pytest.approx(probe)
        assert found[f"linear_probe_{name}"] == pytest.approx(latent.linear_probe(*given))
    own = {"own": range(len(x_test))}
    preference = latent.training_preference(vae.reconstruct(x_test), x, x_test, **own)
    preference -= latent.training_preference(x_test, x, x_test, **own)
    assert found["preference_reconstructions"] == pytest.approx(preference, abs=1e-6)
    pixels = data.features_of(vae.decode(vae.encode(x_test, sample=True)))
    assert pixels.shape == (360, 64)
    samples = data.features_of(vae.sample(len(x_test), seed=0))
    distance = latent.frechet_distance(data.test_features, samples)
    assert found["frechet_prior"] == pytest.approx(distance, rel=1e-3)
    clusters = latent.clustering_agreement(codes_test, y_test)
    assert found["adjusted_rand"] == pytest.approx(clusters["adjusted_rand"])
    outputs = vae.predict(x_test, verbose=0)
    parts = latent.kl_decomposition(outputs["z_mean"], outputs["z_log_var"], 500)
    for key, value in parts.items():
        assert found[key] == pytest.approx(value, abs=1e-4)
    assert found["elbo"] == pytest.approx(-found["test_reconstruction"] - found["kl"])
    assert found["log_likelihood"] > found["elbo"]


def test_what_is_left_out_says_why(comparison):
    assert set(comparison.left_out["VAE"]) == OF_FACTORS | {"perplexity"}
    assert set(comparison.left_out["AE"]) == OF_FACTORS | OF_DENSITIES | {"perplexity"}
    assert "factors" in comparison.left_out["VAE"]["modularity"]
    assert "no density" in comparison.left_out["AE"]["log_likelihood"]


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
    claims, numbers, features = str(comparison).split("\n\n")
    assert "classifier_digits" in features
    assert len(claims.splitlines()) == 1 + len(CLAIMS)
    lines = [line for line in numbers.splitlines()[1:] if line.startswith("  ")]
    assert len({len(line) for line in lines}) == 1
    assert numbers.splitlines()[0].split() == ["AE", "VAE", "n"]
    assert any(line.split()[0] == "Squared" and line.endswith("  1437") for line in lines)
    dashes = [line.split()[:3] for line in lines if " - " in line]
    assert ["log", "p(x)", "(nats)"] in dashes and len(dashes) == len(OF_DENSITIES)


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


def test_points_are_their_own_draws_and_clouds_are_not(comparison):
    ae, vae = comparison.numbers["AE"], comparison.numbers["VAE"]
    kinds = [key for key in ROWS if key.endswith(("_of_means", "_of_draws"))]
    assert len(kinds) == 8
    for key in kinds:
        plain = key.partition("_of_")[0]
        assert ae[key] == ae[plain], key
        assert key.startswith("holes") or vae[key] != vae[plain], key
    assert vae["code_scale_of_means"] < vae["code_scale"]  # without the clouds' own variance


def test_rows_are_the_measures_of_the_models(comparison):
    """Rows that take more than a call, against the calls."""
    (x, _), (x_test, y_test) = datasets.load("digits")
    vae, found = comparison.models["VAE"][1], comparison.replicates["VAE"][1]
    errors = (comparison.observations["VAE"].term(w, "reconstruction") for w in ("train", "test"))
    ends = latent.generalization_gap_interval(*errors)
    first = comparison.replicates["VAE"][0]
    assert [first[f"generalization_gap_{w}"] for w in ("lower", "upper")] == pytest.approx(ends)
    copies = vae.reconstruct(x_test)
    distances = [latent.nearest_training_distance(a, x).mean() for a in (copies, x_test)]
    ratio = found["nearest_training_distance_reconstructions"]
    assert ratio == pytest.approx(distances[0] / distances[1], rel=1e-4)
    score = latent.memorization_score(copies, x_test, x)
    assert found["memorization_reconstructions"] == pytest.approx(score, abs=1e-3)
    codes = latent.whiten(vae.encode(x_test), vae.encode(x))
    agreement = latent.clustering_agreement(codes, y_test, seed=1)["adjusted_rand"]
    assert found["adjusted_rand_whitened"] == pytest.approx(agreement, abs=0.02)
    assert abs(found["adjusted_rand"] - agreement) > 0.02
    start, end = comparison.data.pairs(between_classes=True)
    chosen = spaced(len(start), 200)
    start, end = x_test[start[chosen]], x_test[end[chosen]]
    path = vae.interpolate(start, end, steps=9, method="spherical")
    features = comparison.data.features_of(path.reshape(-1, 8, 8, 1)).reshape(200, 9, -1)
    for key, measure in {"evenness": latent.step_uniformity, "length": latent.path_length}.items():
        number = found[f"{key}_spherical_between"]
        assert number == pytest.approx(measure(features), rel=1e-3)
        assert number != found[f"{key}_between"]


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


def test_own_data_without_labels_leave_out_what_needs_them(tiny, rng, tmp_path):
    x = rng.uniform(size=(60, 5)).astype("float32")
    found = latent.compare(tiny((5,)), ((x[:40], None), (x[40:], None)), num_samples=2, verbose=0)
    assert set(found.left_out["VAE"]) == OF_FACTORS | OF_LABELS | {"perplexity"}
    unmeasured = {v.claim.key for v in found.verdicts if v.verdict == "not measured"}
    assert unmeasured == {"midpoint_between", "evenness_between", "linear_probe_few"}
    assert found.left_out["VAE"]["adjusted_rand"] == "the data have no labels"
    assert found.settings["dataset"] == "own data"
    html, _ = found.save(tmp_path)
    assert "the data have no labels" in html.read_text(encoding="utf-8")


def test_one_class_only_is_said(tiny, rng):
    x, y = rng.uniform(size=(60, 5)).astype("float32"), np.zeros(60, int)
    found = latent.compare(tiny((5,)), ((x[:40], y[:40]), (x[40:], y[40:])), verbose=0)
    assert found.left_out["AE"]["linear_probe_few"] == "the labels are of one class only"


def test_constant_codes_and_few_examples_leave_the_rest_standing(tiny, rng, tmp_path):
    x = rng.uniform(size=(12, 5)).astype("float32")
    models = tiny((5,))
    for variable in models["AE"].head.trainable_variables:
        variable.assign(0 * variable)
    found = latent.compare(models, ((x[:8], None), (x[8:], None)), num_samples=2, verbose=0)
    assert {"test_mse", "effective_dimension", "frechet_prior"} <= set(found.numbers["AE"])
    assert found.numbers["AE"]["effective_dimension"] == 0
    assert "20 codes" in found.left_out["VAE"]["frechet_mixture"]
    assert "precision_prior" in found.left_out["VAE"]  # fewer examples than neighbours want
    found.save(tmp_path)


def test_codes_that_overflow_leave_the_rest_standing(tiny, rng, tmp_path):
    x = rng.uniform(0.5, 1, size=(60, 5)).astype("float32")
    models = tiny((5,))
    for variable in models["AE"].head.trainable_variables:
        variable.assign(0 * variable + 3e38)
    found = latent.compare(models, ((x[:40], None), (x[40:], None)), num_samples=2, verbose=0)
    assert "finite" in found.left_out["AE"]["code_scale"]
    assert set(found.numbers["VAE"]) > {"code_scale", "frechet_prior", "log_likelihood"}
    found.save(tmp_path)


def test_a_large_test_set_is_measured_in_parts(tiny, rng):
    x = rng.uniform(size=(5000, 5)).astype("float32")
    found = latent.compare(tiny((5,)), ((x[:100], None), (x, None)), num_samples=2, verbose=0)
    assert [len(runs) for runs in found.replicates.values()] == [5, 5]
    assert "5 equal parts" in found.settings["replicates"]
    assert found.verdicts[0].low is not None
    whole = latent.mean_squared_error(found.models["VAE"][0], x)
    assert found.numbers["VAE"]["test_mse"] == pytest.approx(whole, rel=1e-4)


def test_more_test_than_training_examples(tiny, rng):
    x = rng.uniform(size=(300, 5)).astype("float32")
    found = latent.compare(tiny((5,)), ((x[:60], None), (x, None)), num_samples=2, verbose=0)
    assert found.of(ROWS["preference_prior"]) == {"images compared with training images": 60}
    assert found.of(ROWS["log_likelihood"]) == {"test examples, some": 300}
    others = x[spaced(300, 60)]
    copies = found.models["AE"][0].reconstruct(others)
    own = {"x_train": x[:60], "x_test": others, "own": range(60)}
    wanted = latent.training_preference(copies, **own) - latent.training_preference(others, **own)
    assert found.numbers["AE"]["preference_reconstructions"] == pytest.approx(wanted)


def test_sizes_count_what_was_taken(rng):
    x, y = rng.uniform(size=(12_000, 2)), np.arange(12_000) % 3 == 0
    data = Data.of(((x, y), (x[:300], y[:300])))
    sizes = sample_sizes(data, Part())
    assert (sizes["training examples"], sizes["training examples, all"]) == (10_000, 12_000)
    start, end = data.pairs(between_classes=True)
    assert (y[start] != y[end]).all()
    assert sizes["half-way images between classes"] == len(start) < sizes["half-way images"] == 300
    assert sizes["paths between classes"] == min(200, len(start)) < sizes["paths"] == 200


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


@pytest.mark.parametrize(
    "data, message",
    [
        (3, "a int"),
        ((np.zeros((3, 5)), None), r"\(\(x_train, y_train\)"),
        (((np.full((3, 5), np.nan), None), (np.zeros((3, 5)), None)), "x_train with 15 NaN"),
        (((iter([]), None), (np.zeros((3, 5)), None)), "x_train, a list_iterator"),
        (((np.zeros((3, 5)), [1]), (np.zeros((3, 5)), None)), "y_train of length 1 beside 3"),
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


def test_the_same_question_has_the_same_answer(tiny, rng):
    x = rng.uniform(size=(60, 5)).astype("float32")
    models, data = tiny((5,)), ((x[:40], None), (x[40:], None))
    first, second = (latent.compare(models, data, num_samples=2, verbose=0) for _ in range(2))
    assert first.numbers == second.numbers


def test_factors_and_codebooks(rng):
    """Rows that digits and plain models don't have."""
    keras.utils.set_random_seed(0)
    factors = rng.integers(4, size=(400, 2))
    x = np.repeat(factors[:, None], 3, axis=1).reshape(400, 6).astype("float32") / 3
    data = (x[:300], factors[:300]), (x[300:], factors[300:])
    vae = VAE(*networks.mlp((6,), 3, hidden=(16,)), prior="gaussian_mixture", seed=0)
    found = latent.compare({"VAE": vae}, data, num_samples=2, verbose=0)
    codes = vae.encode(x)
    given = codes[:300], factors[:300], codes[300:], factors[300:]
    assert found.numbers["VAE"]["mutual_information_gap"] == pytest.approx(
        latent.mutual_information_gap(*given[2:])
    )
    assert found.numbers["VAE"]["modularity"] == pytest.approx(latent.modularity(*given[2:]))
    assert found.numbers["VAE"]["explicitness"] == pytest.approx(latent.explicitness(*given))
    dci = latent.dci(*given)
    for name, value in dci.items():
        assert found.numbers["VAE"][f"dci_{name}"] == pytest.approx(value)
    assert found.left_out["VAE"]["mutual_information"] == "its prior is learned"
    grid = networks.conv((8, 8, 1), 4, filters=(8,), hidden=None)
    book = VQVAE(*grid, quantizer=VectorQuantizer(8), seed=0)
    found = latent.compare({"VQ": book}, "digits", num_samples=2, verbose=0)
    assert found.pair is None
    _, (x_test, _) = datasets.load("digits")
    used = latent.perplexity(book.encode_indices(x_test), 8)
    assert found.numbers["VQ"]["perplexity"] == pytest.approx(used)
    assert "prior" in found.left_out["VQ"]["frechet_prior"]


def test_parts_are_spread_over_sorted_data():
    part = Part(1, 3)
    assert part.take(np.arange(8)).tolist() == [1, 4, 7]
    assert Part().take(np.arange(3)).tolist() == [0, 1, 2]


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


def test_recipes_of_one_dataset_have_the_same_data():
    _, recipes, _, known = models_of(("vae", "factor_vae"), "dsprites", 1, 2, None)
    assert {r.num_train for r in recipes} == {known["num_train"]} == {40_000}
    _, recipes, _, known = models_of(("ae",), "mnist", None, 1, False)
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


def test_one_of_each_takes_turns():
    labels = np.array([1, 1, 0, 2, 0, 1])
    assert one_of_each(labels, 5).tolist() == [2, 0, 3, 4, 1]
    assert one_of_each(labels, 99).tolist() == [2, 0, 3, 4, 1, 5]


def test_classes_of_factors_are_the_first_factor():
    assert classes(np.array([[2, 5], [0, 7]])).tolist() == [2, 0]
    assert classes(np.array([4, 1])).tolist() == [4, 1]


def test_importing_needs_no_plotting_and_no_scikit_learn():
    # Keras itself imports some of these where they are installed, so take them away.
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['matplotlib', 'sklearn', 'jinja2'])\n"
        "import keras_aevae.latent"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
