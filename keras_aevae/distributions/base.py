"""The base class of every distribution."""

import math

from keras import ops

LOG_2PI = math.log(2 * math.pi)


def as_float32(x):
    """Return `x` as a float32 tensor. No exp, log or KL is computed in 16 bits, and TensorFlow
    doesn't mix the 64 bits of NumPy with 32."""
    return ops.cast(x, "float32")


class Distribution:
    """A distribution over latent codes: a value object over tensors.

    The last axis is the event (the latent dimensions); the axes before it are a batch.
    Everything is in nats and float32. A distribution that owns weights is also a
    `keras.Layer`.

    A family that can be a posterior q(z|x) also defines how it is made from the unconstrained
    outputs of a network: `parameters` names its parameters, `raw_size(latent_dim)` returns how many
    outputs it needs, and `parameterize(raw)` turns them into its parameters, by name. If its KL to
    some distributions is known by dimension, `has_kl_to` says to which, and `kl_per_dimension`
    computes it.
    """

    parameters = ()
    has_density = True

    @property
    def mean(self):
        """The mean, shape (..., latent_dim)."""
        raise NotImplementedError

    def log_prob(self, z):
        """Return the log density of `z`, shape (..., latent_dim), in nats: shape (...)."""
        raise NotImplementedError

    def log_prob_of_each(self, z):
        """Return the log density of `z`, shape (..., latent_dim), under each of n distributions,
        whose parameters have shape (n, latent_dim): in nats, shape (..., n)."""
        return self.log_prob(as_float32(z)[..., None, :])

    def sample_of_each(self, chosen, seed=None):
        """Return one draw for each index in `chosen`, integers of any shape, from the distribution
        of that index among n, whose parameters have shape (n, ...)."""
        family, parameters = type(self), (getattr(self, name) for name in self.parameters)
        return family(*(ops.take(p, chosen, axis=0) for p in parameters)).sample(seed=seed)

    def sample(self, sample_shape=(), seed=None):
        """Return draws of shape `(*sample_shape, ..., latent_dim)`, differentiable if possible.

        `seed` is an integer or a `keras.random.SeedGenerator`.
        """
        raise NotImplementedError

    @classmethod
    def has_kl_to(cls, other):
        """Return whether `kl_per_dimension(other)` is known."""
        return False

    def kl_per_dimension(self, other):
        """Return KL(self || other) of each dimension, in nats, shape (..., latent_dim)."""
        raise NotImplementedError

    def kl(self, other, sample=None):
        """Return KL(self || other) in nats, shape (...), in closed form if there is one.

        Otherwise return the Monte Carlo estimate `log self(z) - log other(z)` at `sample`, a draw z
        from `self`: it is unbiased, and may be negative.
        """
        if self.has_kl_to(other):
            return ops.sum(self.kl_per_dimension(other), axis=-1)
        if sample is None:
            raise ValueError(
                f"KL({type(self).__name__} || {type(other).__name__}) has no closed form. Pass "
                "`sample=`, a draw from the first, for the Monte Carlo estimate."
            )
        return self.log_prob(sample) - other.log_prob(sample)
