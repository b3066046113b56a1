"""Inputs stored as codes from a finite codebook: the VQ-VAE's code."""

import keras
from keras import ops

from keras_aevae.codes.base import draws_first, for_each_draw, make_trained, settings_of_trained
from keras_aevae.codes.point import PointCode
from keras_aevae.distributions import AutoregressivePrior, UniformIndices
from keras_aevae.layers import VectorQuantizer


@keras.saving.register_keras_serializable(package="keras_aevae")
class CodebookCode(PointCode):
    """Stores an input as a grid of codes from a finite codebook, each known by its index.

    van den Oord et al. 2017, https://arxiv.org/abs/1711.00937. `z_mean` is the encoder's output and
    z the nearest codes; the gradient passes straight from z to `z_mean`. q(z|x) has all its mass on
    one code, so its KL to a prior over indices is -log p(index): N log K nats for N codes under a
    uniform prior over K. Good for: discrete codes, on which `fit_prior(x, "autoregressive")` learns
    a prior afterwards. Misleads as a generator before that: under the uniform prior `sample`
    decodes codes drawn at random, which mean nothing.

    The codebook is frozen with the encoder, and k-means doesn't start a codebook that is frozen
    when training begins: all codes stay as they are. `model.start_from(x)` starts it anyway.

    Args:
        quantizer: a `keras_aevae.layers.VectorQuantizer` (by default of 512 codes) or
            `FiniteScalarQuantizer`.

    Example:

    ```python
    from keras_aevae import VQVAE, networks
    encoder, decoder = networks.conv((8, 8, 1), latent_dim=4, filters=(16,), hidden=None)
    VQVAE(encoder, decoder).stores  # "codebook"
    ```
    """

    stores = "codebook"
    drawn = ("z", "indices")
    fitted_priors = ("autoregressive",)

    def __init__(self, quantizer=None, **kwargs):
        super().__init__(**kwargs)
        self.quantizer = VectorQuantizer() if quantizer is None else quantizer

    def make(self):
        super().make()
        if not self.quantizer.built:
            self.quantizer.build((None, *self.latent_shape))
        self.grid = self.latent_shape[:-1]

    def draw(self, inferred, num_samples=1, training=None):
        z_e = ops.reshape(inferred["z_mean"], (-1, *self.latent_shape))
        z, indices = self.quantizer(z_e, training=training)
        drawn = {"z": self.flat(z), "indices": indices}
        return {name: for_each_draw(value, num_samples) for name, value in drawn.items()}

    def center(self, inferred):
        return self.draw(inferred)["z"][:, 0]

    def embed(self, indices):
        """Return the codes of `indices`, shape (n, *grid), as vectors: shape (n, latent_dim)."""
        return self.flat(self.quantizer.embed(indices))

    def terms(self, outputs):
        """Return the quantizer's terms by name, each of shape (batch,)."""
        z_e, z = (
            ops.reshape(value, (-1, *self.latent_shape))
            for value in (outputs["z_mean"], outputs["z"][:, 0])
        )
        return self.quantizer.terms(z_e, z, outputs["indices"][:, 0])

    def get_prior(self, prior):
        if prior == "uniform":
            return UniformIndices(self.quantizer.num_codes, self.grid)
        raise ValueError(
            "`prior` of a codebook must be 'uniform': another one is learned afterwards, by "
            f"fit_prior(x, 'autoregressive'). Received: prior={prior!r}."
        )

    def root(self, drawn):
        return drawn["indices"][:, 0]

    def kl(self, outputs, p):
        return -p.log_prob(draws_first(outputs, "indices"))[..., None]

    def sample(self, num_samples, p, seed=None, **settings):
        return self.embed(p.sample((num_samples,), seed=seed, **settings))

    @property
    def start_size(self):
        # By k-means, the codebook starts at the centres of the encoder's outputs. A frozen one
        # stays where it is.
        return 1024 if self.quantizer.trainable else 0

    def start_from(self, x, encode):
        self.quantizer.start_from(encode(x).reshape(-1, *self.latent_shape))

    def settings_of_fitted(self):
        return {repr("autoregressive"): settings_of_trained(AutoregressivePrior)}

    def make_fitted(self, name, settings):
        return make_trained(AutoregressivePrior, settings, self.quantizer.num_codes, self.grid)

    def check_fitted(self, prior):
        """Raise an error unless `prior` is a prior over the indices of this codebook."""
        num_codes, grid = self.quantizer.num_codes, self.grid
        fits = isinstance(prior, AutoregressivePrior)
        if not fits or (prior.num_codes, prior.grid) != (num_codes, grid):
            raise ValueError(
                f"`prior` must be one of {num_codes} codes on the grid {grid}: "
                f"AutoregressivePrior({num_codes}, grid={grid}). Received: prior={prior!r}."
            )

    def get_config(self):
        quantizer = keras.saving.serialize_keras_object(self.quantizer)
        return {**super().get_config(), "quantizer": quantizer}

    @classmethod
    def from_config(cls, config):
        quantizer = keras.saving.deserialize_keras_object(config["quantizer"])
        return cls(**{**config, "quantizer": quantizer})
