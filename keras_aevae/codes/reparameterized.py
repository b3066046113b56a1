"""Inputs stored as distributions of a family that can be drawn from with gradients.

Kingma & Welling 2014, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114, section 2.4
"""

from keras_aevae.codes.base import TO_VECTORS, Code, draws_first
from keras_aevae.layers import Sampling


class ReparameterizedCode(Code):
    """Stores an input as a q(z|x) of one family of distributions over vectors.

    A subclass names its `family`: a `keras_aevae.distributions.Distribution` whose first parameter
    is `mean`, and which defines `parameters`, `raw_size`, `parameterize`, `log_prob` and a `sample`
    that passes gradients on, as a location and a scale times noise do. One dense layer turns
    features into its parameters, each of which is an output `z_...` of `infer`. The KL is exact and
    by dimension under a fixed prior to which the family has one (`has_kl_to`), else it is estimated
    at the draws.

    Good for: a posterior of another shape than a Gaussian's. Misleads where the family has no
    closed form to the prior: the KL is then noisy, and there are no free bits.

    Args:
        seed: integer seed of the noise. With None it is that of the model, or a random one.

    Example, in which the variance is one in all dimensions:

    ```python
    import keras
    from keras import ops
    from keras_aevae import VAE, networks
    from keras_aevae.codes import ReparameterizedCode
    from keras_aevae.distributions import DiagonalGaussian

    class UnitNormal(DiagonalGaussian):
        parameters = ("mean",)
        raw_size = staticmethod(lambda latent_dim: latent_dim)
        parameterize = staticmethod(lambda raw: {"mean": raw})

        def __init__(self, mean):
            super().__init__(mean, ops.zeros_like(mean))

    @keras.saving.register_keras_serializable(package="mine")
    class UnitNormalCode(ReparameterizedCode):
        family = UnitNormal

    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), posterior=UnitNormalCode(seed=1))
    ```
    """

    stores = "distribution"
    fitted_priors = tuple(TO_VECTORS)
    has_path_gradient = True

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.sampling = Sampling(self.family, seed=seed, dtype=self.dtype_policy)
        self.seed = self.sampling.seed

    @property
    def inferred(self):
        return tuple(f"z_{name}" for name in self.family.parameters)

    def parameters_in(self, outputs):
        """Return the family's parameters in `outputs`, in the order of its constructor."""
        return [outputs[name] for name in self.inferred]

    def make(self):
        self.make_head(self.family.raw_size(self.latent_shape[-1]))

    def infer(self, features):
        raw = self.family.parameterize(self.raw(features))
        return {f"z_{name}": self.flat(value) for name, value in raw.items()}

    def draw(self, inferred, num_samples=1, training=None):
        return {"z": self.sampling(self.parameters_in(inferred), num_samples=num_samples)}

    def center(self, inferred):
        return inferred["z_mean"]

    def q(self, inferred):
        return self.family(*self.parameters_in(inferred))

    def kl(self, outputs, p):
        q = self.q(outputs)
        if q.has_kl_to(p):
            return q.kl_per_dimension(p)[None]
        return q.kl(p, sample=draws_first(outputs, "z"))[..., None]

    def log_ratio(self, outputs, p):
        z = draws_first(outputs, "z")
        return p.log_prob(z) - self.q(outputs).log_prob(z)

    @property
    def noise(self):
        return [self.sampling.seed_generator]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
