"""Autoencoders, VAEs and their kin for Keras 3, on TensorFlow, JAX and PyTorch."""

from keras_aevae._requirements import check_requirements

check_requirements()

from keras_aevae import (  # noqa: E402  (the check comes first)
    codes,
    datasets,
    distributions,
    hub,
    latent,
    layers,
    models,
    networks,
    objectives,
    recipes,
)
from keras_aevae.distributions import AutoregressivePrior  # noqa: E402
from keras_aevae.engine import TorchDataParallel  # noqa: E402
from keras_aevae.engine.optimizers import optimizers  # noqa: E402
from keras_aevae.engine.skip_large_gradients import SkipLargeGradients  # noqa: E402
from keras_aevae.models import *  # noqa: E402, F403

__version__ = "0.1.0"

__all__ = [
    *models.__all__,
    "AutoregressivePrior",
    "SkipLargeGradients",
    "TorchDataParallel",
    "codes",
    "datasets",
    "distributions",
    "hub",
    "latent",
    "layers",
    "models",
    "networks",
    "objectives",
    "optimizers",
    "recipes",
]
