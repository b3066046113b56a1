import keras
import numpy as np
import pytest

from keras_aevae import VAE, VQVAE, datasets, latent, networks
from keras_aevae.latent.data import Data
from keras_aevae.latent.measures._values import spaced
from keras_aevae.latent.observations import Part
from keras_aevae.latent.rows import ROWS
from keras_aevae.latent.rows.sizes import sample_sizes
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
    measured = set(ROWS) - OF_FACTORS - {"perplexity"}
    assert set(comparison.numbers["AE"]) == measured - OF_DENSITIES
    assert set(comparison.numbers["VAE"]) == measured
    assert set(comparison.left_out["VAE"]) == OF_FACTORS | {"perplexity"}
    assert set(comparison.left_out["AE"]) == OF_FACTORS | OF_DENSITIES | {"perplexity"}
    assert "factors" in comparison.left_out["VAE"]["modularity"]
    assert "no density" in comparison.left_out["AE"]["log_likelihood"]


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
