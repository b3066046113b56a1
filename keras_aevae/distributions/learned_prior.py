"""What every prior p(z) with weights answers."""

import keras

from keras_aevae.distributions.base import Distribution


class LearnedPrior(keras.Layer, Distribution):
    """A prior that is trained with its model: a layer of it, with `log_prob` and `sample`.

    It belongs to one model, which calls `attach(model)` at the end of its own constructor: there
    the prior makes its weights, and keeps what it needs of the model.

    To add one, give `attach`, `tensors` and `made_of` (its weights' present values, or what it
    computes of them, and the distribution that they are the parameters of), and `get_config`.
    """

    def attach(self, model):
        """Make the weights, for the codes and data of `model`."""
        if not model.family.has_density:
            raise ValueError(
                f"A {type(self).__name__} is trained by the KL of a posterior to it, which a plain "
                "autoencoder doesn't have. Use a VAE, or fit a Gaussian to the codes: "
                f"sample(codes=...). Received: {type(model).__name__}."
            )
        if self.built:
            raise ValueError(
                f"A {type(self).__name__} belongs to one model, and this one has a model already. "
                f"Make another {type(self).__name__}."
            )
        self.built = True

    def tensors(self):
        """What p(z) is made of now: a list of tensors, to be computed once for many uses."""
        raise NotImplementedError

    def made_of(self, tensors):
        """p(z) as a value object of what `tensors` returned."""
        raise NotImplementedError

    def distribution(self):
        """p(z) as a value object of the weights' present values."""
        return self.made_of(self.tensors())

    @property
    def mean(self):
        return self.distribution().mean

    def __dir__(self):
        # Keras reads every attribute listed here when it saves and loads; this one is computed.
        return [name for name in super().__dir__() if name != "mean"]

    def log_prob(self, z):
        return self.distribution().log_prob(z)

    def sample(self, sample_shape=(), seed=None):
        return self.distribution().sample(sample_shape, seed)
