"""A normalizing flow that is fitted to the codes of a trained model.

Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP,
https://arxiv.org/abs/1605.08803
Ghosh et al. 2020, From Variational to Deterministic Autoencoders,
https://arxiv.org/abs/1903.12436, section 4: ex-post density estimation.
"""

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer
from keras_aevae.distributions.diagonal_gaussian import StandardNormal
from keras_aevae.distributions.prior import Prior
from keras_aevae.distributions.transformed import Transformed
from keras_aevae.engine import replicas
from keras_aevae.engine.own_loss import OwnLoss, weighted_mean
from keras_aevae.layers.real_nvp import RealNVP

# The smallest scale of a code that counts as one that varies.
SMALLEST = 1e-6


@keras.saving.register_keras_serializable(package="keras_aevae")
class FittedRealNVP(Prior, OwnLoss):
    """p(z) of z = mean + scale f(e) with e from N(0, I) and a flow f, fitted by maximum likelihood.

    `fit_prior(x, "real_nvp")` makes one; `RealNVPPrior` is the one that is trained with a model.
    Good for: codes whose density no few Gaussians have. Misleads with few codes, on which it
    overfits: pass `validation_data`, an array of other codes in a tuple of one, to `fit`; and on
    separate clusters, between which a smooth image of one Gaussian keeps thin bridges.

    It is a Keras model, which `fit` trains once it is compiled, on an array of codes, shape (n,
    latent_dim), or a dataset of them. `mean` and `scale` are those of the codes of an array; the
    loss is -log p in nats per example.

    Args:
        latent_dim: number of latent dimensions, 2 or more.
        num_steps, hidden, seed: as for `keras_aevae.layers.RealNVP`.

    Call arguments:
        z: codes, shape (batch, latent_dim).

    Returns:
        log p(z) in nats, shape (batch,).

    Example:

    ```python
    import numpy as np
    from keras_aevae.distributions import FittedRealNVP
    codes = np.random.default_rng(0).normal(size=(512, 2)).astype("float32")
    prior = FittedRealNVP(latent_dim=2, num_steps=2, hidden=(32,))
    prior.compile()
    prior.fit(codes, epochs=1, verbose=0)
    z = prior.distribution().sample((5,), seed=0)  # (5, 2)
    ```
    """

    # Constructor arguments that don't follow from the codes.
    settings = ("num_steps", "hidden", "seed")
    about_loss = "The loss is -log p, the model's own: leave it out."

    def __init__(self, latent_dim, num_steps=4, hidden=(128,), seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.latent_dim = check_positive_integer("latent_dim", latent_dim)
        self.flow = RealNVP(num_steps, hidden, seed)
        self.flow.build((None, self.latent_dim))
        self.seed = self.flow.seed
        self.standardization = Standardization(self.latent_dim)
        self.built = True

    def tensors(self, posterior_at=None):
        return []

    def made_of(self, tensors, q=None):
        return Transformed(
            Transformed(StandardNormal(self.latent_dim), self.flow), self.standardization
        )

    def distribution(self):
        """Return p(z) as a `Transformed` distribution."""
        return self.made_of(self.tensors())

    def call(self, z):
        return self.distribution().log_prob(z)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return replicas.part_of_loss(weighted_mean(-y_pred, sample_weight) + sum(self.losses))

    def fit(self, x=None, **kwargs):
        """Train the prior as Keras's `fit` does, on codes without a target.

        The first `fit` to an array sets `mean` and `scale` from it; later ones keep them, since the
        flow was trained on codes standardised so. With a dataset they stay as they are, at first 0
        and 1, so standardise its codes yourself.
        """
        if isinstance(x, np.ndarray):
            if x.ndim != 2 or x.shape[1] != self.latent_dim or len(x) < 2:
                raise ValueError(
                    f"`x` must have shape (n, {self.latent_dim}), with n of 2 or more. "
                    f"Received: shape {x.shape}."
                )
            if self.standardization.is_identity():
                self.standardization.start_from(x)
        return super().fit(x, **kwargs)

    def get_config(self):
        own = {k: self.flow.get_config()[k] for k in self.settings}
        return {**super().get_config(), "latent_dim": self.latent_dim, **own}


class Standardization(keras.layers.Layer):
    """A flow of one step, z' = mean + scale z, with the mean and scale of codes."""

    def __init__(self, latent_dim):
        super().__init__(dtype="float32", autocast=False, trainable=False)
        shape = (latent_dim,)
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros")
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")
        self.built = True

    def is_identity(self):
        mean, scale = (ops.convert_to_numpy(w) for w in (self.mean, self.scale))
        return (mean == 0).all() and (scale == 1).all()

    def start_from(self, codes):
        scale = codes.std(axis=0)
        self.mean.assign(codes.mean(axis=0))
        self.scale.assign(np.where(scale > SMALLEST, scale, 1.0))

    def forward(self, z, context=None):
        scale = self.scale.value
        return self.mean.value + scale * z, ops.sum(ops.log(scale))

    def inverse(self, z, context=None):
        scale = self.scale.value
        return (z - self.mean.value) / scale, -ops.sum(ops.log(scale))
