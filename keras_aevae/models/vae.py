"""The variational autoencoder.

Kingma & Welling 2014, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
Higgins et al. 2017, beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl
"""

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_number, check_positive_integer
from keras_aevae.distributions import DiagonalGaussian, LearnedPrior
from keras_aevae.engine.inference import first_of, is_array, run_in_batches
from keras_aevae.models.autoencoder import Autoencoder, draws_first
from keras_aevae.objectives import free_bits

# Codes decoded at a time by `log_likelihood`: bounds its memory, whatever `num_samples`. More
# of them fall out of the cache of a CPU.
ROWS_AT_A_TIME = 512


@keras.saving.register_keras_serializable(package="keras_aevae")
class VAE(Autoencoder):
    """Stores each input as a distribution q(z|x), and pays for what it says beyond the prior.

        loss = -E_q(z|x)[log p(x|z)] + beta KL(q(z|x) || p(z))                       (equation 3)

    With beta = 1 the loss is minus the evidence lower bound (ELBO) on log p(x), in nats, constants
    included. Good for: sampling, interpolation, a code that keeps only what is worth its nats.
    Misleads when the KL falls to 0 (posterior collapse: the decoder ignores z; warm beta up, or
    give free bits), and when losses under different likelihoods or betas are compared.

    Args:
        encoder, decoder, latent_dim, likelihood, prior, seed: as for `Autoencoder`.
        posterior: the family of q(z|x): "diagonal_gaussian".
        beta: weight of the KL: a number, or a schedule over training steps, such as
            `keras_aevae.objectives.LinearWarmUp` or any Keras learning rate schedule. Above 1:
            fewer nats, more disentangled codes (beta-VAE); below 1: no longer a bound. `evaluate`
            uses the value that the next training step would.
        free_bits: nats per latent dimension that cost nothing; shows as a term of its own.
        num_samples: draws of z for each example, in training and evaluation, over which the terms
            are averaged. With more than one, `z` and `decoder_output` of a call have an axis of
            them after the batch.

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
        free_bits=0.0,
        num_samples=1,
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
            seed=seed,
            **kwargs,
        )
        if not self.family.has_density:
            raise ValueError(
                f"`posterior` must have a density, for the KL. Received: posterior={posterior!r}. "
                "Use 'diagonal_gaussian', or `Autoencoder` for a point."
            )
        if not isinstance(beta, keras.optimizers.schedules.LearningRateSchedule):
            beta = check_number("beta", beta, minimum=0, remedy="1 is the ELBO.")
        self.beta = beta
        self.free_bits = check_number("free_bits", free_bits, minimum=0, remedy="0 is none.")
        if self.free_bits and not isinstance(self.prior, DiagonalGaussian):
            raise ValueError(
                "`free_bits` need a KL by dimension, which a learned prior doesn't have: leave "
                f"them out, or use prior='standard_normal'. Received: free_bits={free_bits!r}."
            )
        self.num_samples = check_positive_integer(
            "num_samples", num_samples, "1 is one draw from each posterior."
        )

    @property
    def term_names(self):
        return ("reconstruction", "kl") + (("free_bits",) if self.free_bits else ())

    @property
    def num_draws(self):
        """Draws of z for each example in a call."""
        return self.num_samples

    def draw(self, outputs, training=None):
        if self.num_draws == 1:
            return super().draw(outputs, training)
        return {"z": self.sampling(self.parameters_of(outputs), num_samples=self.num_draws)}

    def terms(self, x, outputs):
        terms = self.elbo_terms(x, outputs)
        if self.free_bits:
            kl = self.posterior_of(outputs).kl_per_dimension(self.prior)
            terms["free_bits"] = free_bits(kl, self.free_bits)
        return terms

    def elbo_terms(self, x, outputs):
        """The two terms whose sum is minus the ELBO, as means over the draws of z."""
        kl = self.posterior_of(outputs).kl(self.prior, sample=draws_first(outputs, "z"))
        return {
            "reconstruction": -ops.mean(self.log_conditional(x, outputs), axis=0),
            "kl": kl if len(kl.shape) == 1 else ops.mean(kl, axis=0),
        }

    def coefficients(self):
        beta = self.beta_now()
        weights = {"reconstruction": 1.0, "kl": beta}
        return weights | ({"free_bits": beta} if self.free_bits else {})

    def beta_now(self):
        """The value of beta at the model's training step."""
        return self.beta if isinstance(self.beta, float) else self.beta(self.step.value)

    def log_conditional(self, x, outputs):
        """log p(x|z_k) of the draws z_k in `outputs`, shape (num_samples, batch)."""
        return self.likelihood.log_prob(x, draws_first(outputs, "decoder_output"))

    def log_ratio(self, outputs):
        """log p(z_k) - log q(z_k|x) of the draws z_k in `outputs`, shape (num_samples, batch)."""
        z = draws_first(outputs, "z")
        prior = self.prior
        if "prior" in outputs:  # a learned one, computed already
            prior = prior.made_of(outputs["prior"])
        return prior.log_prob(z) - self.posterior_of(outputs).log_prob(z)

    def log_weights(self, x, outputs, beta=1.0):
        """log p(x|z_k) + beta (log p(z_k) - log q(z_k|x)), shape (num_samples, batch)."""
        return self.log_conditional(x, outputs) + beta * self.log_ratio(outputs)

    def elbo(self, x, num_samples=1, *, condition=None, batch_size=128, verbose=0):
        """Evidence lower bound of each example (beta = 1), nats.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            num_samples: draws of z for each example, over which the reconstruction term is
                averaged, and the KL where it has no closed form (under a learned prior).
            condition: what a conditional model is given beside each x.
            batch_size: examples at a time.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n,): unbiased for the ELBO, a lower bound of `log_likelihood`.
        """
        inputs = self.check_inputs(x, condition, support=self.likelihood.support)
        num_samples = check_positive_integer("num_samples", num_samples)

        def estimate(batch):
            passes = [self.call_compiled(self._elbo, batch) for _ in range(num_samples)]
            return sum(passes) / num_samples

        return run_in_batches(estimate, inputs, batch_size, verbose)

    def _elbo(self, inputs):
        outputs = self.infer(inputs, training=False)
        outputs["z"] = self.sampling(self.parameters_of(outputs))
        outputs |= self.generate(outputs, training=False)
        return -sum(self.elbo_terms(self.unpack(inputs)[0], outputs).values())

    def log_likelihood(self, x, num_samples=1000, *, condition=None, batch_size=128, verbose=0):
        """log p(x) of each example by importance sampling from the posterior, nats.

            log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

        Burda et al. 2016, https://arxiv.org/abs/1509.00519, equation 8. A lower bound in
        expectation, tighter with more samples: print `num_samples` beside the number. It uses
        exactly `num_samples` draws, and memory that doesn't grow with them.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            num_samples: K, draws of z for each example.
            condition: what a conditional model is given beside each x: the result is
                log p(x|condition).
            batch_size: examples at a time.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n,).
        """
        inputs = self.check_inputs(x, condition, support=self.likelihood.support)
        num_samples = check_positive_integer("num_samples", num_samples)
        known = is_array(first_of(inputs))
        rows = min(batch_size, len(first_of(inputs))) if known else batch_size
        chunk = min(num_samples, max(1, ROWS_AT_A_TIME // rows))

        learned = {}
        if isinstance(self.prior, LearnedPrior):
            learned["prior"] = self.call_compiled(self.prior.tensors)

        def estimate(batch):
            outputs = self.call_compiled(self._infer, batch) | learned
            n = len(first_of(batch))
            state = np.full(n, -np.inf, "float32"), np.zeros(n, "float32")
            for start in range(0, num_samples, chunk):
                left = np.asarray(num_samples - start, "float32")
                state = self.call_compiled(
                    self._add_weights, batch, outputs, *state, left, num_samples=chunk
                )
            return state[0] + ops.log(state[1]) - np.log(num_samples)

        return run_in_batches(estimate, inputs, batch_size, verbose)

    def _infer(self, inputs):
        return self.infer(inputs, training=False)

    def _add_weights(self, inputs, outputs, largest, total, left, num_samples):
        x, _ = self.unpack(inputs)
        z = self.sampling(self.parameters_of(outputs), num_samples=num_samples)
        outputs = {**outputs, "z": z}
        outputs |= self.generate(outputs, training=False)
        log_weights = self.log_weights(x, outputs)
        # Of the last chunk, only the first `left` draws count.
        counts = ops.arange(num_samples, dtype="float32")[:, None] < left
        log_weights = ops.where(counts, log_weights, -np.inf)
        # Streaming log-sum-exp: the sum of the weights so far is total * exp(largest).
        new = ops.maximum(largest, ops.max(log_weights, axis=0))
        added = ops.sum(ops.exp(log_weights - new), axis=0)
        return new, total * ops.exp(largest - new) + added

    def get_config(self):
        beta = self.beta
        if not isinstance(beta, float):
            beta = keras.saving.serialize_keras_object(beta)
        own = {"beta": beta, "free_bits": self.free_bits, "num_samples": self.num_samples}
        return {**super().get_config(), **own}
