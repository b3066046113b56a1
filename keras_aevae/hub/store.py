"""The places of presets: the shipped ones by name and version, directories, and hubs."""

import json
from pathlib import Path

import keras

from keras_aevae._checks import nearest

FORMAT = 1
CONFIG, METADATA, WEIGHTS, CARD = "config.json", "metadata.json", "model.weights.h5", "card.md"


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
    preset = str(preset)
    if preset.startswith("hf://"):
        return Path(hub_client("huggingface_hub", "hf").snapshot_download(preset[len("hf://") :]))
    if preset.startswith("kaggle://"):
        client = hub_client("kagglehub", "kaggle")
        return Path(client.model_download(preset[len("kaggle://") :]))
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
    if Path(preset).is_dir():
        return Path(preset)
    raise ValueError(
        f"Unknown preset: neither a shipped one nor a directory. Received: '{preset}'. "
        f"{nearest(name, names)}"
    )


def hub_client(module, extra):
    try:
        return __import__(module)
    except ImportError as error:
        raise ImportError(
            f"Presets from {extra}:// need the package {module}. "
            f"Run: pip install 'keras_aevae[{extra}]'"
        ) from error


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
