"""A family of distributions, a code and priors as a user writes them."""

import math

import keras
import numpy as np
from keras import ops

from keras_aevae.codes import GaussianCode, ReparameterizedCode
from keras_aevae.distributions import (
    DiagonalGaussian,
    Distribution,
    FixedPrior,
    Prior,
    StandardNormal,
)
from keras_aevae.distributions.base import as_float32
from keras_aevae.engine.noise import uniform

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
