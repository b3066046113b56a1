"""Inputs stored as distributions that a normalizing flow makes of Gaussians.

Rezende & Mohamed 2015, Variational Inference with Normalizing Flows,
https://arxiv.org/abs/1505.05770
"""

from keras import ops

from keras_aevae._checks import check_size
from keras_aevae.codes.base import TO_VECTORS, Code, draws_first
from keras_aevae.distributions import DiagonalGaussian
from keras_aevae.layers import Sampling


class FlowCode(Code):
    """The base class of codes that store an input as q(z|x) of z = f(e, h), e from a Gaussian.

        log q(z|x) = log N(e; base_mean, base_log_var) - log |det df/de|

    A subclass names its `flow_class`, a layer from `keras_aevae.layers`. One dense layer turns
    features into the Gaussian's parameters and the context h. A draw comes with its log q, so the
    KL is estimated at the draws. `z_mean`, and with it `encode`, is the image of the Gaussian's
    mean, f(base_mean, h), which is neither the mean nor the mode of q(z|x).

    The codes of a grid are one vector for the flow, and so are the contexts at its positions.

    Good for: posteriors of other shapes than a Gaussian's. Misleads where a KL in closed form is
    needed: there are no `free_bits`.

    Args:
        num_steps, hidden: as for the layer.
        context_dim: length of h (of a grid at each position); 0 for none.
        seed: integer seed of the noise, or None for a random one.

    Example, a flow of shifts:

    ```python
    import keras
    from keras import ops
    from keras_aevae import VAE, networks
    from keras_aevae.codes import FlowCode
    from keras_aevae.layers.flow import Conditioner, Flow

    class Shift(keras.layers.Layer):
        def __init__(self, latent_dim, context_dim, hidden, **settings):
            super().__init__()
            self.shift = Conditioner((1, *hidden, latent_dim - 1), context_dim, **settings)

        def forward(self, z, context=None, sign=1):
            first, others = z[..., :1], z[..., 1:]
            others = others + sign * self.shift(first, context)
            return ops.concatenate([first, others], axis=-1), ops.zeros_like(z[..., 0])

        def inverse(self, z, context=None):
            return self.forward(z, context, sign=-1)

    class Shifts(Flow):
        def make_step(self, index, latent_dim, context_dim, **settings):
            return Shift(latent_dim, context_dim, **settings)

    @keras.saving.register_keras_serializable(package="mine")
    class ShiftCode(FlowCode):
        flow_class = Shifts

    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), posterior=ShiftCode(num_steps=1, seed=1))
    ```
    """

    stores = "distribution"
    drawn = ("z", "log_q")
    fitted_priors = tuple(TO_VECTORS)
    flow_class = None

    def __init__(self, num_steps=4, hidden=(128,), context_dim=32, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.context_dim = check_size("context_dim", context_dim)
        self.flow = self.flow_class(num_steps, hidden, dtype=self.dtype_policy)
        self.sampling = Sampling(DiagonalGaussian, seed=seed, dtype=self.dtype_policy)
        self.seed = self.sampling.seed

    @property
    def inferred(self):
        context = ("z_context",) if self.context_dim else ()
        return ("z_mean", "z_base_mean", "z_base_log_var", *context)

    def make(self):
        channels = self.latent_shape[-1]
        self.make_head(DiagonalGaussian.raw_size(channels) + self.context_dim)
        context_dim = self.latent_dim // channels * self.context_dim
        self.flow.build((None, self.latent_dim), (None, context_dim) if context_dim else None)

    def infer(self, features):
        raw = self.raw(features)
        size = DiagonalGaussian.raw_size(self.latent_shape[-1])
        base = DiagonalGaussian.parameterize(raw[..., :size])
        inferred = {f"z_base_{name}": self.flat(value) for name, value in base.items()}
        if self.context_dim:
            shape = (-1, self.latent_dim // self.latent_shape[-1] * self.context_dim)
            inferred["z_context"] = ops.reshape(raw[..., size:], shape)
        center, _ = self.flow.forward(inferred["z_base_mean"], self.context(inferred))
        return {"z_mean": center, **inferred}

    def base(self, inferred):
        """Return the Gaussian of which the flow makes q(z|x)."""
        return DiagonalGaussian(inferred["z_base_mean"], inferred["z_base_log_var"])

    def context(self, inferred):
        """Return the context of the flow, shape (batch, context_dim), or None."""
        return inferred["z_context"] if self.context_dim else None

    def draw(self, inferred, num_samples=1, training=None):
        base, context = self.base(inferred), self.context(inferred)
        start = self.sampling([base.mean, base.log_var], num_samples=num_samples)
        z, log_det = self.flow.forward(start, None if context is None else context[:, None])
        log_q = ops.moveaxis(base.log_prob(ops.moveaxis(start, 1, 0)), 0, 1) - log_det
        return {"z": z, "log_q": log_q}

    def center(self, inferred):
        return inferred["z_mean"]

    def kl(self, outputs, p):
        return -self.log_ratio(outputs, p)[..., None]

    def log_ratio(self, outputs, p):
        # The weights of log q are those of q alone, so the draw's own log q has the right gradient.
        return p.log_prob(draws_first(outputs, "z")) - draws_first(outputs, "log_q")

    @property
    def noise(self):
        return [self.sampling.seed_generator]

    def get_config(self):
        own = {k: self.flow.get_config()[k] for k in ("num_steps", "hidden")}
        own = {**own, "context_dim": self.context_dim, "seed": self.seed}
        return {**super().get_config(), **own}
