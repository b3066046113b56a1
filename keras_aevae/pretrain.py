"""Make a preset: train a recipe, measure it on the test data, write it with its card."""

import dataclasses
import datetime
import json
import os
import platform
import shutil
import time
from pathlib import Path

import keras

from keras_aevae import datasets, latent, recipes
from keras_aevae.latent.classifier import EPOCHS, NUM_TRAIN, train_classifier


def pretrain(
    recipe, directory, *, num_samples=1000, callbacks=(), verbose=1, steps_per_execution=1
):
    """Train `recipe`, measure the model and save it as a preset in `directory`.

    If a run is interrupted, the same command resumes it from its last whole epoch, whose state is
    kept in the folder `backup` of `directory` until the preset is written. Another machine needs
    only that folder to resume the run.

    Args:
        recipe: a `keras_aevae.recipes.Recipe`.
        directory: the preset's folder, such as "presets/vae_mlp_digits/1".
        num_samples: number of importance samples of the test log-likelihood.
        callbacks, verbose: as for `fit`; `verbose` also holds for measuring.
        steps_per_execution: as for `Recipe.train`. Many small steps run faster with 20.

    Returns:
        The model and the metadata that were saved.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    backup = directory / "backup"
    backup.mkdir(exist_ok=True)
    check_same_recipe(recipe, backup / "recipe.json")
    clock = Clock(backup / "seconds")
    model = recipe.train(
        callbacks=[*callbacks, clock],
        verbose=verbose,
        backup=backup / "latest.weights.h5",
        steps_per_execution=steps_per_execution,
    )
    train, test = recipe.inputs()
    metadata = {
        "recipe": dataclasses.asdict(recipe),
        "measured": latent.summary(model, train, test, num_samples=num_samples, verbose=verbose),
        "training": training(clock.seconds, command(recipe, num_samples)),
    }
    text = card(recipe.name, f"\n{recipe.note}\n" if recipe.note else "", metadata)
    model.save_to_preset(directory, card=text, metadata=metadata)
    shutil.rmtree(backup)
    return model, metadata


def pretrain_classifier(dataset, directory, *, seed=0, verbose=1):
    """Train the classifier of a dataset and save it as a preset in `directory`.

    Samples are compared in its features. `directory` may be "presets/classifier_digits/1".

    Returns:
        The model and the metadata that were saved.
    """
    start = time.perf_counter()
    model = train_classifier(dataset, seed=seed, verbose=verbose)
    seconds = time.perf_counter() - start
    num_train = NUM_TRAIN.get(dataset)
    (x_train, y_train), (x_test, y_test) = datasets.load(dataset, num_train=num_train)
    fields = {k: model.get_config()[k] for k in ("classes", "filters", "features")}
    metadata = {
        "recipe": {"dataset": dataset, "epochs": EPOCHS[dataset], "seed": seed, **fields},
        "measured": {
            "num_train": len(x_train),
            "num_test": len(x_test),
            "train_accuracy": model.accuracy(x_train, y_train),
            "test_accuracy": model.accuracy(x_test, y_test),
        },
        "training": training(seconds, f"pretrain_classifier({dataset!r}, DIRECTORY, seed={seed})"),
    }
    model.save_to_preset(directory, card=card(model.name, CLASSIFIER, metadata), metadata=metadata)
    return model, metadata


def training(seconds, command):
    """Return where and how a model was trained."""
    return {
        "command": command,
        "seconds": round(seconds, 1),
        "date": datetime.date.today().isoformat(),
        "backend": f"{keras.backend.backend()} {backend_version()}",
        "keras": keras.version(),
        "hardware": f"{processor()}, {os.cpu_count()} cores",
    }


def command(recipe, num_samples):
    """Return the command, or the call, that makes the same preset again."""
    shipped = recipes.recipe(recipe.model, recipe.dataset, epochs=recipe.epochs, seed=recipe.seed)
    if recipe != shipped:
        return f"pretrain({recipe!r}, DIRECTORY, num_samples={num_samples})"
    return (
        f"KERAS_BACKEND={keras.backend.backend()} keras-aevae train {recipe.model} "
        f"{recipe.dataset} --epochs {recipe.epochs} --seed {recipe.seed} "
        f"--num-samples {num_samples} --out DIRECTORY"
    )


def check_same_recipe(recipe, path):
    """Write `recipe` to `path`; raise an error if an interrupted run of another recipe wrote it."""
    text = json.dumps(dataclasses.asdict(recipe) | {"backend": keras.backend.backend()})
    if path.exists() and path.read_text() != text:
        raise ValueError(
            f"`directory` holds an interrupted run of another recipe: '{path.parent}'. Remove that "
            "folder, or choose another directory."
        )
    write(path, text)


def write(path, text):
    """Write a file completely or not at all, even if the process is killed."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


class Clock(keras.callbacks.Callback):
    """Adds up the seconds of training over interrupted runs, in a file beside the backup."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.seconds = float(path.read_text()) if path.exists() else 0.0

    def on_train_begin(self, logs=None):
        self.last = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        self.seconds, self.last = self.seconds + now - self.last, now
        write(self.path, f"{self.seconds}")


def card(name, note, metadata):
    """Return the preset's card, in Markdown: what it is, how it was made, its measured numbers."""
    measured, training = metadata["measured"], metadata["training"]
    numbers = "\n".join(f"| {name} | {value:.6g} |" for name, value in measured.items())
    settings = "\n".join(f"| {name} | {value} |" for name, value in metadata["recipe"].items())
    return CARD.format(name=name, note=note, numbers=numbers, settings=settings, **training)


CLASSIFIER = """
A small classifier: samples are compared with data in its last hidden layer. Distances there can't
be compared with those in the features of another network, such as an FID.
"""
CARD = """\
# {name}

Made by `{command}`, the shipped
recipe, in {seconds:g} s of training on {hardware}; {backend}, Keras {keras}; {date}.
{note}
## Measured

On all test images unless the name says `train`; what has no other unit is in nats per example.

| measure | value |
| --- | --- |
{numbers}

## Recipe

| field | value |
| --- | --- |
{settings}
"""


def backend_version():
    return __import__(keras.backend.backend()).__version__


def processor():
    """Return the processor's name, as the system reports it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return (
                next(line for line in lines if line.startswith("model name")).split(":")[1].strip()
            )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
