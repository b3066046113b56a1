"""The machinery that makes Keras fast, parallel and safe for every model. It knows no models."""

from keras_aevae.engine.distributed import TorchDataParallel

__all__ = ["TorchDataParallel"]
