"""Layers, most of which can be used alone, in any Keras model."""

from keras_aevae.layers.finite_scalar_quantizer import FiniteScalarQuantizer
from keras_aevae.layers.inverse_autoregressive_flow import InverseAutoregressiveFlow
from keras_aevae.layers.real_nvp import RealNVP
from keras_aevae.layers.sampling import Sampling
from keras_aevae.layers.space_to_depth import DepthToSpace, SpaceToDepth
from keras_aevae.layers.vector_quantizer import VectorQuantizer

__all__ = [
    "DepthToSpace",
    "FiniteScalarQuantizer",
    "InverseAutoregressiveFlow",
    "RealNVP",
    "Sampling",
    "SpaceToDepth",
    "VectorQuantizer",
]
