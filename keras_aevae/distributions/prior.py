"""What every prior p(z) answers, in each of its lives."""

import keras


class Prior:
    """p(z): fixed, learned with the model, or fitted to a trained model's codes afterwards.

    What a prior is at this instant is a `Distribution`, a value object: `made_of(tensors(...))`.

    To add one, give `tensors` and `made_of`; `setup` if it has weights that depend on the model,
    and `fit` if it is fitted afterwards.
    """

    # Training examples that `start_from` wants.
    start_size = 0
    # Whether it is made of posteriors at data of its own, which a condition would be missing to.
    of_posteriors = False

    def setup(self, code, data_shape=None, support=None):
        """Make what depends on the model: on its `keras_aevae.codes.Code` and its data."""

    def start_from(self, x):
        """Start from `start_size` training examples, before the first step."""

    def tensors(self, posterior_at=None):
        """What p(z) is made of now: tensors in a list or dict, computed once for many uses."""
        raise NotImplementedError

    def made_of(self, tensors, q=None):
        """p(z) as a `Distribution` of what `tensors` returned. `q` makes a posterior of what a
        code inferred."""
        raise NotImplementedError


class LearnedPrior(Prior, keras.layers.Layer):
    """A prior that is trained with its model, by the KL of the posteriors to it.

    It belongs to one model, which calls `setup`: there it makes its weights.
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
