"""What makes Keras fast, parallel and safe for every model: no probability, no models."""

from keras_aevae.engine.distributed import TorchDataParallel

__all__ = ["TorchDataParallel"]
