"""The autoencoder, and the base of the zoo: the verbs, and the one place where a loss is reduced.

Rumelhart, Hinton & Williams 1986, Learning Internal Representations by Error Propagation;
Hinton & Salakhutdinov 2006, https://doi.org/10.1126/science.1127647
"""

import functools

import keras
import numpy as np
from keras import ops

from keras_aevae import hub
from keras_aevae._checks import check_name, check_positive_integer
from keras_aevae.distributions import get_likelihood, get_posterior, get_prior
from keras_aevae.layers import Sampling
from keras_aevae.models.checks import check_fit_data, check_networks, check_values
from keras_aevae.models.inference import compiled, is_array, run_in_batches


@keras.saving.register_keras_serializable(package="keras_aevae")
class Autoencoder(keras.Model):
    """Stores each input as one point z of a latent space, and learns to reproduce it from there.

        loss = -log p(x | z = encoder(x))

    Good for: compression, denoising, features, anomaly scores. Misleads as a generator: nothing
    presses its codes towards any known distribution, so a z drawn from N(0, I) may lie where no
    code ever was. Pass `codes=` to `sample` to draw from where they are.

    It is also the base of the library's models. A relative says what is different: another
    posterior, terms of its own in `terms`, their coefficients in `coefficients`.

    Args:
        encoder: a Keras model from data (batch, *data_shape) to features of any shape. The model
            adds the dense layer that turns them into the code.
        decoder: a Keras model from codes (batch, latent_dim) to the likelihood's parameters:
            (batch, *data_shape), the last axis `likelihood.outputs_per_value` times as long, and
            no activation: logits for the Bernoulli, means for the Gaussian.
        latent_dim: number of latent dimensions; by default the decoder's.
        likelihood: p(x|z): "bernoulli" (also "binary_crossentropy"), "gaussian" (calibrated
            scale; also "mse": squared error), "categorical", "discretized_logistic", or a
            `keras_aevae.distributions.Likelihood`.
        posterior: q(z|x), how an input is stored: "point" or "diagonal_gaussian".
        prior: p(z), where `sample` draws codes by default: "standard_normal".
        seed: integer seed of the posterior's noise, or None for a random one.

    Call arguments:
        x: data, shape (batch, *data_shape).

    Returns (from a call, and from `predict`) a dict:
        reconstruction: E[x|z], shape (batch, *data_shape).
        decoder_output: the likelihood's parameters.
        z: the code, shape (batch, latent_dim); `z_mean` (and what else the posterior has).

    Raises:
        ValueError: if the networks don't fit each other, the data or `latent_dim`.

    `fit` takes arrays, `(x, target)` pairs for denoising, `tf.data`, `PyDataset`, `DataLoader` or
    generators, with sample weights; the weighted mean over the batch divides by the sum of the
    weights. Every term shows by its name in the progress bar, `evaluate` and `History`, in nats
    per example, summed over the data's values.

    Example:

    ```python
    from keras_aevae import Autoencoder, datasets, networks
    (x_train, _), (x_test, _) = datasets.load("digits")
    encoder, decoder = networks.mlp(x_train.shape[1:], latent_dim=8)
    ae = Autoencoder(encoder, decoder)
    ae.compile()
    ae.fit(x_train, epochs=2, validation_data=(x_test,))
    codes = ae.encode(x_test)
    ```
    """

    # Names of the loss's terms, in the order in which they are shown.
    term_names = ("reconstruction",)
    presets = hub.Presets()

    def __init__(
        self,
        encoder,
        decoder,
        latent_dim=None,
        likelihood="bernoulli",
        *,
        posterior="point",
        prior="standard_normal",
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = get_likelihood(likelihood)
        self.latent_dim, self.data_shape, features = check_networks(
            encoder, decoder, latent_dim, self.likelihood
        )
        self.posterior = posterior
        self.family = get_posterior(posterior)
        self.prior_name = prior
        self.prior = get_prior(prior, self.latent_dim)
        # From features to the posterior's parameters, in float32 whatever the policy.
        self.head = keras.layers.Dense(
            self.family.raw_size(self.latent_dim), dtype="float32", name="posterior"
        )
        self.head.build((None, features))
        self.sampling = Sampling(posterior, seed=seed, dtype=self.dtype_policy)
        self.seed = self.sampling.seed
        # The model's own count of training steps, for schedules: an optimizer's can't be read
        # inside `compute_loss` on every backend.
        self.step = self.add_weight(
            name="step", shape=(), dtype="int", initializer="zeros", trainable=False
        )
        self.trackers = []
        self._compiled = {}
        self.built = True

    # The way of one batch

    def call(self, x, training=None):
        outputs = self.infer(x, training=training)
        params = self.decoder(outputs["z"], training=training)
        return {
            "reconstruction": self.likelihood.mean(params),
            "decoder_output": params,
            **outputs,
        }

    def infer(self, x, training=None):
        """q(z|x) by its parameters' names (`z_mean`, ...), and one draw from it, `z`."""
        features = self.encoder(x, training=training)
        raw = self.head(ops.reshape(features, (-1, self.head.input_spec.axes[-1])))
        parameters = self.family.parameterize(raw)
        return {
            "z": self.sampling(list(parameters.values())),
            **{f"z_{name}": value for name, value in parameters.items()},
        }

    def posterior_of(self, outputs):
        """The distribution q(z|x) whose parameters are in `outputs`."""
        return self.family(*(outputs[f"z_{name}"] for name in self.family.parameters))

    def terms(self, x, outputs):
        """The loss's terms by name: each of shape (batch,), in nats, unreduced.

        Args:
            x: the data to reconstruct, shape (batch, *data_shape).
            outputs: what the call on the model's input returned.
        """
        return {"reconstruction": -self.likelihood.log_prob(x, outputs["decoder_output"])}

    def coefficients(self):
        """What each term is multiplied by in the loss; terms not named count once."""
        return {}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The scalar loss: the one place where terms are weighed, reduced and tracked.

        Keras's own `train_step` on each backend calls it, which is how the terms of any relative,
        such as the VAE's KL, join in training unchanged on TensorFlow, JAX and PyTorch.
        """
        target = ops.convert_to_tensor(x if y is None else y)
        if training:
            self.likelihood.calibrate(target, y_pred["decoder_output"])
        terms = self.terms(target, y_pred)
        for tracker in self.trackers:
            tracker.update_state(terms[tracker.name], sample_weight=sample_weight)
        coefficients = self.coefficients()
        loss = sum(coefficients.get(name, 1.0) * term for name, term in terms.items())
        if sample_weight is None:
            loss = ops.mean(loss)
        else:
            weight = ops.reshape(ops.cast(sample_weight, loss.dtype), (-1,))
            loss = ops.divide_no_nan(ops.sum(weight * loss), ops.sum(weight))
        if training:
            self.step.assign_add(1)
        return loss + sum(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        # Metrics given to `compile` compare the target with the reconstruction.
        target = x if y is None else y
        return super().compute_metrics(x, target, y_pred["reconstruction"], sample_weight)

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """As in Keras, without a loss: the likelihood is the loss. All arguments are optional."""
        if loss is not None:
            raise ValueError(
                "The loss is the model's own: choose it by `likelihood=` in the constructor, such "
                f"as likelihood='mse' or 'binary_crossentropy'. Received: loss={loss!r}."
            )
        if not self.trackers:
            self.trackers = [keras.metrics.Mean(name=name) for name in self.term_names]
        super().compile(optimizer=optimizer, **kwargs)

    def fit(self, x=None, y=None, **kwargs):
        """As in Keras, with the data checked before any training.

        `y` is a target to reconstruct in place of `x` (denoising), not a label. All other arguments
        go by keyword.
        """
        x, y = self.check_fit(x, y, kwargs.get("sample_weight"))
        validation = kwargs.get("validation_data")
        if isinstance(validation, (tuple, list)):
            x_val, y_val, weight = (*validation, None, None)[:3]
            x_val, y_val = self.check_fit(x_val, y_val, weight)
            kwargs["validation_data"] = (x_val, y_val, weight)
        elif validation is not None:
            kwargs["validation_data"], _ = self.check_fit(validation)
        return super().fit(x, y, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        """As in Keras, with the data checked first."""
        if not kwargs.get("_use_cached_eval_dataset"):
            x, y = self.check_fit(x, y, kwargs.get("sample_weight"))
        return super().evaluate(x, y, **kwargs)

    def check_fit(self, x, y=None, sample_weight=None):
        """Check data to train on; return `x` and `y` as Keras is to be given them."""
        x = check_fit_data(x, y, self.data_shape, self.likelihood.support)
        # Keras drops the weights of arrays that come without a target.
        return x, (x if y is None and sample_weight is not None else y)

    # The verbs: arrays or datasets in, NumPy arrays out

    def call_compiled(self, method, *tensors, **settings):
        """`method(*tensors, **settings)`, compiled and without gradients, on one batch.

        `method` is a method of the model on tensors; `settings` are part of what is compiled.
        """
        key = (method.__name__, *sorted(settings.items()))
        if key not in self._compiled:
            self._compiled[key] = compiled(self, functools.partial(method, **settings))
        return self._compiled[key](*tensors)

    def run(self, method, x, *, batch_size, verbose, **settings):
        """`method(x, **settings)` over all the batches of `x`: an array."""
        function = functools.partial(self.call_compiled, method, **settings)
        return run_in_batches(function, x, batch_size, verbose)

    def check_data(self, x, support=None):
        """Check an array given to a verb: its shape, its values, and their `support` if given."""
        if is_array(x):
            check_values("x", x, self.data_shape, support)

    def encode(self, x, *, sample=False, batch_size=128, verbose=0):
        """Codes of `x`: the posterior's mean, or with `sample` a draw from it.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            sample: draw from q(z|x) instead of taking its mean.
            batch_size: examples at a time.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n, latent_dim).
        """
        self.check_data(x)
        return self.run(self._encode, x, sample=sample, batch_size=batch_size, verbose=verbose)

    def _encode(self, x, sample):
        outputs = self.infer(x, training=False)
        return outputs["z"] if sample else self.posterior_of(outputs).mean

    def decode(self, z, *, batch_size=128, verbose=0):
        """E[x|z] of codes `z`, shape (n, latent_dim): array of shape (n, *data_shape)."""
        if is_array(z):
            check_values("z", z, (self.latent_dim,), support=None)
        return self.run(self._decode, z, batch_size=batch_size, verbose=verbose)

    def _decode(self, z):
        z = ops.cast(z, self.compute_dtype)
        return self.likelihood.mean(self.decoder(z, training=False))

    def reconstruct(self, x, *, batch_size=128, verbose=0):
        """`x` through the posterior's mean and back: array of shape (n, *data_shape).

        No noise is drawn, so it is a little sharper than `predict`'s `reconstruction`, which
        decodes a draw.
        """
        self.check_data(x)
        return self.run(self._reconstruct, x, batch_size=batch_size, verbose=verbose)

    def _reconstruct(self, x):
        return self._decode(self._encode(x, sample=False))

    def sample(self, num_samples=1, *, codes=None, seed=None, batch_size=128, verbose=0):
        """New data: E[x|z] of codes z drawn from the prior, or from a Gaussian fitted to `codes`.

        Args:
            num_samples: how many.
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
        return self.decode(z.astype("float32"), batch_size=batch_size, verbose=verbose)

    def evaluate_terms(self, x, *, batch_size=128, verbose=0):
        """The loss's terms of each example, unweighted: a dict of arrays of shape (n,), in nats.

        What `evaluate` reports is their mean. The reconstruction term of an example is the usual
        anomaly score.
        """
        self.check_data(x, self.likelihood.support)
        return self.run(self._evaluate_terms, x, batch_size=batch_size, verbose=verbose)

    def _evaluate_terms(self, x):
        return self.terms(x, self(x, training=False))

    def interpolate(self, start, end, steps=8, *, method="linear", batch_size=128, verbose=0):
        """Data along the path between the codes of `start` and those of `end`.

        Args:
            start, end: data, both of shape (n, *data_shape).
            steps: points on the path, both ends included.
            method: "linear", or "spherical": along the arc, which keeps the distance from the
                origin typical of a high-dimensional Gaussian (White 2016,
                https://arxiv.org/abs/1609.04468).

        Returns:
            Array of shape (n, steps, *data_shape).
        """
        check_name("method", method, PATHS)
        if check_positive_integer("steps", steps) < 2:
            raise ValueError(f"`steps` must be at least 2. Received: steps={steps}.")
        a = self.encode(start, batch_size=batch_size)
        b = self.encode(end, batch_size=batch_size)
        if a.shape != b.shape:
            raise ValueError(
                "`start` and `end` must hold the same number of examples. "
                f"Received: {len(a)} and {len(b)}."
            )
        path = PATHS[method](a[:, None], b[:, None], np.linspace(0, 1, steps)[None, :, None])
        z = path.reshape(-1, self.latent_dim).astype("float32")
        decoded = self.decode(z, batch_size=batch_size, verbose=verbose)
        return decoded.reshape(len(a), steps, *self.data_shape)

    # Saving and presets

    def compile_from_config(self, config):
        # Keras compiles a reloaded model only where `compile` is its own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "latent_dim": self.latent_dim,
            "likelihood": serialize(self.likelihood),
            "posterior": self.posterior,
            "prior": self.prior_name,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        deserialize = functools.partial(
            keras.saving.deserialize_keras_object, custom_objects=custom_objects
        )
        parts = {
            name: deserialize(value) if isinstance(value, dict) else value
            for name, value in config.items()
        }
        return cls(**parts)

    @classmethod
    def from_preset(cls, preset, *, load_weights=True, **overrides):
        """A pretrained model.

        Args:
            preset: a name ("vae_conv_mnist": its newest version; "vae_conv_mnist/1": that one), a
                directory made by `save_to_preset`, "hf://user/repo" or "kaggle://...".
            load_weights: False for the architecture alone, with fresh weights.
            **overrides: constructor arguments to change, such as `beta=4.0`.

        Raises:
            ValueError: unknown name or version, a preset of another class, or a damaged or unsafe
                preset; the message names the file and the check that failed.

        Called on `Autoencoder` it finds the right class; on a relative it takes only presets of
        that class or its subclasses. `Autoencoder.presets` lists what there is.

        Example:

        ```python
        from keras_aevae import VAE
        vae = VAE.from_preset("vae_mlp_digits")
        images = vae.sample(16, seed=0)
        ```
        """
        return hub.load(cls, preset, load_weights=load_weights, overrides=overrides)

    def save_to_preset(self, directory, *, card=None, metadata=None):
        """Write config, weights, metadata and card to `directory`, for `from_preset` to read.

        Args:
            directory: where to; made if it isn't there.
            card: Markdown text about the model; by default a short one.
            metadata: dict of facts to keep, such as measured test numbers.
        """
        hub.save(self, directory, card=card, metadata=metadata or {})


def linear_path(a, b, t):
    return a + t * (b - a)


def spherical_path(a, b, t):
    norm = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.sum(a * b, axis=-1, keepdims=True) / np.maximum(norm, 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    # Where the angle vanishes (or is straight) the arc is not defined: take the line.
    safe = np.where(np.sin(angle) < 1e-6, 1.0, angle)
    arc = (np.sin((1 - t) * safe) * a + np.sin(t * safe) * b) / np.sin(safe)
    return np.where(np.sin(angle) < 1e-6, linear_path(a, b, t), arc)


PATHS = {"linear": linear_path, "spherical": spherical_path}
