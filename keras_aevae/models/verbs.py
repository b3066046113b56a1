"""The verbs: arrays or datasets in, NumPy arrays out, batched and compiled."""

import functools

import numpy as np
from keras import ops

from keras_aevae._checks import check_name, check_positive_integer
from keras_aevae.codes.paths import PATHS
from keras_aevae.engine.checks import check_values
from keras_aevae.engine.inference import as_numpy, batches, first_of, is_array, run_in_batches


class Verbs:
    """What one asks of an autoencoder once it is trained: `encode`, `decode`, `sample`, ...

    They stand on the steps of one batch, which the model has: `unpack`, `infer`, `draw`,
    `generate`, `expected` and `terms`.
    """

    def __getattr__(self, name):
        if name in ("elbo", "log_likelihood"):
            raise AttributeError(
                f"{type(self).__name__} has no `{name}`: its codes have no density. A VAE's have; "
                "`evaluate_terms` gives the reconstruction in nats."
            )
        # That of PyTorch's modules; elsewhere raise as without this method.
        return getattr(super(), "__getattr__", super().__getattribute__)(name)

    def run(self, method, x, *, batch_size, verbose, **settings):
        """`method(x, **settings)` over all the batches of `x`: an array."""
        function = functools.partial(self.call_compiled, method, **settings)
        return run_in_batches(function, x, batch_size, verbose)

    def check_inputs(self, x, condition=None, *, name="x", shape=None, support=None):
        """Check what a verb was given; return it as the model is called on it.

        Arrays are checked: their shape (by default the data's), their values, their `support`.
        So is each batch of a dataset, when its turn comes.
        """
        settings = {"name": name, "shape": shape or self.data_shape, "support": support}
        if is_array(first_of(x)):
            return self.check_arrays(x, condition, **settings)
        if condition is not None:
            raise ValueError(
                f"`condition` goes with an array; a dataset holds its own: batches of (({name}, "
                f"condition),). Received: a {type(x).__name__} and a condition."
            )
        return ((self.check_arrays(batch, **settings),) for batch in batches(x))

    def check_arrays(self, x, condition=None, *, name, shape, support):
        if condition is not None:
            raise ValueError(
                "`condition` is for conditional models, such as ConditionalVAE; "
                f"{type(self).__name__} takes none: leave it out. "
                f"Received: condition={condition!r}."
            )
        if isinstance(x, tuple):
            raise ValueError(
                f"`{name}` must be one array. Received: a tuple of {len(x)}. Pairs ({name}, "
                "condition) are for conditional models, such as ConditionalVAE."
            )
        check_values(name, x, shape, support)
        return as_numpy(x) if isinstance(x, list) else x  # Keras would take it for many inputs

    def check_codes(self, z, condition=None):
        """Check codes and their condition, as `check_inputs` does data."""
        return self.check_inputs(z, condition, name="z", shape=(self.latent_dim,))

    def encode(self, x, *, condition=None, sample=False, batch_size=128, verbose=0):
        """Codes of `x`: the posterior's mean, or with `sample` a draw from it.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            condition: what a conditional model is given beside each x.
            sample: draw from q(z|x) instead of taking its mean.
            batch_size: examples at a time.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n, latent_dim).
        """
        inputs = self.check_inputs(x, condition)
        return self.run(self._encode, inputs, sample=sample, batch_size=batch_size, verbose=verbose)

    def _encode(self, inputs, sample=False):
        outputs = self.infer(inputs, training=False)
        if sample:
            return self.sampling(self.parameters_of(outputs))
        return self.posterior_of(outputs).mean

    def decode(self, z, *, condition=None, batch_size=128, verbose=0):
        """E[x|z] of codes `z`, shape (n, latent_dim): array of shape (n, *data_shape)."""
        inputs = self.check_codes(z, condition)
        return self.run(self._decode, inputs, batch_size=batch_size, verbose=verbose)

    def _decode(self, inputs):
        z, condition = self.unpack(inputs)
        return self._expected_at(z, condition)

    def _expected_at(self, z, condition):
        outputs = {"z": z, "condition": condition}
        return self.expected(outputs | self.generate(outputs, training=False))

    def reconstruct(self, x, *, condition=None, batch_size=128, verbose=0):
        """`x` through the posterior's mean and back: array of shape (n, *data_shape).

        No noise is drawn, so it is a little sharper than `predict`'s `reconstruction`, which
        decodes a draw.
        """
        inputs = self.check_inputs(x, condition)
        return self.run(self._reconstruct, inputs, batch_size=batch_size, verbose=verbose)

    def _reconstruct(self, inputs):
        return self._expected_at(self._encode(inputs), self.unpack(inputs)[1])

    def sample(
        self, num_samples=1, *, condition=None, codes=None, seed=None, batch_size=128, verbose=0
    ):
        """New data: E[x|z] of codes z drawn from the prior, or from a Gaussian fitted to `codes`.

        Args:
            num_samples: how many.
            condition: what a conditional model is given beside each z.
            codes: array (n, latent_dim), such as `encode(x_train)`: draw z from the Gaussian with
                their mean and covariance instead. A plain autoencoder's codes are seldom like its
                prior, so most of its bad samples come from the prior, not from its decoder
                (Ghosh et al. 2020, https://arxiv.org/abs/1903.12436).
            seed: integer, for the same samples again on the same backend.
            batch_size: examples at a time.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (num_samples, *data_shape).
        """
        num_samples = check_positive_integer("num_samples", num_samples)
        if codes is None:
            z = ops.convert_to_numpy(self.prior.sample((num_samples,), seed=seed))
        else:
            check_values("codes", codes, (self.latent_dim,), support=None)
            if len(codes) < 2:
                raise ValueError(
                    "`codes` must hold at least 2 codes to fit a Gaussian to. "
                    f"Received: {len(codes)}."
                )
            codes = np.asarray(codes, "float64")
            covariance = np.atleast_2d(np.cov(codes, rowvar=False))
            generator = np.random.default_rng(seed)
            z = generator.multivariate_normal(
                codes.mean(axis=0), covariance, num_samples, method="eigh"
            )
        z = z.astype("float32")
        return self.decode(z, condition=condition, batch_size=batch_size, verbose=verbose)

    def evaluate_terms(self, x, *, condition=None, batch_size=128, verbose=0):
        """The loss's terms of each example, unweighted: a dict of arrays of shape (n,), in nats.

        What `evaluate` reports is their mean. The reconstruction term of an example is the usual
        anomaly score.
        """
        inputs = self.check_inputs(x, condition, support=self.likelihood.support)
        return self.run(self._evaluate_terms, inputs, batch_size=batch_size, verbose=verbose)

    def _evaluate_terms(self, inputs):
        return self.terms(self.unpack(inputs)[0], self(inputs, training=False))

    def interpolate(
        self, start, end, steps=8, *, condition=None, method="linear", batch_size=128, verbose=0
    ):
        """Data along the path between the codes of `start` and those of `end`.

        Args:
            start, end: data, both of shape (n, *data_shape).
            steps: points on the path, both ends included.
            condition: what a conditional model is given beside each pair, the same on all its path.
            method: "linear", or "spherical": along the arc, which keeps the distance from the
                origin typical of a high-dimensional Gaussian (White 2016,
                https://arxiv.org/abs/1609.04468).

        Returns:
            Array of shape (n, steps, *data_shape).
        """
        check_name("method", method, PATHS)
        if check_positive_integer("steps", steps) < 2:
            raise ValueError(f"`steps` must be at least 2. Received: steps={steps}.")
        settings = {"batch_size": batch_size, "verbose": verbose}
        inputs = self.check_inputs(start, condition)
        a = self.run(self._encode, inputs, **settings)
        b = self.run(self._encode, self.check_inputs(end, condition), **settings)
        if a.shape != b.shape:
            raise ValueError(
                "`start` and `end` must hold the same number of examples. "
                f"Received: {len(a)} and {len(b)}."
            )
        path = PATHS[method](a[:, None], b[:, None], np.linspace(0, 1, steps)[None, :, None])
        z = path.reshape(-1, self.latent_dim).astype("float32")
        if self.condition_dim:  # that of the start, along the whole path
            z = (z, np.repeat(inputs[1], steps, axis=0))
        decoded = self.run(self._decode, z, **settings)
        return decoded.reshape(len(a), steps, *self.data_shape)
