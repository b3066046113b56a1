"""Bernoulli likelihood: black and white values."""

import keras
from keras import ops

from keras_aevae.distributions.likelihood import Likelihood, sum_over_values


@keras.saving.register_keras_serializable(package="keras_aevae")
class Bernoulli(Likelihood):
    """p(x|z) = prod p^x (1-p)^(1-x); the decoder's outputs are the logits of p.

    Its negative log is the binary cross-entropy, summed over the values. Good for: binary data,
    such as binarised MNIST. Misleads on grey values in (0, 1): it trains well, but it is then not a
    density, and its nats can't be compared with those of other likelihoods (Loaiza-Ganem &
    Cunningham 2019, https://arxiv.org/abs/1907.06845).

    Example:

    ```python
    from keras_aevae.distributions import Bernoulli
    Bernoulli().log_prob(x=[[1.0]], params=[[0.0]])  # [-0.693] nats
    ```
    """

    support = (0.0, 1.0)
    free_params = "logits"

    def log_prob(self, x, params):
        x = ops.cast(x, "float32")
        logits = ops.cast(params, "float32")
        return sum_over_values(x * logits - ops.softplus(logits), x)

    def mean(self, params):
        return ops.sigmoid(ops.cast(params, "float32"))

    def mode(self, params):
        return ops.cast(ops.cast(params, "float32") > 0, "float32")

    def sample(self, params, seed=None):
        mean = self.mean(params)
        uniform = keras.random.uniform(ops.shape(mean), dtype="float32", seed=seed)
        return ops.cast(uniform < mean, "float32")
