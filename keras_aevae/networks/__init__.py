"""Builders of networks: plain Keras models that know no probability."""

from keras_aevae.networks.conv import conv
from keras_aevae.networks.discriminator import discriminator
from keras_aevae.networks.mlp import mlp

__all__ = ["conv", "discriminator", "mlp"]

NETWORKS = {"conv": conv, "mlp": mlp}
