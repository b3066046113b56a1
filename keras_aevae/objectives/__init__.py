"""Pure functions of tensors: per-example terms in nats, and schedules of their coefficients."""

from keras_aevae.objectives.adversarial import Adversary, discriminator_loss, generator_loss
from keras_aevae.objectives.bounds import importance_weighted_bound
from keras_aevae.objectives.free_bits import free_bits
from keras_aevae.objectives.schedules import Cyclical, LinearWarmUp

__all__ = [
    "Adversary",
    "Cyclical",
    "LinearWarmUp",
    "discriminator_loss",
    "free_bits",
    "generator_loss",
    "importance_weighted_bound",
]
