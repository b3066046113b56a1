"""The combination importance weighted autoencoder.

Rainforth et al. 2018, Tighter Variational Bounds are Not Necessarily Better,
https://arxiv.org/abs/1802.04537
"""

import keras
from keras import ops

from keras_aevae.engine.numbers import Number
from keras_aevae.models.iwae import IWAE


@keras.saving.register_keras_serializable(package="keras_aevae")
class CIWAE(IWAE):
    """A convex combination of the VAE's bound and the IWAE's, on the same K samples.

        loss = -(w ELBO + (1 - w) IWAE_K)

    Good for: choosing between the VAE's well-trained encoder (w = 1) and the IWAE's tight bound
    (w = 0). Misleads when bounds of different w are compared: use `log_likelihood`.

    Args:
        num_samples: K.
        elbo_weight: w, from 0 to 1; the paper's beta.
        other arguments: as for `IWAE`.

    Example:

    ```python
    from keras_aevae import CIWAE, datasets, networks
    (x_train, _), _ = datasets.load("digits")
    ciwae = CIWAE(*networks.mlp((8, 8, 1), latent_dim=8), num_samples=5, elbo_weight=0.5)
    ciwae.compile()
    ciwae.fit(x_train, epochs=2)
    ```
    """

    elbo_weight = Number(minimum=0, maximum=1, remedy="0 is the IWAE, 1 the VAE.")

    def __init__(self, *args, elbo_weight=0.5, **kwargs):
        super().__init__(*args, **kwargs)
        self.elbo_weight = elbo_weight

    def bound(self, log_weights, to_encoder=None):
        # The ELBO of K samples: the mean of the K bounds of one sample.
        one = None if to_encoder is None else to_encoder[None]
        each = self.importance_weighted(log_weights[None], one)
        iwae = self.importance_weighted(log_weights, to_encoder)
        weight = self.number("elbo_weight")
        return weight * ops.mean(each, axis=0) + (1 - weight) * iwae
