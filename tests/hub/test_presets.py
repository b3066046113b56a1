"""Presets: names, versions, overrides, and what happens to damaged or hostile ones."""

import hashlib
import json
import shutil
import sys
import types

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae import hub
from keras_aevae.codes import get_code
from keras_aevae.distributions import get_likelihood, get_prior
from keras_aevae.recipes import recipe

SHIPPED = {
    "ae_mlp_digits": ka.Autoencoder,
    "vae_mlp_digits": ka.VAE,
    "ae_conv_mnist": ka.Autoencoder,
    "vae_conv_mnist": ka.VAE,
    "ae_conv_fashion_mnist": ka.Autoencoder,
    "vae_conv_fashion_mnist": ka.VAE,
    "conditional_vae_conv_mnist": ka.ConditionalVAE,
    "factor_vae_dsprites": ka.FactorVAE,
    "iwae_mlp_mnist": ka.IWAE,
    "vampprior_vae_mlp_mnist": ka.VampPriorVAE,
    "vq_vae_conv_fashion_mnist": ka.VQVAE,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("presets") / "own"
    model = ka.VAE(*ka.networks.mlp((4, 4, 1), latent_dim=2, hidden=(8,)), beta=2.0)
    model.compile()
    model.fit(np.random.default_rng(0).random((8, 4, 4, 1), "float32"), verbose=0)
    model.save_to_preset(directory, metadata={"measured": {"test": 1.5}})
    return directory


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped(name):
    model = ka.Autoencoder.from_preset(name)
    assert type(model) is SHIPPED[name]
    again = ka.Autoencoder.from_preset(f"{name}/1")
    condition = {"condition": 3} if model.condition_dim else {}
    z = np.zeros((1, model.latent_dim), "float32")
    np.testing.assert_array_equal(model.decode(z, **condition), again.decode(z, **condition))
    samples = model.sample(2, seed=0, **condition)
    assert samples.shape == (2, *model.data_shape) and np.isfinite(samples).all()
    directory = hub.resolve(name)
    metadata = json.loads((directory / "metadata.json").read_text())
    assert (directory / "model.weights.h5").stat().st_size < 8 * 2**20
    card = (directory / "card.md").read_text()
    for value in metadata["measured"].values():
        assert f"{value:.6g}" in card


def test_shipped_numbers_are_true():
    """The card's reconstruction on the digits is what the loaded preset measures."""
    (_, _), (x, _) = ka.datasets.load("digits")
    metadata = ka.Autoencoder.presets["ae_mlp_digits"]
    model = ka.Autoencoder.from_preset("ae_mlp_digits")
    measured = model.evaluate_terms(x)["reconstruction"].mean()
    assert measured == pytest.approx(metadata["measured"]["test_reconstruction"], rel=1e-4)


def test_presets_are_listed_by_class():
    assert set(SHIPPED) == set(ka.Autoencoder.presets)
    for cls in (ka.VAE, ka.IWAE, ka.VQVAE):
        assert set(cls.presets) == {n for n, own in SHIPPED.items() if issubclass(own, cls)}


def test_overrides_and_architecture(saved):
    assert ka.VAE.from_preset(saved, beta=4.0).beta == 4.0
    assert ka.VAE.from_preset(saved).beta == 2.0
    with pytest.raises(ValueError, match="Unknown argument of VAE.*betta.*Did you mean: beta"):
        ka.VAE.from_preset(saved, betta=4.0)


def test_weights_hold_no_optimizer(saved):
    metadata = json.loads((saved / "metadata.json").read_text())
    model = ka.VAE.from_preset(saved)
    assert metadata["num_params"] == model.count_params()
    assert not model.compiled
    import h5py

    with h5py.File(saved / "model.weights.h5") as file:
        assert "optimizer" not in file


def test_unknown_names():
    with pytest.raises(ValueError, match="Unknown preset.*Did you mean: .*vae_conv_mnist"):
        ka.VAE.from_preset("vae_con_mnist")
    with pytest.raises(ValueError, match="Unknown version.*vae_conv_mnist/7.*vae_conv_mnist/1"):
        ka.VAE.from_preset("vae_conv_mnist/7")
    with pytest.raises(ValueError, match="not a VAE"):
        ka.VAE.from_preset("ae_conv_mnist")


@pytest.mark.parametrize(
    "name",
    ["VAE_conv_mnist", "vae-conv-mnist", " vae conv mnist ", "VAE-Conv MNIST/1", "VaeConvMnist"],
)
def test_case_and_separators_do_not_count_in_suggestions(name):
    with pytest.raises(ValueError, match=r"Unknown preset.*Did you mean: vae_conv_mnist\?"):
        ka.VAE.from_preset(name)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ka.datasets.load("Fashion-MNIST"), "Did you mean: fashion_mnist"),
        (lambda: ka.datasets.load("MNIST "), r"Did you mean: mnist\?"),
        (lambda: get_likelihood("Bernoulli"), r"Did you mean: bernoulli\?"),
        (lambda: get_likelihood("MSE"), r"Did you mean: mse\?"),
        (lambda: get_likelihood("Binary crossentropy"), r"Did you mean: binary_crossentropy\?"),
        (lambda: get_prior("Gaussian-Mixture", 2), r"Did you mean: gaussian_mixture\?"),
        (lambda: get_prior("VampPrior", 2), r"Did you mean: vamp_prior\?"),
        (lambda: get_code("Diagonal Gaussian"), r"Did you mean: diagonal_gaussian\?"),
        (lambda: recipe("VQ-VAE"), r"Did you mean: vq_vae\?"),
        (lambda: recipe("vae", latentdim=3), r"latentdim=3. Did you mean: latent_dim\?"),
        (lambda: recipe("vae", epochs=0), "`epochs` must be a positive integer"),
        (lambda: ka.datasets.load(None), "name=None. Valid: digits"),
    ],
)
def test_so_in_all_names(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "preset, message",
    [
        (None, "Received: a NoneType"),
        ("", "Unknown preset"),
        ("vae.keras", "the file 'vae.keras'.*keras.saving.load_model"),
        ("full", "'full/metadata.json' is missing"),
    ],
)
def test_what_is_no_preset(preset, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vae.keras").write_text("")
    (tmp_path / "full").mkdir()
    with pytest.raises(ValueError, match=message):
        ka.VAE.from_preset(preset)


def test_a_home_is_expanded(saved, monkeypatch):
    monkeypatch.setenv("HOME", str(saved.parent))
    model = ka.VAE.from_preset("~/own")
    model.save_to_preset("~/again")
    assert (saved.parent / "again" / "metadata.json").exists()


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": '{"model_type": "bert"}'},
        {"card.md": "mine"},
        {"metadata.json": '{"keras_version": "3"}', "config.json": "{}"},
        {"config.json": '{"registered_name": "keras_hub>Backbone"}', "model.weights.h5": ""},
    ],
)
def test_files_of_others_are_never_overwritten(saved, tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"never written over.*holds .*{next(iter(files))}"):
        ka.VAE.from_preset(saved).save_to_preset(tmp_path)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == files


def test_a_preset_is_written_again_beside_other_files(copy):
    (copy / "notes.txt").write_text("mine")
    ka.VAE.from_preset(copy, beta=3.0).save_to_preset(copy)
    assert ka.VAE.from_preset(copy).beta == 3.0 and (copy / "notes.txt").read_text() == "mine"
    (copy / "file").write_text("")
    with pytest.raises(ValueError, match="`directory` must be a folder.*is a file"):
        ka.VAE.from_preset(copy).save_to_preset(copy / "file" / "below")


def test_what_does_not_build_or_fit_is_named(copy):
    with pytest.raises(ValueError, match="'.*model.weights.h5' doesn't hold the weights"):
        weights = copy / "model.weights.h5"
        weights.write_bytes(b"no HDF5")
        metadata = json.loads((copy / "metadata.json").read_text())
        metadata["weights_sha256"] = hashlib.sha256(b"no HDF5").hexdigest()
        (copy / "metadata.json").write_text(json.dumps(metadata))
        ka.VAE.from_preset(copy)
    config = json.loads((copy / "config.json").read_text())
    for key, value in {"beta": "x", "prior": None, "encoder": 5, "decoder": []}.items():
        damaged = {**config, "config": {**config["config"], key: value}}
        (copy / "config.json").write_text(json.dumps(damaged))
        with pytest.raises(ValueError, match="damaged: '.*config.json' makes no VAE"):
            ka.VAE.from_preset(copy, load_weights=False)
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="^`beta` must be"):  # the caller's own mistake
        ka.VAE.from_preset(copy, load_weights=False, beta=-1)


def test_no_network_is_said(monkeypatch):
    def download(handle):
        raise ConnectionError("unreachable")

    client = types.SimpleNamespace(snapshot_download=download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    with pytest.raises(RuntimeError, match="'hf://a/b' could not be downloaded.*unreachable"):
        ka.VAE.from_preset("hf://a/b")


@pytest.mark.parametrize("file", ["config.json", "metadata.json", "model.weights.h5"])
def test_missing_file_is_named(copy, file):
    (copy / file).unlink()
    with pytest.raises(ValueError, match=f"{file}' is missing"):
        ka.VAE.from_preset(copy)


@pytest.mark.parametrize("file", ["config.json", "metadata.json"])
@pytest.mark.parametrize("content", [b'{"class_name": ', b"\xff\xfe", b"[1]"])
def test_damaged_json_is_named(copy, file, content):
    (copy / file).write_bytes(content)
    with pytest.raises(ValueError, match=f"damaged.*{file}"):
        ka.VAE.from_preset(copy)


def test_damaged_weights_are_named(copy):
    weights = copy / "model.weights.h5"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"model.weights.h5' fails its sha256 check"):
        ka.VAE.from_preset(copy)
    ka.VAE.from_preset(copy, load_weights=False)  # the architecture is whole


def test_unknown_format(copy):
    metadata = json.loads((copy / "metadata.json").read_text())
    (copy / "metadata.json").write_text(json.dumps({**metadata, "format": 99}))
    with pytest.raises(ValueError, match="format=99"):
        ka.VAE.from_preset(copy)


HOSTILE = [
    {"class_name": "Lambda", "module": "keras.layers", "config": {"function": {}}},
    {"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": {}},
    {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "x"}},
    {"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/x"}},
    {"class_name": "system", "module": "os", "config": "true", "registered_name": "system"},
    {"class_name": "function", "module": "builtins", "config": "eval"},
    {"class_name": "__lambda__", "config": {"value": "4wAA"}},
    {"class_name": "Own", "module": "somewhere", "config": {}, "registered_name": "some>Own"},
    # In the clothes of a class of ours, and without the module that newer configs have:
    {
        "class_name": "__lambda__",
        "module": None,
        "config": {"value": "4wAA"},
        "registered_name": "keras_aevae>Sampling",
    },
    {"class_name": "RandomFlip", "config": {}, "registered_name": "keras_aevae>Sampling"},
    {"class_name": "StringLookup", "config": {"vocabulary": "/etc/x"}},
    {"class_name": "get_file", "module": "keras.utils", "config": {}},
]


@pytest.mark.parametrize("entry", HOSTILE, ids=str)
@pytest.mark.parametrize("safe_mode", [True, False])
def test_hostile_config(copy, entry, safe_mode):
    config = json.loads((copy / "config.json").read_text())
    config["config"]["encoder"]["config"]["layers"].append(entry)
    (copy / "config.json").write_text(json.dumps(config))
    if not safe_mode:
        keras.config.enable_unsafe_deserialization()  # ours is checked all the same
    try:
        with pytest.raises(ValueError, match="Unsafe or unknown class in '.*config.json'"):
            ka.VAE.from_preset(copy)
    finally:
        keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", None)


def test_top_level_class_must_be_a_model(copy):
    config = json.loads((copy / "config.json").read_text())
    config.update(class_name="Sampling", registered_name="keras_aevae>Sampling")
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="class 'keras_aevae>Sampling', not a VAE"):
        ka.VAE.from_preset(copy)


@pytest.mark.parametrize(
    "scheme, module, function",
    [
        ("hf://user/model", "huggingface_hub", "snapshot_download"),
        ("kaggle://user/model/keras/v/1", "kagglehub", "model_download"),
    ],
)
def test_hubs(saved, monkeypatch, scheme, module, function):
    asked = []

    def download(handle):
        asked.append(handle)
        return str(saved)

    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{function: download}))
    assert ka.VAE.from_preset(scheme).beta == 2.0
    assert asked == [scheme.split("://")[1]]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'keras_aevae\["):
        ka.VAE.from_preset(scheme)


def test_interrupted_save_leaves_nothing_that_loads(copy, monkeypatch):
    model = ka.VAE.from_preset(copy)
    import os

    real, moved = os.replace, []

    def replace(source, target):
        if moved:
            raise OSError("disk full")
        moved.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="disk full"):
        model.save_to_preset(copy)
    with pytest.raises(ValueError, match="is missing"):
        ka.VAE.from_preset(copy)


def test_loading_draws_no_random_start(monkeypatch):
    def drawn(self, shape, dtype=None, **kwargs):
        raise AssertionError("A random start was drawn for weights that are read.")

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", drawn)
    model = ka.VAE.from_preset("vae_mlp_digits")
    assert keras.initializers.VarianceScaling.__call__ is drawn
    assert isinstance(model.encoder.layers[-1].kernel_initializer, keras.initializers.GlorotUniform)
    assert np.abs(model.encoder.layers[-1].kernel.numpy()).max() > 0
    with pytest.raises(AssertionError, match="random start"):
        ka.VAE.from_preset("vae_mlp_digits", load_weights=False)
