"""Uniform and normal noise, float32, drawn from a seed generator.

`keras.random`, but for one thing: on PyTorch the draw is one operation on tensors, the seed
included, so that a recorded step (`keras_aevae/models/recorded.py`) draws anew each time. The
numbers are those of `keras.random`.
"""

import functools

import keras


def normal(shape, seed=None):
    """Noise from N(0, 1). `seed` is an integer, a `keras.random.SeedGenerator` or None."""
    if keras.backend.backend() == "torch" and isinstance(seed, keras.random.SeedGenerator):
        return torch_operations().normal(seed.next(), list(shape))
    return keras.random.normal(shape, dtype="float32", seed=seed)


def uniform(shape, seed=None):
    """Noise from the uniform distribution on [0, 1)."""
    if keras.backend.backend() == "torch" and isinstance(seed, keras.random.SeedGenerator):
        return torch_operations().uniform(seed.next(), list(shape))
    return keras.random.uniform(shape, dtype="float32", seed=seed)


@functools.cache
def torch_operations():
    """PyTorch's operations `normal(seed, shape)` and `uniform(seed, shape)`, registered once."""
    import torch

    def generator(seed):
        # As Keras makes it of the two numbers of a seed generator's state.
        return torch.Generator(seed.device).manual_seed(int(seed.sum()) & 0xFFFFFFFF)

    def normal(seed, shape):
        return torch.normal(0.0, 1.0, shape, generator=generator(seed), device=seed.device)

    def uniform(seed, shape):
        return torch.rand(shape, generator=generator(seed), device=seed.device)

    def empty(seed, shape):
        return torch.empty(shape, device=seed.device, dtype=torch.float32)

    LIBRARY.append(torch.library.Library("keras_aevae", "FRAGMENT"))
    for draw in (normal, uniform):
        name = draw.__name__
        LIBRARY[0].define(f"{name}(Tensor seed, SymInt[] shape) -> Tensor")
        LIBRARY[0].impl(name, draw, "CompositeExplicitAutograd")
        torch.library.register_fake(f"keras_aevae::{name}", empty, lib=LIBRARY[0])
    return torch.ops.keras_aevae


LIBRARY = []  # PyTorch forgets the operations of a library that is let go
