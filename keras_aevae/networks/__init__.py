"""Builders of networks: plain Keras models, without any distribution."""

from keras_aevae.networks.conv import conv
from keras_aevae.networks.discriminator import discriminator
from keras_aevae.networks.ladder import ladder
from keras_aevae.networks.mlp import mlp

__all__ = ["conv", "discriminator", "ladder", "mlp"]

NETWORKS = {"conv": conv, "mlp": mlp}
