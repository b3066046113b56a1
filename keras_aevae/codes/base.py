"""What every way to store an input answers."""

import math

import keras
from keras import ops

from keras_aevae._checks import check_name
from keras_aevae.distributions import FittedMixture, Prior, get_prior

# Priors of vectors that `fit_prior` makes by name.
FITTED = {"gaussian": {"num_components": 1}, "gaussian_mixture": {}}


class Code(keras.layers.Layer):
    """How an input is stored: what lies between an encoder's features and a decoder's input.

    A model calls `setup` once and then goes through these few questions, in its call and in every
    verb. So a new kind of code, such as a ladder of Gaussians or a flow, is a class here, and every
    model can use it.

    Within a code, draws have an axis of their own: `z` is of shape (batch, num_samples,
    latent_dim), one flat vector for each draw, whatever the code is made of. Everything from
    `infer` on is float32, whatever the dtype policy, and in nats.

    To add one, give `stores`, `inferred`, `infer`, `draw` and `center`; where q(z|x) has a density
    `q`, `kl` and `log_ratio`; and what else is different.
    """

    # "point", "distribution" or "codebook": what is kept of an input.
    stores = None
    # Names of what `infer` returns, and of what `draw` does.
    inferred = ()
    drawn = ("z",)
    # The name that a config has for a code without settings of its own; None: its own config.
    identifier = None
    # Whether `kl` is exact and split by dimension (or by group) under the model's own prior.
    exact_kl = False
    seed = None

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})

    def setup(self, features_shape, latent_shape, prior, data_shape=None, support=None):
        """Make all weights, the prior's included. A model calls it once.

        Args:
            features_shape: what the encoder gives, without the batch axis.
            latent_shape: what the decoder takes, without the batch axis: (latent_dim,) or a grid.
            prior: a name, a `Prior`, or what else `get_prior` takes.
            data_shape, support: of the data, for priors that are made of them.
        """
        if self.built:
            raise ValueError(
                f"A {type(self).__name__} belongs to one model, and this one has a model already. "
                f"Make another {type(self).__name__}."
            )
        self.latent_shape = tuple(latent_shape)
        self.latent_dim = math.prod(latent_shape)
        # A vector of codes is made of all features, a grid of those at each position.
        grid = self.latent_shape[1:]
        self.features_shape = tuple(features_shape) if grid else (math.prod(features_shape),)
        self.make()
        self.prior = self.get_prior(prior)
        self.prior.setup(self, data_shape, support)
        # The prior that was fitted afterwards, if there is one.
        self.fitted = []
        self.built = True

    def make(self):
        """Make the layers that turn features into what `infer` returns."""

    def make_head(self, outputs):
        """A dense layer from features to `outputs` numbers: for a grid, at each position."""
        self.head = keras.layers.Dense(outputs, dtype=self.dtype_policy, name="posterior")
        self.head.build((None, *self.features_shape))

    def raw(self, features):
        """What the head makes of features: shape (batch, [height, width,] outputs)."""
        return self.head(ops.reshape(features, (-1, *self.features_shape)))

    def flat(self, z):
        """A grid of codes as vectors: shape (batch, latent_dim)."""
        return ops.reshape(z, (-1, self.latent_dim))

    def infer(self, features):
        """What q(z|x) is made of, by name, without noise: tensors of shape (batch, ...)."""
        raise NotImplementedError

    def draw(self, inferred, num_samples=1, training=None):
        """`z`, draws from q(z|x), and what comes with them: shape (batch, num_samples, ...)."""
        raise NotImplementedError

    def center(self, inferred):
        """What `encode` gives, without noise: shape (batch, latent_dim)."""
        raise NotImplementedError

    def q(self, inferred):
        """q(z|x) as a distribution, where it has a density at any z."""
        raise NotImplementedError

    def decoder_input(self, z):
        """What the decoder takes for codes z, shape (n, latent_dim)."""
        return ops.reshape(z, (-1, *self.latent_shape))

    def kl(self, outputs, p):
        """KL(q(z|x) || p) in nats, shape (num_samples or 1, batch, parts).

        Exact where it can be, and then a part is a dimension or a group of them; else estimated at
        the draws in `outputs`, as one part.
        """
        raise NotImplementedError

    def log_ratio(self, outputs, p):
        """log p(z_k) - log q(z_k|x) at the draws z_k in `outputs`: shape (num_samples, batch)."""
        raise NotImplementedError

    # The prior p(z): the model's own, and the one that is fitted afterwards

    def get_prior(self, prior):
        """The prior that `prior` names, or `prior` itself."""
        return get_prior(prior, self.latent_dim)

    def prior_of(self, fitted):
        """The prior that was fitted, where it is asked for and there is one, else the model's."""
        return self.fitted[0] if fitted and self.fitted else self.prior

    def prior_tensors(self, posterior_at, fitted=False):
        """What p(z) is made of now, to be computed once for many uses."""
        return self.prior_of(fitted).tensors(posterior_at)

    def p_of(self, tensors, fitted=False):
        """p(z) as a distribution, of what `prior_tensors` returned."""
        return self.prior_of(fitted).made_of(tensors, self.q)

    def p(self, posterior_at, fitted=False):
        """p(z) as a distribution of this instant. `posterior_at(x)` gives what `infer` does for
        data x, for priors that are made of posteriors."""
        return self.p_of(self.prior_tensors(posterior_at, fitted), fitted)

    def sample(self, num_samples, p, seed=None, **settings):
        """`num_samples` codes drawn from p: shape (num_samples, latent_dim)."""
        return p.sample((num_samples,), seed=seed, **settings)

    def fittable(self, prior, settings):
        """`(prior, settings of its fit)` for `fit_prior`: a prior of its name, made with those of
        the `settings` that are its own, or `prior` itself."""
        if isinstance(prior, Prior):
            return prior, settings
        components = FITTED[check_name("prior", prior, FITTED)]
        return FittedMixture(**{**components, **settings, "latent_dim": self.latent_dim}), {}

    def check_fitted(self, prior):
        """Raise unless `prior` is one of these codes."""
        if not isinstance(prior, FittedMixture) or prior.latent_dim != self.latent_dim:
            raise ValueError(
                f"`prior` must be a FittedMixture of {self.latent_dim} latent dimensions, such as "
                f"fit_prior(x, 'gaussian_mixture') makes. Received: prior={prior!r}."
            )

    def root(self, z):
        """What p is a distribution of, for codes z of shape (n, latent_dim): here z itself."""
        return z

    @property
    def noise(self):
        """The seed generators of the draws from q(z|x)."""
        return []

    # What starts from data, before the first training step

    @property
    def start_size(self):
        """Examples that `start_from` wants."""
        return self.prior.start_size

    def start_from(self, x, encode):
        """Set what starts from the examples `x`; `encode(x)` gives the features' codes of them."""
        self.prior.start_from(x)

    def encoding_parts(self):
        """The layers that encode, and are frozen with the encoder."""
        return [self.head]


def for_each_draw(value, num_samples):
    """`value` of shape (batch, ...), the same for each draw: shape (batch, num_samples, ...)."""
    value = value[:, None]
    return value if num_samples == 1 else ops.repeat(value, num_samples, axis=1)


def draws_first(outputs, name):
    """`outputs[name]` of shape (batch, num_samples, ...) as (num_samples, batch, ...), which is how
    distributions take draws."""
    return ops.moveaxis(outputs[name], 1, 0)
