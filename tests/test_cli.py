"""The command line, through its own parser."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner

import keras_aevae as ka
from keras_aevae import cli

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.main, arguments)


def test_help(run):
    result = run("--help")
    assert result.exit_code == 0
    for command in ("compare", "train", "presets"):
        assert command in result.output
        assert run(command, "--help").exit_code == 0


def test_compare_writes_both_reports(run, tmp_path):
    settings = ("--epochs", "1", "--seeds", "2", "--beta", "1", "--num-samples", "5")
    result = run("compare", *settings, "--out", "out/here.html")
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "out" / "here.json").read_text())
    assert (
        numbers["epochs"] == {"AE": 1, "VAE": 1} and numbers["backend"] == keras.backend.backend()
    )
    assert "<html" in (tmp_path / "out" / "here.html").read_text()
    for text in ("reconstruction", "gap", "KL", "active units", "VAE generalises better"):
        assert text.lower() in result.output.lower()
    assert [point["beta"] for point in numbers["rate_distortion"]] == [1.0]


def test_compare_takes_presets(run, tmp_path):
    result = run("compare", "ae_mlp_digits", "vae_mlp_digits", "--num-samples", "5")
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert list(numbers["numbers"]) == ["ae_mlp_digits", "vae_mlp_digits"]
    result = run("compare", "ae_mlp_digit")
    assert result.exit_code == 1 and "Did you mean: ae_mlp_digits" in result.output


def test_train_writes_a_preset(run, tmp_path):
    result = run("train", "vae", "digits", "--epochs", "1", "--num-samples", "2", "--seed", "3")
    assert result.exit_code == 0, result.output
    directory = tmp_path / "vae_mlp_digits"
    assert sorted(p.name for p in directory.iterdir()) == [
        "card.md",
        "config.json",
        "metadata.json",
        "model.weights.h5",
    ]
    metadata = json.loads((directory / "metadata.json").read_text())
    assert metadata["recipe"]["seed"] == 3 and metadata["recipe"]["epochs"] == 1
    assert metadata["training"]["seconds"] > 0
    command = metadata["training"]["command"]
    assert "keras-aevae train vae digits --epochs 1 --seed 3 --num-samples 2 --out" in command
    assert command in (directory / "card.md").read_text()
    (_, _), (x, _) = ka.datasets.load("digits")
    measured = ka.VAE.from_preset(directory).evaluate_terms(x)
    assert measured["kl"].mean() == pytest.approx(metadata["measured"]["test_kl"], rel=1e-4)


def test_presets_lists_versions_sizes_and_numbers(run):
    output = run("presets").output
    for name, metadata in ka.Autoencoder.presets.items():
        assert name in output
        assert f"{metadata['weights_bytes'] / 2**20:.2f} MiB" in output


def test_errors_print_as_one_line(run):
    result = run("compare", "--dataset", "digit")
    assert result.exit_code == 2 and "'digits'" in result.output
    result = run("train", "vae", "digits", "--epochs", "0")
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_takes_an_installed_backend_where_none_is_set():
    """As where only torch is installed: neither a setting nor Keras's default can serve."""
    code = """
import importlib.util, os
find = importlib.util.find_spec
hidden = ("jax", "tensorflow")
importlib.util.find_spec = lambda name, *rest: None if name in hidden else find(name, *rest)
from keras_aevae.cli import main
import keras
print("BACKEND", keras.backend.backend())
"""
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "BACKEND torch" in result.stdout, result.stderr
