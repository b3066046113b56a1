"""Layers, most of which can be used alone, in any Keras model."""

from keras_aevae.layers.finite_scalar_quantizer import FiniteScalarQuantizer
from keras_aevae.layers.sampling import Sampling
from keras_aevae.layers.space_to_depth import DepthToSpace, SpaceToDepth
from keras_aevae.layers.vector_quantizer import VectorQuantizer

__all__ = [
    "DepthToSpace",
    "FiniteScalarQuantizer",
    "Sampling",
    "SpaceToDepth",
    "VectorQuantizer",
]
