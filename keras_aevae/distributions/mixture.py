"""A mixture of distributions of one family."""

from keras import ops

from keras_aevae.distributions.base import Distribution, as_float32
from keras_aevae.engine.noise import uniform

# The bounds of the uniform noise, whose logarithm is taken twice.
SMALLEST = 1e-7


class Mixture(Distribution):
    """p(z) = sum_c w_c p_c(z); the weights w are the softmax of `logits`.

    Good for: priors with several modes. It has no closed-form KL: `q.kl(mixture, sample=z)` returns
    the Monte Carlo estimate. Misleads when its weights or variances collapse on a few components:
    look at them.

    Args:
        components: a distribution whose parameters have shape (num_components, latent_dim).
        logits: unnormalised log weights, shape (num_components,); None for equal weights.

    Example:

    ```python
    from keras_aevae.distributions import DiagonalGaussian, Mixture
    two = DiagonalGaussian(mean=[[-2.0], [2.0]], log_var=[[0.0], [0.0]])
    Mixture(two).log_prob([[0.0]])  # [-2.919] nats
    ```
    """

    def __init__(self, components, logits=None):
        self.components = components
        if logits is None:
            logits = ops.zeros(components.mean.shape[:1], "float32")
        self.logits = as_float32(logits)

    @property
    def mean(self):
        return ops.sum(ops.softmax(self.logits)[:, None] * self.components.mean, axis=0)

    def log_prob(self, z):
        each = self.components.log_prob_of_each(z)  # (..., num_components)
        return ops.logsumexp(ops.log_softmax(self.logits) + each, axis=-1)

    def sample(self, sample_shape=(), seed=None):
        # The Gumbel-max of the logits chooses the component, from which z is drawn. Two draws from
        # one integer seed would be dependent, so the second has a seed far from the first.
        second = seed
        if isinstance(seed, int):
            second = (seed + 2**30) % 2**31
        shape = (*sample_shape, self.logits.shape[0])
        noise = ops.maximum(uniform(shape, seed), SMALLEST)
        chosen = ops.argmax(self.logits - ops.log(-ops.log(noise)), axis=-1)
        return self.components.sample_of_each(chosen, seed=second)
