"""Posteriors q(z|x), priors p(z) and likelihoods p(x|z)."""

from keras_aevae._checks import check_name, nearest
from keras_aevae.distributions.autoregressive_prior import AutoregressivePrior
from keras_aevae.distributions.base import Distribution
from keras_aevae.distributions.bernoulli import Bernoulli
from keras_aevae.distributions.categorical import Categorical, DiscretizedLogistic
from keras_aevae.distributions.columns import Column, Columns
from keras_aevae.distributions.diagonal_gaussian import DiagonalGaussian, StandardNormal
from keras_aevae.distributions.fitted_mixture import FittedMixture
from keras_aevae.distributions.fitted_real_nvp import FittedRealNVP
from keras_aevae.distributions.fitted_von_mises_fisher import FittedVonMisesFisher
from keras_aevae.distributions.gaussian import Gaussian
from keras_aevae.distributions.gaussian_mixture import GaussianMixture
from keras_aevae.distributions.likelihood import Likelihood
from keras_aevae.distributions.mixture import Mixture
from keras_aevae.distributions.multivariate_gaussian import MultivariateGaussian
from keras_aevae.distributions.point import Point
from keras_aevae.distributions.prior import FixedPrior, LearnedPrior, Prior
from keras_aevae.distributions.real_nvp_prior import RealNVPPrior
from keras_aevae.distributions.transformed import Transformed
from keras_aevae.distributions.uniform_indices import UniformIndices
from keras_aevae.distributions.uniform_sphere import UniformSphere
from keras_aevae.distributions.vamp_prior import VampPrior
from keras_aevae.distributions.von_mises_fisher import VonMisesFisher

__all__ = [
    "AutoregressivePrior",
    "Bernoulli",
    "Categorical",
    "Column",
    "Columns",
    "DiagonalGaussian",
    "DiscretizedLogistic",
    "Distribution",
    "FittedMixture",
    "FittedRealNVP",
    "FittedVonMisesFisher",
    "FixedPrior",
    "Gaussian",
    "GaussianMixture",
    "LearnedPrior",
    "Likelihood",
    "Mixture",
    "MultivariateGaussian",
    "Point",
    "Prior",
    "RealNVPPrior",
    "StandardNormal",
    "Transformed",
    "UniformIndices",
    "UniformSphere",
    "VampPrior",
    "VonMisesFisher",
]

# Factories that take the number of latent dimensions; a learned prior gets it from its model.
PRIORS = {
    "standard_normal": StandardNormal,
    "gaussian_mixture": lambda latent_dim: GaussianMixture(),
    "vamp_prior": lambda latent_dim: VampPrior(),
    "real_nvp": lambda latent_dim: RealNVPPrior(),
}
LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "categorical": Categorical,
    "discretized_logistic": DiscretizedLogistic,
    # Names of losses that are likelihoods, when summed over the values:
    "binary_crossentropy": Bernoulli,
    # -log N(x; mean, 1/2) is the squared error plus a constant.
    "mse": lambda: Gaussian(scale=0.5**0.5),
}


def get_prior(identifier, latent_dim):
    """Return the prior named by `identifier`, for codes of `latent_dim` dimensions, or `identifier`
    itself if it is a `Prior`."""
    if isinstance(identifier, Prior):
        return identifier
    if not isinstance(identifier, str) or identifier not in PRIORS:
        raise ValueError(
            f"Unknown `prior`. Received: prior={identifier!r}. {nearest(identifier, PRIORS)} An "
            "object will do, too: any keras_aevae.distributions.Prior."
        )
    return PRIORS[identifier](latent_dim)


def get_likelihood(identifier):
    """Return the likelihood named by `identifier`, or `identifier` if it is a `Likelihood`."""
    if isinstance(identifier, Likelihood):
        return identifier
    return LIKELIHOODS[check_name("likelihood", identifier, LIKELIHOODS)]()
