"""The wheel holds the presets: built, installed in an empty folder, and used from there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import keras_aevae as ka

assert Path(ka.__file__).is_relative_to(sys.argv[1]), ka.__file__
presets = ka.Autoencoder.presets
assert len(presets) >= 11, list(presets)
for name in presets:
    model = ka.Autoencoder.from_preset(name)
    x = np.full((2, *model.data_shape), 0.5, "float32")
    condition = {"condition": 3} if model.condition_dim else {}
    assert np.isfinite(model.reconstruct(x, **condition)).all(), name
assert (Path(ka.__file__).parent / "py.typed").exists()
from keras_aevae.latent import report  # its template is package data
print("LOADED", len(presets))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-q", "-w", str(directory), str(ROOT)], check=True)
    (path,) = directory.glob("*.whl")
    return path


def test_size(wheel):
    assert wheel.stat().st_size < 40 * 2**20


def test_every_preset_loads_from_the_installed_wheel(wheel, tmp_path):
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
    subprocess.run([*command, str(tmp_path / "site"), str(wheel)], check=True)
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "site")],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "LOADED" in result.stdout, result.stderr
