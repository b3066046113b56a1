"""Inputs stored as points: the plain autoencoder's code."""

import keras

from keras_aevae.codes.base import TO_VECTORS, Code, for_each_draw


@keras.saving.register_keras_serializable(package="keras_aevae")
class PointCode(Code):
    """Stores an input as one point z of the latent space: every draw is that point.

    A point has no density, hence no KL to a prior: its KL to any continuous distribution is
    infinite. Good for: features, compression. Misleads as a generator, since nothing moves the
    points towards the prior; `fit_prior` learns afterwards where they are.

    Example:

    ```python
    from keras_aevae import Autoencoder, networks
    from keras_aevae.codes import PointCode
    ae = Autoencoder(*networks.mlp((8, 8, 1), latent_dim=2), posterior=PointCode())
    ae.stores  # "point"
    ```
    """

    stores = "point"
    inferred = ("z_mean",)
    fitted_priors = tuple(TO_VECTORS)

    def make(self):
        self.make_head(self.latent_shape[-1])

    def infer(self, features):
        return {"z_mean": self.flat(self.raw(features))}

    def draw(self, inferred, num_samples=1, training=None):
        return {"z": for_each_draw(inferred["z_mean"], num_samples)}

    def center(self, inferred):
        return inferred["z_mean"]
