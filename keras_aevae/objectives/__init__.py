"""Pure functions of tensors: per-example terms in nats, and schedules of their coefficients."""

from keras_aevae.objectives.bounds import importance_weighted_bound
from keras_aevae.objectives.free_bits import free_bits
from keras_aevae.objectives.schedules import Cyclical, LinearWarmUp

__all__ = ["Cyclical", "LinearWarmUp", "free_bits", "importance_weighted_bound"]
