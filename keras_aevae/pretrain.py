"""Make a preset: train a recipe, measure it on the test data, write it with its card."""

import dataclasses
import datetime
import json
import os
import platform
import time

import keras

from keras_aevae import datasets, latent, recipes
from keras_aevae._paths import check_folder
from keras_aevae.hub import check_free, is_preset
from keras_aevae.latent.classifier import EPOCHS, NUM_TRAIN, Classifier, train_classifier

# The state of an unfinished run: a folder in that of the preset, and the files in it.
BACKUP, STATE, RECIPE, SECONDS = "backup", "latest.weights.h5", "recipe.json", "seconds"


def pretrain(
    recipe,
    directory,
    *,
    overwrite=False,
    num_samples=1000,
    callbacks=(),
    verbose=1,
    steps_per_execution=1,
):
    """Train `recipe`, measure the model and save it as a preset in `directory`.

    If a run is interrupted, the same command resumes it from its last whole epoch, whose state is
    kept in the folder `backup` of `directory` until the preset is written. Another machine needs
    only that folder to resume the run.

    Args:
        recipe: a `keras_aevae.recipes.Recipe`.
        directory: the preset's folder, such as "presets/vae_mlp_digits/1": a new one, an empty one,
            or one with an interrupted run of the same recipe.
        overwrite: whether `directory` may hold something else. A preset in it is replaced when the
            new one is trained; all other files stay as they are.
        num_samples: number of importance samples of the test log-likelihood.
        callbacks, verbose: as for `fit`; `verbose` also holds for measuring.
        steps_per_execution: as for `Recipe.train`. Many small steps run faster with 20.

    Returns:
        The model and the metadata that were saved.

    Raises:
        ValueError: before any training, if `directory` can't be written to, or holds something
            that may not be replaced; the message names it.
    """
    directory = check_folder("directory", directory)
    check_free(directory, recipes.MODELS[recipe.model])
    backup = directory / BACKUP
    check_contents(directory, resumes=check_same_recipe(recipe, backup), overwrite=overwrite)
    made = [folder for folder in (backup, *backup.parents) if not folder.exists()]
    backup.mkdir(parents=True, exist_ok=True)
    write(backup / RECIPE, text_of(recipe))
    clock = Clock(backup / SECONDS)
    try:
        model = recipe.train(
            callbacks=[*callbacks, clock],
            verbose=verbose,
            backup=backup / STATE,
            steps_per_execution=steps_per_execution,
        )
    except BaseException:
        if not (backup / STATE).exists():  # there is nothing to resume
            remove_backup(backup)
            remove_empty(made)
        raise
    train, test = recipe.inputs()
    metadata = {
        "recipe": dataclasses.asdict(recipe),
        "measured": latent.summary(model, train, test, num_samples=num_samples, verbose=verbose),
        "training": training(clock.seconds, command(recipe, num_samples)),
    }
    text = card(recipe.name, f"\n{recipe.note}\n" if recipe.note else "", metadata)
    model.save_to_preset(directory, card=text, metadata=metadata)
    remove_backup(backup)
    return model, metadata


def pretrain_classifier(dataset, directory, *, seed=0, verbose=1):
    """Train the classifier of a dataset and save it as a preset in `directory`.

    Samples are compared in its features. `directory` may be "presets/classifier_digits/1".

    Returns:
        The model and the metadata that were saved.
    """
    check_free(check_folder("directory", directory), Classifier)
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
    shipped = recipes.recipe(recipe.model, recipe.dataset)
    own = {"epochs": recipe.epochs, "seed": recipe.seed}
    latent_dim = ""
    if recipe.latent_dim != shipped.latent_dim:
        own["latent_dim"] = recipe.latent_dim
        latent_dim = f"--latent-dim {recipe.latent_dim} "
    if recipe != dataclasses.replace(shipped, **own):
        return f"pretrain({recipe!r}, DIRECTORY, num_samples={num_samples})"
    return (
        f"KERAS_BACKEND={keras.backend.backend()} keras-aevae train {recipe.model} "
        f"{recipe.dataset} --epochs {recipe.epochs} --seed {recipe.seed} {latent_dim}"
        f"--num-samples {num_samples} --out DIRECTORY"
    )


def check_same_recipe(recipe, backup):
    """Return whether the folder `backup` holds an interrupted run, which must be one of `recipe`;
    raise an error if it is one of another recipe, or if the folder isn't ours."""
    if not os.path.lexists(backup):
        return False
    try:
        found = json.loads((backup / RECIPE).read_text(encoding="utf-8"))
        names = {field.name for field in dataclasses.fields(recipes.Recipe)} | {"backend"}
        own = isinstance(found, dict) and {"model", "dataset", "backend"} <= set(found) <= names
    except (OSError, ValueError, TypeError):
        own = False
    if not own:
        if backup.is_dir() and not any(backup.iterdir()):
            return False
        raise ValueError(
            f"`directory` must have no '{BACKUP}' of yours, where the state of an interrupted run "
            f"is kept. Received: '{backup}', which holds no such run. Choose another directory, or "
            "rename that one."
        )
    if not (backup / STATE).exists():  # it was killed before its first epoch was over
        return False
    wanted = json.loads(text_of(recipe))
    if found != wanted:
        differences = ", ".join(
            f"{name}={found.get(name)!r} there and {wanted.get(name)!r} here"
            for name in sorted(found.keys() | wanted.keys())
            if found.get(name) != wanted.get(name)
        )
        raise ValueError(
            f"`directory` holds an interrupted run of another recipe: '{backup}'. Received: "
            f"{differences}. Give the same settings to resume it, remove that folder, or choose "
            "another directory."
        )
    return True


def check_contents(directory, resumes, overwrite):
    """Raise if `directory` holds anything, unless an interrupted run is resumed in it or it may be
    overwritten."""
    if resumes or overwrite or not directory.exists():
        return
    held = sorted(path.name for path in directory.iterdir() if path.name != BACKUP)
    if held:
        shown = ", ".join(held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else "")
        does = "replaces the preset in it" if is_preset(directory) else "writes a preset into it"
        raise ValueError(
            "`directory` must be new or empty. Received: "
            f"'{directory}', which holds {shown}. Choose another directory. overwrite=True (on the "
            f"command line --overwrite) {does}, and leaves all other files alone."
        )


def text_of(recipe):
    return json.dumps(dataclasses.asdict(recipe) | {"backend": keras.backend.backend()})


def remove_backup(backup):
    """Remove what an interrupted run keeps in the folder `backup`, and the folder if that was
    all."""
    texts = [name for text in (SECONDS, RECIPE) for name in (f"{text}.new", text)]
    for name in ("new.weights.h5", STATE, *texts):  # the first while `Backup` writes
        (backup / name).unlink(missing_ok=True)
    remove_empty([backup])


def remove_empty(folders):
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def write(path, text):
    """Write a file completely or not at all, even if the process is killed."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
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
