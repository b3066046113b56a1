"""What happens where a backend is missing or Keras is too old, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(code, **environment):
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    return result.stdout + result.stderr


def test_no_backend():
    code = """
import importlib.util
importlib.util.find_spec = lambda name, *rest: None
import keras_aevae
"""
    assert "none is installed. Run: pip install 'keras_aevae[jax]'" in run(code)


def test_chosen_backend_is_missing():
    code = """
import sys
sys.modules["torch"] = None
import keras_aevae
"""
    output = run(code, KERAS_BACKEND="torch")
    assert "Keras could not load its backend (torch)" in output
    assert "KERAS_BACKEND=jax" in output


def test_unknown_backend_is_named():
    assert "nonsense" in run("import keras_aevae", KERAS_BACKEND="nonsense")


@pytest.mark.parametrize("version, error", [("3.15.0", True), ("3.15.1", False), ("3.16", False)])
def test_old_keras(version, error):
    code = f"""
import keras
keras.version = lambda: "{version}"
import keras_aevae
"""
    output = run(code, KERAS_BACKEND="jax")
    assert ("needs keras>=3.15.1. Received: keras " + version in output) == error


def test_import_loads_no_plotting_or_templates():
    """Keras itself imports scikit-learn where it is installed, so compare with that."""
    code = """
import sys, keras
before = set(sys.modules)
import keras_aevae
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print("NEW", sorted(new & {"matplotlib", "sklearn", "scipy", "jinja2", "click", "pandas"}))
"""
    assert "NEW []" in run(code, KERAS_BACKEND="jax")
