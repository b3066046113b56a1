"""The mixture-of-Gaussians prior.

Dilokthanakul et al. 2016, Deep Unsupervised Clustering with Gaussian Mixture Variational
Autoencoders, https://arxiv.org/abs/1611.02648; as the baseline "MoG": Tomczak & Welling 2018,
https://arxiv.org/abs/1705.07120, section 4.
"""

import keras

from keras_aevae._checks import check_positive_integer, check_seed
from keras_aevae.distributions.diagonal_gaussian import (
    LOG_VAR_BOUND,
    DiagonalGaussian,
    soft_bound,
)
from keras_aevae.distributions.mixture import Mixture
from keras_aevae.distributions.prior import LearnedPrior


@keras.saving.register_keras_serializable(package="keras_aevae")
class GaussianMixture(LearnedPrior):
    """p(z) = sum_c w_c N(z; mean_c, diag(exp(log_var_c))), with all parameters trained.

    Good for: data in clusters; it is a cheaper rival of the VampPrior. Misleads as a clustering:
    several components may share one cluster, and unused ones stay where they started. One component
    at the origin with unit variance is the standard normal.

    Args:
        num_components: number of Gaussians.
        seed: integer seed of the means, drawn from N(0, I); None for a random one.

    Example:

    ```python
    from keras_aevae import VAE, networks
    from keras_aevae.distributions import GaussianMixture
    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), prior=GaussianMixture(10))
    ```
    """

    def __init__(self, num_components=100, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.num_components = check_positive_integer("num_components", num_components)
        self.seed = None if seed is None else check_seed(seed)

    def setup(self, code, data_shape=None, support=None):
        super().setup(code, data_shape, support)
        shape = (self.num_components, code.root_dim)
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        self.means = self.add_weight(name="means", shape=shape, initializer=normal)
        self.log_vars = self.add_weight(name="log_vars", shape=shape, initializer="zeros")
        self.logits = self.add_weight(name="logits", shape=shape[:1], initializer="zeros")

    def tensors(self, posterior_at=None):
        return [self.means.value, soft_bound(self.log_vars.value, LOG_VAR_BOUND), self.logits.value]

    def made_of(self, tensors, q=None):
        means, log_vars, logits = tensors
        return Mixture(DiagonalGaussian(means, log_vars), logits)

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components, "seed": self.seed}
