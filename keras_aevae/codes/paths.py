"""Paths between codes: arrays a and b of shape (..., latent_dim), and positions t from 0 to 1."""

import numpy as np


def linear_path(a, b, t):
    return a + t * (b - a)


def spherical_path(a, b, t):
    norm = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.sum(a * b, axis=-1, keepdims=True) / np.maximum(norm, 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    # Where the angle is 0 or straight, the arc isn't defined: take the line.
    safe = np.where(np.sin(angle) < 1e-6, 1.0, angle)
    arc = (np.sin((1 - t) * safe) * a + np.sin(t * safe) * b) / np.sin(safe)
    return np.where(np.sin(angle) < 1e-6, linear_path(a, b, t), arc)


PATHS = {"linear": linear_path, "spherical": spherical_path}
