"""The families of q(z|x) that have a name."""

from keras_aevae._checks import check_name
from keras_aevae.distributions.base import Distribution
from keras_aevae.distributions.diagonal_gaussian import DiagonalGaussian
from keras_aevae.distributions.point import Point
from keras_aevae.distributions.von_mises_fisher import VonMisesFisher

POSTERIORS = {
    "point": Point,
    "diagonal_gaussian": DiagonalGaussian,
    "von_mises_fisher": VonMisesFisher,
}


def get_posterior(identifier):
    """Return the posterior family named by `identifier`, such as 'diagonal_gaussian'; or
    `identifier` itself, if it is a subclass of `Distribution`."""
    if isinstance(identifier, type) and issubclass(identifier, Distribution):
        return identifier
    return POSTERIORS[check_name("posterior", identifier, POSTERIORS)]
