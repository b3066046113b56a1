"""Inputs stored as von Mises-Fisher distributions on a sphere: the hyperspherical VAE's code."""

import keras

from keras_aevae._checks import check_name
from keras_aevae.codes.base import Code, draws_first
from keras_aevae.distributions import (
    FittedVonMisesFisher,
    GaussianMixture,
    LearnedPrior,
    Prior,
    UniformSphere,
    VampPrior,
    VonMisesFisher,
)
from keras_aevae.distributions.uniform_sphere import direction
from keras_aevae.layers import Sampling

# Priors that `fit_prior` makes from a name.
FITTED = {"von_mises_fisher": {"num_components": 1}, "von_mises_fisher_mixture": {}}


@keras.saving.register_keras_serializable(package="keras_aevae")
class VonMisesFisherCode(Code):
    """Stores an input as q(z|x) = vMF(z; z_mean, z_concentration) on the unit sphere.

    Davidson et al. 2018, https://arxiv.org/abs/1804.00891. One dense layer turns features into the
    unit vector `z_mean`, shape (batch, latent_dim), and `z_concentration`, shape (batch,). Good
    for: codes that are directions, without a centre to which a prior pulls them. Misleads in
    many dimensions, where one concentration for all directions is too little.

    The KL to the uniform prior has one part, so `free_bits` are nats of the whole code. The decoder
    is given unit vectors: other codes, such as those on a straight path, are first projected onto
    the sphere.

    Args:
        seed: integer seed of the noise, or None for a random one.

    Example:

    ```python
    from keras_aevae import IWAE, networks
    from keras_aevae.codes import VonMisesFisherCode
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=3)
    iwae = IWAE(encoder, decoder, posterior=VonMisesFisherCode(), prior="uniform")
    ```
    """

    stores = "distribution"
    inferred = ("z_mean", "z_concentration")
    identifier = "von_mises_fisher"

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.sampling = Sampling("von_mises_fisher", seed=seed, dtype=self.dtype_policy)
        self.seed = self.sampling.seed

    def make(self):
        if len(self.latent_shape) > 1:
            raise ValueError(
                "A code on a sphere is one vector: build a decoder that takes shape (batch, "
                f"latent_dim). Received: a decoder of grids of shape {self.latent_shape}."
            )
        if self.latent_dim < 2:
            raise ValueError(
                "`latent_dim` must be at least 2, where the sphere is a circle. Received: "
                f"latent_dim={self.latent_dim}."
            )
        self.make_head(VonMisesFisher.raw_size(self.latent_dim))

    def infer(self, features):
        parameters = VonMisesFisher.parameterize(self.raw(features))
        return dict(zip(self.inferred, (parameters[name] for name in VonMisesFisher.parameters)))

    def draw(self, inferred, num_samples=1, training=None):
        parameters = [inferred[name] for name in self.inferred]
        return {"z": self.sampling(parameters, num_samples=num_samples)}

    def center(self, inferred):
        return inferred["z_mean"]

    def q(self, inferred):
        return VonMisesFisher(*(inferred[name] for name in self.inferred))

    def decoder_input(self, z):
        return direction(z)

    def get_prior(self, prior):
        if isinstance(prior, LearnedPrior) and not isinstance(prior, GaussianMixture):
            return prior
        if prior == "uniform":
            return UniformSphere(self.latent_dim)
        if prior == "vamp_prior":
            return VampPrior()
        raise ValueError(
            "`prior` must be a distribution on the sphere: 'uniform', 'vamp_prior' or a VampPrior "
            f"that you made. Received: prior={prior!r}."
        )

    @property
    def exact_kl(self):
        return isinstance(self.prior, UniformSphere)

    def kl(self, outputs, p):
        q = self.q(outputs)
        if isinstance(p, UniformSphere):
            return q.kl(p)[None, :, None]
        return q.kl(p, sample=draws_first(outputs, "z"))[..., None]

    def log_ratio(self, outputs, p):
        z = draws_first(outputs, "z")
        return p.log_prob(z) - self.q(outputs).log_prob(z)

    def fittable(self, prior, settings):
        if isinstance(prior, Prior):
            return prior, settings
        components = FITTED[check_name("prior", prior, FITTED)]
        settings = {**components, **settings, "latent_dim": self.latent_dim}
        return FittedVonMisesFisher(**settings), {}

    def check_fitted(self, prior):
        """Raise an error unless `prior` is a prior of codes on this sphere."""
        if not isinstance(prior, FittedVonMisesFisher) or prior.latent_dim != self.latent_dim:
            raise ValueError(
                f"`prior` must be a FittedVonMisesFisher of {self.latent_dim} latent dimensions, "
                "such as fit_prior(x, 'von_mises_fisher_mixture') makes. A Gaussian has no density "
                f"on the sphere. Received: prior={prior!r}."
            )

    @property
    def noise(self):
        return [self.sampling.seed_generator]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
