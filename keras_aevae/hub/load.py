"""Read a preset: every check comes before the model is returned."""

import contextlib
import hashlib
import threading

import keras

from keras_aevae._checks import nearest
from keras_aevae.engine.private import no_random_starts
from keras_aevae.hub.allow_list import check_config
from keras_aevae.hub.store import CONFIG, FORMAT, METADATA, WEIGHTS, read_json, resolve


def load(cls, preset, load_weights=True, overrides=None):
    """Return the model of `preset`, which must be a `cls`. See `Autoencoder.from_preset`."""
    directory = resolve(preset)
    metadata = read_json(directory / METADATA)
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"'{directory / METADATA}' has a format that this version doesn't know. Received: "
            f"format={metadata.get('format')!r}, known: {FORMAT}. Update keras_aevae."
        )
    config = read_json(directory / CONFIG)
    check_config(config, directory / CONFIG)
    name = config.get("registered_name")
    found = keras.saving.get_registered_object(name) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, cls)):
        raise ValueError(
            f"The preset '{preset}' holds a model of class {name!r}, not a {cls.__name__}. "
            f"{cls.__name__}.presets: {', '.join(cls.presets) or 'none'}."
        )
    if not isinstance(config.get("config"), dict):
        raise ValueError(f"The preset is damaged: '{directory / CONFIG}' holds no arguments.")
    for argument in overrides or {}:
        if argument not in config["config"]:
            raise ValueError(
                f"Unknown argument of {found.__name__}. Received: {argument}="
                f"{overrides[argument]!r}. {nearest(argument, config['config'])}"
            )
    if load_weights:
        check_sha256(directory / WEIGHTS, metadata.get("weights_sha256"))
    # An argument that the caller chose is no damage: its error is shown as it is.
    damage = (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        *(() if overrides else (ValueError,)),
    )
    try:
        with ONE_AT_A_TIME, no_random_starts() if load_weights else contextlib.nullcontext():
            model = found.from_config({**config["config"], **(overrides or {})})
    except damage as error:
        raise ValueError(
            f"The preset is damaged: '{directory / CONFIG}' makes no {found.__name__} ({error!r})."
        ) from error
    if load_weights:
        try:
            model.load_weights(directory / WEIGHTS)
        except (KeyError, OSError, ValueError) as error:
            why = str(error).partition("\n")[0]
            raise ValueError(
                "The preset is damaged, or the arguments change its shapes: "
                f"'{directory / WEIGHTS}' doesn't hold the weights of this {found.__name__} "
                f"({why}). Received: {', '.join(overrides or ()) or 'no arguments'}."
            ) from error
    return model


ONE_AT_A_TIME = threading.RLock()


def check_sha256(path, expected):
    """Raise an error unless the file exists and has the hash that the metadata holds."""
    if not path.is_file():
        raise ValueError(
            f"The preset is incomplete: '{path}' is missing. Restore it, or pass "
            "load_weights=False for the architecture alone."
        )
    with path.open("rb") as file:
        received = hashlib.file_digest(file, "sha256").hexdigest()
    if received != expected:
        raise ValueError(
            f"The preset is damaged: '{path}' fails its sha256 check. Expected {expected}, "
            f"received {received}. Restore the file."
        )
