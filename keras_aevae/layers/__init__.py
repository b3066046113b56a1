"""Layers that are of use alone, in any Keras model."""

from keras_aevae.layers.sampling import Sampling
from keras_aevae.layers.space_to_depth import DepthToSpace, SpaceToDepth

__all__ = ["DepthToSpace", "Sampling", "SpaceToDepth"]
