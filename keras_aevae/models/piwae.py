"""The partially importance weighted autoencoder.

Rainforth et al. 2018, Tighter Variational Bounds are Not Necessarily Better,
https://arxiv.org/abs/1802.04537
"""

import keras
from keras import ops

from keras_aevae.engine.numbers import Refused
from keras_aevae.models.iwae import IWAE
from keras_aevae.models.miwae import MIWAE


@keras.saving.register_keras_serializable(package="keras_aevae")
class PIWAE(MIWAE):
    """The decoder trained on IWAE's bound of M * K samples, the encoder on MIWAE(M, K).

        decoder's gradient: -d IWAE_MK,   encoder's gradient: -d MIWAE(M, K)

    Good for: the tight bound for the decoder, where it helps, and an informative gradient for the
    encoder, which the tight bound hurts. Misleads as one loss: no loss has this gradient; the one
    shown is the IWAE's. A step costs 2 * M * K decodings (fewer if the compiler sees that they are
    the same).

    Args:
        num_samples: K, samples in each of the encoder's bounds.
        num_bounds: M.
        other arguments: as for `IWAE`, without `gradient`.

    Example:

    ```python
    from keras_aevae import PIWAE, datasets, networks
    (x_train, _), _ = datasets.load("digits")
    piwae = PIWAE(*networks.mlp((8, 8, 1), latent_dim=8), num_bounds=2, num_samples=3)
    piwae.compile()
    piwae.fit(x_train, epochs=2)
    ```
    """

    gradient = Refused("it routes gradients by itself", allowed="reparameterized")
    routed = True
    along_path = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.code.shares_weights:
            raise ValueError(
                "`posterior` must have no weights in common with p(z), since encoder and decoder "
                f"are trained on different bounds. Received: a {type(self.code).__name__}. Take "
                "an IWAE, a MIWAE or a CIWAE."
            )

    def bound(self, log_weights, to_encoder=None):
        iwae = IWAE.bound(self, log_weights)
        if to_encoder is None:
            return iwae
        miwae = super().bound(to_encoder)
        return iwae + (miwae - ops.stop_gradient(miwae))
