"""The variational autoencoder.

Kingma & Welling 2014, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
Higgins et al. 2017, beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl
"""

import keras
from keras import ops

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine import replicas
from keras_aevae.engine.numbers import Number, Setting
from keras_aevae.models.autoencoder import Autoencoder
from keras_aevae.objectives import free_bits


@keras.saving.register_keras_serializable(package="keras_aevae")
class VAE(Autoencoder):
    """Stores each input as a distribution q(z|x), at a cost: its KL to the prior.

        loss = -E_q(z|x)[log p(x|z)] + beta KL(q(z|x) || p(z))                       (equation 3)

    With beta = 1 the loss is minus the evidence lower bound (ELBO) on log p(x), in nats, constants
    included. Good for: sampling, interpolation, a code that keeps only what is worth its nats.
    Misleads when the KL falls to 0 (posterior collapse: the decoder ignores z; warm beta up, or
    give free bits), and when losses under different likelihoods or betas are compared.

    Args:
        encoder, decoder, latent_dim, likelihood, prior, classes, condition_dim, seed: as for
            `Autoencoder`.
        posterior: the family of q(z|x): "diagonal_gaussian"; a normalizing flow,
            "inverse_autoregressive_flow" or "real_nvp"; or a `keras_aevae.codes.Code` that stores a
            distribution.
        beta: weight of the KL: a number, a schedule over training steps, such as
            `keras_aevae.objectives.LinearWarmUp` or any Keras learning rate schedule, or a scalar
            variable. Above 1 the codes hold fewer nats and are more disentangled (beta-VAE); below
            1 the loss is no longer a bound. It may be set at any time, `model.beta = 0.5`, also by
            a callback in `fit`. `evaluate` uses the value of the next training step.
        free_bits: nats per latent dimension that cost nothing, or None. They are shown as a
            separate term, a statistic of the batch.
        num_samples: number of draws of z for each example, in training and evaluation, over which
            the terms are averaged. With more than one, `z` and `decoder_output` of a call have an
            axis of draws after the batch axis.

    Example:

    ```python
    from keras_aevae import VAE, datasets, networks
    (x_train, _), (x_test, _) = datasets.load("digits")
    encoder, decoder = networks.mlp(x_train.shape[1:], latent_dim=8)
    vae = VAE(encoder, decoder)
    vae.compile()
    vae.fit(x_train, epochs=2)
    images = vae.sample(16)
    nats = vae.log_likelihood(x_test[:10], num_samples=100)
    ```
    """

    beta = Number(minimum=0, remedy="1 is the ELBO.")
    free_bits = Number(minimum=0, optional=True, remedy="None is none.")
    num_samples = Setting(check_positive_integer)

    def __init__(
        self,
        encoder,
        decoder,
        latent_dim=None,
        likelihood="bernoulli",
        *,
        posterior="diagonal_gaussian",
        prior="standard_normal",
        beta=1.0,
        free_bits=None,
        num_samples=1,
        classes=None,
        condition_dim=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            encoder,
            decoder,
            latent_dim,
            likelihood,
            posterior=posterior,
            prior=prior,
            classes=classes,
            condition_dim=condition_dim,
            seed=seed,
            **kwargs,
        )
        if self.stores != "distribution":
            raise ValueError(
                "`posterior` must have a density, for the KL. Received: "
                f"posterior={posterior!r}. Use 'diagonal_gaussian', or `Autoencoder` for a point."
            )
        self.beta = beta
        self.free_bits = free_bits
        self.num_samples = num_samples

    def check_number(self, name, value):
        super().check_number(name, value)
        if name == "free_bits" and value is not None and not self.code.exact_kl:
            raise ValueError(
                "`free_bits` need a KL by dimension, which this posterior doesn't have to this "
                "prior, or to any learned one: leave them out, or use prior='standard_normal'. "
                f"Received: free_bits={value!r}, {type(self.code).__name__}, "
                f"{type(self.prior).__name__}."
            )

    @property
    def num_draws(self):
        return self.num_samples

    def kl_by_part(self, outputs):
        """Return the KL by dimension, or by group, averaged over draws: shape (batch, parts)."""
        return ops.mean(self.code.kl(outputs, self.p()), axis=0)

    def terms(self, x, outputs):
        kl = self.kl_by_part(outputs)
        parts = {name: kl[:, i] for i, name in enumerate(self.code.shown_parts)}
        return {**super().terms(x, outputs), "kl": ops.sum(kl, axis=-1), **parts}

    def batch_terms(self, x, outputs):
        if self.free_bits is None:
            return {}
        bits = free_bits(self.kl_by_part(outputs), self.number("free_bits"))
        return {"free_bits": replicas.weighted_mean(bits)}

    def coefficients(self):
        beta = self.number("beta")
        weights = {"reconstruction": 1.0, "kl": beta}
        return weights if self.free_bits is None else {**weights, "free_bits": beta}
