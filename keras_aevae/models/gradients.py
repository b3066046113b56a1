"""Where gradients go: through a part of a model without reaching its weights."""

import contextlib

import keras
from keras import ops


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
        for part in layer._flatten_layers()
    ):
        return contextlib.nullcontext()
    import torch
    from torch.fx.experimental.proxy_tensor import get_proxy_mode

    if get_proxy_mode() is not None:
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


class Routed:
    """A mixin of models whose encoder and decoder are trained on log-weights of their own.

    These are equal in value. Where `routed`, the decoder, run twice in training, gives both:
    gradients of the first reach the decoder and the prior, those of the second the encoder. (A
    compiler that sees that the values are the same runs it once.)
    """

    # Whether there are two; else one pass gives the gradients of all.
    routed = True
    # What of the posterior passes no gradient, so that the encoder's comes through the rest.
    stops = ()

    def generate(self, outputs, training=None):
        if not (training and self.routed):
            return super().generate(outputs, training)
        # The frozen pass first: it leaves no trace, so both have the same dropout.
        with frozen(self):
            to_encoder = super().generate(outputs, training)
        to_decoder = super().generate({**outputs, "z": ops.stop_gradient(outputs["z"])}, training)
        return {**to_decoder, "frozen_decoder_output": to_encoder["decoder_output"]}

    def route(self, outputs):
        """`(to_decoder, to_encoder)`: `outputs` whose gradients go there and nowhere else, the
        second to be used within `frozen(self)`. Without routing `(outputs, None)`."""
        if "frozen_decoder_output" not in outputs:
            return outputs, None
        outputs = dict(outputs)
        to_encoder = {**outputs, "decoder_output": outputs.pop("frozen_decoder_output")}
        stopped = {name: ops.stop_gradient(value) for name, value in outputs.items()}
        to_encoder |= {name: stopped[name] for name in self.stops}
        return {**stopped, "decoder_output": outputs["decoder_output"]}, to_encoder
