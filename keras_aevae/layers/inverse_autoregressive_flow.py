"""The inverse autoregressive flow.

Kingma et al. 2016, Improved Variational Inference with Inverse Autoregressive Flow,
https://arxiv.org/abs/1606.04934
Germain et al. 2015, MADE: Masked Autoencoder for Distribution Estimation,
https://arxiv.org/abs/1502.03509 (the masks)
"""

import keras
import numpy as np
from keras import ops

from keras_aevae.layers.flow import Conditioner, Flow

# What is added to a gate's logit. As the paper advises, most of z is kept at first: sigmoid(2).
GATE = 2.0


@keras.saving.register_keras_serializable(package="keras_aevae")
class InverseAutoregressiveFlow(Flow):
    """A flow of steps in which each dimension is moved depending on those before it.

        z'_i = g_i z_i + (1 - g_i) m_i,   g_i = sigmoid(s_i),   (m_i, s_i) of z_1, ..., z_i-1 and h
        log |det dz'/dz| = sum_i log g_i                                         (algorithm 1)

    One masked network gives all m and s in one pass. The order of the dimensions is reversed
    between steps. Good for: posteriors that are drawn from in each step, in any number of
    dimensions, at the cost of one pass for each step. Misleads where the density of other points
    than its own draws is needed: `inverse` takes `latent_dim` passes for each step. At first each
    step multiplies z by sigmoid(2) = 0.88.

    Args:
        num_steps: number of steps; with 2 or more, each dimension depends on all others.
        hidden: numbers of units of the hidden layers of each step's network, at best
            `latent_dim` or more.
        seed: integer seed of the initial weights, or None for a random one.

    Call arguments:
        z: shape (..., latent_dim).
        context: what m and s depend on beside z, shape (..., context_dim); None for nothing.

    Returns:
        z', of the shape of z, and log |det dz'/dz| in nats, shape (...). `forward` is the same;
        `inverse` goes back. All are float32 whatever the dtype policy.

    Example:

    ```python
    import numpy as np
    from keras_aevae.layers import InverseAutoregressiveFlow
    z = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    flow = InverseAutoregressiveFlow(num_steps=2, hidden=(32,))
    image, log_det = flow(z)  # (8, 3) and (8,)
    ```
    """

    def make_step(self, index, latent_dim, context_dim, **settings):
        ranks = np.arange(latent_dim)
        ranks = ranks[::-1] if index % 2 else ranks
        return AutoregressiveStep(ranks, context_dim, **settings)


class AutoregressiveStep(keras.layers.Layer):
    """One step, in which dimension i depends on those of a lower rank than `ranks[i]`."""

    def __init__(self, ranks, context_dim, hidden, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.ranks = ranks
        self.conditioner = Conditioner(
            (len(ranks), *hidden, 2 * len(ranks)),
            context_dim,
            autoregressive_masks(ranks, hidden),
            seed=seed,
            dtype=self.dtype_policy,
        )
        self.built = True

    def means_and_logits(self, z, context):
        mean, logit = ops.split(self.conditioner(z, context), 2, axis=-1)
        return mean, logit + GATE

    def forward(self, z, context=None):
        mean, logit = self.means_and_logits(z, context)
        z = ops.sigmoid(logit) * z + ops.sigmoid(-logit) * mean
        return z, ops.sum(ops.log_sigmoid(logit), axis=-1)

    def inverse(self, z, context=None):
        image, z = z, ops.zeros_like(z)
        # Pass k gives the dimension of rank k, of those before it.
        for rank in range(len(self.ranks)):
            mean, logit = self.means_and_logits(z, context)
            start = image + ops.exp(-logit) * (image - mean)
            z = ops.where(ops.convert_to_tensor(self.ranks == rank), start, z)
        return z, -ops.sum(ops.log_sigmoid(logit), axis=-1)


def autoregressive_masks(ranks, hidden):
    """Return the masks of a network from z to two numbers for each dimension, which depend on the
    dimensions of a lower rank alone.

    A hidden unit of degree d sees ranks below d. Those of degree 0 see the context alone, by which
    even the dimension of rank 0 depends on it.
    """
    size = len(ranks)
    known = [np.floor(np.arange(units) * size / units) for units in hidden]  # degrees
    sees = [ranks + 1, *known]  # the lowest degree or rank that may see each unit
    shown = [*known, np.concatenate([ranks, ranks])]
    masks = []
    for before, after in zip(sees, shown):
        masks.append((before[:, None] <= after[None, :]).astype("float32"))
    return masks
