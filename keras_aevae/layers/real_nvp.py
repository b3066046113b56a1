"""Affine coupling: a flow whose two directions are equally fast.

Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP,
https://arxiv.org/abs/1605.08803
"""

import keras
from keras import ops

from keras_aevae.layers.flow import Conditioner, Flow

# The log of the largest scale of one step. With larger ones, training is less stable.
LOG_SCALE_BOUND = 2.0


@keras.saving.register_keras_serializable(package="keras_aevae")
class RealNVP(Flow):
    """A flow of steps in which one half of z scales and shifts the other half.

        z'_a = z_a,   z'_b = z_b exp(s(z_a, h)) + t(z_a, h)                       (equations 4, 5)
        log |det dz'/dz| = sum s(z_a, h)                                               (equation 6)

    s and t are the outputs of a network; |s| is below 2. The halves change roles between steps.
    Good for: densities that must be both evaluated at any z and drawn from, each in one pass.
    Misleads as a cheap replacement of an autoregressive flow: a step changes only half of the
    dimensions, so it takes several steps to bend them all. At first the flow is the identity.

    Args:
        num_steps: number of steps; with 2 or more, each dimension is changed.
        hidden: numbers of units of the hidden layers of each step's network.
        seed: integer seed of the initial weights, or None for a random one.

    Call arguments:
        z: shape (..., latent_dim), with 2 or more latent dimensions.
        context: what s and t depend on beside z, shape (..., context_dim); None for nothing.

    Returns:
        z', of the shape of z, and log |det dz'/dz| in nats, shape (...). `forward` is the same;
        `inverse` goes back. All are float32 whatever the dtype policy.

    Raises:
        ValueError: if z has one dimension.

    Example:

    ```python
    import numpy as np
    from keras_aevae.layers import RealNVP
    z = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    flow = RealNVP(num_steps=4, hidden=(32,))
    image, log_det = flow(z)  # (8, 3) and (8,)
    start, _ = flow.inverse(image)  # z again
    ```
    """

    def build(self, z_shape, context_shape=None):
        if z_shape[-1] < 2:
            raise ValueError(
                "RealNVP needs 2 or more latent dimensions, of which one part changes the other. "
                f"Received: {z_shape[-1]}. Take an autoregressive flow, or a mixture for a prior."
            )
        super().build(z_shape, context_shape)

    def make_step(self, index, latent_dim, context_dim, **settings):
        return AffineCoupling(latent_dim, context_dim, second_half=index % 2 == 0, **settings)


class AffineCoupling(keras.layers.Layer):
    """One step, which changes the second half of z, or the first."""

    def __init__(self, latent_dim, context_dim, hidden, second_half=True, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.half = latent_dim // 2
        self.second_half = second_half
        changed = latent_dim - self.half if second_half else self.half
        sizes = (latent_dim - changed, *hidden, 2 * changed)
        self.conditioner = Conditioner(sizes, context_dim, seed=seed, dtype=self.dtype_policy)
        self.built = True

    def halves(self, z):
        """Return the half of z that is kept and the one that is changed."""
        first, second = z[..., : self.half], z[..., self.half :]
        return (first, second) if self.second_half else (second, first)

    def joined(self, kept, changed):
        # The context, and so the changed half, may have more axes than z.
        kept = ops.broadcast_to(kept, (*ops.shape(changed)[:-1], kept.shape[-1]))
        return ops.concatenate([kept, changed] if self.second_half else [changed, kept], axis=-1)

    def scale_and_shift(self, kept, context):
        log_scale, shift = ops.split(self.conditioner(kept, context), 2, axis=-1)
        return LOG_SCALE_BOUND * ops.tanh(log_scale / LOG_SCALE_BOUND), shift

    def forward(self, z, context=None):
        kept, changed = self.halves(z)
        log_scale, shift = self.scale_and_shift(kept, context)
        changed = changed * ops.exp(log_scale) + shift
        return self.joined(kept, changed), ops.sum(log_scale, axis=-1)

    def inverse(self, z, context=None):
        kept, changed = self.halves(z)
        log_scale, shift = self.scale_and_shift(kept, context)
        changed = (changed - shift) * ops.exp(-log_scale)
        return self.joined(kept, changed), -ops.sum(log_scale, axis=-1)
