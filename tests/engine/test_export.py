"""What `export` writes, read by runtimes that know nothing of this library."""

import importlib
import warnings

import keras
import numpy as np
import pytest
from zoo import ONE_EACH, SHAPE, TABLES, build, given, row_of

import keras_aevae as ka
from keras_aevae.engine.export import ENDINGS, FORMATS

BACKEND = keras.backend.backend()
RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}
# What makes a graph of its own, for each format; the others differ in their training.
ROWS = [
    "Autoencoder",
    "VAE, discretised logistic",
    "VAE, grid of codes",
    "ConditionalVAE",
    "ConditionalVAE, vectors",
    "VQVAE",
    "VQVAE, finite scalars",
]
# The format for what doesn't depend on it.
FAST = {"tensorflow": "tf_saved_model", "jax": "tf_saved_model", "torch": "torch"}[BACKEND]
pytestmark = pytest.mark.filterwarnings("ignore")  # of converters, about each other


def read_saved_model(path):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    # By name, as a server does, and under the name that servers take by default.
    signature = loaded.signatures["serving_default"]

    def run(arrays):
        outputs = signature(**{name: tf.convert_to_tensor(a) for name, a in arrays.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    run.loaded = loaded
    return run


def read_litert(path):
    import tensorflow as tf

    runner = tf.lite.Interpreter(path).get_signature_runner("serving_default")
    return lambda arrays: runner(**arrays)


def read_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return lambda arrays: dict(zip(names, session.run(None, arrays)))


def read_openvino(path):
    import openvino

    model = openvino.compile_model(path, config={"INFERENCE_PRECISION_HINT": "f32"})

    def run(arrays):
        outputs = model(arrays)
        return {name: outputs[name] for name in ("z", "reconstruction") if has(model, name)}

    def has(model, name):
        return any(name in output.names for output in model.outputs)

    return run


def read_torch(path):
    import torch

    module = torch.export.load(path).module()

    def run(arrays):
        outputs = module(*map(torch.from_numpy, arrays.values()))
        return {name: value.numpy() for name, value in outputs.items()}

    return run


READERS = {
    "tf_saved_model": read_saved_model,
    "litert": read_litert,
    "onnx": read_onnx,
    "openvino": read_openvino,
    "torch": read_torch,
}


@pytest.fixture(params=FORMATS[BACKEND], scope="module")
def format(request):
    for package in (*FORMATS[BACKEND][request.param], RUNTIMES.get(request.param, "tensorflow")):
        pytest.importorskip(package)
    return request.param


def exported(model, folder, format=FAST, **settings):
    """The function of a dict of arrays that an export of the model is."""
    path = folder / f"model{ENDINGS.get(format, '')}"
    with warnings.catch_warnings():
        # A device has none of TensorFlow's operations.
        warnings.filterwarnings("error", ".*Select TensorFlow ops")
        model.export(path, format=format, verbose=False, **settings)
    return READERS[format](str(path))


def data(n, seed=0):
    return np.random.default_rng(seed).random((n, *SHAPE), "float32")


def named(row, model, first, n):
    """The inputs of an export by name: a dict of `first` and the condition."""
    c = given(row, n)
    return first | ({"condition": model.condition.check(c["condition"], n)} if c else {})


def check_whole(row, model, run, atol=1e-5):
    for n in (1, 5):
        x, c = (row_of(row).data or np.asarray)(data(n, seed=n)), given(row, n)
        outputs = run(named(row, model, {"x": x}, n))
        assert set(outputs) == {"z", "reconstruction"}
        np.testing.assert_allclose(outputs["z"], model.encode(x, **c), atol=atol)
        np.testing.assert_allclose(outputs["reconstruction"], model.reconstruct(x, **c), atol=atol)


@pytest.mark.parametrize("row", ROWS)
def test_as_soon_as_it_is_made(row, format, tmp_path):
    model = build(row)
    before = len(model.variables)
    check_whole(row, model, exported(model, tmp_path, format))
    assert len(model.variables) == before and not model.compiled


OTHERS = [*(row for row in ONE_EACH if row not in ROWS), *TABLES, "VAE, 3 draws"]


@pytest.mark.parametrize("row", OTHERS)
def test_every_other_model(row, tmp_path):
    model = build(row)
    check_whole(row, model, exported(model, tmp_path))


@pytest.mark.parametrize("row", ["ConditionalVAE", "VQVAE"])
def test_halves(row, format, tmp_path):
    model = build(row)
    encode = exported(model, tmp_path, format, part="encoder")
    (tmp_path / "second").mkdir()
    decode = exported(model, tmp_path / "second", format, part="decoder")
    for n in (1, 5):
        x, c = data(n, seed=n), given(row, n)
        z = model.encode(x, **c)
        outputs = encode(named(row, model, {"x": x}, n))
        assert set(outputs) == {"z"}
        np.testing.assert_allclose(outputs["z"], z, atol=1e-5)
        outputs = decode(named(row, model, {"z": z}, n))
        assert set(outputs) == {"reconstruction"}
        np.testing.assert_allclose(outputs["reconstruction"], model.decode(z, **c), atol=1e-5)


def test_convolutions(tmp_path):
    model = build("VAE", network=ka.networks.conv)
    check_whole("VAE", model, exported(model, tmp_path))


def test_mixed_precision(format, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build("VAE")
    finally:
        keras.config.set_dtype_policy(before)
    if format == "litert":
        with pytest.warns(UserWarning, match="Select TensorFlow ops.*mixed dtype policy"):
            model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    else:
        check_whole("VAE", model, exported(model, tmp_path, format), atol=2e-3)


def test_fixed_batch_size(format, tmp_path):
    model = build("VAE")
    outputs = exported(model, tmp_path, format, batch_size=4)({"x": data(4)})
    np.testing.assert_allclose(outputs["z"], model.encode(data(4)), atol=1e-5)


def test_trained_reloaded_and_preset(tmp_path):
    model = build("VAE")
    model.compile()
    model.fit(data(64), epochs=1, verbose=0)
    check_whole("VAE", model, exported(model, tmp_path))
    model.fit(data(64), epochs=1, verbose=0)  # it trains on
    assert int(model.optimizer.iterations) == 4
    model.save(tmp_path / "model.keras")
    (tmp_path / "reloaded").mkdir()
    again = keras.saving.load_model(tmp_path / "model.keras")
    check_whole("VAE", again, exported(again, tmp_path / "reloaded"))
    model.save_to_preset(tmp_path / "preset")
    again = ka.Autoencoder.from_preset(tmp_path / "preset")
    check_whole("VAE", again, exported(again, tmp_path / "preset"))


if FAST == "tf_saved_model":

    def test_a_saved_model_holds_what_it_uses(tmp_path):
        """Not FactorVAE's discriminator, nor the state of the noise."""
        model = build("FactorVAE")
        run = exported(model, tmp_path, part="decoder")
        sizes = sorted(int(np.prod(v.shape)) for v in run.loaded.variables)
        assert sizes == sorted(int(np.prod(v.shape)) for v in model.decoder.variables)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"format": "onxx"}, "Unknown `format`.*format='onxx'.*onnx"),
        ({"format": FAST, "part": "head"}, "Unknown `part`.*part='head'"),
        (
            {"format": "onnx"},
            "`filepath` must end with '.onnx' for format='onnx'.*filepath='model'",
        ),
    ],
)
def test_wrong_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        build("VAE").export("model", **settings)


@pytest.mark.parametrize("format", sorted(set(READERS) - set(FORMATS[BACKEND])))
def test_formats_that_the_backend_cannot_write(format):
    message = f"'{BACKEND}' can't write format='{format}', only .*'onnx'.*KERAS_BACKEND="
    with pytest.raises(ValueError, match=message):
        build("VAE").export("model", format=format)


@pytest.mark.parametrize(
    "format, packages", [item for item in FORMATS[BACKEND].items() if item[1]], ids=str
)
def test_missing_packages(format, packages, monkeypatch):
    find = importlib.util.find_spec
    gone = lambda name, *rest: None if name in packages else find(name, *rest)  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", gone)
    with pytest.raises(ImportError, match=f"pip install {' '.join(packages)}"):
        build("VAE").export(f"model{ENDINGS.get(format, '')}", format=format)
