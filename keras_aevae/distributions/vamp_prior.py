"""The VampPrior: a mixture of the posteriors of learned pseudo-inputs.

Tomczak & Welling 2018, VAE with a VampPrior, https://arxiv.org/abs/1705.07120
"""

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer, check_seed
from keras_aevae.distributions.mixture import Mixture
from keras_aevae.distributions.prior import LearnedPrior


@keras.saving.register_keras_serializable(package="keras_aevae")
class VampPrior(LearnedPrior):
    """p(z) = 1/K sum_k q(z | u_k), with K trained pseudo-inputs u_k (equation 9 of the paper).

    The best prior for a VAE is the aggregate of its posteriors over the data; this prior uses K
    pseudo-inputs in place of the data. Good for: a higher likelihood and fewer holes, at a cost of
    little more than K more encodings per step. Misleads when K is near the number of training
    examples: the prior then remembers them.

    Args:
        num_components: K, number of pseudo-inputs.
        start: "data": the pseudo-inputs start as K of the training examples that `fit` is given,
            evenly spaced over arrays, the first K of a dataset; "random": they are drawn uniformly
            over the likelihood's support, or from N(0, 1) if it has none.
        seed: integer seed of random starts, None for a random one.

    Example:

    ```python
    from keras_aevae import VAE, networks
    from keras_aevae.distributions import VampPrior
    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=2), prior=VampPrior(50, start="random"))
    ```
    """

    def __init__(self, num_components=500, start="data", seed=None, **kwargs):
        super().__init__(**kwargs)
        self.num_components = check_positive_integer("num_components", num_components)
        if start not in ("data", "random"):
            raise ValueError(f"`start` must be 'data' or 'random'. Received: start={start!r}.")
        self.start = start
        self.seed = None if seed is None else check_seed(seed)

    of_posteriors = True

    @property
    def start_size(self):
        return self.num_components if self.start == "data" else 0

    def setup(self, code, data_shape=None, support=None):
        super().setup(code, data_shape, support)
        if None in data_shape:
            raise ValueError(
                "A VampPrior is made of inputs of one length. Received: networks that take any, "
                f"data_shape={data_shape}. Build them for one, or choose another `prior`."
            )
        uniform, normal = keras.initializers.RandomUniform, keras.initializers.RandomNormal
        self.pseudo_inputs = self.add_weight(
            name="pseudo_inputs",
            shape=(self.num_components, *data_shape),
            initializer=uniform(*support, self.seed) if support else normal(0.0, 1.0, self.seed),
            # After each step, the pseudo-inputs are clipped to the support.
            constraint=Within(*support) if support else None,
        )

    def start_from(self, x):
        """Set the pseudo-inputs to `x`, an array of `num_components` examples."""
        if len(x) < self.num_components:
            raise ValueError(
                "`num_components` of a VampPrior must be at most the number of training examples "
                f"to start from. Received: num_components={self.num_components}, {len(x)} examples."
                " Take fewer, or start='random'."
            )
        self.pseudo_inputs.assign(np.asarray(x, "float32"))

    def tensors(self, posterior_at=None):
        return posterior_at(self.pseudo_inputs.value)

    def made_of(self, tensors, q=None):
        return Mixture(q(tensors), ops.zeros((self.num_components,), "float32"))

    def get_config(self):
        own = {"num_components": self.num_components, "start": self.start, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_aevae")
class Within(keras.constraints.Constraint):
    """A constraint that clips values to [low, high] after each step."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __call__(self, w):
        return ops.clip(w, self.low, self.high)

    def get_config(self):
        return {"low": self.low, "high": self.high}
