"""A family of distributions, a code and priors as a user writes them."""

import math

import keras
import numpy as np
from keras import ops

from keras_aevae.codes import Code, GaussianCode, ReparameterizedCode
from keras_aevae.codes.base import TO_VECTORS, draws_first, for_each_draw
from keras_aevae.distributions import (
    DiagonalGaussian,
    Distribution,
    FixedPrior,
    Prior,
    StandardNormal,
)
from keras_aevae.distributions.base import LOG_2PI, as_float32
from keras_aevae.engine.noise import normal, uniform
from keras_aevae.engine.replicas import SeedGenerator
from keras_aevae.layers import Sampling

register = keras.saving.register_keras_serializable(package="tests")


class Laplace(Distribution):
    parameters = ("mean", "log_scale")
    mean = log_scale = None

    def __init__(self, mean, log_scale):
        self.mean, self.log_scale = as_float32(mean), as_float32(log_scale)

    @staticmethod
    def raw_size(latent_dim):
        return 2 * latent_dim

    @staticmethod
    def parameterize(raw):
        mean, log_scale = ops.split(raw, 2, axis=-1)
        return {"mean": mean, "log_scale": 7.5 * ops.tanh(log_scale / 7.5)}

    def log_prob(self, z):
        far = ops.abs(as_float32(z) - self.mean) * ops.exp(-self.log_scale)
        return -ops.sum(far + self.log_scale + math.log(2.0), axis=-1)

    def sample(self, sample_shape=(), seed=None):
        u = uniform((*sample_shape, *ops.shape(self.mean + self.log_scale)), seed) - 0.5
        noise = -ops.sign(u) * ops.log1p(-2.0 * ops.minimum(ops.abs(u), 0.5 - 1e-7))
        return self.mean + ops.exp(self.log_scale) * noise

    @classmethod
    def has_kl_to(cls, other):
        return isinstance(other, Laplace)

    def kl_per_dimension(self, other):
        far = ops.abs(self.mean - other.mean)
        ratio = ops.exp(self.log_scale - other.log_scale)
        near = ratio * ops.exp(-far * ops.exp(-self.log_scale))
        return other.log_scale - self.log_scale + far * ops.exp(-other.log_scale) + near - 1.0


@register
class LaplaceCode(ReparameterizedCode):
    family = Laplace


@register
class StandardLaplace(FixedPrior, Laplace):
    mean = log_scale = property(lambda self: ops.zeros((self.latent_dim,)))


@register
class WideNormal(StandardNormal):
    log_var = property(lambda self: ops.full((self.latent_dim,), 2 * math.log(2.0)))


@register
class WiderCode(GaussianCode):
    """A Gaussian code whose noise is three times as large, with a setting of its own."""

    def __init__(self, factor=3.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def infer(self, features):
        inferred = super().infer(features)
        return {**inferred, "z_log_var": inferred["z_log_var"] + 2 * math.log(self.factor)}

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class Scaled(Prior):
    """N(0, scale^2 I), with a setting: a fixed prior that is no distribution itself."""

    def __init__(self, latent_dim, scale=2.0):
        self.latent_dim, self.scale = latent_dim, scale

    def tensors(self, posterior_at=None):
        return [np.full((self.latent_dim,), 2 * math.log(self.scale), "float32")]

    def made_of(self, tensors, q=None):
        return DiagonalGaussian(ops.zeros((self.latent_dim,)), tensors[0])

    def get_config(self):
        return {"latent_dim": self.latent_dim, "scale": self.scale}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@register
class ShrunkCode(GaussianCode):
    """A Gaussian code whose `encode` gives less of the mean where the variance is larger."""

    def center(self, inferred):
        return inferred["z_mean"] * ops.sigmoid(-inferred["z_log_var"])


@register
class CouplingCode(Code):
    """A flow: a Gaussian draw, of which one part is scaled and shifted by the other.

    Dinh et al. 2017, Density estimation using Real NVP, https://arxiv.org/abs/1605.08803. The KL
    takes log q from the draw. The log-weights compute it anew from `outputs`, where models stop
    gradients; so the weights of the flow are among the outputs, too.
    """

    stores = "distribution"
    inferred = ("z_mean", "z_start", "z_log_scale", "z_kernel")
    drawn = ("z", "log_q")
    has_path_gradient = True  # `log_ratio` needs the outputs of `infer` and z alone

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def make(self):
        self.make_head(2 * self.latent_dim)
        self.first = self.latent_dim // 2
        others = 2 * (self.latent_dim - self.first)
        self.coupling = keras.layers.Dense(others, use_bias=False, dtype=self.dtype_policy)
        self.coupling.build((None, self.first))

    def infer(self, features):
        start, log_scale = ops.split(self.raw(features), 2, axis=-1)
        kernel = self.coupling(ops.eye(self.first))
        # As many as there are examples, since all outputs have a batch axis.
        kernel = kernel[None] + 0.0 * start[:, :1, None]
        inferred = {"z_start": start, "z_log_scale": 5 * ops.tanh(log_scale), "z_kernel": kernel}
        mean, _ = self.forward(inferred, start[:, None])
        return {"z_mean": mean[:, 0], **inferred}

    def scale_and_shift(self, inferred, one):
        raw = ops.einsum("bka,bao->bko", one, inferred["z_kernel"])
        log_scale, shift = ops.split(raw, 2, axis=-1)
        return ops.tanh(log_scale), shift

    def forward(self, inferred, start):
        """The flow at `start`, (batch, draws, latent_dim), and the log of its volume."""
        one, other = start[..., : self.first], start[..., self.first :]
        log_scale, shift = self.scale_and_shift(inferred, one)
        z = ops.concatenate([one, other * ops.exp(log_scale) + shift], axis=-1)
        return z, ops.sum(log_scale, axis=-1)

    def log_q(self, inferred, z):
        """log q(z|x) of any z, (batch, draws, latent_dim), by the inverse of the flow."""
        one, other = z[..., : self.first], z[..., self.first :]
        log_scale, shift = self.scale_and_shift(inferred, one)
        start = ops.concatenate([one, (other - shift) * ops.exp(-log_scale)], axis=-1)
        noise = (start - inferred["z_start"][:, None]) * ops.exp(-inferred["z_log_scale"][:, None])
        return self.log_q_of(inferred, noise, ops.sum(log_scale, axis=-1))

    def log_q_of(self, inferred, noise, volume):
        each = -0.5 * (noise**2 + LOG_2PI) - inferred["z_log_scale"][:, None]
        return ops.sum(each, axis=-1) - volume

    def draw(self, inferred, num_samples=1, training=None):
        start = for_each_draw(inferred["z_start"], num_samples)
        noise = normal(ops.shape(start), self.seed_generator)
        start = start + noise * ops.exp(inferred["z_log_scale"][:, None])
        z, volume = self.forward(inferred, start)
        return {"z": z, "log_q": self.log_q_of(inferred, noise, volume)}

    def center(self, inferred):
        return inferred["z_mean"]

    def kl(self, outputs, p):
        return (draws_first(outputs, "log_q") - p.log_prob(draws_first(outputs, "z")))[..., None]

    def log_ratio(self, outputs, p):
        log_q = ops.moveaxis(self.log_q(outputs, outputs["z"]), 1, 0)
        return p.log_prob(draws_first(outputs, "z")) - log_q

    @property
    def noise(self):
        return [self.seed_generator]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@register
class TwoPartCode(Code):
    """Two Gaussians, each with a layer and noise of its own; the KL has a part for each."""

    stores = "distribution"
    inferred = ("z_mean", "z_log_var")
    fitted_priors = tuple(TO_VECTORS)
    exact_kl = property(lambda self: isinstance(self.prior, StandardNormal))
    has_path_gradient = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.samplings = [Sampling(dtype=self.dtype_policy) for _ in range(2)]

    def make(self):
        self.sizes = (1, self.latent_dim - 1)
        self.small = keras.layers.Dense(2 * self.sizes[0], dtype=self.dtype_policy)
        self.large = keras.layers.Dense(2 * self.sizes[1], dtype=self.dtype_policy)
        for layer in (self.small, self.large):
            layer.build((None, *self.features_shape))

    def infer(self, features):
        features = ops.reshape(features, (-1, *self.features_shape))
        raw = [ops.split(layer(features), 2, axis=-1) for layer in (self.small, self.large)]
        mean, log_var = (ops.concatenate(each, axis=-1) for each in zip(*raw))
        return {"z_mean": mean, "z_log_var": 10 * ops.tanh(log_var / 10)}

    def draw(self, inferred, num_samples=1, training=None):
        parts = zip(*(ops.split(inferred[name], [1], axis=-1) for name in self.inferred))
        z = [
            sampling(list(part), num_samples=num_samples)
            for sampling, part in zip(self.samplings, parts)
        ]
        return {"z": ops.concatenate(z, axis=-1)}

    def center(self, inferred):
        return inferred["z_mean"]

    def q(self, inferred):
        return DiagonalGaussian(inferred["z_mean"], inferred["z_log_var"])

    def kl(self, outputs, p):
        q = self.q(outputs)
        if not q.has_kl_to(p):
            return q.kl(p, sample=draws_first(outputs, "z"))[..., None]
        small, large = ops.split(q.kl_per_dimension(p), [1], axis=-1)
        return ops.stack([ops.sum(small, axis=-1), ops.sum(large, axis=-1)], axis=-1)[None]

    def log_ratio(self, outputs, p):
        z = draws_first(outputs, "z")
        return p.log_prob(z) - self.q(outputs).log_prob(z)

    @property
    def noise(self):
        return [sampling.seed_generator for sampling in self.samplings]
