"""PyTorch on a CPU: what an optimizer keeps is kept out of the denormal numbers.

The moments of a weight without gradient, such as that of a dark pixel, shrink into float32's
denormal numbers, with which processors compute many times slower, and where rounding keeps them
from 0. XLA and TensorFlow take these for 0. PyTorch does so in the thread that calls
`torch.set_flush_denormal(True)` and in those that it starts afterwards, which is the user's to do.
"""

import torch

# What is taken for 0, and every how many steps: a moment that shrinks by 0.9 a step is 2e-38 by
# then, and the denormal numbers begin at 1e-38.
NEGLIGIBLE, EVERY = 1e-37, 16


def flush(optimizer):
    """Put 0 in place of what is negligible in the variables of `optimizer`."""
    for variable in optimizer.variables:
        value = variable.value.detach()
        if value.dtype == torch.float32 and value.device.type == "cpu":
            value.copy_(torch.nn.functional.hardshrink(value, NEGLIGIBLE))
