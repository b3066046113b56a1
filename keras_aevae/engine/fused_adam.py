"""Keras's Adam in one pass over the memory of a weight, instead of a dozen.

Keras computes it by a dozen operations on tensors, which XLA and `torch.compile` fuse into one.
Otherwise PyTorch and TensorFlow have kernels for it, which are called here so that they compute the
same as Keras:

    w -= alpha m / (sqrt(v) + epsilon),  alpha = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
"""

import contextlib
import functools

import keras
from keras import ops

from keras_aevae.engine import private


@contextlib.contextmanager
def fused_adam(optimizer):
    """Return a scope in which `optimizer`, or the parts of it that are Keras's Adam, use the
    kernel."""
    hook, update = {
        "torch": (private.PARALLEL_UPDATE, update_all_on_torch),
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
    """Return whether it is exactly Keras's Adam: a subclass may have its own update."""
    kind = type(optimizer)
    return kind.__name__ == "Adam" and kind.__module__.startswith("keras.")


def alpha_of(optimizer, learning_rate, dtype):
    step = ops.cast(optimizer.iterations + 1, dtype)
    correction = ops.sqrt(1 - optimizer.beta_2**step) / (1 - optimizer.beta_1**step)
    return ops.cast(learning_rate, dtype) * correction


def update_all_on_torch(optimizer, gradients, variables, learning_rate):
    import torch

    kernel, state = private.fused_adam_kernel(), private.adam_state(optimizer, variables)
    kinds = {(v.value.dtype, v.value.device.type) for v in variables}
    known = kinds in ({(torch.float32, "cpu")}, {(torch.float32, "cuda")})
    if kernel is None or state is None or not known:
        return private.parallel_update(optimizer, gradients, variables, learning_rate)
    alpha = alpha_of(optimizer, learning_rate, "float32")
    # PyTorch's own bias correction is 1 after very many steps.
    late = torch.full((), 1e9, device=alpha.device)
    kernel(
        [v.value for v in variables],
        list(gradients),
        *([v.value for v in moments] for moments in state),
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
    state = private.adam_state(optimizer, [variable])
    if sparse or state is None or optimizer.amsgrad or tf.distribute.has_strategy():
        return type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
    [m], [v], _ = state
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=m.value.handle,
        v=v.value.handle,
        # The kernel's own bias correction is 1 where the powers of beta are 0.
        beta1_power=tf.zeros((), variable.dtype),
        beta2_power=tf.zeros((), variable.dtype),
        lr=alpha_of(optimizer, learning_rate, variable.dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, variable.dtype),
    )
