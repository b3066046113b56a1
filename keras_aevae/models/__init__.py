"""The models: one file per idea."""

from keras_aevae.models.adversarial_autoencoder import AdversarialAutoencoder
from keras_aevae.models.autoencoder import Autoencoder
from keras_aevae.models.ciwae import CIWAE
from keras_aevae.models.conditional_vae import ConditionalVAE
from keras_aevae.models.factor_vae import FactorVAE
from keras_aevae.models.hierarchical_vae import HierarchicalVAE
from keras_aevae.models.hyperspherical_vae import HypersphericalVAE
from keras_aevae.models.iwae import IWAE
from keras_aevae.models.miwae import MIWAE
from keras_aevae.models.piwae import PIWAE
from keras_aevae.models.tabular_vae import TabularVAE
from keras_aevae.models.vae import VAE
from keras_aevae.models.vampprior_vae import VampPriorVAE
from keras_aevae.models.vq_vae import VQVAE

__all__ = [
    "CIWAE",
    "IWAE",
    "MIWAE",
    "PIWAE",
    "VAE",
    "VQVAE",
    "AdversarialAutoencoder",
    "Autoencoder",
    "ConditionalVAE",
    "FactorVAE",
    "HierarchicalVAE",
    "HypersphericalVAE",
    "TabularVAE",
    "VampPriorVAE",
]
