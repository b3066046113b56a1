"""Uniform and normal noise, float32, drawn from a seed generator.

This is `keras.random` with one difference: on PyTorch a draw, including its seed, is one operation
on tensors (`torch_noise.py`), so that a recorded step (`keras_aevae/engine/recorded.py`) draws anew
each time. The numbers are those of `keras.random`.
"""

import contextlib
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


def seeds_from(seed):
    """Return a function that returns the next of a sequence of seeds, which follows from the
    integer `seed`; of Nones, if `seed` is None."""
    generator = np.random.default_rng(seed)
    return lambda: None if seed is None else int(generator.integers(2**31))


def noise_states(model):
    """Return the states of all generators of noise in `model` and its layers: variables."""
    return [v for v in model.variables if v.path.endswith("seed_generator_state")]


def start_noise(states, seed):
    """Start generators anew from the integer `seed`: the first from `seed` itself, as if made with
    it, others from seeds far from it."""
    for i, state in enumerate(states):
        start = np.array([(seed + i * SEED_SPACING) % 2**31, 0])
        state.assign(keras.ops.cast(start, state.dtype))


@contextlib.contextmanager
def seeded(model, seed):
    """Within this scope the noise of `model` is that of the integer `seed`; afterwards its
    generators go on from where they were. With None nothing is changed."""
    if seed is None:
        yield
        return
    states = noise_states(model)
    before = [keras.ops.convert_to_numpy(state).copy() for state in states]
    start_noise(states, seed)
    try:
        yield
    finally:
        for state, value in zip(states, before):
            state.assign(value)


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
