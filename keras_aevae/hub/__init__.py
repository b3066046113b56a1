"""Presets: pretrained models by name and version, checked before they are loaded."""

from keras_aevae.hub.load import load
from keras_aevae.hub.save import save
from keras_aevae.hub.store import (
    Presets,
    check_free,
    is_preset,
    preset_names,
    read_metadata,
    resolve,
)

__all__ = [
    "Presets",
    "check_free",
    "is_preset",
    "load",
    "preset_names",
    "read_metadata",
    "resolve",
    "save",
]
