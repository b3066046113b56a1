"""Keras's Adam in one pass over the memory of a weight, in place of a dozen.

Keras writes it as a dozen operations on tensors, of which XLA and `torch.compile` make one.
Elsewhere PyTorch and TensorFlow have kernels, given here what makes them compute as Keras does:

    w -= alpha m / (sqrt(v) + epsilon),  alpha = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
"""

import contextlib
import functools

import keras
from keras import ops


@contextlib.contextmanager
def fused_adam(optimizer):
    """A scope in which `optimizer`, or those in it that are Keras's Adam, use the kernel."""
    hook, update = {
        "torch": ("_parallel_update_step", update_all_on_torch),
        "tensorflow": ("update_step", update_one_on_tensorflow),
    }[keras.backend.backend()]
    adams = [each for each in getattr(optimizer, "optimizers", [optimizer]) if is_adam(each)]
    for adam in adams:
        vars(adam)[hook] = functools.partial(update, adam)
    try:
        yield
    finally:
        for adam in adams:
            del vars(adam)[hook]


def is_adam(optimizer):
    """Whether that and nothing else: no subclass, whose update may be its own."""
    kind = type(optimizer)
    return kind.__name__ == "Adam" and kind.__module__.startswith("keras.")


def alpha_of(optimizer, learning_rate, dtype):
    step = ops.cast(optimizer.iterations + 1, dtype)
    correction = ops.sqrt(1 - optimizer.beta_2**step) / (1 - optimizer.beta_1**step)
    return ops.cast(learning_rate, dtype) * correction


def update_all_on_torch(optimizer, gradients, variables, learning_rate):
    import torch

    kinds = {(v.value.dtype, v.value.device.type) for v in variables}
    if kinds not in ({(torch.float32, "cpu")}, {(torch.float32, "cuda")}):
        kind = type(optimizer)
        return kind._parallel_update_step(optimizer, gradients, variables, learning_rate)
    alpha = alpha_of(optimizer, learning_rate, "float32")

    def state(slots):
        return [slots[optimizer._get_variable_index(v)].value for v in variables]

    # PyTorch's own bias correction is 1 after very many steps.
    late = torch.full((), 1e9, device=alpha.device)
    torch._fused_adam_(
        [v.value for v in variables],
        list(gradients),
        state(optimizer._momentums),
        state(optimizer._velocities),
        state(optimizer._velocity_hats) if optimizer.amsgrad else [],
        [late] * len(variables),
        lr=alpha,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        weight_decay=0.0,
        eps=optimizer.epsilon,
        amsgrad=optimizer.amsgrad,
        maximize=False,
    )


def update_one_on_tensorflow(optimizer, gradient, variable, learning_rate):
    import tensorflow as tf

    sparse = isinstance(gradient, tf.IndexedSlices)
    if sparse or optimizer.amsgrad or tf.distribute.has_strategy():
        return type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
    index = optimizer._get_variable_index(variable)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        # The kernel's own bias correction is 1 where the powers of beta are 0.
        beta1_power=tf.zeros((), variable.dtype),
        beta2_power=tf.zeros((), variable.dtype),
        lr=alpha_of(optimizer, learning_rate, variable.dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, variable.dtype),
    )
