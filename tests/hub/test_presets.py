"""Presets: names, versions, overrides, and what happens to damaged or hostile ones."""

import json
import shutil
import sys
import types

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae import hub

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
