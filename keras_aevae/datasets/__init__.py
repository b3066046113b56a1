"""Images to train autoencoders on, all loaded by one function and of one form.

`load(name)` returns `(x_train, y_train), (x_test, y_test)` with `x` float32 in [0, 1],
channels last.
"""

from keras_aevae.datasets.binarize import binarize
from keras_aevae.datasets.dsprites import DSprites
from keras_aevae.datasets.dynamic_binarization import DynamicBinarization
from keras_aevae.datasets.load import load

__all__ = ["DSprites", "DynamicBinarization", "binarize", "load"]
