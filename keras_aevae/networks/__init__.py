"""Builders of encoders and decoders: plain Keras models that know no probability."""

from keras_aevae.networks.conv import conv
from keras_aevae.networks.mlp import mlp

__all__ = ["conv", "mlp"]

NETWORKS = {"conv": conv, "mlp": mlp}
