"""The ways to store an input: what lies between an encoder's features and a decoder's input."""

from keras_aevae._checks import check_name
from keras_aevae.codes.base import Code
from keras_aevae.codes.codebook import CodebookCode
from keras_aevae.codes.flow import FlowCode
from keras_aevae.codes.gaussian import GaussianCode
from keras_aevae.codes.hierarchical import HierarchicalCode
from keras_aevae.codes.inverse_autoregressive_flow import InverseAutoregressiveFlowCode
from keras_aevae.codes.point import PointCode
from keras_aevae.codes.real_nvp import RealNVPCode
from keras_aevae.codes.reparameterized import ReparameterizedCode
from keras_aevae.codes.von_mises_fisher import VonMisesFisherCode

__all__ = [
    "Code",
    "CodebookCode",
    "FlowCode",
    "GaussianCode",
    "HierarchicalCode",
    "InverseAutoregressiveFlowCode",
    "PointCode",
    "RealNVPCode",
    "ReparameterizedCode",
    "VonMisesFisherCode",
]

CODES = {
    "point": lambda seed: PointCode(),
    "diagonal_gaussian": GaussianCode,
    "von_mises_fisher": VonMisesFisherCode,
    "inverse_autoregressive_flow": InverseAutoregressiveFlowCode,
    "real_nvp": RealNVPCode,
}


def get_code(identifier, seed=None):
    """Return the code named by `identifier`, such as "diagonal_gaussian", whose noise has this
    `seed`; or `identifier` itself, if it is a `Code`."""
    if isinstance(identifier, Code):
        return identifier
    return CODES[check_name("posterior", identifier, CODES)](seed=seed)
