"""Where gradients go: through a part of a model without reaching its weights."""

import contextlib

import keras
from keras import ops

from keras_aevae.engine import private


@contextlib.contextmanager
def frozen(layer):
    """A scope in which the weights of `layer` are constants.

    Gradients pass through what is computed in it, and not into those weights; and nothing that it
    does to the layer's state (moving averages, seeds) stays.

    ```python
    with frozen(discriminator):
        logits = discriminator(z)  # a gradient for z, none for the discriminator
    ```
    """
    trainable = {id(v) for v in layer.trainable_variables}
    # All of the layer's variables: within the scope, one that isn't named would be read as it was
    # before the training step began.
    values = [
        (v, ops.stop_gradient(v.value) if id(v) in trainable else v.value) for v in layer.variables
    ]
    with global_noise_kept(layer), keras.StatelessScope(values):
        yield


def global_noise_kept(layer):
    """A scope after which PyTorch's global generator is as before it: a Dropout without a seed
    draws from it, and not from a state of its own, on that backend."""
    if keras.backend.backend() != "torch" or not any(
        isinstance(part, keras.layers.Dropout) and part.rate and part.seed is None
        for part in private.layers_within(layer)
    ):
        return contextlib.nullcontext()
    import torch

    if private.is_recording():
        raise RuntimeError("what the global generator was can't be part of a recorded step")
    return torch.random.fork_rng()


def after_forward(loss):
    """`loss`, whose gradients are computed after itself.

    TensorFlow drops the edges by which an update waits for an earlier read of the same weights,
    where it believes the update to be later anyway because of the optimizer's all-reduce, which it
    then drops too (tensorflow 2.21). What `frozen` reads, on which no gradient of those weights
    depends, may then be read after the update. Gradients that wait for the loss wait for all that
    was read for it.
    """
    if keras.backend.backend() != "tensorflow":
        return loss
    import tensorflow as tf

    @tf.custom_gradient
    def waiting(loss):
        def gradient(upstream):
            with tf.control_dependencies([loss]):
                return tf.identity(upstream)

        return tf.identity(loss), gradient

    return waiting(loss)
