"""PyTorch on a CPU: the state of an optimizer is kept out of the denormal numbers.

The moments of a weight without gradient, such as that of a dark pixel, shrink into float32's
denormal numbers, with which processors are many times slower, and rounding keeps them from becoming
0. XLA and TensorFlow treat these numbers as 0. PyTorch does so in the thread that calls
`torch.set_flush_denormal(True)` and in threads that it starts afterwards, which is left to the
user.
"""

import torch

# The numbers treated as 0, and the number of steps between two passes: a moment that shrinks by 0.9
# per step is 2e-38 by then, and the denormal numbers begin at 1e-38.
NEGLIGIBLE, EVERY = 1e-37, 16


def flush(optimizer):
    """Replace negligible numbers in the variables of `optimizer` by 0."""
    for variable in optimizer.variables:
        value = variable.value.detach()
        if value.dtype == torch.float32 and value.device.type == "cpu":
            value.copy_(torch.nn.functional.hardshrink(value, NEGLIGIBLE))
