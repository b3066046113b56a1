"""The hyperspherical VAE.

Davidson et al. 2018, Hyperspherical Variational Auto-Encoders, https://arxiv.org/abs/1804.00891
"""

import keras

from keras_aevae.engine.numbers import Refused
from keras_aevae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_aevae")
class HypersphericalVAE(VAE):
    """A VAE whose codes lie on the unit sphere, where the prior is uniform.

        q(z|x) = vMF(z; mu(x), kappa(x)),   p(z) = 1 / area of the sphere
        KL(q(z|x) || p(z)) = kappa A(kappa) - log M(kappa)
        loss = -E_q(z|x)[log p(x|z)] + beta KL(q(z|x) || p(z))

    with M the mean of exp(kappa w) over the sphere and A = (log M)'. The KL depends on kappa alone,
    so it leaves the codes free to spread over the sphere. Good for: data that lie on a circle or a
    sphere, codes compared by their angles, clusters that a Gaussian prior would pull together.
    Misleads in many dimensions: the authors find it better than the VAE in few, since one kappa
    must serve all directions. kappa is above 1, so the KL can't fall to 0: it is at least about
    1 / (2 m) nats, also where the decoder ignores z.

    Args:
        latent_dim: number m of dimensions of the space; the sphere in it has m - 1. To compare it
            with a VAE of d dimensions, take m = d + 1.
        prior: "uniform"; or, on the sphere too, "vamp_prior" or a
            `keras_aevae.distributions.VampPrior`, whose KL is estimated at the draws.
        free_bits: nats of the whole code that cost nothing, as the KL has one part.
        other arguments: as for `VAE`, without `posterior`.

    A call returns `z_mean`, mu, shape (batch, latent_dim), which `encode` gives, too, and
    `z_concentration`, kappa, shape (batch,). `decode` projects codes onto the sphere.
    `interpolate(..., method="spherical")` goes along the arc at an even speed, the default
    "linear" along the same arc, faster in the middle.

    Example:

    ```python
    from keras_aevae import HypersphericalVAE, datasets, networks
    (x_train, _), (x_test, _) = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=4)
    vae = HypersphericalVAE(encoder, decoder, latent_dim=4)
    vae.compile()
    vae.fit(x_train, epochs=2)
    path = vae.interpolate(x_test[:1], x_test[1:2], method="spherical")  # (1, 8, 8, 8, 1)
    ```
    """

    posterior = Refused(
        "its q(z|x) is a von Mises-Fisher distribution, whose codes lie on a sphere"
    )

    def __init__(self, *args, prior="uniform", posterior=None, **kwargs):
        self.posterior = posterior
        super().__init__(*args, posterior="von_mises_fisher", prior=prior, **kwargs)

    def get_config(self):
        config = super().get_config()
        del config["posterior"]  # the class determines it
        return config
