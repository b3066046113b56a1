"""The von Mises-Fisher distribution: the posterior of the hyperspherical VAE.

Davidson et al. 2018, Hyperspherical Variational Auto-Encoders, https://arxiv.org/abs/1804.00891
Wood 1994, Simulation of the von Mises Fisher distribution,
https://doi.org/10.1080/03610919408813161
Figurnov, Mohamed & Mnih 2018, Implicit Reparameterization Gradients,
https://arxiv.org/abs/1805.08498
"""

import functools
import math

import numpy as np
from keras import ops

from keras_aevae.distributions.base import Distribution, as_float32
from keras_aevae.distributions.bessel import sphere_mean
from keras_aevae.distributions.uniform_sphere import UniformSphere, direction, log_area
from keras_aevae.engine.noise import normal, uniform

# Proposals for each draw: each is accepted with a probability of at least 0.658, whatever kappa and
# the dimension, so that none of them is in 3 of 10^8 draws, which take the last.
NUM_PROPOSALS = 16
# Nodes and weights of a Gauss-Legendre quadrature on [0, 1], and how far it reaches, in units of
# 1 / sqrt(kappa + m), more than a standard deviation of the angle: the rest is below e^-24.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2
REACH = 7.0


class VonMisesFisher(Distribution):
    """q(z) proportional to exp(kappa <mean_direction, z>) on the unit sphere.

    The density is with respect to the surface measure of the sphere. A concentration kappa of 0 is
    the uniform distribution; a large one nearly a Gaussian on the tangent plane, of variance
    1 / kappa in each of its m - 1 directions. Good for: codes that are directions; a closed-form KL
    to the uniform prior. Misleads in many dimensions, where a single kappa for all directions is
    crude, and where kappa must grow with m before it means anything: the KL is about
    kappa^2 / (2 m) nats as long as kappa is below m.

    Draws are exact, to float32: Wood's rejection sampler with a fixed number of proposals. Their
    gradient with respect to kappa is that of the inverse of the angle's distribution function at a
    constant level (implicit reparameterisation), by quadrature: the correction term of
    Davidson et al., which takes the loss, isn't needed. Only the first derivative of a draw is
    right.

    Args:
        mean_direction: unit vectors, shape (..., latent_dim), latent_dim >= 2.
        concentration: kappa >= 0, shape (...).

    Example:

    ```python
    from keras_aevae.distributions import UniformSphere, VonMisesFisher
    q = VonMisesFisher(mean_direction=[[0.0, 0.0, 1.0]], concentration=[5.0])
    q.mean  # [0, 0, 0.8001]
    q.kl(UniformSphere(3))  # [1.3031] nats
    z = q.sample((4,), seed=0)  # (4, 1, 3)
    ```
    """

    parameters = ("mean_direction", "concentration")

    def __init__(self, mean_direction, concentration):
        self.mean_direction = as_float32(mean_direction)
        self.concentration = as_float32(concentration)
        self.latent_dim = self.mean_direction.shape[-1]

    @staticmethod
    def raw_size(latent_dim):
        return latent_dim + 1

    @staticmethod
    def parameterize(raw):
        # As the authors do: without the 1, a uniform posterior would be easy to fall into.
        return {
            "mean_direction": direction(raw[..., :-1]),
            "concentration": 1.0 + ops.softplus(raw[..., -1]),
        }

    @functools.cached_property
    def sphere_mean(self):
        """Return the normalizer of the density: the mean of exp(kappa w) over the sphere."""
        return sphere_mean(self.concentration, self.latent_dim)

    @property
    def mean(self):
        """E[z], shape (..., latent_dim): its norm is below 1, unlike that of `mean_direction`."""
        length = self.concentration * self.sphere_mean.ratio
        return length[..., None] * self.mean_direction

    def log_prob(self, z):
        # <mean_direction, z> is 1 - |z - mean_direction|^2 / 2, of which float32 holds more digits.
        squared = ops.sum(ops.square(as_float32(z) - self.mean_direction), axis=-1)
        log_mean = self.sphere_mean.log_minus_kappa
        return -0.5 * self.concentration * squared - log_mean - log_area(self.latent_dim)

    def kl(self, other, sample=None):
        if not isinstance(other, UniformSphere):
            return super().kl(other, sample)
        # kappa A - log M, twice: where kappa is small, and where it is large.
        mean, kappa = self.sphere_mean, self.concentration
        small = ops.square(kappa) * mean.ratio - mean.log
        large = -mean.shortfall - mean.log_minus_kappa
        return ops.where(kappa < self.latent_dim, small, large)

    def sample(self, sample_shape=(), seed=None):
        # Two draws from one integer seed would be dependent; and 2^30 further is a mixture's seed.
        second = (seed + 2**29) % 2**31 if isinstance(seed, int) else seed
        shape = (*sample_shape, *ops.shape(self.mean_direction)[:-1])
        angle = self.sample_angle(shape, seed)[..., None]
        # A unit vector orthogonal to the mean direction, which carries it along where it turns.
        noise = normal((*shape, self.latent_dim), second)
        mean = ops.stop_gradient(self.mean_direction)
        tangent = direction(without(mean, noise))
        # Again: if the noise lies along the mean direction, what is left is much of it rounding.
        tangent = ops.stop_gradient(direction(without(mean, tangent)))
        tangent = without(self.mean_direction, tangent)
        return ops.cos(angle) * self.mean_direction + ops.sin(angle) * tangent

    def sample_angle(self, shape, seed):
        """Draw angles between z and the mean direction, of that shape, with their gradient."""
        kappa = ops.stop_gradient(self.concentration)
        angle = accepted_angle(kappa, self.latent_dim, uniform((*shape, NUM_PROPOSALS, 3), seed))
        slope = ops.stop_gradient(self.slope(angle, kappa))
        return ops.stop_gradient(angle) + (self.concentration - kappa) * slope

    def slope(self, angle, kappa):
        """Return the derivative of an angle with respect to kappa, at a constant level F(angle).

        It is -(dF / dkappa) / F'(angle), and dF / dkappa the integral of (cos t - A) F'(t) over the
        angles t below. That is also minus the integral over those above. On one of the two sides,
        the integrand doesn't change its sign.
        """
        m = self.latent_dim
        shortfall = ops.stop_gradient(self.sphere_mean.shortfall)
        mean = shortfall / ops.maximum(kappa, 1e-30)  # 1 - A
        angle = ops.clip(angle, 1e-6, math.pi - 1e-3)
        reach = REACH / ops.sqrt(kappa + m)
        above = one_minus_cos(angle) > mean
        low = ops.where(above, angle, ops.maximum(angle - reach, 0.0))
        high = ops.where(above, ops.minimum(angle + reach, math.pi), angle)
        kappa, mean, end = kappa[..., None], mean[..., None], angle[..., None]
        t = low[..., None] + (high - low)[..., None] * as_float32(NODES)
        height = one_minus_cos(t)
        log_density = kappa * (one_minus_cos(end) - height)  # relative to that of the angle
        if m > 2:
            log_density = log_density + (m - 2) * (ops.log(ops.sin(t)) - ops.log(ops.sin(end)))
        integral = ops.sum((mean - height) * ops.exp(log_density) * as_float32(WEIGHTS), axis=-1)
        return ops.where(above, 1.0, -1.0) * (high - low) * integral


def without(unit, x):
    """Return the part of x that is orthogonal to the vector `unit`."""
    return x - ops.sum(unit * x, axis=-1, keepdims=True) * unit


def one_minus_cos(angle):
    return 2.0 * ops.square(ops.sin(0.5 * angle))


def accepted_angle(kappa, m, noise):
    """Return the first angle that Wood's sampler accepts, of those that it proposes at `noise`,
    uniform on [0, 1), shape (..., proposals, 3)."""
    kappa = kappa[..., None]
    radius, turn, level = (noise[..., i] for i in range(3))
    # One coordinate of a uniform point on the sphere; and from it a draw from
    # Beta((m - 1) / 2, (m - 1) / 2) (Ulrich 1984, https://doi.org/10.2307/2347441).
    coordinate = ops.cos(2 * math.pi * turn)
    if m > 2:
        coordinate = coordinate * ops.sqrt(-ops.expm1(ops.log(radius) * (2.0 / (m - 2))))
    e, rest = 0.5 * (1.0 + coordinate), 0.5 * (1.0 - coordinate)
    b = (m - 1) / (2.0 * kappa + ops.sqrt(4.0 * ops.square(kappa) + (m - 1) ** 2))
    scale = rest + b * e
    # cos(angle) = (1 - (1 + b) e) / (1 - (1 - b) e), with more digits of small angles.
    angle = 2.0 * ops.arctan2(ops.sqrt(b * e), ops.sqrt(rest))
    log_ratio = 2.0 * b * kappa * (1.0 / (1.0 + b) - e / scale)
    log_ratio = log_ratio + (m - 1) * (ops.log(0.5 * (1.0 + b)) - ops.log(scale))
    accepts = ops.cast(ops.log(level) <= log_ratio, "int32")
    last = ops.cast(ops.arange(NUM_PROPOSALS) == NUM_PROPOSALS - 1, "int32")
    accepts = ops.maximum(accepts, last)
    first = ops.cast(accepts * ops.cumsum(accepts, axis=-1) == 1, "float32")
    return ops.sum(first * angle, axis=-1)
