"""Dynamic binarisation: a new Bernoulli draw each time an image is used."""

from keras_aevae.datasets._batches import Batches
from keras_aevae.datasets._grey import check_grey
from keras_aevae.datasets.binarize import binarize


class DynamicBinarization(Batches):
    """Batches of `x` for `fit`, binarised anew in each epoch.

    The expected loss is that of the grey values as Bernoulli means, and no single draw can be
    memorised: this is the usual protocol for MNIST log-likelihoods. Misleads as `validation_data`
    or in `evaluate`: the bits, and so the numbers, differ from one pass to the next; for a fixed
    test set use `binarize`.

    The same seed gives the same batches, epoch by epoch. The last batch may be smaller.

    Args:
        x: grey values in [0, 1], floating point, of shape `(n, ...)`.
        batch_size: number of examples per batch.
        condition: labels or vectors of the examples, an array of shape `(n, ...)`, for a
            conditional model: indexing then gives `((batch, condition),)`.
        shuffle: whether to use a new order in each epoch.
        seed: an integer of 0 or more.
        **kwargs: `epoch`, the first epoch, which is 0 unless an interrupted run is resumed;
            `workers`, `use_multiprocessing`, `max_queue_size` of `keras.utils.PyDataset`.

    Indexing gives a one-tuple `(batch,)`, with `batch` float32 zeros and ones of shape
    `(batch_size, ...)`.

    References:
        Salakhutdinov & Murray, "On the quantitative analysis of deep belief networks", ICML 2008.
        Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.

    Example:

    ```python
    from keras_aevae.datasets import DynamicBinarization, load

    (x_train, _), (x_test, _) = load("digits")
    batches = DynamicBinarization(x_train, batch_size=64, seed=1)
    first = batches[0][0]  # (64, 8, 8, 1)
    # model.fit(batches, epochs=10)
    ```
    """

    def __init__(self, x, batch_size=128, condition=None, shuffle=True, seed=0, **kwargs):
        self.x = check_grey(x)
        if self.x.ndim < 2 or not len(self.x):
            raise ValueError(
                "`x` must be a batch of at least one example, of shape (n, ...). "
                f"Received: x with shape {self.x.shape}. For a single example pass `x[None]`."
            )
        self.condition = condition
        if condition is not None and len(condition) != len(self.x):
            raise ValueError(
                "`condition` must have one entry for each example. Received: "
                f"{len(condition)} for {len(self.x)} examples."
            )
        super().__init__(len(self.x), batch_size, shuffle, seed, **kwargs)

    def draw(self, indices, rng):
        x = binarize(self.x[indices], rng)
        return x if self.condition is None else (x, self.condition[indices])
