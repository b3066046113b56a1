"""The models: one file per idea."""

from keras_aevae.models.autoencoder import Autoencoder
from keras_aevae.models.vae import VAE

__all__ = ["VAE", "Autoencoder"]
