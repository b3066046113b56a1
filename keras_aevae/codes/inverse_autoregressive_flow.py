"""Inputs stored as distributions that an inverse autoregressive flow makes of Gaussians.

Kingma et al. 2016, Improved Variational Inference with Inverse Autoregressive Flow,
https://arxiv.org/abs/1606.04934
"""

import keras

from keras_aevae.codes.flow import FlowCode
from keras_aevae.layers import InverseAutoregressiveFlow


@keras.saving.register_keras_serializable(package="keras_aevae")
class InverseAutoregressiveFlowCode(FlowCode):
    """Stores an input as q(z|x), an inverse autoregressive flow of a Gaussian.

        z_0 = base_mean + exp(base_log_var / 2) e,   e from N(0, I)
        z_t = g_t z_t-1 + (1 - g_t) m_t,   m_t and g_t of z_t-1 and h, for t = 1, ..., num_steps
        log q(z_T|x) = log N(z_0; base_mean, base_log_var) - sum_t sum log g_t       (algorithm 1)

    Good for: posteriors that are correlated, skewed or have several modes, at a low cost for each
    draw, in many dimensions too. Misleads as a cure of a weak decoder: it tightens the bound by at
    most the gap between the best Gaussian and the true posterior, and the prior matters as much.
    The KL is an estimate at the draws, as one part: there are no `free_bits`.

    `encode` gives the image of the Gaussian's mean under the flow, without noise. That is neither
    the mean nor the mode of q(z|x), of which no closed form is known; `encode(x, sample=True)`
    draws from q(z|x). The density at other points than the draws would take `latent_dim` passes for
    each step: so there is no `VampPrior`, and no doubly reparameterised gradient. `RealNVPCode` has
    both.

    Args:
        num_steps: number of steps, T. The order of the dimensions is reversed between steps.
        hidden: numbers of units of the hidden layers of each step's masked network, at best
            `latent_dim` or more.
        context_dim: length of h, which the dense layer gives beside the Gaussian's parameters (of a
            grid at each position); 0 for none.
        seed: integer seed of the noise. With None it is that of the model, or a random one. It
            doesn't set the initial weights; `keras.utils.set_random_seed` does.

    Example:

    ```python
    from keras_aevae import VAE, datasets, networks
    from keras_aevae.codes import InverseAutoregressiveFlowCode
    (x_train, _), _ = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=4)
    vae = VAE(encoder, decoder, posterior=InverseAutoregressiveFlowCode(num_steps=2, hidden=(32,)))
    vae.compile()
    vae.fit(x_train, epochs=1)
    codes = vae.encode(x_train[:5])  # (5, 4)
    ```
    """

    flow_class = InverseAutoregressiveFlow
