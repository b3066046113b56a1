"""Are the paths between codes straight and even in the data?"""

import math

import numpy as np

from keras_aevae.latent.measures._arrays import as_array, check_finite

REMEDY = "Paths are such as what model.interpolate(start, end) returns."


def path_length(path):
    """Return the length of decoded paths, relative to the straight line between their ends.

        mean over paths of sum_t |x_(t+1) - x_t| / |x_end - x_start|

    It is the curve length of Chen et al. 2018 (https://arxiv.org/abs/1711.01204) over its chord.

    Range: from 1 up. 1: a straight line. Paths whose ends coincide are left out.

    Good for: detours in a feature space, and decoders that wander between two inputs. Misleads on
    pixels, where the straight line is a cross-fade, which is as short as possible and not an image
    of the data: use features, or read it beside the Fréchet distance of the mid-points to the data.
    It also grows with the number of steps, which show more of a bend: compare equal numbers.

    Args:
        path: decoded points, shape (n, steps, ...), at least 2 steps, such as the result of
            `model.interpolate(start, end)`, or features of it.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import latent
    corner = [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]]
    latent.path_length(corner)  # 1.414: 2 / sqrt(2)
    ```
    """
    path = check_path(path)
    chord = np.linalg.norm(path[:, -1] - path[:, 0], axis=1)
    moved = chord > 0
    if not moved.any():
        raise ValueError(
            "`path` must hold a path or more whose ends differ, or there is no line to compare it "
            f"with. Received: {len(path)} paths that end where they start."
        )
    return float(np.mean(step_lengths(path).sum(axis=1)[moved] / chord[moved]))


def step_uniformity(path):
    """Return how even the steps of decoded paths are: the mean step over the largest one.

        mean over paths of mean_t |x_(t+1) - x_t| / max_t |x_(t+1) - x_t|

    Range: 1 / (steps - 1) (all the change in one jump) to 1 (even steps). Paths that don't move are
    left out.

    Good for: detecting that a decoder jumps from one kind of data to another. Misleads on pixels,
    where a cross-fade is perfectly even and yet not an image of the data: use features, or read it
    beside the Fréchet distance of the mid-points to the data. Compare equal numbers of steps.

    Args:
        path: decoded points, shape (n, steps, ...), at least 2 steps, such as the result of
            `model.interpolate(start, end)`, or features of it.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import Autoencoder, datasets, latent
    ae = Autoencoder.from_preset("ae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    latent.step_uniformity(ae.interpolate(x_test[:20], x_test[20:40]))
    ```
    """
    lengths = step_lengths(check_path(path))
    largest = lengths.max(axis=1)
    moved = largest > 0
    if not moved.any():
        raise ValueError(
            "`path` must hold a path or more that moves. Received: "
            f"{len(lengths)} paths that stay where they are."
        )
    return float(np.mean(lengths.mean(axis=1)[moved] / largest[moved]))


def check_path(path):
    """Return `path` as a finite float64 array (n, steps, values), at least 2 steps; else raise."""
    path = as_array("path", path, "an array of shape (n, steps, ...)", REMEDY)
    path = path.astype("float64", copy=False)
    if path.ndim < 3 or path.shape[1] < 2 or path.size == 0:
        raise ValueError(
            "`path` must have shape (n, steps, ...) with at least 2 steps. Received: "
            f"shape {path.shape}. {REMEDY}"
        )
    check_finite("path", path)
    return path.reshape(*path.shape[:2], math.prod(path.shape[2:]))


def step_lengths(path):
    """Return |x_(t+1) - x_t|, shape (n, steps - 1)."""
    return np.linalg.norm(np.diff(path, axis=1), axis=2)
