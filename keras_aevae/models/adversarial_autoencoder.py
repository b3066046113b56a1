"""The adversarial autoencoder.

Makhzani et al. 2015, Adversarial Autoencoders, https://arxiv.org/abs/1511.05644
"""

import keras
from keras import ops

from keras_aevae.codes.base import draws_first
from keras_aevae.distributions import LearnedPrior
from keras_aevae.engine import replicas
from keras_aevae.engine.noise import another_seed
from keras_aevae.engine.numbers import Number
from keras_aevae.models.autoencoder import Autoencoder
from keras_aevae.networks import discriminator as build_discriminator
from keras_aevae.objectives import Adversary
from keras_aevae.objectives.adversarial import check_discriminator


@keras.saving.register_keras_serializable(package="keras_aevae")
class AdversarialAutoencoder(Autoencoder):
    """An autoencoder whose codes are made to follow the prior by a discriminator, without a KL.

        loss = -log p(x | z = encoder(x)) + adversary_weight generator + discriminator
        generator = -log D(z)
        discriminator = -1/2 [log D(z_p) + log(1 - D(z))],   z_p ~ p(z)

    D(z) is the probability that z was drawn from the prior and isn't a code. The gradient of
    `generator` passes through a frozen D to the encoder, that of `discriminator` reaches D only, so
    all networks are trained in one step. (The paper takes a step for each of the two, in turn.)

    Good for: a latent space without holes, from which `sample` draws, where the prior has no
    density that a KL could use: all it takes is draws. Misleads as a likelihood: there is no ELBO,
    and a code costs no nats, so the encoder may store as much as it likes. The discriminator has
    won where `discriminator` is near 0, and gives no information where it is near log 2 = 0.693,
    be the codes like the prior or D too weak: look at the codes. `loss` includes both sides, which
    work against each other; watch the single terms.

    Args:
        adversary_weight: weight of the generator's term; the paper's is 1 against a mean squared
            error. Our reconstruction is a sum over the values of an example, in nats, so larger
            images need a larger weight. A number, a schedule or a variable, to be set at any time.
        discriminator: a Keras model from codes (batch, latent_dim) to logits (batch, ...), which is
            called in inference mode; or the hidden units of a `keras_aevae.networks.discriminator`,
            by default the paper's, two layers of 1000.
        posterior: "point", the paper's deterministic encoder; "diagonal_gaussian", its Gaussian
            one, whose noise helps to fill the prior; or a `keras_aevae.codes.Code`.
        prior: "standard_normal", or a `keras_aevae.distributions.FixedPrior` of yours, of which
            only draws are needed. A learned prior, which a KL would train, is refused.
        other arguments: as for `Autoencoder`.

    Example, in which the discriminator has its own learning rate:

    ```python
    from keras.optimizers import Adam
    from keras_aevae import AdversarialAutoencoder, datasets, networks, optimizers
    (x_train, _), _ = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=4)
    model = AdversarialAutoencoder(encoder, decoder, discriminator=(64, 64))
    model.compile(optimizers(model, Adam(1e-3), discriminator=Adam(1e-4)))
    model.fit(x_train, epochs=2)
    images = model.sample(16)
    ```
    """

    adversary_weight = Number(minimum=0, remedy="0 is the autoencoder.")

    def __init__(self, *args, adversary_weight=1.0, discriminator=(1000, 1000), **kwargs):
        super().__init__(*args, **kwargs)
        self.adversary_weight = adversary_weight
        if isinstance(self.prior, LearnedPrior):
            raise ValueError(
                "`prior` must be fixed, since there is no KL that would train it: use "
                "'standard_normal', or fit a prior afterwards by fit_prior. Received: a "
                f"{type(self.prior).__name__}."
            )
        if isinstance(discriminator, (tuple, list)):
            discriminator = build_discriminator(self.latent_dim, discriminator)
        self.discriminator = discriminator
        check_discriminator(discriminator, (self.latent_dim,))
        self.draws_of_prior = replicas.SeedGenerator(another_seed(self.seed, "draws of the prior"))

    def terms(self, x, outputs):
        z = draws_first(outputs, "z")  # (draws, batch, latent_dim)
        each = Adversary(self.discriminator).generator(self.rows(z))
        generator = ops.mean(ops.reshape(each, (z.shape[0], -1)), axis=0)
        return {**super().terms(x, outputs), "generator": generator}

    def batch_terms(self, x, outputs):
        codes = self.rows(draws_first(outputs, "z"))
        drawn = self.p().sample((ops.shape(codes)[0],), seed=self.draws_of_prior)
        wrong = Adversary(self.discriminator).discriminator(drawn, codes)
        return {**super().batch_terms(x, outputs), "discriminator": replicas.weighted_mean(wrong)}

    def coefficients(self):
        own = {"generator": self.number("adversary_weight"), "discriminator": 1.0}
        return {**super().coefficients(), **own}

    def rows(self, z):
        return ops.reshape(z, (-1, self.latent_dim))

    def get_config(self):
        discriminator = keras.saving.serialize_keras_object(self.discriminator)
        return {**super().get_config(), "discriminator": discriminator}
