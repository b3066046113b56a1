"""The command line, through its own parser."""

import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner

import keras_aevae as ka
from keras_aevae import cli
from keras_aevae.latent.comparison import MARK
from keras_aevae.latent.data import Data
from keras_aevae.pretrain import check_same_recipe, pretrain, remove_backup
from keras_aevae.recipes import recipe

# The package has a function of the same name.
compare_file = importlib.import_module("keras_aevae.latent.compare")

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
    # An earlier report is replaced if that was wanted.
    assert run("compare", "ae_mlp_digits").exit_code == 1
    assert json.loads((tmp_path / "report.json").read_text()) == numbers


def test_train_writes_a_preset_and_leaves_all_else_alone(run, tmp_path):
    directory = tmp_path / "vae_mlp_digits"
    shutil.copytree(ROOT / "presets" / "vae_mlp_digits" / "1", directory)
    yours = {directory / "notes.txt": "1", directory / "more" / "latest.weights.h5": "2"}
    for path, text in yours.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    settings = ("--epochs", "1", "--num-samples", "2", "--seed", "3", "--latent-dim", "2")
    result = run("train", "vae", "digits", *settings, "--overwrite")
    assert result.exit_code == 0, result.output
    for path, text in yours.items():
        assert path.read_text() == text
        path.unlink()
    (directory / "more").rmdir()
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
    said = "keras-aevae train vae digits --epochs 1 --seed 3 --latent-dim 2 --num-samples 2 --out"
    assert said in command
    assert ka.VAE.from_preset(directory).latent_dim == 2
    assert command in (directory / "card.md").read_text()
    (_, _), (x, _) = ka.datasets.load("digits")
    measured = ka.VAE.from_preset(directory).evaluate_terms(x)
    assert measured["kl"].mean() == pytest.approx(metadata["measured"]["test_kl"], rel=1e-4)


def test_presets_lists_versions_sizes_and_numbers(run):
    output = run("presets").output
    for name, metadata in ka.Autoencoder.presets.items():
        assert name in output
        assert f"{metadata['weights_bytes'] / 2**20:.2f} MiB" in output


# Command lines that are wrong: the exit code, and a part of what is printed.
WRONG = {
    "tran": (2, "Unknown command. Received: 'tran'. Did you mean: train?"),
    "train": (2, "Valid: ae, conditional_vae,"),
    "train VAE digits": (2, "Unknown model. Received: 'VAE'. Did you mean: vae?"),
    "train vq-vae digits": (2, "Did you mean: vq_vae?"),
    "train vae Fashion-MNIST": (2, "Unknown dataset. .*Did you mean: fashion_mnist?"),
    "train vae digits --epoch 3": (2, "No such option.*--epochs"),
    "train vae digits --epochs 0": (2, "'--epochs': 0 is not in the range"),
    "train vae digits --epochs many": (2, "'--epochs': 'many' is not a valid integer"),
    "train vae digits --latent-dim 0": (2, "'--latent-dim': 0 is not in the range"),
    "train vae digits --seed 9999999999": (2, "'--seed': 9999999999 is not in the range"),
    "train conditional_vae dsprites": (1, "There is no recipe of 'conditional_vae'"),
    "train vae digits --out file": (1, "'.*file' is a file"),
    "train vae digits --out file/a/b": (1, "'.*file' is a file"),
    "train vae digits --out /dev/null/a": (1, "is neither a folder nor a file"),
    "train vae digits --out /proc/a": (1, "no file can be made in '/proc'"),
    "train vae digits --out ~nobody_at_all/a": (1, "home folder of an unknown user"),
    "train vae digits --out full": (1, "must be new or empty. .*notes.txt. .*--overwrite"),
    "train vae digits --out hub --overwrite": (1, "never written over files.*config.json"),
    "train vae digits --out kept": (1, "no 'backup' of yours.*kept/backup"),
    "train vae digits --out kept --overwrite": (1, "no 'backup' of yours.*kept/backup"),
    "train vae digits --out begun": (1, "run of another recipe.*epochs=3 there and 60 here"),
    "train vae digits --out begun --overwrite": (1, "run of another recipe"),
    "compare --dataset digit": (2, "Unknown dataset. Received: 'digit'. Did you mean: digits?"),
    "compare VAE": (1, "Unknown `models`.*Did you mean: vae?"),
    "compare VAE-mlp_digits": (1, "Unknown `models`.*Did you mean: vae_mlp_digits?"),
    "compare ./nothing/here": (1, "Unknown `models`.*'./nothing/here'"),
    "compare full": (1, "'full/metadata.json' is missing"),
    "compare hub": (1, "'hub/metadata.json' is missing"),
    "compare ae_mlp_digits --latent-dim 2": (1, "`latent_dim` is for training"),
    "compare --beta nan": (1, "`betas` must be a finite number"),
    "compare --seeds 0": (2, "'--seeds': 0 is not in the range"),
    "compare --out file": (1, "'.*file' is a file"),
    "compare --out file/report.html": (1, "'.*file' is a file"),
    "compare --out full/report.pdf": (1, "must be a file that ends in .html"),
    "compare --out /proc/report.html": (1, "no file can be made in '/proc'"),
    "compare --out page.html --overwrite": (1, "isn't a report's.*'page.html'"),
    "compare --out yours.html": (1, "isn't a report's.*'yours.json'"),
    "compare --out old.html": (1, "'old.html', an earlier report.*--overwrite"),
    "presets digits": (2, "unexpected extra argument"),
}


@pytest.fixture
def places(tmp_path):
    """Files and folders of a user's, and some of ours."""
    begun = json.dumps({"model": "vae", "dataset": "digits", "epochs": 3, "backend": "torch"})
    found = {
        "file": "",
        "full/notes.txt": "mine",
        "hub/config.json": '{"model_type": "bert"}',
        "kept/backup/recipe.json": '{"flour": "500 g"}',
        "kept/backup/latest.weights.h5": "mine",
        "begun/backup/recipe.json": begun,
        "begun/backup/latest.weights.h5": "",
        "page.html": "<html>",
        "yours.json": '{"numbers": [1]}',
        "old.html": f"<html><head>{MARK}",
    }
    for path, text in found.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return found


def test_errors_are_one_line_before_any_work(run, places, tmp_path, monkeypatch):
    """Nothing is loaded or trained, and no file is changed, made or removed."""

    def work(*_, **__):
        raise AssertionError("It has begun.")

    monkeypatch.setattr(ka.datasets, "load", work)
    for line, (code, text) in WRONG.items():
        result = run(*line.split())
        assert result.exit_code == code, (line, result.output, result.exception)
        assert result.stdout == "" and result.stderr.count("\n") == 1, line
        assert re.search(text, result.stderr), (line, result.stderr)
    held = {p.relative_to(tmp_path).as_posix(): p for p in tmp_path.rglob("*") if p.is_file()}
    assert {name: path.read_text() for name, path in held.items()} == places
    for command in (("train", "vae", "digits"), ("compare",)):
        assert "must be a path. Received: " in run(*command, "--out", "").stderr


def test_a_run_that_fails_before_its_first_epoch_leaves_nothing(run, tmp_path, monkeypatch):
    def offline(*_, **__):
        raise RuntimeError("MNIST could neither be read\nnor downloaded. Put it there.")

    monkeypatch.setattr(ka.datasets, "load", offline)
    (tmp_path / "empty").mkdir()
    for out in ("new/folder", "empty"):
        result = run("train", "vae", "mnist", "--out", out)
        assert result.exit_code == 1
        assert result.stderr == "Error: MNIST could neither be read nor downloaded. Put it there.\n"
    assert list(tmp_path.rglob("*")) == [tmp_path / "empty"]
    result = run("compare", "vae", "--dataset", "mnist")
    assert result.exit_code == 1 and "neither be read nor downloaded" in result.stderr


def test_home_is_expanded_and_unfinished_runs_keep_what_is_yours(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    kept = tmp_path / "kept" / "backup"
    chosen = recipe("vae", "digits", epochs=1)

    def train(self, *_, backup, **__):
        backup.write_text("state")
        raise KeyboardInterrupt

    monkeypatch.setattr(type(chosen), "train", train)
    for _ in range(2):  # the second resumes the first
        with pytest.raises(KeyboardInterrupt):
            pretrain(chosen, "~/kept")
    assert check_same_recipe(chosen, kept)
    (kept / "yours.txt").write_text("mine")
    remove_backup(kept)
    assert [p.name for p in kept.iterdir()] == ["yours.txt"]


def test_a_missing_package_is_found_before_training(run, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "jinja2" else find(n))
    result = run("compare")
    assert result.exit_code == 1 and "Run: pip install jinja2" in result.stderr
    result = run("compare", "kaggle://somebody/model")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1


def test_printed_commands_are_quoted(tmp_path):
    places = [tmp_path / "it's mine", tmp_path / "$(reboot)"]
    for place in places:
        shutil.copytree(ROOT / "presets" / "ae_mlp_digits" / "1", place)
    data = Data.load("digits")
    command = compare_file.command([str(p) for p in places], data, [], [], 5, None)
    assert shlex.split(command)[2:4] == [str(p) for p in places]
    result = subprocess.run(
        ["sh", "-c", f"printf '%s\n' {command}"], capture_output=True, text=True
    )
    assert result.stdout.splitlines()[2:4] == [str(p) for p in places]


def test_no_backend_is_one_line():
    code = """
import importlib.util, sys
importlib.util.find_spec = lambda name, *rest: None
sys.argv = ["/usr/bin/keras-aevae", "compare"]
from keras_aevae.cli import main
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 1 and result.stderr.startswith("Error: keras_aevae needs one of")
    assert result.stderr.count("\n") == 1


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
