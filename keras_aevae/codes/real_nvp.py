"""Inputs stored as distributions that a RealNVP makes of Gaussians.

Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP,
https://arxiv.org/abs/1605.08803
"""

import keras
from keras import ops

from keras_aevae.codes.base import draws_first
from keras_aevae.codes.flow import FlowCode
from keras_aevae.distributions import Transformed
from keras_aevae.layers import RealNVP


@keras.saving.register_keras_serializable(package="keras_aevae")
class RealNVPCode(FlowCode):
    """Stores an input as q(z|x), a flow of affine coupling steps of a Gaussian.

        z = f(e, h),   e from N(base_mean, base_log_var),   f a `keras_aevae.layers.RealNVP`
        log q(z|x) = log N(e; base_mean, base_log_var) - log |det df/de|

    Good for: posteriors that are correlated, skewed or have several modes, where q(z|x) is also
    needed at other points than its own draws: under a `VampPrior`, and for the doubly
    reparameterised gradient of `IWAE`. Misleads in many dimensions, where an
    `InverseAutoregressiveFlowCode` bends all of them in each step. The KL is an estimate at the
    draws, as one part: there are no `free_bits`.

    `encode` gives the image of the Gaussian's mean under the flow, without noise. That is neither
    the mean nor the mode of q(z|x), of which no closed form is known; `encode(x, sample=True)`
    draws from q(z|x). At first the flow is the identity, and q(z|x) the Gaussian.

    Args:
        num_steps: number of steps; with 2 or more, each dimension is changed.
        hidden: numbers of units of the hidden layers of each step's network.
        context_dim: length of h, which the dense layer gives beside the Gaussian's parameters (of a
            grid at each position); 0 for none.
        seed: integer seed of the noise. With None it is that of the model, or a random one. It
            doesn't set the initial weights; `keras.utils.set_random_seed` does.

    Raises:
        ValueError: in a model with one latent dimension.

    Example:

    ```python
    from keras_aevae import IWAE, datasets, networks
    from keras_aevae.codes import RealNVPCode
    (x_train, _), _ = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=4)
    iwae = IWAE(encoder, decoder, posterior=RealNVPCode(num_steps=2, hidden=(32,)))
    iwae.compile()
    iwae.fit(x_train, epochs=1)
    codes = iwae.encode(x_train[:5])  # (5, 4)
    ```
    """

    flow_class = RealNVP
    has_path_gradient = True

    def q(self, inferred):
        return Transformed(self.base(inferred), self.flow, self.context(inferred))

    def along_path(self, outputs):
        outputs = super().along_path(outputs)
        log_q = self.q(outputs).log_prob(draws_first(outputs, "z"))
        return {**outputs, "log_q": ops.moveaxis(log_q, 0, 1)}
