"""Gradients in NumPy, for the models' own to be held against."""

import numpy as np


def central_differences(f, weights, name, h=1e-6):
    """Return the derivatives of f(weights), a number, by the array `weights[name]`."""
    x = weights[name]
    result = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        result[i] = (f({**weights, name: up}) - f({**weights, name: down})) / (2 * h)
    return result
