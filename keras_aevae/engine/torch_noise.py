"""Operations for PyTorch, `normal(seed, shape)` and `uniform(seed, shape)`, which depend on nothing
but their arguments."""

import torch


def generator(seed):
    # As Keras computes it from the two numbers of a seed generator's state.
    return torch.Generator(seed.device).manual_seed(int(seed.sum()) & 0xFFFFFFFF)


def like(seed):
    return {"generator": generator(seed), "device": seed.device, "dtype": torch.float32}


def normal(seed, shape):
    return torch.normal(0.0, 1.0, shape, **like(seed))


def uniform(seed, shape):
    return torch.rand(shape, **like(seed))


def empty(seed, shape):
    return torch.empty(shape, device=seed.device, dtype=torch.float32)


library = torch.library.Library("keras_aevae", "FRAGMENT")
for draw in (normal, uniform):
    library.define(f"{draw.__name__}(Tensor seed, SymInt[] shape) -> Tensor")
    library.impl(draw.__name__, draw, "CompositeExplicitAutograd")
    torch.library.register_fake(f"keras_aevae::{draw.__name__}", empty, lib=library)
operations = torch.ops.keras_aevae
