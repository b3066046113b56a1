"""Control of where gradients go, and gradients that are part of a loss."""

import contextlib

import keras
from keras import ops

from keras_aevae.engine import private


@contextlib.contextmanager
def frozen(*layers):
    """Open a scope in which the weights of `layers` are constants. Other weights aren't affected.

    Gradients pass through what is computed in it, but not into those weights, and changes of any
    layer's state (moving averages, seeds) are dropped at its end. Scopes may be nested.

    ```python
    import keras
    from keras_aevae.engine.gradients import frozen
    discriminator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with frozen(discriminator):
        logits = discriminator(keras.ops.ones((3, 4)))  # no gradient for the discriminator
    ```
    """
    values = [
        (v, ops.stop_gradient(v.value)) for layer in layers for v in layer.trainable_variables
    ]
    with global_noise_kept(layers), Within(private.stateless_scope(), values):
        yield


class Within(keras.StatelessScope):
    """A scope within the scope `outer`, if there is one: a variable without a value of its own has
    the value from there, such as JAX's newest and those of another `frozen`."""

    def __init__(self, outer, values):
        super().__init__(values)
        self.outer = outer

    def get_current_value(self, variable):
        value = super().get_current_value(variable)
        if value is None and self.outer is not None:
            return self.outer.get_current_value(variable)
        return value


def global_noise_kept(layers):
    """Return a scope after which PyTorch's global generator is as before it. On that backend a
    Dropout without a seed draws from this generator, not from a state of its own."""
    if keras.backend.backend() != "torch" or not any(
        isinstance(part, keras.layers.Dropout) and part.rate and part.seed is None
        for layer in layers
        for part in private.layers_within(layer)
    ):
        return contextlib.nullcontext()
    import torch

    if private.is_recording():
        raise RuntimeError("what the global generator was can't be part of a recorded step")
    return torch.random.fork_rng()


def after_forward(loss):
    """Return `loss`, whose gradients are computed after the loss itself.

    TensorFlow removes the dependency of an update on an earlier read of the same weights if it
    believes that the update is later anyway because of the optimizer's all-reduce, which it then
    removes too (tensorflow 2.21). The weights that `frozen` reads have no gradient there, so the
    update might come before the read. Gradients that wait for the loss wait for everything that was
    read for it.
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


def gradient_of(f, x):
    """Return the gradient d sum(f(x)) / dx: shape and dtype of `x`, differentiable once more.

    It can be used in a loss, within `terms` or `compute_loss`: the training step's own gradient
    passes through it, to the weights that `f` uses and to everything that `x` was computed from.
    Within `evaluate` it is an ordinary number.

    Good for: gradient penalties, where f is a network and each example's row of the result is the
    gradient of its own output (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028; Ghosh et
    al. 2020, https://arxiv.org/abs/1903.12436); a contractive autoencoder (Rifai et al. 2011),
    whose squared Jacobian |J|^2 is the mean of |gradient_of(lambda x: v * encoder(x), x)|^2 over
    random signs v; the weight of an adversary in a VQGAN, which is a ratio of two gradients with
    respect to the kernel of the last layer (Esser et al. 2021, https://arxiv.org/abs/2012.09841).

    Misleads when the examples of a batch depend on each other, as under batch normalisation in
    training: the sum then mixes their gradients. It costs one backward pass in the step's forward
    pass, and another one through it.

    Args:
        f: function of one tensor, to a tensor of any shape. Everything else that it uses is
            constant, even if it was computed from `x`. It must not assign values that depend on `x`
            to variables: call batch normalisation with training=False.
        x: a tensor of floating point numbers, or a Keras variable's value. `f` must compute its
            result from this tensor, not from what was computed of it before.

    Example, the gradient penalty of a decoder:

    ```python
    from keras import ops
    from keras_aevae import VAE, networks
    from keras_aevae.engine.gradients import gradient_of

    class Smooth(VAE):
        def terms(self, x, outputs):
            slope = gradient_of(self.decoder, outputs["z_mean"])
            return {**super().terms(x, outputs), "penalty": ops.sum(slope**2, axis=-1)}

        def coefficients(self):
            return {**super().coefficients(), "penalty": 0.1}

    model = Smooth(*networks.mlp((8, 8, 1), latent_dim=2))
    ```
    """
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(
            "`x` must hold floating point numbers, for a gradient with respect to them. "
            f"Received: x of dtype {dtype}. Cast it first: ops.cast(x, 'float32')."
        )
    own = {"jax": gradient_on_jax, "tensorflow": gradient_on_tensorflow, "torch": gradient_on_torch}
    return own[keras.backend.backend()](lambda x: ops.sum(f(x)), x)


def gradient_on_jax(scalar, x):
    import jax

    return jax.grad(scalar)(x)


def gradient_on_tensorflow(scalar, x):
    import tensorflow as tf

    x = tf.identity(x)  # if `f` also uses the tensor that was given, that one is a constant
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = scalar(x)
    return tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def gradient_on_torch(scalar, x):
    import torch

    training = torch.is_grad_enabled()
    with torch.enable_grad():
        # A new tensor, so that the one that was given is a constant if `f` also uses it. It must
        # require a gradient, even if `x` doesn't.
        x = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
        value = scalar(x)
        if not value.requires_grad:
            return torch.zeros_like(x)
        [gradient] = torch.autograd.grad(
            value, [x], create_graph=training, allow_unused=True, materialize_grads=True
        )
    return gradient
