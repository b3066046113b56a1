"""The base classes of every prior p(z)."""

import keras

from keras_aevae._checks import check_positive_integer


class Prior:
    """p(z): fixed, learned with the model, or fitted to a trained model's codes afterwards.

    The current p(z) is a `Distribution`, a value object: `made_of(tensors(...))`.

    A subclass defines `tensors` and `made_of`; `setup` if it has weights that depend on the model,
    and `fit` if it is fitted afterwards. If it is no Keras layer, it defines `get_config` and
    `from_config`, too, and is registered with `keras.saving.register_keras_serializable`: a model
    that was given a prior as an object, not by a name, keeps its config.
    """

    # What it is a distribution of: "vectors", "directions" (unit vectors), or "indices" of codes.
    over = "vectors"
    # Number of dimensions of the vectors; None if it takes that of its model.
    latent_dim = None

    # Number of training examples that `start_from` needs.
    start_size = 0
    # Whether it is made of posteriors at its own data, for which there would be no condition.
    of_posteriors = False

    def setup(self, code, data_shape=None, support=None):
        """Make the weights that depend on the model's `keras_aevae.codes.Code` and its data."""

    def start_from(self, x):
        """Initialize from `start_size` training examples, before the first step."""

    def tensors(self, posterior_at=None):
        """Return the tensors of the current p(z) in a list or dict, to be computed once."""
        raise NotImplementedError

    def made_of(self, tensors, q=None):
        """Return p(z) as a `Distribution`, from the result of `tensors`. `q` makes a posterior of
        the parameters that a code inferred."""
        raise NotImplementedError


class FixedPrior(Prior):
    """A prior without weights, which is itself the distribution.

    Derive from it and from a `Distribution`, in this order, and define the properties that are the
    family's parameters, each of shape (latent_dim,).

    Good for: priors of another shape or scale than N(0, I). Misleads when its KL is compared with
    that under another prior.

    Args:
        latent_dim: number of latent dimensions.

    Example:

    ```python
    import keras
    from keras import ops
    from keras_aevae import VAE, networks
    from keras_aevae.distributions import DiagonalGaussian, FixedPrior

    @keras.saving.register_keras_serializable(package="mine")
    class WideNormal(FixedPrior, DiagonalGaussian):
        mean = property(lambda self: ops.zeros((self.latent_dim,)))
        log_var = property(lambda self: ops.full((self.latent_dim,), 2.0))

    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), prior=WideNormal(2))
    ```
    """

    def __init__(self, latent_dim):
        self.latent_dim = check_positive_integer("latent_dim", latent_dim)

    def tensors(self, posterior_at=None):
        return []

    def made_of(self, tensors, q=None):
        return self

    def get_config(self):
        return {"latent_dim": self.latent_dim}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class LearnedPrior(Prior, keras.layers.Layer):
    """A prior that is trained with its model, by the KL of the posteriors to the prior.

    It belongs to one model, which calls `setup`; that makes its weights.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})

    def setup(self, code, data_shape=None, support=None):
        if code.stores != "distribution":
            raise ValueError(
                f"A {type(self).__name__} is trained by the KL of a posterior to it, which a model "
                f"that stores a {code.stores} doesn't have. Use a VAE, or fit a prior afterwards: "
                f"fit_prior(x, 'gaussian_mixture'). Received: a model that stores a {code.stores}."
            )
        if self.built:
            raise ValueError(
                f"A {type(self).__name__} belongs to one model, and this one has a model already. "
                f"Make another {type(self).__name__}."
            )
        self.built = True
