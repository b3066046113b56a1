"""The multiply importance weighted autoencoder.

Rainforth et al. 2018, Tighter Variational Bounds are Not Necessarily Better,
https://arxiv.org/abs/1802.04537
"""

import keras
from keras import ops

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.numbers import Setting
from keras_aevae.models.iwae import IWAE


@keras.saving.register_keras_serializable(package="keras_aevae")
class MIWAE(IWAE):
    """The mean of M importance weighted bounds of K samples each, MIWAE(M, K).

        loss = -1/M sum_m log 1/K sum_k w_mk

    M = 1 is the IWAE, K = 1 the VAE with M samples. Good for: an encoder that keeps learning, which
    many samples in one bound prevent, with a bound tighter than the ELBO. Misleads when the bound
    itself is compared: it is that of K samples, however large M is. A step costs M * K decodings.

    Args:
        num_samples: K, samples in each bound.
        num_bounds: M.
        other arguments: as for `IWAE`.

    Example:

    ```python
    from keras_aevae import MIWAE, datasets, networks
    (x_train, _), _ = datasets.load("digits")
    miwae = MIWAE(*networks.mlp((8, 8, 1), latent_dim=8), num_bounds=2, num_samples=3)
    miwae.compile()
    miwae.fit(x_train, epochs=2)
    ```
    """

    num_bounds = Setting(check_positive_integer)

    def __init__(self, *args, num_samples=5, num_bounds=5, **kwargs):
        super().__init__(*args, num_samples=num_samples, **kwargs)
        self.num_bounds = num_bounds

    @property
    def num_draws(self):
        return self.num_bounds * self.num_samples

    def bound(self, log_weights, to_encoder=None):
        def grouped(weights):  # (draws, batch) -> (num_bounds, num_samples, batch)
            shape = (self.num_bounds, self.num_samples, -1)
            return None if weights is None else ops.reshape(weights, shape)

        bounds = self.importance_weighted(grouped(log_weights), grouped(to_encoder), axis=1)
        return ops.mean(bounds, axis=0)
