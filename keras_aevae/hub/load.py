"""Read a preset: every check comes before the model is handed out."""

import contextlib
import hashlib
import threading

import keras
import numpy as np

from keras_aevae._checks import nearest
from keras_aevae.hub.allow_list import check_config
from keras_aevae.hub.store import CONFIG, FORMAT, METADATA, WEIGHTS, read_json, resolve


def load(cls, preset, load_weights=True, overrides=None):
    """The model of `preset`, which must be a `cls`. See `Autoencoder.from_preset`."""
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
    try:
        with ONE_AT_A_TIME, no_random_starts() if load_weights else contextlib.nullcontext():
            model = found.from_config({**config["config"], **(overrides or {})})
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"The preset is damaged: '{directory / CONFIG}' makes no {found.__name__} ({error!r})."
        ) from error
    if load_weights:
        model.load_weights(directory / WEIGHTS)
    return model


ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def no_random_starts():
    """Within it, what this thread builds starts from zeros, for weights that are about to be read.

    JAX compiles each random start, shape by shape: some seconds for a model that reads in a tenth
    of one.
    """
    thread = threading.get_ident()

    def zeros_here(random):
        def call(self, shape, dtype=None, **kwargs):
            if threading.get_ident() != thread:
                return random(self, shape, dtype=dtype, **kwargs)
            return keras.ops.convert_to_tensor(np.zeros(shape, "float32"), dtype)

        return call

    base = keras.initializers.RandomNormal.__base__  # of all that are random
    classes = {c for c in vars(keras.initializers).values() if isinstance(c, type)}
    random = [c for c in classes if issubclass(c, base) and "__call__" in vars(c)]
    replaced = [(c, c.__call__) for c in random]
    for c, call in replaced:
        c.__call__ = zeros_here(call)
    try:
        yield
    finally:
        for c, call in replaced:
            c.__call__ = call


def check_sha256(path, expected):
    """Raise unless the file is there and is the one whose hash the metadata holds."""
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
