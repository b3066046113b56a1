"""Uniform and normal noise, float32, drawn from a seed generator.

`keras.random`, but for one thing: on PyTorch the draw is one operation on tensors, the seed
included, so that a recorded step (`keras_aevae/models/recorded.py`) draws anew each time. The
numbers are those of `keras.random`.
"""

import keras


def normal(shape, seed=None):
    """Noise from N(0, 1). `seed` is an integer, a `keras.random.SeedGenerator` or None."""
    if keras.backend.backend() == "torch" and isinstance(seed, keras.random.SeedGenerator):
        return torch_operation("normal")(seed.next(), list(shape))
    return keras.random.normal(shape, dtype="float32", seed=seed)


def uniform(shape, seed=None):
    """Noise from the uniform distribution on [0, 1)."""
    if keras.backend.backend() == "torch" and isinstance(seed, keras.random.SeedGenerator):
        return torch_operation("uniform")(seed.next(), list(shape))
    return keras.random.uniform(shape, dtype="float32", seed=seed)


OPERATIONS = {}


def torch_operation(name):
    """The PyTorch operation `keras_aevae::name(seed, shape)`, registered once."""
    if not OPERATIONS:
        import torch

        def generator(seed):
            # As Keras makes it of the two numbers of a seed generator's state.
            return torch.Generator(seed.device).manual_seed(int(seed.sum()) & 0xFFFFFFFF)

        def normal(seed: torch.Tensor, shape: list[int]) -> torch.Tensor:
            device = seed.device
            return torch.normal(0.0, 1.0, size=shape, generator=generator(seed), device=device)

        def uniform(seed: torch.Tensor, shape: list[int]) -> torch.Tensor:
            return torch.rand(shape, generator=generator(seed), device=seed.device)

        operations = {}
        for draw in (normal, uniform):
            operation = torch.library.custom_op(
                f"keras_aevae::{draw.__name__}", draw, mutates_args=()
            )
            operation.register_fake(
                lambda seed, shape: torch.empty(shape, device=seed.device, dtype=torch.float32)
            )
            operations[draw.__name__] = operation
        OPERATIONS.update(operations)
    return OPERATIONS[name]
