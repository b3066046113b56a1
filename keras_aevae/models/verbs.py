"""The methods of a trained model (the verbs). They take arrays or datasets and return NumPy arrays,
batched and compiled."""

import functools

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import (
    argument_names,
    check_name,
    check_positive_integer,
    check_seed,
    takes_any,
)
from keras_aevae.codes.paths import PATHS
from keras_aevae.engine.batches import (
    is_dataset,
)
from keras_aevae.engine.inference import first_of, run_in_batches
from keras_aevae.engine.noise import another_seed
from keras_aevae.layers.past import step_by_step


class Verbs:
    """A mixin of the models with the methods of a trained model: `encode`, `decode`, `sample`, ...

    They are built on the model's steps of one batch (`unpack`, `infer`, `draw`, `generate`,
    `expected` and `terms`), and on its `code`, which defines how inputs are stored.
    """

    def run(self, method, x, *, batch_size, verbose, steps=None, **settings):
        """Return `method(x, **settings)` over all the batches of `x`, or the first `steps`, as an
        array."""
        function = functools.partial(self.call_compiled, method, **settings)
        return run_in_batches(function, x, batch_size, verbose, steps)

    def encode(self, x, *, condition=None, sample=False, batch_size=128, steps=None, verbose=0):
        """Encode `x`: return the centre of q(z|x) or, with `sample`, a draw from it.

        The centre of a Gaussian is its mean; the centre of a codebook's code is the nearest codes.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            condition: the condition of each x, for a conditional model.
            sample: draw from q(z|x) instead of taking its centre.
            batch_size: number of examples per batch.
            steps: number of batches to read, by default all: needed for data without an end.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n, latent_dim).
        """
        inputs = self.check_inputs(x, condition, steps=steps)
        method = self._encode_draw if sample else self._encode
        return self.run(method, inputs, batch_size=batch_size, verbose=verbose, steps=steps)

    def _encode(self, inputs):
        return self.code.center(self.infer(inputs, training=False))

    def _encode_draw(self, inputs):
        return self.draw(self.infer(inputs, training=False), 1)["z"][:, 0]

    def _encode_mean(self, inputs):
        return self.infer(inputs, training=False)["z_mean"]

    def decode(
        self,
        z,
        *,
        condition=None,
        noise=False,
        seed=None,
        length=None,
        batch_size=128,
        steps=None,
        verbose=0,
    ):
        """Decode codes `z`: return E[x|z] or, with `noise`, a draw from p(x|z).

        Args:
            z: codes, shape (n, latent_dim).
            condition: the condition of each z, for a conditional model.
            noise: draw x from p(x|z) instead of taking its mean. A mean of black and white pixels
                is grey; a draw is black and white, and its pixels are drawn independently. A
                decoder that sees x draws each step given the steps that it drew before.
            seed: integer; the same seed gives the same draws on the same backend.
            length: the length of the new data, if the model's data may be of any length.
            batch_size: number of codes per batch.
            steps: number of batches to read, by default all: needed for data without an end.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n, *data_shape).
        """
        inputs = self.check_codes(z, condition, steps)
        settings = {"length": length, "batch_size": batch_size, "verbose": verbose}
        return self.run_decoder(inputs, noise, seed, steps=steps, **settings)

    def run_decoder(self, inputs, noise=False, seed=None, length=None, **settings):
        seed = None if seed is None else check_seed(seed)
        generator = keras.random.SeedGenerator(seed) if noise else None
        shape = self.shape_of_length(length)
        decode = functools.partial(self.decode_batch, shape=shape, generator=generator)
        return run_in_batches(decode, inputs, **settings)

    def shape_of_length(self, length):
        """Return the shape of an example of this `length`, which must be None if the data of this
        model have a fixed length."""
        if self.any_length:
            remedy = "The model's data may be of any length: say which."
            return check_positive_integer("length", length, remedy), *self.data_shape[1:]
        if length is not None:
            raise ValueError(
                "`length` is for models whose data may be of any length; this one's have the shape "
                f"{self.data_shape}: leave it out. Received: length={length!r}."
            )
        return self.data_shape

    def decode_batch(self, inputs, shape, generator=None):
        """Return one batch of decoded codes, as examples of this `shape`: E[x|z] or, with a seed
        generator, a draw from p(x|z)."""
        if self.past is not None:
            params_given = functools.partial(self.call_compiled, self._decoder_output, inputs)
            shape = (len(first_of(inputs)), *shape)
            return step_by_step(params_given, shape, self.likelihood, generator)
        if generator is None:
            return self.call_compiled(self._decode, inputs)
        params = self.call_compiled(self._decoder_output, inputs)
        return self.likelihood.sample(params, seed=generator)

    def _decoder_output(self, inputs, x=None):
        """Return the likelihood's parameters at codes. A decoder that sees x is given `x`."""
        z, condition = self.unpack(inputs)
        return self.params_at(z, self.side_inputs(x, condition), training=False)

    def _decode(self, inputs):
        return self.likelihood.mean(self._decoder_output(inputs))

    def reconstruct(self, x, *, condition=None, batch_size=128, steps=None, verbose=0):
        """Encode `x` to the centre of q(z|x) and decode it: array of shape (n, *data_shape).

        `x` may be a dataset of batches, of which the first `steps` are read, by default all. The
        result is that of `decode(encode(x))`. No noise is drawn, so it is a little sharper than
        the `reconstruction` of `predict`, which decodes a draw. A decoder that sees x is not given
        x here.
        """
        inputs = self.check_inputs(x, condition, steps=steps)
        return run_in_batches(self.reconstruct_batch, inputs, batch_size, verbose, steps)

    def reconstruct_batch(self, inputs):
        if self.past is None:
            return self.call_compiled(self._reconstruct, inputs)
        codes = self.with_condition(self.call_compiled(self._encode, inputs), inputs)
        return self.decode_batch(codes, first_of(inputs).shape[1:])

    def _reconstruct(self, inputs):
        return self._decode(self.with_condition(self._encode(inputs), inputs))

    def with_condition(self, z, inputs):
        """Return the codes `z` of `inputs` as `decode` takes them."""
        return z if self.condition is None else (z, inputs[1])

    def sample(
        self,
        num_samples=1,
        *,
        condition=None,
        noise=False,
        seed=None,
        length=None,
        batch_size=128,
        verbose=0,
        **settings,
    ):
        """Generate new data: draw codes from p(z) and decode them.

        p(z) is the prior that `fit_prior` fitted, if there is one, else the model's own. Good for:
        looking at what a model has learned. Misleads for a model whose codes aren't like its prior,
        such as a plain autoencoder: most of its bad samples come from the prior, not from its
        decoder (Ghosh et al. 2020, https://arxiv.org/abs/1903.12436), and `fit_prior` mends that.

        Args:
            num_samples: number of samples.
            condition: the condition of each sample, for a conditional model.
            noise: draw x from p(x|z) instead of taking its mean E[x|z].
            seed: integer; the same seed gives the same samples on the same backend.
            length: the length of the new data, if the model's data may be of any length.
            batch_size: number of examples per batch.
            verbose: 1 for a progress bar.
            settings: the prior's own: `temperature` of an autoregressive one (below 1 it gives
                likelier, less diverse codes).

        Returns:
            Array of shape (num_samples, *data_shape).

        Raises:
            ValueError: if the prior that is in use has no such setting.
        """
        inputs = self.check_codes(self.sample_codes(num_samples, seed=seed, **settings), condition)
        second = another_seed(seed, "noise of x")
        settings = {"length": length, "batch_size": batch_size, "verbose": verbose}
        return self.run_decoder(inputs, noise, second, **settings)

    def sample_codes(self, num_samples=1, *, seed=None, **settings):
        """Draw codes from p(z), as `sample` does: array of shape (num_samples, latent_dim). Other
        arguments are the prior's own settings."""
        num_samples = check_positive_integer("num_samples", num_samples)
        seed = None if seed is None else check_seed(seed)
        p = self.p(fitted=True)
        check_settings_of_prior(p, settings, type(self.code.prior_of(fitted=True)).__name__)
        return ops.convert_to_numpy(self.code.sample(num_samples, p, seed=seed, **settings))

    def evaluate_terms(self, x, *, condition=None, batch_size=128, steps=None, verbose=0):
        """Return the unweighted loss terms of each example: a dict of arrays (n,), in nats.

        `evaluate` reports their means, and also the terms that mix the examples of a batch, which
        are left out here. The reconstruction term of an example is the usual anomaly score. `x` may
        be a dataset of batches, of which the first `steps` are read, by default all.
        """
        inputs = self.check_inputs(x, condition, support=self.likelihood.support, steps=steps)
        settings = {"batch_size": batch_size, "steps": steps, "verbose": verbose}
        return self.run(self._evaluate_terms, inputs, **settings)

    def _evaluate_terms(self, inputs):
        outputs = self.with_one_draw(self(inputs, training=False))
        return self.example_terms(self.unpack(inputs)[0], outputs)

    def interpolate(
        self, start, end, steps=8, *, condition=None, method="linear", batch_size=128, verbose=0
    ):
        """Decode points on the path between the codes of `start` and those of `end`.

        Args:
            start, end: arrays of data, both of shape (n, *data_shape); no datasets, of which a
                path needs both ends at once. Where data may be of any length, `start` has that of
                the path.
            steps: points on the path, both ends included.
            condition: what a conditional model is given beside each pair, the same on all its path.
            method: "linear", or "spherical": along the arc, which keeps the distance from the
                origin that is typical of a high-dimensional Gaussian (White 2016,
                https://arxiv.org/abs/1609.04468).

        Returns:
            Array of shape (n, steps, *data_shape).
        """
        check_name("method", method, PATHS)
        if check_positive_integer("steps", steps) < 2:
            raise ValueError(f"`steps` must be at least 2. Received: steps={steps}.")
        for name, given in (("start", start), ("end", end)):
            if is_dataset(given):
                raise ValueError(
                    f"`{name}` must be an array of data. Received: a {type(given).__name__}. Of a "
                    "dataset that is read in batches take some examples."
                )
        settings = {"batch_size": batch_size, "verbose": verbose}
        inputs = self.check_inputs(start, condition, name="start")
        a = self.run(self._encode, inputs, **settings)
        b = self.run(self._encode, self.check_inputs(end, condition, name="end"), **settings)
        if a.shape != b.shape:
            raise ValueError(
                "`start` and `end` must hold the same number of examples. "
                f"Received: {len(a)} and {len(b)}."
            )
        path = PATHS[method](a[:, None], b[:, None], np.linspace(0, 1, steps)[None, :, None])
        z = path.reshape(-1, self.latent_dim).astype("float32")
        if self.condition_dim:  # the condition of the start, along the whole path
            z = (z, np.repeat(inputs[1], steps, axis=0))
        length = first_of(inputs).shape[1] if self.any_length else None
        decoded = self.run_decoder(z, length=length, **settings)
        return decoded.reshape(len(a), steps, *decoded.shape[1:])


def check_settings_of_prior(p, settings, name):
    """Raise unless the `sample` of p, the current distribution of a prior of that class name, takes
    all `settings`."""
    known = [name for name in argument_names(p.sample)[1:] if name != "seed"]
    for setting in () if takes_any(p.sample) else settings:
        if setting not in known:
            takes = ", ".join(known) or "none"
            raise ValueError(
                f"`sample` takes no `{setting}` under the prior that is in use, a {name}; its own "
                f"settings: {takes}. Received: {setting}={settings[setting]!r}."
            )
