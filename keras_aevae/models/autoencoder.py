"""The autoencoder, which is the base class of every model: the steps of one batch, and the terms of
its loss. How it is trained is in `training.py`, the methods of a trained model in `verbs.py`.

Rumelhart, Hinton & Williams 1986, Learning Internal Representations by Error Propagation;
Hinton & Salakhutdinov 2006, https://doi.org/10.1126/science.1127647
"""

import functools

import keras
from keras import ops

from keras_aevae._checks import check_keywords, check_seed
from keras_aevae.codes import get_code
from keras_aevae.codes.base import draws_first
from keras_aevae.distributions import get_likelihood
from keras_aevae.engine.network_checks import check_networks
from keras_aevae.engine.numbers import Number, ReadOnly
from keras_aevae.layers.condition import get_condition
from keras_aevae.layers.past import Past
from keras_aevae.models.bounds import Bounds
from keras_aevae.models.files import Files
from keras_aevae.models.inputs import Inputs
from keras_aevae.models.priors import FitsPriors
from keras_aevae.models.training import Training
from keras_aevae.models.verbs import Verbs

# For looking at networks that take any length.
SOME_LENGTH = 32


@keras.saving.register_keras_serializable(package="keras_aevae")
class Autoencoder(Verbs, Bounds, FitsPriors, Inputs, Files, Training):
    """Stores each input as one point z of a latent space, and learns to reproduce it from there.

        loss = -log p(x | z = encoder(x))

    Good for: compression, denoising, features, anomaly scores. Misleads as a generator: nothing
    moves its codes towards a known distribution, so a z drawn from N(0, I) may lie where there are
    no codes. `fit_prior` learns afterwards where the codes are, and `sample` then draws from there.

    It is also the base class of the library's models. A subclass defines what differs: another
    posterior or prior, its own terms in `terms`, and how they add up to the loss in `coefficients`.

    Args:
        encoder: a Keras model from data (batch, *data_shape) to features of any shape. The model
            adds the dense layer that turns them into the code.
        decoder: a Keras model from codes (batch, latent_dim) to the likelihood's parameters, of
            shape (batch, *data_shape) with a last axis `likelihood.outputs_per_value` times as
            long. It gives logits for the Bernoulli, with no activation at the end; means for the
            Gaussian. If it takes a grid (batch, height, width, channels), the encoder must give a
            grid of the same height and width; the code is then that grid, flattened.
        latent_dim: number of latent dimensions; by default the decoder's.
        likelihood: p(x|z): "bernoulli" (also "binary_crossentropy"), "gaussian" (calibrated
            scale; also "mse": squared error), "categorical", "discretized_logistic", or a
            `keras_aevae.distributions.Likelihood`.
        posterior: q(z|x), how an input is stored: "point", "diagonal_gaussian", or a
            `keras_aevae.codes.Code`.
        prior: p(z), where `sample` draws codes until `fit_prior` is called: "standard_normal"; for
            models whose posterior has a density also a learned one: "gaussian_mixture",
            "vamp_prior", "real_nvp"; or any `keras_aevae.distributions.Prior` of the code's
            dimensions.
        classes: for a model whose networks take a label beside x or z: the number n of labels, for
            0..n-1, or a list of them, integers or strings. The networks get it one-hot.
        condition_dim: for a model whose networks take a vector beside x or z: its length. Give this
            or `classes`, or neither.
        decoder_sees_x: whether the decoder predicts each step of x from the steps before it, see
            below.
        x_dropout: probability with which each of these steps is hidden from the decoder in
            training, replaced by zeros; None for none. It is a number like a VAE's `beta`: a
            schedule will do, and it may be set at any time.
        seed: integer seed of all the model's noise: of the draws from the posterior, unless a
            `Code` was given with a seed of its own, which it keeps; and of the masks of
            `x_dropout`. With None all of it has the `Code`'s seed, if it has one, else a random
            one.

    Call arguments:
        inputs: data x, shape (batch, *data_shape); a conditional model takes the pair
            (x, condition).

    Returns (from a call, and from `predict`) a dict:
        z_mean (and the posterior's other parameters): shape (batch, latent_dim).
        z: the code, shape (batch, latent_dim).
        indices (of a codebook): the codes' indices, int32, shape (batch, *grid).
        decoder_output: the likelihood's parameters, shape (batch, *data_shape) with a last axis
            `likelihood.outputs_per_value` times as long.
        frozen_decoder_output (of models that decode twice, such as `PIWAE`): equal to
            `decoder_output`; its gradient reaches the encoder alone.
        reconstruction: E[x|z], shape (batch, *data_shape).
        x_before (if the decoder sees x): the steps before each one, float32, of the shape of x.
        condition (if there is one): the vector that the networks take, (batch, condition_dim).

    The names are the same in training and in inference. If a model draws several z for each
    example, `z` and all that belongs to a draw (`indices`, `decoder_output`,
    `frozen_decoder_output`) have an axis of draws after the batch axis.

    Raises:
        ValueError: if the networks don't fit each other, the data or `latent_dim`.

    With `decoder_sees_x=True` the decoder is autoregressive along the first axis of the data, for
    sequences and for images row by row:

        log p(x|z) = sum_t log p(x_t | x_1, ..., x_t-1, z)

    It takes [z, x_before] (and a condition last), where x_before is x moved on by one step with
    zeros in front, and must be causal: its outputs at a step depend on x_before up to that step.
    Recurrent layers, Conv1D(padding="causal") and attention with a causal mask are; `fit` raises an
    error for a decoder that isn't. The values of one step are independent given those before it.
    `fit`, `evaluate`, `predict`, `evaluate_terms`, `elbo` and `log_likelihood` give it the true
    past (teacher forcing), which makes log p(x|z) exact. `decode`,
    `sample`, `interpolate` and `reconstruct` have codes alone: they decode step by step, one pass
    of the decoder for each, from the steps that were decoded before. Without noise these are the
    most probable ones, and what is returned is the mean of each step given them. Networks may take
    any length, (None, ...): `decode` and `sample` then need the argument `length`. All examples of
    a batch have the same length; padding counts like any other step.

    Good for: data whose steps depend on each other in ways that a code needn't hold, such as text,
    sound and other series; better likelihoods. Misleads where `predict`'s `reconstruction` is taken
    for what z holds, since the decoder has seen the past of x; `reconstruct` shows what z holds. A
    strong decoder needs no z, and the KL falls to 0 (posterior collapse): hide steps by
    `x_dropout`, warm beta up, or give free bits (Bowman et al. 2016,
    https://arxiv.org/abs/1511.06349).

    `fit` takes arrays, `(x, target)` pairs for denoising, `tf.data`, `PyDataset`, `DataLoader` or
    generators, with sample weights; a weighted mean over the batch is divided by the sum of the
    weights. The progress bar, `evaluate` and `History` show every term by its name, in nats per
    example, summed over the data's values.

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

    x_dropout = Number(minimum=0, maximum=1, optional=True, remedy="None is none.")

    def __init__(
        self,
        encoder,
        decoder,
        latent_dim=None,
        likelihood="bernoulli",
        *,
        posterior="point",
        prior="standard_normal",
        classes=None,
        condition_dim=None,
        decoder_sees_x=False,
        x_dropout=None,
        seed=None,
        **kwargs,
    ):
        check_keywords(type(self), kwargs)
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = get_likelihood(likelihood)
        self.condition = get_condition(classes, condition_dim)
        if self.likelihood.missing and decoder_sees_x:
            raise ValueError(
                "`decoder_sees_x` isn't for data with missing values, of which a "
                f"{type(self.likelihood).__name__} is a likelihood: the decoder would see the gaps."
                " Leave it out. Received: decoder_sees_x=True."
            )
        seed = None if seed is None else check_seed(seed)
        self.code = get_code(posterior, seed)
        condition_dim = self.condition_dim
        self.latent_shape, self.data_shape, features = check_networks(
            encoder, decoder, latent_dim, self.likelihood, self.code, condition_dim, decoder_sees_x
        )
        self.code.setup(
            features, self.latent_shape, prior, self.data_shape, self.likelihood.support
        )
        self.latent_dim = self.code.latent_dim
        if latent_dim not in (None, self.latent_dim):
            raise ValueError(
                "`latent_dim` must be the number of dimensions of the posterior's parts, in all "
                f"{self.latent_dim}. Received: latent_dim={latent_dim!r}."
            )
        # In the config a name stands for what was made of that name and has no settings: an object
        # that was given, and a layer, are kept whole.
        settled = isinstance(self.prior, keras.layers.Layer)
        named = {"posterior": posterior} if settled else {"posterior": posterior, "prior": prior}
        self.given_by_name = {k: name for k, name in named.items() if isinstance(name, str)}
        if self.code.prior.of_posteriors and self.condition is not None:
            raise ValueError(
                f"A {type(self.code.prior).__name__} needs an encoder that gives q(z|u) of u "
                "alone, which a conditional model's doesn't. Received: "
                f"condition_dim={self.condition_dim}."
            )
        if self.likelihood.missing:
            self.check_prior_of_gaps()
            # Under mixed precision Keras would round the data before they are standardised.
            self.autocast = False
        self.seed = self.code.seed if seed is None else seed
        if self.seed is not None and self.code.seed is None:
            self.code.start_noise(self.seed)
        # The masks have their own seed, which is far from the seed of the draws of z.
        own_seed = None if self.seed is None else (self.seed + 2**30) % 2**31
        self.past = Past(own_seed) if decoder_sees_x else None
        self.x_dropout = x_dropout
        self.trackers = []
        self.frozen_with_encoder = set()
        self.built = True

    def check_prior_of_gaps(self):
        """Raise an error if the prior is one of data without gaps, where data have them."""
        kind = type(self.likelihood).__name__
        if self.prior.of_posteriors:
            raise ValueError(
                "`prior` can't be one of posteriors at pseudo-inputs, which are trained by "
                "gradients that categories don't have and have no gaps, where the likelihood is a "
                f"{kind}. Received: a {type(self.prior).__name__}. Take another prior, such as "
                "'gaussian_mixture'."
            )

    def check_number(self, name, value):
        super().check_number(name, value)
        if name == "x_dropout" and value is not None and self.past is None:
            raise ValueError(
                "`x_dropout` masks the x that a decoder sees: give decoder_sees_x=True, too, or "
                f"leave it out. Received: x_dropout={value!r}, decoder_sees_x=False."
            )

    @property
    def stores(self):
        """The way an input is stored: "point", "distribution" or "codebook"."""
        return self.code.stores

    @property
    def condition_dim(self):
        """Length of the condition vector that both networks take; 0 if they take none."""
        return 0 if self.condition is None else self.condition.length

    @property
    def any_length(self):
        """True if the data may be of any length: the first size of `data_shape` is then None."""
        return self.data_shape[0] is None

    @property
    def example_shape(self):
        """A shape that an example may have: `data_shape`, with some length where it is any."""
        return (self.data_shape[0] or SOME_LENGTH, *self.data_shape[1:])

    @ReadOnly
    def prior(self):
        """The model's own p(z), with which it is trained."""
        return self.code.prior

    @prior.setter
    def prior(self, prior):
        raise AttributeError(
            "`prior` is chosen in the constructor. For one that is fitted afterwards call "
            f"fit_prior(x, ...) or set_prior(prior). Received: prior={prior!r}."
        )

    @property
    def fitted_prior(self):
        """The prior that `fit_prior` fitted, or None. `sample`, `elbo` and `log_likelihood` use it
        in place of `prior`."""
        return self.code.fitted[0] if self.code.fitted else None

    # The steps of one batch

    def unpack(self, inputs):
        """Split the model's inputs into `(x, c)`: c is None, or the vectors of the condition."""
        if self.condition is None:
            return inputs, None
        x, condition = inputs
        return x, self.condition.encode(condition)

    def call(self, inputs, training=None):
        outputs = self.infer(inputs, training=training)
        outputs |= self.draw(outputs, training=training)
        outputs |= self.generate(outputs, training=training)
        outputs["reconstruction"] = self.expected(outputs)
        return self.without_one_draw(outputs)

    def infer(self, inputs, training=None):
        """Return the parameters of q(z|x) by name: `z_mean`, ..., of shape (batch, latent_dim)."""
        x, condition = self.unpack(inputs)
        seen = self.likelihood.encoder_input(x)
        outputs = self.code.infer(self.encoder(join(seen, condition), training=training))
        return {**self.side_inputs(x, condition, training), **outputs}

    def side_inputs(self, x, condition, training=None):
        """Return what the decoder takes beside z, by name: `x_before`, if it sees x, and
        `condition`, if there is one."""
        inputs = {}
        if self.past is not None:
            masks = training and self.x_dropout is not None
            inputs["x_before"] = self.past(x, dropout=self.number("x_dropout") if masks else None)
        if condition is not None:
            inputs["condition"] = condition
        return inputs

    def draw(self, outputs, num_samples=None, training=None):
        """Return `z`, `num_samples` draws from q(z|x) (by default `num_draws`), and what belongs to
        them: shape (batch, num_samples, latent_dim)."""
        return self.code.draw(outputs, num_samples or self.num_draws, training)

    def generate(self, outputs, training=None):
        """Return `decoder_output`, the parameters of p(x|z) at `z`: (batch, num_draws, ...)."""
        z, side = outputs["z"], {k: outputs[k] for k in ("x_before", "condition") if k in outputs}
        draws = z.shape[1]
        if draws > 1:
            side = {name: ops.repeat(value, draws, axis=0) for name, value in side.items()}
        params = self.params_at(ops.reshape(z, (-1, self.latent_dim)), side, training)
        return {"decoder_output": ops.reshape(params, (-1, draws, *ops.shape(params)[1:]))}

    def params_at(self, z, side, training=None):
        """Return the parameters of p(x|z) at codes z, shape (n, latent_dim); `side` is the result
        of `side_inputs`."""
        return self.decoder(join(self.code.decoder_input(z), *side.values()), training=training)

    def expected(self, outputs):
        """Return E[x|z], averaged over the draws of z: shape (batch, *data_shape)."""
        each = self.likelihood.expectation(outputs["decoder_output"])
        each = each[:, 0] if each.shape[1] == 1 else ops.mean(each, axis=1)
        return self.likelihood.from_expectation(each)

    # Names of what `generate` returns.
    generated = ("decoder_output",)

    @property
    def num_draws(self):
        """Number of draws of z for each example in a call."""
        return 1

    def without_one_draw(self, outputs):
        """Return `outputs` as a call does: without an axis of draws if there is only one draw."""
        return self.each_drawn(outputs, lambda value: ops.squeeze(value, axis=1))

    def with_one_draw(self, outputs):
        """Return the `outputs` of a call with an axis of draws, which the equations expect."""
        return self.each_drawn(outputs, lambda value: ops.expand_dims(value, axis=1))

    def each_drawn(self, outputs, function):
        if self.num_draws > 1:
            return outputs
        drawn = (*self.code.drawn, *self.generated)
        return {k: function(v) if k in drawn else v for k, v in outputs.items()}

    def p(self, fitted=False):
        """Return the current p(z) as a distribution: the model's own prior or, if `fitted`, the
        prior that `fit_prior` fitted, if there is one."""
        return self.code.p(self.posterior_at, fitted)

    def posterior_at(self, x):
        """Return the parameters of q(z|x) at data x, in inference mode."""
        return self.infer(x, training=False)

    def log_conditional(self, x, outputs):
        """Return log p(x|z_k) of the draws z_k in `outputs`, shape (num_draws, batch)."""
        return self.likelihood.log_prob(x, draws_first(outputs, "decoder_output"))

    def terms(self, x, outputs):
        """Return the terms of the loss by name, each of shape (batch,), in nats, unreduced.

        Args:
            x: the data to reconstruct, shape (batch, *data_shape).
            outputs: the dict that the steps above returned; `z` and `decoder_output` have an axis
                of draws after the batch axis.

        A network that is called here, such as an adversary or a classifier, takes
        `training=self.in_training`.
        """
        return {"reconstruction": -ops.mean(self.log_conditional(x, outputs), axis=0)}

    def batch_terms(self, x, outputs):
        """Return the terms that mix the examples of a batch: scalars, by name.

        The arguments are those of `terms`. `evaluate` shows these terms; `evaluate_terms` leaves
        them out, since it returns terms of single examples. Sample weights don't change them. If
        several replicas train together, each returns its part, and the term is the mean of the
        parts (`keras_aevae.engine.replicas.weighted_mean` computes such a part).
        """
        return {}

    def coefficients(self):
        """Return the weight of each term in the loss, by name. A term without one is only shown; a
        name that isn't a term's is an error."""
        return {"reconstruction": 1.0}

    # Saving

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        frozen = sorted(self.frozen_with_encoder)
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "latent_dim": self.latent_dim,
            "likelihood": serialize(self.likelihood),
            "posterior": self.given_by_name.get("posterior") or serialize(self.code),
            "prior": self.given_by_name.get("prior") or serialize(self.prior),
            "seed": self.seed,
            **({} if self.condition is None else self.condition.config()),
            "decoder_sees_x": self.past is not None,
            **self.numbers.config(),
            **({"fitted_prior": serialize(self.fitted_prior)} if self.fitted_prior else {}),
            **({"frozen_with_encoder": frozen} if frozen else {}),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        deserialize = functools.partial(
            keras.saving.deserialize_keras_object, custom_objects=custom_objects
        )
        parts = deserialized(config, deserialize)
        fitted = parts.pop("fitted_prior", None)
        frozen = parts.pop("frozen_with_encoder", ())
        model = cls(**parts)
        model.frozen_with_encoder.update(frozen)
        model.set_prior(fitted)
        return model


def join(*tensors):
    """Return what a network is called on: the tensors that aren't None, as a list, or the only
    one."""
    tensors = [tensor for tensor in tensors if tensor is not None]
    return tensors if len(tensors) > 1 else tensors[0]


# What Keras writes for an object; and, without the last two, for arrays and the like (`__numpy__`).
KEYS_OF_OBJECT = {"class_name", "config", "module", "registered_name"}


def deserialized(value, deserialize):
    """Return `value`, an argument in a config, with all objects in it made by `deserialize`, in
    lists and dicts of any depth. Other dicts stay what they are, whatever their keys."""
    if isinstance(value, (list, tuple)):
        made = [deserialized(each, deserialize) for each in value]
        return tuple(made) if isinstance(value, tuple) else made
    if not isinstance(value, dict):
        return value
    if KEYS_OF_OBJECT <= set(value) or is_mark(value.get("class_name")):
        return deserialize(value)
    return {name: deserialized(each, deserialize) for name, each in value.items()}


def is_mark(name):
    return isinstance(name, str) and name.startswith("__") and name.endswith("__")
