"""The VAE with a VampPrior.

Tomczak & Welling 2018, VAE with a VampPrior, https://arxiv.org/abs/1705.07120
"""

import keras

from keras_aevae.distributions import LearnedPrior, VampPrior
from keras_aevae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_aevae")
class VampPriorVAE(VAE):
    """A VAE whose prior is the mixture of its posteriors at K trained pseudo-inputs.

        p(z) = 1/K sum_k q(z|u_k)                                                    (equation 9)
        loss = -E_q(z|x)[log p(x|z)] + KL(q(z|x) || p(z))

    The KL is estimated at one sample, since it has no closed form. Good for: likelihood, few holes
    (`sample` draws from where the codes are), fewer inactive dimensions. Misleads when its KL is
    compared with that under another prior: it is lower here because the prior has learned.

    `VAE(prior=VampPrior(...))` is the same model. Any other model with a density also takes this
    prior, and this model takes another one, such as `GaussianMixture`.

    Args:
        num_components: K, the number of pseudo-inputs, which start as training data; by default
            500.
        prior: a `VampPrior` that you made, or another learned prior, instead of `num_components`.
        other arguments: as for `VAE`.

    Example:

    ```python
    from keras_aevae import VampPriorVAE, datasets, networks
    (x_train, _), _ = datasets.load("digits")
    vae = VampPriorVAE(*networks.mlp((8, 8, 1), latent_dim=8), num_components=50)
    vae.compile()
    vae.fit(x_train, epochs=2)
    images = vae.sample(16)
    ```
    """

    def __init__(self, *args, num_components=None, prior=None, **kwargs):
        if prior is not None and num_components is not None:
            raise ValueError(
                "`num_components` is that of the VampPrior which is made where no `prior` is given:"
                f" give it to your own. Received: num_components={num_components!r}, "
                f"prior={prior!r}."
            )
        if prior is None:
            prior = VampPrior(500 if num_components is None else num_components)
        super().__init__(*args, prior=prior, **kwargs)
        if not isinstance(self.prior, LearnedPrior):
            raise ValueError(
                "`prior` must be one that is learned, a VampPrior or a GaussianMixture: with a "
                f"fixed one the model is a `VAE`. Received: prior={prior!r}."
            )
