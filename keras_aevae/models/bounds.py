"""Bounds on log p(x) of a trained model."""

import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.inference import first_of, is_array, num_examples, run_in_batches

# The number of codes that `log_likelihood` decodes at a time: it bounds the memory, whatever
# `num_samples`. Larger chunks don't fit in the cache of a CPU.
ROWS_AT_A_TIME = 512


class Bounds:
    """A mixin of the models: the evidence lower bound, and log p(x) by importance sampling."""

    def elbo(self, x, num_samples=1, *, condition=None, batch_size=128, steps=None, verbose=0):
        """Compute the evidence lower bound of each example (beta = 1), in nats.

            E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))

        p(z) is the prior that `fit_prior` fitted, if there is one, else the model's own.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            num_samples: number of draws of z for each example. The reconstruction term is averaged
                over them, and so is the KL if it has no closed form (as under a learned prior).
            condition: the condition of each x, for a conditional model.
            batch_size: number of examples per batch.
            steps: number of batches to read, by default all: needed for data without an end.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n,): an unbiased estimate of the ELBO, a lower bound of
                `log_likelihood`.
        """
        self.check_stores("elbo", "distribution", "codebook")
        inputs = self.check_inputs(x, condition, support=self.likelihood.support, steps=steps)
        num_samples = check_positive_integer("num_samples", num_samples)

        def estimate(batch):
            passes = [self.call_compiled(self._elbo, batch) for _ in range(num_samples)]
            return sum(passes) / num_samples

        return run_in_batches(estimate, inputs, batch_size, verbose, steps)

    def _elbo(self, inputs):
        outputs = self.infer(inputs, training=False)
        outputs |= self.draw(outputs, 1)
        outputs |= self.generate(outputs, training=False)
        return self._elbo_of(inputs, outputs)

    def _elbo_of(self, inputs, outputs):
        x, _ = self.unpack(inputs)
        return ops.mean(self.log_conditional(x, outputs), axis=0) - self._kl_of(outputs)

    def _kl_of(self, outputs):
        kl = ops.sum(self.code.kl(outputs, self.p(fitted=True)), axis=-1)
        return ops.mean(kl, axis=0)

    def kl_to_prior(self, inputs):
        """Return KL(q(z|x) || p(z)) of each example of one batch, under the p(z) of `elbo`."""
        outputs = self.infer(inputs, training=False)
        return self._kl_of(outputs | self.draw(outputs, self.num_draws))

    def log_likelihood(
        self, x, num_samples=1000, *, condition=None, batch_size=128, steps=None, verbose=0
    ):
        """Estimate log p(x) of each example by importance sampling from the posterior, in nats.

            log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

        Burda et al. 2016, https://arxiv.org/abs/1509.00519, equation 8. In expectation it is a
        lower bound, which is tighter with more samples: report `num_samples` beside the number. It
        uses exactly `num_samples` draws, and its memory doesn't grow with them.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            num_samples: K, number of draws of z for each example.
            condition: the condition of each x, for a conditional model: the result is
                log p(x|condition).
            batch_size: number of examples per batch.
            steps: number of batches to read, by default all: needed for data without an end.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n,).
        """
        self.check_stores("log_likelihood", "distribution")
        inputs = self.check_inputs(x, condition, support=self.likelihood.support, steps=steps)
        settings = {"batch_size": batch_size, "steps": steps, "verbose": verbose}
        start = no_weights
        largest, total = self.over_draws(self._add_weights, inputs, num_samples, start, **settings)
        return largest + np.log(total) - np.float32(np.log(num_samples))

    def over_draws(self, add, inputs, num_samples, start, *, batch_size, verbose, steps=None):
        """Return a state of each example after `num_samples` draws of z from its posterior: arrays.

        The state is a tuple: `start(n)` gives that of n examples before the first draw, and
        `add(inputs, inferred, prior, *state, left, num_samples)`, a method that is compiled, the
        one after `num_samples` more draws, of which the first `left` count. The memory doesn't grow
        with the number of draws.
        """
        num_samples = check_positive_integer("num_samples", num_samples)
        known = is_array(first_of(inputs))
        rows = min(batch_size, num_examples(inputs)) if known else batch_size
        chunk = min(num_samples, max(1, ROWS_AT_A_TIME // rows))

        prior = self.call_compiled(self._prior_tensors)

        def estimate(batch):
            inferred = self.call_compiled(self._infer, batch)
            state = start(len(first_of(batch)))
            for done in range(0, num_samples, chunk):
                left = np.asarray(num_samples - done, "float32")
                state = self.call_compiled(
                    add, batch, inferred, prior, *state, left, num_samples=chunk
                )
            return state

        return run_in_batches(estimate, inputs, batch_size, verbose, steps)

    def _infer(self, inputs):
        return self.infer(inputs, training=False)

    def _prior_tensors(self):
        return self.code.prior_tensors(self.posterior_at, fitted=True)

    def weighted(self, inputs, inferred, prior, left, num_samples):
        """Return `(outputs, log_weights)` of `num_samples` draws from the posterior:
        log p(x|z_k) + log p(z_k) - log q(z_k|x), shape (num_samples, batch); -inf after the first
        `left`, which alone count."""
        x, _ = self.unpack(inputs)
        outputs = inferred | self.draw(inferred, num_samples)
        outputs |= self.generate(outputs, training=False)
        p = self.code.p_of(prior, fitted=True)
        log_weights = self.log_conditional(x, outputs) + self.code.log_ratio(outputs, p)
        counts = ops.arange(num_samples, dtype="float32")[:, None] < left
        return outputs, ops.where(counts, log_weights, -np.inf)

    def _add_weights(self, inputs, inferred, prior, largest, total, left, num_samples):
        _, log_weights = self.weighted(inputs, inferred, prior, left, num_samples)
        new, kept, weights = rescaled(largest, log_weights)
        return new, total * kept + ops.sum(weights, axis=0)

    def check_stores(self, verb, *kinds):
        """Raise an error unless the model stores an input as one of `kinds`."""
        if self.stores not in kinds:
            remedy = "`evaluate_terms` gives the reconstruction"
            if self.stores == "codebook":
                remedy = "`elbo` gives a lower bound of log p(x)"
            raise ValueError(
                f"`{verb}` needs a model that stores a {' or a '.join(kinds)}. Received: "
                f"{type(self).__name__}, which stores a {self.stores}. {remedy}, in nats."
            )


# Streaming log-sum-exp: the sum of the weights so far is total * exp(largest).


def no_weights(n):
    """Return `(largest, total)` of n examples before the first draw."""
    return np.full(n, -np.inf, "float32"), np.zeros(n, "float32")


def rescaled(largest, log_weights):
    """Return `(new, kept, weights)`: the new largest log-weight, the factor of all sums so far, and
    exp(log_weights - new), shape (num_samples, batch)."""
    new = ops.maximum(largest, ops.max(log_weights, axis=0))
    finite = ops.where(ops.isfinite(new), new, 0.0)  # where all are -inf so far, so is the result
    return new, ops.exp(largest - finite), ops.exp(log_weights - finite)
