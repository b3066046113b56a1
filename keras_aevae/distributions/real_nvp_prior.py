"""A prior that is a normalizing flow of N(0, I).

Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP,
https://arxiv.org/abs/1605.08803; as the prior of a VAE: Huang et al. 2017, Learnable Explicit
Density for Continuous Latent Space and Variational Inference, https://arxiv.org/abs/1710.02248
"""

import keras

from keras_aevae.distributions.diagonal_gaussian import StandardNormal
from keras_aevae.distributions.prior import LearnedPrior
from keras_aevae.distributions.transformed import Transformed
from keras_aevae.layers.real_nvp import RealNVP


@keras.saving.register_keras_serializable(package="keras_aevae")
class RealNVPPrior(LearnedPrior):
    """p(z) of z = f(e) with e from N(0, I), where the flow f is trained with the model.

    Good for: priors of any shape, with an exact density and draws in one pass each: a better
    likelihood and fewer holes. Misleads when its KL is compared with that under another prior: it
    is lower here because the prior has learned. It starts as N(0, I), and as a smooth image of
    one Gaussian it has thin bridges between separate clusters.

    Args:
        num_steps, hidden: as for `keras_aevae.layers.RealNVP`.
        seed: integer seed of the initial weights, or None for a random one.

    Raises:
        ValueError: in a model with one latent dimension.

    Example:

    ```python
    from keras_aevae import VAE, networks
    from keras_aevae.distributions import RealNVPPrior
    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), prior=RealNVPPrior(num_steps=6))
    ```
    """

    def __init__(self, num_steps=4, hidden=(128,), seed=None, **kwargs):
        super().__init__(**kwargs)
        self.flow = RealNVP(num_steps, hidden, seed, dtype=self.dtype_policy)

    def setup(self, code, data_shape=None, support=None):
        super().setup(code, data_shape, support)
        self.flow.build((None, code.root_dim))
        self.base = StandardNormal(code.root_dim)

    def tensors(self, posterior_at=None):
        return []

    def made_of(self, tensors, q=None):
        return Transformed(self.base, self.flow)

    def get_config(self):
        own = {k: self.flow.get_config()[k] for k in ("num_steps", "hidden", "seed")}
        return {**super().get_config(), **own}
