"""The kinds of columns: what the values of all columns of one kind are distributed as.

A group holds the columns of one kind (and, of categories, of one number of them), and computes them
together, so that a wide table takes no more operations than a narrow one. Its methods take `x`, the
values of its columns, shape (..., columns), none of which is missing, and `params`, the decoder's
outputs for them, shape (..., columns, outputs).
"""

import numpy as np
from keras import ops

from keras_aevae.distributions.base import LOG_2PI, as_float32
from keras_aevae.distributions.counts import negative_binomial_log_prob, poisson_log_prob
from keras_aevae.distributions.diagonal_gaussian import soft_bound

# The log-variance of a standardised number: standard deviations from 1/150 to 150 times the
# column's.
LOG_VAR_BOUND = 10.0
# How far the log of a mean count is from that of the column, at most; and its log-dispersion.
LOG_MEAN_BOUND = 20.0
LOG_DISPERSION_BOUND = 15.0
# The logs of larger means and draws wouldn't fit into float32.
LARGEST_LOG = 80.0
# The largest rate, or nearly, from which NumPy draws a Poisson.
LARGEST_RATE = 1e18
# The least distance of two thresholds: a category between them has a probability above 0.
SMALLEST_GAP = 1e-6


class Group:
    """Columns of one kind. `positions` are their places among all columns of the table."""

    # The number of the decoder's outputs for each column; of the encoder's inputs; and of what
    # `expectation` returns.
    outputs = features = parts = 1
    domain = "numbers"
    # How a number is transformed before it is standardised: a function of NumPy arrays.
    transform = staticmethod(np.asarray)

    def __init__(self, columns, positions):
        self.columns = columns
        self.positions = np.array(positions, "int32")
        self.locations = np.array([column.location for column in columns], "float32")
        self.scales = np.array([column.scale for column in columns], "float32")

    @property
    def location(self):
        return as_float32(self.locations)

    @property
    def scale(self):
        return as_float32(self.scales)

    @property
    def valid(self):
        """A valid value of each column, to be put where one is missing: a NumPy array."""
        return self.locations

    def contains(self, x):
        """Return whether each of the values `x`, a NumPy array, is valid."""
        return np.ones(x.shape, bool)

    def standardized(self, x):
        return (x - self.location) / self.scale

    def encode(self, x):
        """Return what the encoder sees of x: shape (..., columns, features)."""
        return self.standardized(x)[..., None]

    def log_prob(self, x, params):
        """Return log p(x), constants included, in nats, shape (..., columns)."""
        raise NotImplementedError

    def expectation(self, params):
        """Return means, or the probabilities of categories: shape (..., columns, parts)."""
        raise NotImplementedError

    def point(self, expectation):
        """Return the value that stands for an `expectation`: shape (..., columns)."""
        return expectation[..., 0]

    def mode(self, params):
        """Return the most probable x, shape (..., columns)."""
        raise NotImplementedError

    def sample(self, params, random):
        """Return draws of x as a NumPy array; `random` is a NumPy generator."""
        raise NotImplementedError


class Gaussians(Group):
    """The mean and the log-variance of the standardised value."""

    outputs = 2

    def parameters(self, params):
        return params[..., 0], soft_bound(params[..., 1], LOG_VAR_BOUND)

    def log_prob(self, x, params):
        mean, log_var = self.parameters(params)
        squared = ops.square(self.standardized(x) - mean) * ops.exp(-log_var)
        # The density of x itself: that of the standardised value, by the scale.
        return -0.5 * (squared + log_var + LOG_2PI) - ops.log(self.scale)

    def of_value(self, params):
        """Return the mean and the standard deviation of the value (of its log, if log-normal)."""
        mean, log_var = self.parameters(params)
        return self.location + self.scale * mean, self.scale * ops.exp(0.5 * log_var)

    def expectation(self, params):
        return self.of_value(params)[0][..., None]

    def mode(self, params):
        return self.of_value(params)[0]

    def sample(self, params, random):
        mean, std = map(ops.convert_to_numpy, self.of_value(params))
        return mean + std * random.standard_normal(mean.shape)


class LogNormals(Gaussians):
    """The mean and the log-variance of the standardised logarithm."""

    domain = "numbers above 0"
    transform = staticmethod(np.log)

    @property
    def valid(self):
        return np.exp(self.locations)

    def contains(self, x):
        return x > 0

    def standardized(self, x):
        return super().standardized(ops.log(x))

    def log_prob(self, x, params):
        return super().log_prob(x, params) - ops.log(x)

    def expectation(self, params):
        mean, std = self.of_value(params)
        return ops.exp(self.bounded(mean + 0.5 * ops.square(std)))[..., None]

    def mode(self, params):
        mean, std = self.of_value(params)
        return ops.exp(self.bounded(mean - ops.square(std)))

    def sample(self, params, random):
        return np.exp(np.clip(super().sample(params, random), -LARGEST_LOG, LARGEST_LOG))

    @staticmethod
    def bounded(log):
        """Bound the logarithm of a value, which is then a number above 0 in float32."""
        return ops.clip(log, -LARGEST_LOG, LARGEST_LOG)


class Counts(Group):
    """Whole numbers from 0. `location` and `scale` are those of log(1 + x)."""

    domain = "whole numbers of 0 or more"
    transform = staticmethod(np.log1p)

    @property
    def valid(self):
        return np.zeros_like(self.locations)

    def contains(self, x):
        return (x >= 0) & (x == np.round(x))

    def standardized(self, x):
        return super().standardized(ops.log1p(x))

    def log_mean(self, params):
        return self.location + soft_bound(self.scale * params[..., 0], LOG_MEAN_BOUND)

    def expectation(self, params):
        return ops.exp(self.log_mean(params))[..., None]


class Poissons(Counts):
    """The log of the rate."""

    def log_prob(self, x, params):
        return poisson_log_prob(x, self.log_mean(params))

    def mode(self, params):
        return ops.floor(ops.exp(self.log_mean(params)))

    def sample(self, params, random):
        log_mean = ops.convert_to_numpy(self.log_mean(params)).astype("float64")
        return random.poisson(np.minimum(np.exp(log_mean), LARGEST_RATE))


class NegativeBinomials(Counts):
    """The log of the mean m, and of the dispersion a, with the variance m + a m^2."""

    outputs = 2

    def log_dispersion(self, params):
        return soft_bound(params[..., 1], LOG_DISPERSION_BOUND)

    def log_prob(self, x, params):
        return negative_binomial_log_prob(x, self.log_mean(params), self.log_dispersion(params))

    def mode(self, params):
        mean, dispersion = ops.exp(self.log_mean(params)), ops.exp(self.log_dispersion(params))
        return ops.floor(mean * ops.maximum(1.0 - dispersion, 0.0))

    def sample(self, params, random):
        log_mean = ops.convert_to_numpy(self.log_mean(params)).astype("float64")
        log_dispersion = ops.convert_to_numpy(self.log_dispersion(params)).astype("float64")
        # A Poisson whose rate is drawn from a gamma distribution.
        rate = random.gamma(np.exp(-log_dispersion), np.exp(log_mean + log_dispersion))
        return random.poisson(np.minimum(rate, LARGEST_RATE))


class Categoricals(Group):
    """A logit for each category. The encoder sees them one-hot."""

    def __init__(self, columns, positions):
        super().__init__(columns, positions)
        self.outputs = self.features = self.parts = len(columns[0].categories)

    @property
    def domain(self):
        return f"the codes 0 to {self.parts - 1} of its categories"

    @property
    def valid(self):
        return np.zeros_like(self.locations)

    def contains(self, x):
        return (x >= 0) & (x < self.parts) & (x == np.round(x))

    def encode(self, x):
        return self.one_hot(x)

    def one_hot(self, x):
        return ops.cast(ops.equal(x[..., None], self.codes()), "float32")

    def codes(self):
        return as_float32(np.arange(self.parts))

    def log_probs(self, params):
        """Return the log-probability of each category, shape (..., columns, categories)."""
        return ops.log_softmax(params, axis=-1)

    def log_prob(self, x, params):
        return ops.sum(self.one_hot(x) * self.log_probs(params), axis=-1)

    def expectation(self, params):
        return ops.exp(self.log_probs(params))

    def point(self, expectation):
        return ops.cast(ops.argmax(expectation, axis=-1), "float32")

    def mode(self, params):
        return self.point(self.log_probs(params))

    def sample(self, params, random):
        log_probs = ops.convert_to_numpy(self.log_probs(params))
        return np.argmax(log_probs + random.gumbel(size=log_probs.shape), axis=-1)


class Ordinals(Categoricals):
    """Thresholds t_1 < ... < t_(K-1), with P(x < k) = sigmoid(t_k).

    This is the cumulative logit model of McCullagh 1980, Regression Models for Ordinal Data. The
    outputs are t_1, and for each further threshold a number whose softplus is its distance from the
    one before. The encoder sees for each category but the first whether x has reached it.
    """

    def __init__(self, columns, positions):
        super().__init__(columns, positions)
        self.outputs = self.features = self.parts - 1

    def encode(self, x):
        return ops.cast(ops.greater_equal(x[..., None], self.codes()[1:]), "float32")

    def log_probs(self, params):
        logits, gaps = params[..., :1], params[..., 1:]
        gaps = ops.softplus(gaps) + SMALLEST_GAP
        if self.parts > 2:
            logits = ops.concatenate([logits, logits + ops.cumsum(gaps, axis=-1)], axis=-1)
        # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)), for b - a = gap
        below, above = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        between = below[..., 1:] + above[..., :-1] + ops.log(-ops.expm1(-gaps))
        return ops.concatenate([below[..., :1], between, above[..., -1:]], axis=-1)


# New kinds go last: the order of a saved model's parameters follows this one.
KINDS = {
    "gaussian": Gaussians,
    "log_normal": LogNormals,
    "categorical": Categoricals,
    "ordinal": Ordinals,
    "poisson": Poissons,
    "negative_binomial": NegativeBinomials,
}
# Names of what a column holds, for which a kind is chosen.
ALIASES = {"continuous": "gaussian", "count": "negative_binomial"}


def groups_of(columns):
    """Return the groups of these columns, in the order of `KINDS`."""
    members = {}
    for position, column in enumerate(columns):
        key = list(KINDS).index(column.kind), len(column.categories or ())
        members.setdefault(key, []).append(position)
    return [
        KINDS[columns[positions[0]].kind]([columns[p] for p in positions], positions)
        for _, positions in sorted(members.items())
    ]


def location_and_scale(kind, values):
    """Return the mean and the standard deviation of the numbers `values`, of which none is missing,
    as they are transformed for a column of that kind. The deviation of constants is taken as 1."""
    transformed = KINDS[kind].transform(np.asarray(values, "float64"))
    constant = np.ptp(transformed) == 0  # whose deviation needn't be 0 in floating point
    return float(transformed.mean()), 1.0 if constant else float(transformed.std())
