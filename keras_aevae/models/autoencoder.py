"""The autoencoder, and the base of the zoo: the way of one batch, and the one place where a loss is
reduced. What one asks of a trained model is in `verbs.py`.

Rumelhart, Hinton & Williams 1986, Learning Internal Representations by Error Propagation;
Hinton & Salakhutdinov 2006, https://doi.org/10.1126/science.1127647
"""

import functools
import math

import keras
from keras import ops

from keras_aevae import hub
from keras_aevae._checks import check_name
from keras_aevae.distributions import LearnedPrior, get_likelihood, get_posterior, get_prior
from keras_aevae.engine import replicas
from keras_aevae.engine.checks import check_fit_data, check_networks, check_values
from keras_aevae.engine.export import export_function
from keras_aevae.engine.gradients import after_forward
from keras_aevae.engine.inference import is_pair, some_examples
from keras_aevae.engine.own_loss import OwnLoss, weighted_mean
from keras_aevae.layers import Sampling
from keras_aevae.models.verbs import Verbs


@keras.saving.register_keras_serializable(package="keras_aevae")
class Autoencoder(Verbs, OwnLoss):
    """Stores each input as one point z of a latent space, and learns to reproduce it from there.

        loss = -log p(x | z = encoder(x))

    Good for: compression, denoising, features, anomaly scores. Misleads as a generator: nothing
    presses its codes towards any known distribution, so a z drawn from N(0, I) may lie where no
    code ever was. Pass `codes=` to `sample` to draw from where they are.

    It is also the base of the library's models. A relative says what is different: another
    posterior or prior, terms of its own in `terms`, what the loss is made of in `coefficients`.

    Args:
        encoder: a Keras model from data (batch, *data_shape) to features of any shape. The model
            adds the dense layer that turns them into the code.
        decoder: a Keras model from codes (batch, latent_dim) to the likelihood's parameters:
            (batch, *data_shape), the last axis `likelihood.outputs_per_value` times as long, and
            no activation: logits for the Bernoulli, means for the Gaussian. If it takes a grid,
            (batch, height, width, channels), so must the encoder give one of that height and
            width; the code is then that grid, flattened.
        latent_dim: number of latent dimensions; by default the decoder's.
        likelihood: p(x|z): "bernoulli" (also "binary_crossentropy"), "gaussian" (calibrated
            scale; also "mse": squared error), "categorical", "discretized_logistic", or a
            `keras_aevae.distributions.Likelihood`.
        posterior: q(z|x), how an input is stored: "point" or "diagonal_gaussian".
        prior: p(z), where `sample` draws codes by default: "standard_normal"; for models whose
            posterior has a density also a learned one, such as "gaussian_mixture" or a
            `keras_aevae.distributions.LearnedPrior`.
        seed: integer seed of the posterior's noise, or None for a random one.

    Call arguments:
        inputs: data x, shape (batch, *data_shape); of a conditional model the pair (x, condition).

    Returns (from a call, and from `predict`) a dict:
        z_mean (and what else the posterior has): shape (batch, latent_dim).
        z: the code, shape (batch, latent_dim).
        decoder_output: the likelihood's parameters.
        reconstruction: E[x|z], shape (batch, *data_shape); not in training.

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
    # Length of the condition that both networks are given; 0: they are given none.
    condition_dim = 0
    presets = hub.Presets()
    about_loss = (
        "The loss is the model's own: choose it by `likelihood=` in the constructor, such as "
        "likelihood='mse' or 'binary_crossentropy'."
    )

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
        self.latent_shape, self.data_shape, features = check_networks(
            encoder, decoder, latent_dim, self.likelihood, self.condition_dim
        )
        self.latent_dim = math.prod(self.latent_shape)
        self.posterior = posterior
        self.family = get_posterior(posterior)
        # From features to the posterior's parameters, in float32 whatever the policy: one dense
        # layer for a vector of codes, the same one at each position for a grid of them.
        self.features_shape = features if self.latent_shape[1:] else (math.prod(features),)
        self.head = keras.layers.Dense(
            self.family.raw_size(self.latent_shape[-1]), dtype="float32", name="posterior"
        )
        self.head.build((None, *self.features_shape))
        self.sampling = Sampling(posterior, seed=seed, dtype="float32")
        self.seed = self.sampling.seed
        # The model's own count of training steps, for schedules: an optimizer's can't be read
        # inside `compute_loss` on every backend.
        self.step = self.add_weight(
            name="step", shape=(), dtype="int", initializer="zeros", trainable=False
        )
        self.prior_name = prior
        self.prior = get_prior(prior, self.latent_dim)
        if isinstance(self.prior, LearnedPrior):
            self.prior.attach(self)
        self.trackers = []
        self.built = True

    # The way of one batch

    def unpack(self, inputs):
        """`(x, condition)` of what the model is called on; here there is no condition."""
        return inputs, None

    def call(self, inputs, training=None):
        outputs = self.infer(inputs, training=training)
        outputs |= self.draw(outputs, training=training)
        outputs |= self.generate(outputs, training=training)
        if not training:
            outputs["reconstruction"] = self.expected(outputs)
        return outputs

    def infer(self, inputs, training=None):
        """The parameters of q(z|x) by their names: `z_mean`, ..., shape (batch, latent_dim)."""
        x, condition = self.unpack(inputs)
        features = self.encoder(join(x, condition), training=training)
        raw = self.head(ops.reshape(features, (-1, *self.features_shape)))
        outputs = {
            f"z_{name}": ops.reshape(value, (-1, self.latent_dim))
            for name, value in self.family.parameterize(raw).items()
        }
        return outputs if condition is None else {"condition": condition, **outputs}

    def draw(self, outputs, training=None):
        """`z`, a draw from q(z|x) of what `infer` returned."""
        return {"z": self.sampling(self.parameters_of(outputs))}

    def generate(self, outputs, training=None):
        """`decoder_output`, the parameters of p(x|z) at `z`, which may hold several draws for each
        example: shape (batch, [num_samples,] latent_dim)."""
        z, condition = outputs["z"], outputs.get("condition")
        draws = tuple(z.shape[1:-1])
        if draws and condition is not None:
            condition = ops.repeat(condition, draws[0], axis=0)
        codes = ops.reshape(z, (-1, *self.latent_shape))
        params = self.decoder(join(codes, condition), training=training)
        if draws:
            params = ops.reshape(params, (-1, *draws, *params.shape[1:]))
        return {"decoder_output": params}

    def expected(self, outputs):
        """E[x|z], shape (batch, *data_shape); with several draws of z, its mean over them."""
        mean = self.likelihood.mean(outputs["decoder_output"])
        return mean if len(outputs["z"].shape) == 2 else ops.mean(mean, axis=1)

    def parameters_of(self, outputs):
        """The parameters of q(z|x) in `outputs`, in the order of its family's constructor."""
        return [outputs[f"z_{name}"] for name in self.family.parameters]

    def posterior_of(self, outputs):
        """The distribution q(z|x) whose parameters are in `outputs`."""
        return self.family(*self.parameters_of(outputs))

    def infer_parameters(self, inputs):
        """The parameters of q(z|x), a list, without training."""
        return self.parameters_of(self.infer(inputs, training=False))

    def terms(self, x, outputs):
        """The loss's terms by name: each of shape (batch,), in nats, unreduced.

        Args:
            x: the data to reconstruct, shape (batch, *data_shape).
            outputs: what the call on the model's input returned.
        """
        return {"reconstruction": -self.likelihood.log_prob(x, outputs["decoder_output"])}

    def coefficients(self):
        """The loss as a sum of terms: what each is multiplied by. Other terms are only shown."""
        return {"reconstruction": 1.0}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The scalar loss: the one place where terms are weighed, reduced and tracked.

        Keras's own `train_step` on each backend calls it, which is how the terms of any relative,
        such as the VAE's KL, join in training unchanged on TensorFlow, JAX and PyTorch.
        """
        target = ops.convert_to_tensor(self.unpack(x)[0] if y is None else y)
        if training:
            self.likelihood.calibrate(target, draws_first(y_pred, "decoder_output"))
        terms = self.terms(target, y_pred)
        for tracker in self.trackers:
            tracker.update_state(terms[tracker.name], sample_weight=sample_weight)
        loss = sum(weight * terms[name] for name, weight in self.coefficients().items())
        if training:
            self.step.assign_add(1)
        loss = weighted_mean(loss, sample_weight) + sum(self.losses)
        return after_forward(replicas.part_of_loss(loss))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        # Metrics given to `compile` compare the target with the reconstruction.
        target, reconstruction = self.unpack(x)[0] if y is None else y, None
        if self._compile_metrics is not None:
            reconstruction = self.expected(y_pred)
        return super().compute_metrics(x, target, reconstruction, sample_weight)

    def compile(self, *args, **kwargs):
        if not self.trackers:
            self.trackers = [keras.metrics.Mean(name=name) for name in self.term_names]
        super().compile(*args, **kwargs)

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
        if self.start_size and not int(self.step.numpy()):
            first, x = some_examples(x, self.start_size)
            self.start_from(replicas.of_first_process(first))
        return super().fit(x, y, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        """As in Keras, with the data checked first."""
        if not kwargs.get("_use_cached_eval_dataset"):
            x, y = self.check_fit(x, y, kwargs.get("sample_weight"))
        return super().evaluate(x, y, **kwargs)

    def check_fit(self, x, y=None, sample_weight=None):
        """Check data to train on; return `x` and `y` as Keras is to be given them."""
        x = check_fit_data(x, y, self.check_batch)
        # Keras drops the weights of arrays that come without a target.
        return x, (self.unpack(x)[0] if y is None and sample_weight is not None else y)

    def check_batch(self, inputs, y=None):
        """Check arrays to train on: `inputs`, and the target `y` if there is one. Return the
        inputs as the model is to be called on them."""
        inputs = tuple(inputs) if is_pair(inputs) else inputs
        support = self.likelihood.support
        inputs = self.check_inputs(inputs, support=support if y is None else None)
        if y is not None:
            check_values("y", y, self.data_shape, support)
        return inputs

    @property
    def start_size(self):
        """Examples that `start_from` wants before the first training step."""
        return getattr(self.prior, "start_size", 0)

    def start_from(self, x):
        """Set what starts from data: `fit` calls it before the first training step, with the first
        `start_size` examples; call it yourself before a training loop of your own."""
        if hasattr(self.prior, "start_from"):
            self.prior.start_from(x)

    # Saving and presets

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "latent_dim": self.latent_dim,
            "likelihood": serialize(self.likelihood),
            "posterior": self.posterior,
            "prior": serialize(self.prior)
            if isinstance(self.prior, keras.Layer)
            else self.prior_name,
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

    def export(self, filepath, format="tf_saved_model", *, part=None, batch_size=None, **kwargs):
        """Write the model, or half of it, as a file that runs without this library.

        What is written is deterministic: it gives what `encode`, `decode` and `reconstruct` give,
        and draws no noise. To sample, export the decoder and draw z from the prior where it runs.
        A model can be exported as soon as it is made, and is trained on as before.

        Args:
            filepath: where to. A folder for a SavedModel; else a file that ends as below.
            format: "tf_saved_model" (on TensorFlow and JAX), "onnx" (`.onnx`, on all three),
                "torch" (`.pt2`, on PyTorch), "litert" (`.tflite`, on TensorFlow) or "openvino"
                (`.xml`, on TensorFlow).
            part: None for the whole model, which takes `x` and gives `z` and `reconstruction`;
                "encoder" takes `x` and gives `z`; "decoder" takes `z` and gives `reconstruction`.
                Inputs and outputs have these names. A conditional model's second input is
                `condition`: int32 labels, shape (batch,), or float32 vectors. (Labels that are
                strings go by their places in `classes`.)
            batch_size: a fixed size of batches, which some devices ask for; None for any size.
            **kwargs: `verbose=False` to print nothing; what else Keras's writer of the format
                takes, such as `opset_version` for ONNX.

        Raises:
            ValueError: a format that the backend in use can't write; the message lists those that
                it can.
            ImportError: a package is missing; the message says what to install.

        Example:

        ```python
        import keras
        from keras_aevae import VAE
        vae = VAE.from_preset("vae_mlp_digits")
        if keras.backend.backend() == "torch":
            vae.export("decoder.pt2", format="torch", part="decoder")
        else:
            vae.export("decoder", format="tf_saved_model", part="decoder")
        ```
        """
        if part is not None:
            check_name("part", part, ("encoder", "decoder"))
        first = ("z", (self.latent_dim,)) if part == "decoder" else ("x", self.data_shape)
        inputs = [(*first, "float32")]
        if self.condition_dim:
            inputs.append(("condition", *self.condition.each))
        signature = [
            keras.InputSpec(shape=(batch_size, *shape), dtype=dtype, name=name)
            for name, shape, dtype in inputs
        ]
        function = functools.partial(self._exported, part)
        export_function(function, signature, filepath, format, **kwargs)

    def _exported(self, part, first, condition=None):
        """A dict of what `part` of the model gives, by name, in alphabetical order."""
        inputs = first if condition is None else (first, condition)
        if part == "decoder":
            return {"reconstruction": self._decode(inputs)}
        z = self._encode(inputs)
        if part == "encoder":
            return {"z": z}
        return {"reconstruction": self._expected_at(z, self.unpack(inputs)[1]), "z": z}


def join(tensor, condition):
    """What a network is called on: with a condition, both in a list."""
    return tensor if condition is None else [tensor, condition]


def draws_first(outputs, name):
    """`outputs[name]` as (num_samples, batch, ...), also where there is one draw and no axis."""
    value = outputs[name]
    return value[None] if len(outputs["z"].shape) == 2 else ops.moveaxis(value, 1, 0)
