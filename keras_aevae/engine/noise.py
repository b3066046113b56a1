"""Uniform and normal noise, float32, drawn from a seed generator.

This is `keras.random` with one difference: on PyTorch a draw, including its seed, is one operation
on tensors (`torch_noise.py`), so that a recorded step (`keras_aevae/engine/recorded.py`) draws anew
each time. The numbers are those of `keras.random`.
"""

import zlib

import keras
import numpy as np

from keras_aevae.engine.replicas import SEED_SPACING


def another_seed(seed, purpose):
    """Return an integer seed for a second draw, which is independent of the draw with `seed`.

    Two draws with one seed would give the same numbers. `purpose`, a text, names the second draw;
    another purpose gives another seed. If `seed` is None, the result is None.
    """
    if seed is None:
        return None
    words = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]).generate_state(1)
    return int(words[0] >> 1)


def noise_states(model):
    """Return the states of all generators of noise in `model` and its layers: variables."""
    return [v for v in model.variables if v.path.endswith("seed_generator_state")]


def start_noise(states, seed):
    """Start generators anew from the integer `seed`: the first from `seed` itself, as if made with
    it, others from seeds far from it."""
    for i, state in enumerate(states):
        start = np.array([(seed + i * SEED_SPACING) % 2**31, 0])
        state.assign(keras.ops.cast(start, state.dtype))


def normal(shape, seed=None):
    """Draw noise from N(0, 1). `seed` is an integer, a `keras.random.SeedGenerator` or None."""
    if keras.backend.backend() == "torch" and isinstance(seed, keras.random.SeedGenerator):
        from keras_aevae.engine import torch_noise

        return torch_noise.operations.normal(seed.next(), list(shape))
    return keras.random.normal(shape, dtype="float32", seed=seed)


def uniform(shape, seed=None):
    """Draw noise from the uniform distribution on [0, 1)."""
    if keras.backend.backend() == "torch" and isinstance(seed, keras.random.SeedGenerator):
        from keras_aevae.engine import torch_noise

        return torch_noise.operations.uniform(seed.next(), list(shape))
    return keras.random.uniform(shape, dtype="float32", seed=seed)
