"""A mixture of von Mises-Fisher distributions, fitted to codes on a sphere.

Banerjee et al. 2005, Clustering on the Unit Hypersphere using von Mises-Fisher Distributions,
https://jmlr.org/papers/v6/banerjee05a.html
"""

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer, check_seed
from keras_aevae.distributions.bessel import sphere_mean
from keras_aevae.distributions.mixture import Mixture
from keras_aevae.distributions.prior import Prior
from keras_aevae.distributions.von_mises_fisher import VonMisesFisher

# The fit ends after so many steps, or when the mean log density grows by less than this.
NUM_STEPS, SMALLEST_GAIN = 200, 1e-5


@keras.saving.register_keras_serializable(package="keras_aevae")
class FittedVonMisesFisher(Prior, keras.layers.Layer):
    """p(z) = sum_c w_c vMF(z; mean_direction_c, concentration_c), fitted by maximum likelihood.

    `fit_prior(x, "von_mises_fisher")` of a model whose codes lie on a sphere fits one component,
    `fit_prior(x, "von_mises_fisher_mixture")` by default ten, by expectation maximization. Good
    for: samples of a hyperspherical VAE whose codes aren't uniform. Misleads with many components
    and few codes: it then remembers the codes.

    Args:
        latent_dim: number of dimensions of the space that the sphere lies in.
        num_components: number of distributions.
        seed: integer seed of the fit's start; None for a random one.

    Example:

    ```python
    import numpy as np
    from keras_aevae.distributions import FittedVonMisesFisher
    codes = np.random.default_rng(0).normal((3, 0), 1, size=(500, 2))
    codes /= np.linalg.norm(codes, axis=-1, keepdims=True)
    prior = FittedVonMisesFisher(latent_dim=2, num_components=1)
    prior.fit(codes)
    z = prior.distribution().sample((5,), seed=0)  # (5, 2)
    ```
    """

    over = "directions"

    def __init__(self, latent_dim, num_components=10, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.latent_dim = check_positive_integer("latent_dim", latent_dim)
        self.num_components = n = check_positive_integer("num_components", num_components)
        self.seed = None if seed is None else check_seed(seed)

        def weight(name, *shape):
            return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

        self.mean_directions = weight("mean_directions", n, self.latent_dim)
        self.concentrations = weight("concentrations", n)
        self.logits = weight("logits", n)
        self.built = True

    def fit(self, codes, verbose=0):
        """Fit the mixture to the array `codes`, unit vectors of shape (n, latent_dim)."""
        from sklearn.cluster import KMeans

        codes = np.asarray(codes, "float32")
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ValueError(
                f"`codes` must have shape (n, {self.latent_dim}). Received: shape {codes.shape}."
            )
        norms = np.linalg.norm(codes, axis=-1)
        if not np.allclose(norms, 1.0, atol=1e-3):
            raise ValueError(
                "`codes` must be unit vectors. Received: codes with norms from "
                f"{norms.min():.3g} to {norms.max():.3g}. Fit a FittedMixture to them."
            )
        if len(codes) < 2 * self.num_components:
            raise ValueError(
                f"`codes` must be at least {2 * self.num_components}, two for each component. "
                f"Received: {len(codes)} codes. Take fewer components, or more data."
            )
        means = KMeans(self.num_components, n_init=1, random_state=self.seed, verbose=verbose)
        share = np.eye(self.num_components)[means.fit_predict(codes)]
        before = -np.inf
        for _ in range(NUM_STEPS):
            self.maximize(codes, share)
            p = self.distribution()
            each = p.components.log_prob_of_each(codes) + ops.log_softmax(p.logits)
            total = ops.logsumexp(each, axis=-1, keepdims=True)
            share, now = ops.convert_to_numpy(ops.exp(each - total)), float(ops.mean(total))
            if now - before < SMALLEST_GAIN:
                break
            before = now

    def maximize(self, codes, share):
        """Set the mixture to the most likely one, if component c has `share[:, c]` of the codes."""
        size = share.sum(axis=0) + 1e-6
        mean = share.T @ codes / size[:, None]
        length = np.linalg.norm(mean, axis=-1)
        self.mean_directions.assign(mean / np.maximum(length, 1e-12)[:, None])
        self.concentrations.assign(concentration_of(length, self.latent_dim))
        self.logits.assign(np.log(size / size.sum()))

    def tensors(self, posterior_at=None):
        return [self.mean_directions.value, self.concentrations.value, self.logits.value]

    def made_of(self, tensors, q=None):
        directions, concentrations, logits = tensors
        return Mixture(VonMisesFisher(directions, concentrations), logits)

    def distribution(self):
        """Return p(z) as a `Mixture`."""
        return self.made_of(self.tensors())

    def get_config(self):
        own = {"latent_dim": self.latent_dim, "num_components": self.num_components}
        return {**super().get_config(), **own, "seed": self.seed}


def concentration_of(length, dimension):
    """Return the concentrations at which the mean has these lengths, an array of 0 to 1."""
    r = np.clip(length, 1e-6, 1 - 1e-6)
    kappa = r * (dimension - r**2) / (1 - r**2)  # Banerjee et al., section 4: a start
    # A = r, solved for one kappa of its equation: each way is a contraction on its side.
    for _ in range(20):
        mean = sphere_mean(ops.cast(kappa, "float32"), dimension)
        ratio, shortfall = (ops.convert_to_numpy(t) for t in (mean.ratio, mean.shortfall))
        kappa = np.where(r < 0.5, r / ratio, shortfall / (1 - r))
    return kappa
