"""Autoencoders, VAEs and their kin for Keras 3, on TensorFlow, JAX and PyTorch."""

from keras_aevae import datasets, distributions, layers, networks, objectives
from keras_aevae.models import VAE, Autoencoder
