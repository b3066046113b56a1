"""FactorVAE.

Kim & Mnih 2018, Disentangling by Factorising, https://arxiv.org/abs/1802.05983
"""

import keras
from keras import ops

from keras_aevae.codes.base import draws_first
from keras_aevae.engine import replicas
from keras_aevae.engine.noise import another_seed, uniform
from keras_aevae.engine.numbers import Number
from keras_aevae.models.vae import VAE
from keras_aevae.networks import discriminator as build_discriminator
from keras_aevae.objectives import Adversary
from keras_aevae.objectives.adversarial import check_discriminator


@keras.saving.register_keras_serializable(package="keras_aevae")
class FactorVAE(VAE):
    """A VAE that penalises dependence between its latent dimensions: their total correlation.

        loss = -ELBO + gamma KL(q(z) || prod_j q(z_j))                               (equation 2)

    The KL is estimated by a discriminator. D(z) is the probability that z comes from q(z) and not
    from the product of its marginals, whose samples are made by permuting each dimension over the
    batch:

        total_correlation = log D(z) / (1 - D(z))                                    (equation 3)
        discriminator = -1/2 [log D(z) + log (1 - D(permuted z))]                    (algorithm 2)

    All three networks are trained in one step, as with any `keras_aevae.objectives.Adversary`: the
    gradient of the first term passes through a frozen D to the encoder, that of the second reaches
    D only. (The paper permutes a second batch; here, as in most implementations, the same batch is
    permuted.)

    Good for: disentangled codes at less cost in reconstruction than a large beta. Misleads as a
    measure: the estimate is only as good as D, and too low when D is weak; measure disentanglement
    on data whose factors are known. `loss` includes the discriminator's term, so watch the single
    terms. It needs large batches: in a batch of 1 there is nothing to permute.

    Args:
        gamma: weight of the total correlation; 10 to 100 in the paper's sweeps.
        discriminator: a Keras model from codes (batch, latent_dim) to one logit (batch, 1); or the
            hidden units of a `keras_aevae.networks.discriminator`, by default the paper's. It is
            called in inference mode: without dropout or batch statistics.
        other arguments: as for `VAE`.

    Example, in which the discriminator has its own learning rate, as in the paper:

    ```python
    from keras.optimizers import Adam
    from keras_aevae import FactorVAE, datasets, networks, optimizers
    (x_train, _), _ = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=8)
    model = FactorVAE(encoder, decoder, gamma=10.0, discriminator=(64, 64))
    model.compile(optimizers(model, Adam(1e-3), discriminator=Adam(1e-4)))
    model.fit(x_train, epochs=2)
    ```
    """

    gamma = Number(minimum=0, remedy="0 is the VAE.")

    def __init__(self, *args, gamma=10.0, discriminator=(1000,) * 6, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma = gamma
        if self.latent_dim < 2:
            raise ValueError(
                "FactorVAE needs 2 or more latent dimensions, between which there can be "
                f"correlation: with 1 take a `VAE`. Received: latent_dim={self.latent_dim}."
            )
        if isinstance(discriminator, (tuple, list)):
            discriminator = build_discriminator(self.latent_dim, discriminator)
        self.discriminator = discriminator
        self.permutations = replicas.SeedGenerator(another_seed(self.seed, "permutations"))
        check_one_logit(discriminator, self.latent_dim)

    def terms(self, x, outputs):
        z = draws_first(outputs, "z")  # (num_samples, batch, latent_dim)
        joint = Adversary(self.discriminator).log_ratio(self.rows(z))
        total_correlation = ops.mean(ops.reshape(joint, (z.shape[0], -1)), axis=0)
        return {**super().terms(x, outputs), "total_correlation": total_correlation}

    def batch_terms(self, x, outputs):
        z = draws_first(outputs, "z")
        product = self.permute(ops.stop_gradient(z))
        wrong = Adversary(self.discriminator).discriminator(self.rows(z), self.rows(product))
        own = {"discriminator": replicas.weighted_mean(wrong)}
        return {**super().batch_terms(x, outputs), **own}

    def coefficients(self):
        own = {"total_correlation": self.number("gamma"), "discriminator": 1.0}
        return {**super().coefficients(), **own}

    def rows(self, z):
        return ops.reshape(z, (-1, self.latent_dim))

    def permute(self, z):
        """Permute each latent dimension of `z` over the batch, independently (algorithm 1)."""
        noise = uniform(ops.shape(z), self.permutations)
        return ops.take_along_axis(z, ops.argsort(noise, axis=1), axis=1)

    def get_config(self):
        discriminator = keras.saving.serialize_keras_object(self.discriminator)
        return {**super().get_config(), "discriminator": discriminator}


def check_one_logit(discriminator, latent_dim):
    shape = check_discriminator(discriminator, (latent_dim,))
    if shape != (1,):
        raise ValueError(
            "`discriminator` must give one logit, shape (batch, 1). Received: output shape "
            f"{(None, *shape)}."
        )
