"""The places of presets: the shipped ones by name and version, directories, and hubs."""

import json
import os
from pathlib import Path

import keras

from keras_aevae._checks import nearest

FORMAT = 1
CONFIG, METADATA, WEIGHTS, CARD = "config.json", "metadata.json", "model.weights.h5", "card.md"
# In the order in which they are written: the first shows whose the others are, and a preset without
# the last doesn't load.
FILES = CONFIG, WEIGHTS, CARD, METADATA


def shipped():
    """Return the directory of the shipped presets: in the package, or beside it in a clone."""
    package = Path(__file__).parents[1]
    inside = package / "presets"
    return inside if inside.is_dir() else package.parent / "presets"


def preset_names():
    """Return the shipped presets: a dict from name to versions, oldest first."""
    names = {}
    for metadata in sorted(shipped().glob(f"*/*/{METADATA}")):
        name, version = metadata.parts[-3:-1]
        if version.isdigit():
            names.setdefault(name, []).append(int(version))
    return {name: sorted(versions) for name, versions in names.items()}


def resolve(preset):
    """Return the directory of a name, a "name/version", a path, "hf://..." or "kaggle://..."."""
    preset = os.fspath(preset) if isinstance(preset, os.PathLike) else preset
    if not isinstance(preset, str):
        raise ValueError(
            "`preset` must be a name, a directory, 'hf://user/repo' or 'kaggle://...'. Received: a "
            f"{type(preset).__name__}. {nearest(None, preset_names())}"
        )
    if preset.startswith("hf://"):
        return downloaded(preset, "huggingface_hub", "hf", "snapshot_download")
    if preset.startswith("kaggle://"):
        return downloaded(preset, "kagglehub", "kaggle", "model_download")
    names = preset_names()
    name, _, version = preset.partition("/")
    if name in names:
        known = [str(v) for v in names[name]]
        if version and version not in known:
            raise ValueError(
                f"Unknown version of the preset '{name}'. Received: '{preset}'. "
                f"Valid: {', '.join(f'{name}/{v}' for v in known)}."
            )
        return shipped() / name / (version or known[-1])
    path = Path(os.path.expanduser(preset))
    if preset and path.is_dir():
        return path
    if preset and path.is_file():
        raise ValueError(
            "A preset must be a directory, made by `save_to_preset`. Received: the file "
            f"'{preset}'. Give the directory that holds it; a model in a .keras file is loaded by "
            "keras.saving.load_model."
        )
    raise ValueError(
        f"Unknown preset: neither a shipped one nor a directory. Received: '{preset}'. "
        f"{nearest(name, names)}"
    )


def downloaded(preset, module, extra, function):
    """Return the directory to which `function` of the hub's client `module` downloads a preset."""
    try:
        client = __import__(module)
    except ImportError as error:
        raise ImportError(
            f"Presets from {extra}:// need the package {module}. "
            f"Run: pip install 'keras_aevae[{extra}]'"
        ) from error
    try:
        return Path(getattr(client, function)(preset.partition("://")[2]))
    except Exception as error:  # the clients have many classes of errors, and no common one
        raise RuntimeError(
            f"The preset '{preset}' could not be downloaded. Check its name, that you may read it, "
            f"and the network. {module} says: {type(error).__name__}: {error}"
        ) from error


def is_preset(directory):
    """Return whether a preset in `directory` was written by `save`."""
    try:
        metadata = read_json(directory / METADATA)
    except (ValueError, OSError):
        return False
    return {"format", "class", "weights_sha256"} <= set(metadata)


def check_free(directory, cls):
    """Raise unless a preset of a model of class `cls` can be written to `directory` without
    replacing what isn't a preset's: its files may be those of a preset, also of one of that class
    whose writing was interrupted."""
    taken = [name for name in FILES if os.path.lexists(directory / name)]
    if not taken or is_preset(directory):
        return
    if METADATA not in taken and CONFIG in taken:
        try:
            config = read_json(directory / CONFIG)
        except (ValueError, OSError):
            config = {}
        if config.get("registered_name") == keras.saving.get_registered_name(cls):
            return
    raise ValueError(
        "A preset is never written over files that aren't a preset's. Received: a directory that "
        f"holds {', '.join(taken)}: '{directory}'. Choose another directory."
    )


def read_json(path):
    """Return the JSON object in `path`, or raise an error that names the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"The preset is incomplete: '{path}' is missing. Restore it or save the model again."
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"The preset is damaged: '{path}' is no JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"The preset is damaged: '{path}' holds no JSON object.")
    return content


def read_metadata(preset):
    """Return the metadata of `preset` (as in `resolve`): recipe, measured numbers, and more."""
    return read_json(resolve(preset) / METADATA)


class Presets:
    """A class attribute that maps names to metadata of the class's shipped presets.

    It includes the presets of subclasses. The metadata is that of the newest version: class,
    parameters, recipe and measured numbers.
    """

    def __get__(self, instance, owner):
        found = {}
        for name in preset_names():
            metadata = read_metadata(name)
            cls = keras.saving.get_registered_object(metadata["class"])
            if cls is not None and issubclass(cls, owner):
                found[name] = metadata
        return found
