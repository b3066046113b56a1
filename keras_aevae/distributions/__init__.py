"""Posteriors q(z|x), priors p(z) and likelihoods p(x|z)."""

from keras_aevae._checks import check_name
from keras_aevae.distributions.base import Distribution
from keras_aevae.distributions.bernoulli import Bernoulli
from keras_aevae.distributions.categorical import Categorical, DiscretizedLogistic
from keras_aevae.distributions.diagonal_gaussian import DiagonalGaussian, StandardNormal
from keras_aevae.distributions.gaussian import Gaussian
from keras_aevae.distributions.likelihood import Likelihood
from keras_aevae.distributions.point import Point

__all__ = [
    "Bernoulli",
    "Categorical",
    "DiagonalGaussian",
    "DiscretizedLogistic",
    "Distribution",
    "Gaussian",
    "Likelihood",
    "Point",
    "StandardNormal",
]

POSTERIORS = {"point": Point, "diagonal_gaussian": DiagonalGaussian}
PRIORS = {"standard_normal": StandardNormal}
LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "categorical": Categorical,
    "discretized_logistic": DiscretizedLogistic,
    # The names of the losses that these likelihoods stand for, summed over the values:
    "binary_crossentropy": Bernoulli,
    # -log N(x; mean, 1/2) is the squared error and a constant.
    "mse": lambda: Gaussian(scale=0.5**0.5),
}


def get_posterior(identifier):
    """The posterior family named by `identifier`: 'point' or 'diagonal_gaussian'."""
    return POSTERIORS[check_name("posterior", identifier, POSTERIORS)]


def get_prior(identifier, latent_dim):
    """The prior named by `identifier` ('standard_normal') in `latent_dim` dimensions."""
    return PRIORS[check_name("prior", identifier, PRIORS)](latent_dim)


def get_likelihood(identifier):
    """The likelihood named by `identifier`, or `identifier` if it is a `Likelihood` already."""
    if isinstance(identifier, Likelihood):
        return identifier
    return LIKELIHOODS[check_name("likelihood", identifier, LIKELIHOODS)]()
