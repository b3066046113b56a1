"""The base class of the streams of batches: order, epochs and seeds."""

import math

import keras
import numpy as np

from keras_aevae._checks import check_positive_integer, check_seed


class Batches(keras.utils.PyDataset):
    """Batches of `num_examples` examples, in a new order each epoch.

    All random numbers are a function of `(seed, epoch, batch index)` alone: worker threads or
    processes may ask for batches in any order, or twice, and get the same ones. A subclass defines
    `draw(indices, rng)`: the batch of those examples, of shape `(len(indices), ...)`.

    `fit` and `evaluate` move to the next epoch by themselves, and once more at their start, where
    they look at a batch to build the model. In your own training loop, call `on_epoch_end()` after
    each pass. Note that `fit(shuffle=True)`, the default, also permutes the order of the batches
    with Python's `random`, which `keras.utils.set_random_seed` fixes.

    `epoch` is the first epoch: a run that resumes there gets the batches that it would have had.

    With `workers` above 1, Keras may give batches at the start of an epoch that were prefetched
    before the last one ended. Drawing takes so little time that one worker is enough.
    """

    def __init__(self, num_examples, batch_size=128, shuffle=True, seed=0, epoch=0, **kwargs):
        super().__init__(**kwargs)
        self.num_examples = check_positive_integer("num_examples", num_examples)
        self.batch_size = check_positive_integer("batch_size", batch_size)
        self.shuffle = shuffle
        self.seed = check_seed(seed)
        self.epoch = epoch
        self._order = self._new_order()

    def draw(self, indices, rng):
        raise NotImplementedError

    def __len__(self):
        return math.ceil(self.num_examples / self.batch_size)

    def __getitem__(self, index):
        index = range(len(self))[index]  # IndexError beyond the last batch
        start = index * self.batch_size
        indices = self._order[start : start + self.batch_size]
        # one-tuple: Keras reads it as inputs without targets
        return (self.draw(indices, self._generator(self.epoch, index)),)

    # Not `on_epoch_begin`: Keras starts its workers before calling that, but stops them before
    # calling this.
    def on_epoch_end(self):
        self.epoch += 1
        self._order = self._new_order()

    def _new_order(self):
        if self.shuffle:
            return self._generator(self.epoch).permutation(self.num_examples)
        return np.arange(self.num_examples)

    def _generator(self, *key):
        # `spawn_key`, since as plain entropy (seed, 1) and (seed, 1, 0) are the same stream
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
