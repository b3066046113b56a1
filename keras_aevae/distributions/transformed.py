"""The distribution of what a flow makes of draws from another distribution.

Rezende & Mohamed 2015, Variational Inference with Normalizing Flows,
https://arxiv.org/abs/1505.05770
"""

from keras import ops

from keras_aevae.distributions.base import Distribution, as_float32


class Transformed(Distribution):
    """The distribution of z' = f(z, h) for z from `base`, where f is a flow.

        log p(z') = log base(z) - log |det dz'/dz|                                   (equation 5)

    Good for: densities of any shape, exact at any point. Misleads where one number of it is wanted:
    neither its mean nor its KL has a closed form, so `mean` isn't defined.

    Args:
        base: a distribution of vectors, such as a `DiagonalGaussian`.
        flow: a layer from `keras_aevae.layers` that is built, such as `RealNVP`. The distribution
            uses the weights that the flow has at the time.
        context: what the flow depends on beside z, shape (..., context_dim); None for nothing.

    Example:

    ```python
    from keras_aevae.distributions import StandardNormal, Transformed
    from keras_aevae.layers import RealNVP
    flow = RealNVP(num_steps=2)
    flow.build((None, 2))
    p = Transformed(StandardNormal(2), flow)
    z = p.sample((5,), seed=0)  # (5, 2)
    p.log_prob([0.0, 0.0])  # -1.838 nats: at first the flow is the identity
    ```
    """

    def __init__(self, base, flow, context=None):
        self.base, self.flow, self.context = base, flow, context

    def log_prob(self, z):
        start, log_det = self.flow.inverse(as_float32(z), self.context)
        return as_float32(self.base.log_prob(start) + log_det)

    def sample(self, sample_shape=(), seed=None):
        start = self.base.sample(sample_shape, seed)
        return as_float32(self.flow.forward(start, self.context)[0])

    def sample_of_each(self, chosen, seed=None):
        start = self.base.sample_of_each(chosen, seed)
        context = None if self.context is None else ops.take(self.context, chosen, axis=0)
        return as_float32(self.flow.forward(start, context)[0])
