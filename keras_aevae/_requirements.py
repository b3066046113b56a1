"""What must be there before the library can load: a backend, and a Keras that is new enough."""

import importlib.util
import os

KERAS_FLOOR = (3, 15, 1)
BACKENDS = ("jax", "tensorflow", "torch")
INSTALL = "pip install 'keras_aevae[jax]' (or [tensorflow], or [torch])"


def installed_backends():
    """Names of the backends that are installed, fastest to start first."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def check_requirements():
    """Import Keras, or raise an ImportError that says what to install or to set."""
    installed = installed_backends()
    if not installed:
        raise ImportError(
            f"keras_aevae needs one of the backends {', '.join(BACKENDS)}; none is installed. "
            f"Run: {INSTALL}"
        )
    try:
        import keras
    except ImportError as error:
        chosen = os.environ.get("KERAS_BACKEND") or "tensorflow, Keras's default"
        raise ImportError(
            f"Keras could not load its backend ({chosen}): {error}. Installed here: "
            f"{', '.join(installed)}. Choose one before importing Keras, such as "
            f"KERAS_BACKEND={installed[0]}, or run: {INSTALL}"
        ) from error
    received = tuple(int(part) for part in keras.version().split(".")[:3] if part.isdigit())
    if received < KERAS_FLOOR:
        raise ImportError(
            f"keras_aevae needs keras>={'.'.join(map(str, KERAS_FLOOR))}. Received: keras "
            f"{keras.version()}. Run: pip install --upgrade keras"
        )
