"""The requirements of the library: a backend, and a recent enough Keras."""

import importlib.util
import json
import os
import pathlib
import sys

KERAS_FLOOR = (3, 15, 1)
BACKENDS = ("jax", "tensorflow", "torch")
INSTALL = "pip install 'keras_aevae[jax]' (or [tensorflow], or [torch])"


def installed_backends():
    """Return the names of the installed backends, the fastest to start first."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def configured_backend():
    """Return the backend of Keras's own settings: its config file, else its default."""
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    try:
        settings = json.loads((home / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    return (settings.get("backend") if isinstance(settings, dict) else None) or "tensorflow"


def choose_backend(installed):
    """Choose an installed backend if the user chose none and Keras's own choice isn't installed."""
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
        return
    if configured_backend() not in installed:
        os.environ["KERAS_BACKEND"] = installed[0]


def check_requirements():
    """Import Keras, or raise an ImportError that says what to install or to set.

    The command line, which imports this package before it can catch anything, ends with that line.
    """
    try:
        load_keras()
    except ImportError as error:
        if pathlib.Path(sys.argv[0]).stem == "keras-aevae":
            sys.exit(f"Error: {' '.join(str(error).split())}")
        raise


def load_keras():
    installed = installed_backends()
    if not installed:
        raise ImportError(
            f"keras_aevae needs one of the backends {', '.join(BACKENDS)}; none is installed. "
            f"Run: {INSTALL}"
        )
    choose_backend(installed)
    try:
        import keras
    except (ImportError, ValueError) as error:  # the latter of an unknown backend
        raise ImportError(
            f"Keras could not load its backend ({os.environ.get('KERAS_BACKEND')}): {error}. "
            f"Installed here: {', '.join(installed)}. Choose one before importing Keras, such as "
            f"KERAS_BACKEND={installed[0]}, or run: {INSTALL}"
        ) from error
    received = tuple(int(part) for part in keras.version().split(".")[:3] if part.isdigit())
    if received < KERAS_FLOOR:
        raise ImportError(
            f"keras_aevae needs keras>={'.'.join(map(str, KERAS_FLOOR))}. Received: keras "
            f"{keras.version()}. Run: pip install --upgrade keras"
        )
