"""Checks of the places that are written to, made before any work begins."""

import os
import tempfile
from pathlib import Path


def check_folder(name, path):
    """Return `path` with `~` expanded if it is a folder, or can become one, in which files can be
    made; else raise an error that calls it `name`. Nothing is left behind."""
    folder = expanded(name, path)
    place = folder.absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        what = "is a file" if place.is_file() else "is neither a folder nor a file"
        raise ValueError(
            f"`{name}` must be a folder, or the path of a new one. Received: {str(path)!r}, but "
            f"'{place}' {what}. Choose another path."
        )
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise ValueError(
            f"`{name}` must be a place that can be written to. Received: {str(path)!r}, but no "
            f"file can be made in '{place}' ({error.strerror}). Choose another path."
        ) from error
    return folder


def check_file(name, path):
    """Return `path` with `~` expanded if it is a file that can be written, or the path of a new
    one; else raise an error that calls it `name`. The file isn't changed."""
    file = expanded(name, path)
    check_folder(name, file.parent)
    if os.path.lexists(file):
        try:
            if not file.is_file():
                raise OSError(0, "it is no file")
            with file.open("r+b"):
                pass
        except OSError as error:
            raise ValueError(
                f"`{name}` must be a file that can be written, or the path of a new one. Received: "
                f"'{file}', which can't be written ({error.strerror}). Choose another path."
            ) from error
    return file


def expanded(name, path):
    """Return a path of one character or more, with `~` expanded."""
    if not os.fspath(path):
        raise ValueError(f"`{name}` must be a path. Received: {name}=''.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"`{name}` must be a path. Received: {str(path)!r}, which begins with the home folder "
            "of an unknown user. Write the path without '~'."
        ) from error
