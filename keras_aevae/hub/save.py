"""Write a preset: config, weights, metadata with their hashes, and a card."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import keras

from keras_aevae._paths import check_folder
from keras_aevae.hub.allow_list import check_config
from keras_aevae.hub.store import CARD, CONFIG, FILES, FORMAT, METADATA, WEIGHTS, check_free


def save(model, directory, card, metadata):
    """Write `model` to `directory`. See `Autoencoder.save_to_preset`.

    All files are written in a folder of its own within it and then moved, the metadata last, so an
    interrupted save leaves no preset that loads. Only files of a preset are replaced.
    """
    directory = check_folder("directory", directory)
    check_free(directory, type(model))
    # A copy without the optimizer's state, which is twice the size of the weights.
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    config = without_training(keras.saving.serialize_keras_object(copy))
    check_config(config, directory / CONFIG)  # what could not be loaded is not saved
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as name:
        made = Path(name)
        copy.save_weights(made / WEIGHTS)
        facts = {
            **metadata,
            "format": FORMAT,
            "class": config["registered_name"],
            "num_params": model.count_params(),
            "weights_bytes": (made / WEIGHTS).stat().st_size,
            "weights_sha256": hashlib.sha256((made / WEIGHTS).read_bytes()).hexdigest(),
            "keras_version": keras.version(),
            "backend": keras.backend.backend(),
        }
        card = card or f"# {model.name}\n\nA {type(model).__name__} of keras_aevae.\n"
        (made / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (made / CARD).write_text(card, encoding="utf-8")
        (made / METADATA).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (directory / METADATA).unlink(missing_ok=True)
        for file in FILES:
            os.replace(made / file, directory / file)


def without_training(config):
    """Return `config` without the optimizers and losses that its parts were compiled with."""
    if isinstance(config, dict):
        return {k: without_training(v) for k, v in config.items() if k != "compile_config"}
    return [without_training(v) for v in config] if isinstance(config, list) else config
