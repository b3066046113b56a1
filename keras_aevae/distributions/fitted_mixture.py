"""A Gaussian, or a mixture of Gaussians, fitted to the codes of a trained model.

Ghosh et al. 2020, From Variational to Deterministic Autoencoders,
https://arxiv.org/abs/1903.12436, section 4: ex-post density estimation.
"""

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer, check_seed
from keras_aevae.distributions.mixture import Mixture
from keras_aevae.distributions.multivariate_gaussian import MultivariateGaussian
from keras_aevae.distributions.prior import Prior


@keras.saving.register_keras_serializable(package="keras_aevae")
class FittedMixture(Prior, keras.layers.Layer):
    """p(z) = sum_c w_c N(z; mean_c, covariance_c), fitted to codes by maximum likelihood.

    `fit_prior(x, "gaussian")` fits one component, `fit_prior(x, "gaussian_mixture")` by default
    ten. Good for: samples of a model whose codes aren't like its prior, such as a plain
    autoencoder's. Misleads with many components and few codes: it then remembers the codes.

    Args:
        latent_dim: number of latent dimensions.
        num_components: number of Gaussians, each with a full covariance.
        seed: integer seed of the fit's start; None for a random one.

    Example:

    ```python
    import numpy as np
    from keras_aevae.distributions import FittedMixture
    codes = np.random.default_rng(0).normal(size=(500, 2)).astype("float32")
    prior = FittedMixture(latent_dim=2, num_components=2, seed=0)
    prior.fit(codes)
    z = prior.distribution().sample((5,), seed=0)  # (5, 2)
    ```
    """

    def __init__(self, latent_dim, num_components=10, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.latent_dim = check_positive_integer("latent_dim", latent_dim)
        self.num_components = n = check_positive_integer("num_components", num_components)
        self.seed = None if seed is None else check_seed(seed)

        def weight(name, *shape):
            return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

        self.means = weight("means", n, self.latent_dim)
        self.scales = weight("scales", n, self.latent_dim, self.latent_dim)
        self.logits = weight("logits", n)
        # Until it is fitted, each component is N(0, I).
        self.scales.assign(np.tile(np.eye(self.latent_dim), (n, 1, 1)))
        self.built = True

    def fit(self, codes, verbose=0):
        """Fit the mixture to the array `codes`, shape (n, latent_dim)."""
        from sklearn.mixture import GaussianMixture

        codes = np.asarray(codes, "float64")
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ValueError(
                f"`codes` must have shape (n, {self.latent_dim}). Received: shape {codes.shape}."
            )
        if len(codes) < 2 * self.num_components:
            raise ValueError(
                f"`codes` must be at least {2 * self.num_components}, two for each component. "
                f"Received: {len(codes)} codes. Take fewer components, or more data."
            )
        mixture = GaussianMixture(
            self.num_components, random_state=self.seed, verbose=2 if verbose else 0
        ).fit(codes)
        self.means.assign(mixture.means_)
        self.scales.assign(np.linalg.cholesky(mixture.covariances_))
        self.logits.assign(np.log(mixture.weights_))

    def tensors(self, posterior_at=None):
        scales = ops.copy(self.scales.value)
        return [self.means.value, scales, ops.inv(scales), self.logits.value]

    def made_of(self, tensors, q=None):
        means, scales, whitenings, logits = tensors
        return Mixture(MultivariateGaussian(means, scales, whitenings), logits)

    def distribution(self):
        """Return p(z) as a `Mixture`."""
        return self.made_of(self.tensors())

    def get_config(self):
        own = {"latent_dim": self.latent_dim, "num_components": self.num_components}
        return {**super().get_config(), **own, "seed": self.seed}
