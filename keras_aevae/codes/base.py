"""The base class of every way to store an input."""

import math

import keras
from keras import ops

from keras_aevae._checks import argument_names, nearest, takes_any
from keras_aevae.distributions import FittedMixture, FittedRealNVP, LearnedPrior, Prior, get_prior
from keras_aevae.engine.endings import FEATURES
from keras_aevae.engine.inference import first_of
from keras_aevae.engine.noise import start_noise
from keras_aevae.engine.private import layers_within

# The priors that can be fitted to vectors in a space without holes, by name: the settings that each
# takes.
TO_VECTORS = {
    "gaussian": ("seed",),
    "gaussian_mixture": ("num_components", "seed"),
    "real_nvp": FittedRealNVP.settings,
}


class Code(keras.layers.Layer):
    """A way to store an input: what lies between an encoder's features and a decoder's input.

    A model calls `setup` once, and the methods below in its call and in its verbs. So a new kind of
    code, such as a ladder of Gaussians or a flow, is a subclass, which every model can use.

    Draws have an axis of their own: `z` is of shape (batch, num_samples, latent_dim), one flat
    vector for each draw, whatever the code consists of. The outputs of `infer` and of all later
    steps are float32, whatever the dtype policy, and in nats.

    A subclass defines `stores`, `inferred`, `infer`, `draw` and `center`; also `q`, `kl` and
    `log_ratio` if q(z|x) has a density (`ReparameterizedCode` does this for any family of
    distributions); and whatever else differs. A prior can be fitted afterwards if `fitted_priors`
    names it: `TO_VECTORS` where a Gaussian or a mixture of them is a density of the codes.
    """

    # "point", "distribution" or "codebook": how an input is stored.
    stores = None
    # The names of the outputs of `infer`, and of `draw`.
    inferred = ()
    drawn = ("z",)
    # The family of q(z|x), a class of distributions, if it is one; then `inferred` has `z_` before
    # the name of each of its parameters.
    family = None
    # The names of the priors that `fit_prior` makes for these codes.
    fitted_priors = ()
    # The names of the parts of `kl`, if a model shows each as a term of its own.
    shown_parts = ()
    # Whether q(z|x) and the p of some of its parts have weights in common.
    shares_weights = False
    # Whether `log_ratio` can have a gradient through z alone: see `along_path`.
    has_path_gradient = False
    # The seed of its noise, if it was given one.
    seed = None

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})

    def setup(self, features_shape, latent_shape, prior, data_shape=None, support=None):
        """Make all weights, including the prior's. A model calls it once.

        Args:
            features_shape: shape of the encoder's output, without the batch axis; a list of them
                if it has several.
            latent_shape: shape of the decoder's input, without the batch axis: (latent_dim,) or a
                grid.
            prior: a name, a `Prior`, or anything else that `get_prior` takes.
            data_shape, support: those of the data, for priors that depend on them.
        """
        if self.built:
            raise ValueError(
                f"A {type(self).__name__} belongs to one model, and this one has a model already. "
                f"Make another {type(self).__name__}."
            )
        self.latent_shape = tuple(latent_shape)
        self.latent_dim = self.root_dim = math.prod(latent_shape)
        # A vector is computed from all features, a grid from the features at each position.
        flat = not self.latent_shape[1:] and not isinstance(features_shape, list)
        self.features_shape = (math.prod(features_shape),) if flat else features_shape
        self.make()
        self.prior = self.get_prior(prior)
        self.prior.setup(self, data_shape, support)
        # The prior that was fitted afterwards, if there is one.
        self.fitted = []
        self.built = True

    def decoder_shape(self, known, latent_dim):
        """Return the shape of the decoder's input, without the batch axis.

        `known` is the shape of the decoder that was given, or None; `latent_dim` is None if it
        wasn't given.
        """
        if latent_dim is None and known is None:
            raise ValueError(
                "`latent_dim` is needed where the decoder's input shape isn't known: pass it. "
                "Received: latent_dim=None."
            )
        if known is None or None in known or latent_dim not in (None, math.prod(known)):
            return (latent_dim,)
        return known  # a vector, or a grid of codes with that many dimensions in all

    def check_features(self, features, latent_shape):
        """Raise unless the encoder's features, a shape or a list of shapes, fit the code's."""
        if isinstance(features, list):
            raise ValueError(
                f"{FEATURES} Received: {len(features)} tensors, of shapes "
                f"{', '.join(map(str, features))}, where a {type(self).__name__} takes one."
            )
        if latent_shape[1:] and features[:-1] != latent_shape[:-1]:
            raise ValueError(
                f"`encoder` doesn't fit: the decoder takes a grid of codes, {latent_shape}, so the "
                f"encoder must give features of that grid, {(*latent_shape[:-1], 'channels')}. "
                f"Received: features of shape {features}."
            )

    def make(self):
        """Make the layers that turn features into what `infer` returns. A code of several parts
        sets `latent_dim` and `root_dim`, the number of dimensions of what the prior is of, anew."""

    def make_head(self, outputs):
        """Make the dense layer from features to `outputs` numbers; for a grid, at each position."""
        self.head = keras.layers.Dense(outputs, dtype=self.dtype_policy, name="posterior")
        self.head.build((None, *self.features_shape))

    def raw(self, features):
        """Return the head's outputs for these features: shape (batch, [height, width,] outputs)."""
        return self.head(ops.reshape(features, (-1, *self.features_shape)))

    def flat(self, z):
        """Return a grid of codes as vectors: shape (batch, latent_dim)."""
        return ops.reshape(z, (-1, self.latent_dim))

    @property
    def exact_kl(self):
        """True if `kl` is exact and split by dimension (or by group) under the model's own prior.
        That of a group may be exact given the draws of the groups above it."""
        return self.family is not None and self.has_exact_kl(self.family)

    def has_exact_kl(self, family):
        """Return whether the KL from this family to the model's own prior is exact."""
        learned = isinstance(self.prior, LearnedPrior)
        return not learned and family.has_kl_to(self.p(posterior_at=None))

    def infer(self, features):
        """Return the parameters of q(z|x) by name, without noise: tensors of shape (batch, ...)."""
        raise NotImplementedError

    def draw(self, inferred, num_samples=1, training=None):
        """Return draws `z` from q(z|x), and what belongs to them: (batch, num_samples, ...)."""
        raise NotImplementedError

    def center(self, inferred):
        """Return the code that `encode` gives, without noise: shape (batch, latent_dim)."""
        raise NotImplementedError

    def q(self, inferred):
        """Return q(z|x) as a distribution, if it has a density."""
        raise NotImplementedError

    def root_q(self, inferred):
        """Return q(root|x) as a distribution, for priors that are made of posteriors."""
        return self.q(inferred)

    def decoder_input(self, z):
        """Return the decoder's input for codes z, shape (n, latent_dim)."""
        return z if len(self.latent_shape) == 1 else ops.reshape(z, (-1, *self.latent_shape))

    def kl(self, outputs, p):
        """Return KL(q(z|x) || p) in nats, shape (num_samples or 1, batch, parts).

        It is exact if it has a closed form, and then a part is a dimension or a group of them;
        otherwise it is estimated at the draws in `outputs`, as one part.
        """
        raise NotImplementedError

    def log_ratio(self, outputs, p):
        """Return log p(z) - log q(z|x) at the draws in `outputs`: shape (num_samples, batch)."""
        raise NotImplementedError

    def along_path(self, outputs):
        """Return `outputs` for a `log_ratio` in which log q(z|x) has a gradient through z alone.

        Models call it with their weights frozen, and only if `has_path_gradient`. Here the outputs
        of `infer` are constants, which is enough if `log_ratio` computes log q(z|x) from them and
        z. An output of `draw` on which it depends, such as a log q that came with the draw, must be
        computed anew.
        """
        constant = {name: ops.stop_gradient(outputs[name]) for name in self.inferred}
        return {**outputs, **constant}

    # The prior p(z): the model's own, and the one that is fitted afterwards.

    def get_prior(self, prior):
        """Return the prior that `prior` names, or `prior` itself."""
        prior = get_prior(prior, self.root_dim)
        if prior.over != "vectors" or prior.latent_dim not in (None, self.root_dim):
            own = "" if prior.latent_dim is None else f" of {prior.latent_dim} dimensions"
            raise ValueError(
                f"`prior` must be one of vectors of {self.root_dim} latent dimensions, as the "
                f"codes are. Received: a {type(prior).__name__} of {prior.over}{own}."
            )
        has_density = self.stores == "distribution"  # else the prior itself says what is missing
        own = type(self).q is not Code.q or type(self).root_q is not Code.root_q
        if has_density and prior.of_posteriors and not own:
            raise ValueError(
                f"`prior` must be one that isn't made of posteriors, since a {type(self).__name__} "
                f"doesn't define `q`. Received: a {type(prior).__name__}. Take another prior, such "
                "as 'gaussian_mixture'."
            )
        return prior

    def prior_of(self, fitted):
        """Return the fitted prior, if `fitted` and there is one, else the model's own."""
        return self.fitted[0] if fitted and self.fitted else self.prior

    def prior_tensors(self, posterior_at, fitted=False):
        """Return the tensors of the current p(z), to be computed once and used many times."""
        return self.prior_of(fitted).tensors(posterior_at)

    def p_of(self, tensors, fitted=False):
        """Return p(z) as a distribution, from the result of `prior_tensors`."""
        return self.prior_of(fitted).made_of(tensors, self.root_q)

    def p(self, posterior_at, fitted=False):
        """Return the current p(z) as a distribution. `posterior_at(x)` gives the result of `infer`
        for data x, for priors that are made of posteriors."""
        return self.p_of(self.prior_tensors(posterior_at, fitted), fitted)

    def sample(self, num_samples, p, seed=None, **settings):
        """Draw `num_samples` codes from p: shape (num_samples, latent_dim)."""
        return p.sample((num_samples,), seed=seed, **settings)

    def fittable(self, prior, settings):
        """Return `(prior, settings of its fit)` for `fit_prior`: `prior` itself, or a new prior of
        that name, made with its own part of `settings`."""
        self.check_fitted_priors(prior)
        if prior is None:
            prior = self.fitted_priors[0]
        if not isinstance(prior, Prior):
            self.check_fitted_name(prior)
            known = self.settings_of_fitted()
            if repr(prior) in known:
                check_settings(repr(prior), settings, known)
            return self.make_fitted(prior, settings)
        self.check_fitted(prior)
        name, kind = f"a given {type(prior).__name__}", type(prior)
        if isinstance(prior, keras.Model) or not takes_any(kind.fit):
            check_settings(name, settings, {name: arguments_of_fit(kind)})
        return prior, settings

    def settings_of_fitted(self):
        """Return the names of the settings of each prior in `fitted_priors`, those of its fit
        included, by the quoted name; of a prior that isn't there they aren't checked."""
        known = {name: TO_VECTORS[name] for name in self.fitted_priors if name in TO_VECTORS}
        known = {repr(name): (*settings, "verbose") for name, settings in known.items()}
        if "real_nvp" in self.fitted_priors:
            known[repr("real_nvp")] = settings_of_trained(FittedRealNVP)
        return known

    def check_fitted_priors(self, prior):
        """Raise an error if no prior can be fitted to these codes."""
        if not self.fitted_priors:
            raise ValueError(
                f"No prior can be fitted to the codes of a {type(self).__name__} afterwards: it "
                f"names none in `fitted_priors`. Received: prior={prior!r}. Sample from the "
                "model's own prior."
            )

    def check_fitted_name(self, name):
        """Raise an error unless `name` is in `fitted_priors`."""
        if name not in self.fitted_priors:
            raise ValueError(
                f"Unknown `prior` for the codes of a {type(self).__name__}. Received: "
                f"prior={name!r}. Those that can be fitted: {', '.join(self.fitted_priors)}. The "
                "model's own prior is restored by set_prior(None)."
            )

    def make_fitted(self, name, settings):
        """Return a new prior of that name, which is in `fitted_priors`, and the part of `settings`
        that is for its fit."""
        if name == "real_nvp":
            return make_trained(FittedRealNVP, settings, self.root_dim)
        settings = dict(settings)
        of_fit = {k: settings.pop(k) for k in ("verbose",) if k in settings}
        fixed = {"num_components": 1} if name == "gaussian" else {}
        return FittedMixture(self.root_dim, **{**fixed, **settings}), of_fit

    def check_fitted(self, prior):
        """Raise an error unless `prior`, an object, can be fitted to these codes."""
        self.check_fitted_priors(prior)
        kinds = (FittedMixture, FittedRealNVP)
        if not isinstance(prior, kinds) or prior.latent_dim != self.root_dim:
            raise ValueError(
                f"`prior` must be a FittedMixture of {self.root_dim} latent dimensions, such as "
                "fit_prior(x, 'gaussian_mixture') makes, or a FittedRealNVP. Received: "
                f"prior={prior!r}."
            )

    def root(self, drawn):
        """Return what p is a distribution of, for the first draws in `drawn`, the result of `draw`:
        here z itself, shape (n, latent_dim)."""
        return drawn["z"][:, 0]

    @property
    def noise(self):
        """The seed generators of the draws from q(z|x)."""
        return []

    def start_noise(self, seed):
        """Start the noise anew from the integer `seed`: that of the first generator from `seed`
        itself, as if made with it, those of others from seeds far from it."""
        start_noise([generator.state for generator in self.noise], seed)

    # Initialization from data, before the first training step.

    @property
    def start_size(self):
        """Number of examples that `start_from` needs."""
        return self.prior.start_size

    def start_from(self, x, encode):
        """Initialize from the examples `x`, which for a conditional model are (x, condition);
        `encode(x)` gives their codes, not yet quantised."""
        self.prior.start_from(first_of(x))

    def encoding_parts(self):
        """Return the layers that encode, which are frozen with the encoder: by default all layers
        of the code but its priors, and its own weights. A code that also has layers of another use,
        such as for `decoder_input`, leaves them out."""
        priors = [p for p in (self.prior, *self.fitted) if isinstance(p, keras.Layer)]
        others = {id(layer) for prior in priors for layer in layers_within(prior)}
        layers = [layer for layer in layers_within(self)[1:] if id(layer) not in others]
        theirs = {id(v) for layer in layers_within(self)[1:] for v in layer.variables}
        return layers + [OwnWeight(v) for v in self.weights if id(v) not in theirs]


class OwnWeight:
    """A weight that a code has beside its layers, which is frozen as a layer is."""

    def __init__(self, variable):
        self.variables = [variable]

    @property
    def trainable(self):
        return self.variables[0].trainable

    @trainable.setter
    def trainable(self, value):
        self.variables[0].trainable = value


def for_each_draw(value, num_samples):
    """Repeat `value`, shape (batch, ...), for each draw: shape (batch, num_samples, ...)."""
    value = value[:, None]
    return value if num_samples == 1 else ops.repeat(value, num_samples, axis=1)


def draws_first(outputs, name):
    """Return `outputs[name]`, of shape (batch, num_samples, ...), as (num_samples, batch, ...), the
    order in which distributions take draws."""
    return ops.moveaxis(outputs[name], 1, 0)


def arguments_of_fit(kind):
    """Return the names of the arguments of the `fit` of a class of priors, beside the codes; those
    of Keras's, if they are Keras models."""
    known = argument_names(kind.fit)[2:]
    if issubclass(kind, keras.Model):
        known += argument_names(keras.Model.fit)[1:]
    return tuple(name for name in dict.fromkeys(known) if name not in ("x", "y"))


def settings_of_trained(kind):
    """Return the names of the settings of a class of priors that are Keras models, those of their
    training included."""
    return (*kind.settings, "optimizer", *arguments_of_fit(kind))


def make_trained(kind, settings, *args):
    """Return a new prior of a class of Keras models, `kind(*args)` with its part of `settings`,
    compiled, and the part that is for its `fit`."""
    settings = {"epochs": 10, "optimizer": "adam", **settings}
    own = {k: settings.pop(k) for k in kind.settings if k in settings}
    made = kind(*args, **own)
    made.compile(settings.pop("optimizer"))
    return made, settings


def check_settings(prior, settings, known):
    """Raise unless `prior` takes all `settings`; `known` has the names of the settings of each
    prior."""
    for name in settings:
        if name not in known[prior]:
            others = [other for other, names in known.items() if name in names]
            remedy = f"{others[0]} takes it." if others else nearest(name, known[prior])
            raise ValueError(
                f"`fit_prior` with {prior} takes no `{name}`, but {', '.join(known[prior])}. "
                f"Received: {name}={settings[name]!r}. {remedy}"
            )
