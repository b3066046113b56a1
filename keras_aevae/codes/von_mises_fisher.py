"""Inputs stored as von Mises-Fisher distributions on a sphere: the hyperspherical VAE's code."""

import keras

from keras_aevae.codes.base import draws_first
from keras_aevae.codes.reparameterized import ReparameterizedCode
from keras_aevae.distributions import (
    FittedVonMisesFisher,
    Prior,
    UniformSphere,
    VampPrior,
    VonMisesFisher,
)
from keras_aevae.distributions.uniform_sphere import direction

# The priors that can be fitted to codes on a sphere, by name: the settings of each.
ON_SPHERE = {"von_mises_fisher": {"num_components": 1}, "von_mises_fisher_mixture": {}}


@keras.saving.register_keras_serializable(package="keras_aevae")
class VonMisesFisherCode(ReparameterizedCode):
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

    family = VonMisesFisher
    inferred = ("z_mean", "z_concentration")
    fitted_priors = tuple(ON_SPHERE)

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

    def decoder_input(self, z):
        return direction(z)

    def get_prior(self, prior):
        if prior == "uniform":
            return UniformSphere(self.latent_dim)
        if prior == "vamp_prior":
            return VampPrior()
        # A VampPrior is made of posteriors, which are on the sphere.
        on_sphere = isinstance(prior, Prior) and prior.over == "directions"
        if isinstance(prior, VampPrior) or (on_sphere and prior.latent_dim == self.latent_dim):
            return prior
        raise ValueError(
            f"`prior` must be a distribution on the sphere in {self.latent_dim} dimensions: "
            "'uniform', 'vamp_prior', or an object of one, such as a VampPrior. Received: "
            f"prior={prior!r}."
        )

    @property
    def exact_kl(self):
        return isinstance(self.prior, UniformSphere)

    def kl(self, outputs, p):
        q = self.q(outputs)
        if isinstance(p, UniformSphere):
            return q.kl(p)[None, :, None]
        return q.kl(p, sample=draws_first(outputs, "z"))[..., None]

    def make_fitted(self, name, settings):
        settings = {**ON_SPHERE[name], **settings, "latent_dim": self.latent_dim}
        return FittedVonMisesFisher(**settings), {}

    def check_fitted(self, prior):
        """Raise an error unless `prior` is a prior of codes on this sphere."""
        if not isinstance(prior, FittedVonMisesFisher) or prior.latent_dim != self.latent_dim:
            raise ValueError(
                f"`prior` must be a FittedVonMisesFisher of {self.latent_dim} latent dimensions, "
                "such as fit_prior(x, 'von_mises_fisher_mixture') makes. A Gaussian has no density "
                f"on the sphere. Received: prior={prior!r}."
            )
