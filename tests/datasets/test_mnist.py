import numpy as np
import pytest

from keras_aevae.datasets import load
from keras_aevae.datasets._keras_cache import cache_directory

FILES = {
    "mnist": ["mnist.npz"],
    "fashion_mnist": [
        "fashion-mnist/train-images-idx3-ubyte.gz",
        "fashion-mnist/train-labels-idx1-ubyte.gz",
        "fashion-mnist/t10k-images-idx3-ubyte.gz",
        "fashion-mnist/t10k-labels-idx1-ubyte.gz",
    ],
}
COUNTS = {
    "mnist": (
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    "fashion_mnist": ([6000] * 10, [1000] * 10),
}
MEANS = {"mnist": (33.318, 33.791), "fashion_mnist": (72.940, 73.147)}


@pytest.mark.parametrize("name", FILES)
def test_arrays(name):
    missing = [f for f in FILES[name] if not (cache_directory() / f).is_file()]
    if missing:
        pytest.skip(f"{cache_directory()} lacks {', '.join(missing)}; tests don't download")
    for (x, y), num, counts, mean in zip(load(name), (60_000, 10_000), COUNTS[name], MEANS[name]):
        assert x.shape == (num, 28, 28, 1) and x.dtype == "float32"
        assert y.shape == (num,) and y.dtype == "int64"
        assert x.min() == 0 and x.max() == 1
        assert 255 * x.mean(dtype="float64") == pytest.approx(mean, abs=1e-3)
        assert np.bincount(y).tolist() == counts


def fail(*args):
    raise OSError("URL fetch failure")


@pytest.mark.parametrize("name, file", [("mnist", "mnist.npz"), ("fashion_mnist", "t10k-images")])
def test_without_network_the_error_says_which_file_goes_where(name, file, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(f"keras.datasets.{name}.load_data", fail)
    with pytest.raises(RuntimeError, match="URL fetch failure") as error:
        load(name)
    assert file in str(error.value) and str(tmp_path / "datasets") in str(error.value)


def zeros(**shapes):
    shape = {
        "x_train": (60_000, 28, 28),
        "y_train": (60_000,),
        "x_test": (10_000, 28, 28),
        "y_test": (10_000,),
    }
    return {name: np.zeros(s, "uint8") for name, s in (shape | shapes).items()}


@pytest.mark.parametrize(
    "arrays, message",
    [
        (lambda: zeros(x_train=(5, 28, 28)), r"`x_train` .* shape \(60000, 28, 28\)"),
        (lambda: zeros(), "mean of 33.318. Received: 0.000"),
        (lambda: {"x_train": np.zeros(3)}, "KeyError"),
        (lambda: {"x_train": np.array([{}], dtype=object)}, "allow_pickle=False"),
        (None, "Pickle|pickle|zip"),
    ],
)
def test_damaged_mnist_names_the_file_and_the_failed_check(arrays, message, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    path = tmp_path / "datasets" / "mnist.npz"
    path.parent.mkdir()
    if arrays is None:
        path.write_bytes(b"<html>Please log in</html>")
    else:
        np.savez_compressed(path, **arrays())
    with pytest.raises(ValueError, match=message) as error:
        load("mnist")
    assert str(path) in str(error.value)
