"""dSprites: every combination of five known factors, rendered on demand."""

from types import MappingProxyType

import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.datasets._batches import Batches
from keras_aevae.datasets.sprites import BOX, ORIENTATIONS, SCALES, SHAPES, draw_sprites

_POSITIONS = np.linspace(0, 1, 32)


class DSprites:
    """A white sprite on black, 64x64x1, over a grid of 737 280 combinations of factors.

    | factor | values |
    | --- | --- |
    | shape | square, ellipse, heart |
    | scale | 6, from 0.5 to 1 |
    | orientation | 40, from 0 to 2 pi, counter-clockwise |
    | x | 32, from 0 (left) to 1 (right), one pixel apart |
    | y | 32, from 0 (top) to 1 (bottom), one pixel apart |

    Good for: measuring whether latents separate the factors that made the data, since these are
    known and independent. Misleads about orientation: a square looks the same after a quarter turn
    and an ellipse after half a turn, and the last orientation is the first one again (0 and 2 pi,
    as in the published grid). No model can tell these from the image. Of the 720 sprites
    (shape, scale, orientation) 673 differ; most of the others are small squares.

    The grid and its order (y fastest, shape slowest) are those of Matthey et al. (2017,
    https://github.com/deepmind/dsprites-dataset, zlib licence), without its constant factor,
    colour. The images differ: they are drawn here from the shapes' equations, all with the same
    area at one scale and away from the edge of the frame, so no file is needed.

    Attributes:
        factor_names: the five names, in the order of the columns of `factors`.
        factor_sizes: the number of values of each factor.
        factor_values: read-only dict from a factor's name to the array of its values.
        num_images: the product of the sizes.
        image_shape: `(64, 64, 1)`.

    Example:

    ```python
    from keras_aevae.datasets import DSprites

    dsprites = DSprites()
    factors = dsprites.sample_factors(16, rng=0)  # (16, 5), indices
    images = dsprites.render(factors)  # (16, 64, 64, 1)
    # the whole grid, without holding it: model.fit(dsprites.batches(batch_size=256))
    ```
    """

    factor_names = ("shape", "scale", "orientation", "x", "y")
    factor_sizes = (3, 6, 40, 32, 32)
    factor_values = MappingProxyType(
        {
            "shape": np.array(SHAPES),
            "scale": SCALES,
            "orientation": ORIENTATIONS,
            "x": _POSITIONS,
            "y": _POSITIONS,
        }
    )
    num_images = 737_280
    image_shape = (64, 64, 1)

    def render(self, factors):
        """Draw the images with these factors.

        Args:
            factors: integer indices of the factors' values, of shape `(n, 5)`.

        Returns:
            float32 zeros and ones of shape `(n, 64, 64, 1)`.
        """
        shape, scale, orientation, x, y = self._check_factors(factors).T
        # A step in x or y is one pixel, so a position only moves the sprite's box, and the extreme
        # boxes just fit: 31 + BOX = 64.
        images = np.zeros((len(x), *self.image_shape), "float32")
        boxes = np.lib.stride_tricks.sliding_window_view(
            images[..., 0], (BOX, BOX), axis=(1, 2), writeable=True
        )  # (n, 32, 32, BOX, BOX), a view into images
        boxes[np.arange(len(x)), y, x] = draw_sprites()[shape, scale, orientation]
        return images

    def to_index(self, factors):
        """Return the positions in the grid, `(n,)`, of the images with these factors, `(n, 5)`."""
        return np.ravel_multi_index(self._check_factors(factors).T, self.factor_sizes)

    def to_factors(self, index):
        """Return the factors, `(n, 5)`, of the images at these positions in the grid, `(n,)`."""
        index = np.asarray(index)
        if not np.issubdtype(index.dtype, np.integer) or index.ndim != 1:
            raise ValueError(
                "`index` must be integers of shape (n,). "
                f"Received: index with shape {index.shape} and dtype {index.dtype}."
            )
        if index.size and (index.min() < 0 or index.max() >= self.num_images):
            raise ValueError(
                f"`index` must lie in 0..{self.num_images - 1}. "
                f"Received: index from {index.min()} to {index.max()}."
            )
        return np.stack(np.unravel_index(index, self.factor_sizes), axis=-1)

    def sample_factors(self, n, rng):
        """Draw `n` combinations of factors, each uniformly and independently: int64 `(n, 5)`.

        `rng` is a `numpy.random.Generator`, or a seed for one.
        """
        n = check_positive_integer("n", n)
        sizes = self.factor_sizes
        return np.random.default_rng(rng).integers(0, sizes, size=(n, len(sizes)))

    def batches(self, batch_size=128, indices=None, shuffle=True, seed=0, **kwargs):
        """Stream images for `fit`, rendered batch by batch.

        Args:
            batch_size: number of images per batch; the last one may be smaller.
            indices: positions in the grid, `(n,)`; `None` for all images.
            shuffle: whether to use a new order in each epoch.
            seed: an integer of 0 or more.
            **kwargs: arguments of `keras.utils.PyDataset`, such as `workers`.

        Returns:
            A `keras.utils.PyDataset` of one-tuples `(batch,)`, with `batch` of shape
            `(batch_size, 64, 64, 1)`.
        """
        indices = np.arange(self.num_images) if indices is None else np.asarray(indices)
        return _DSpritesBatches(self, indices, batch_size, shuffle, seed, **kwargs)

    def _check_factors(self, factors):
        factors = np.asarray(factors)
        num = len(self.factor_sizes)
        if (
            not np.issubdtype(factors.dtype, np.integer)
            or factors.ndim != 2
            or factors.shape[1] != num
        ):
            raise ValueError(
                f"`factors` must be integer indices of shape (n, {num}), in the order "
                f"{self.factor_names}. "
                f"Received: factors with shape {factors.shape} and dtype {factors.dtype}."
            )
        outside = (factors < 0) | (factors >= self.factor_sizes)
        if outside.any():
            row, column = np.argwhere(outside)[0]
            name, size = self.factor_names[column], self.factor_sizes[column]
            raise ValueError(
                f"`factors` must index the values of '{name}' with 0..{size - 1}. "
                f"Received: factors[{row}, {column}]={factors[row, column]}."
            )
        return factors


class _DSpritesBatches(Batches):
    def __init__(self, dsprites, indices, batch_size, shuffle, seed, **kwargs):
        self.dsprites = dsprites
        self.factors = dsprites.to_factors(indices)  # (n, 5)
        super().__init__(len(indices), batch_size, shuffle, seed, **kwargs)

    def draw(self, indices, rng):
        return self.dsprites.render(self.factors[indices])


def load(num_train=10_000, num_test=2_000, seed=0):
    """Render a random part of the grid; train and test share no combination of factors.

    A few of their images are equal nevertheless, as some orientations look alike: see `DSprites`.
    """
    dsprites = DSprites()
    num = num_train + num_test
    if num > dsprites.num_images:
        raise ValueError(
            f"`num_train` + `num_test` must be at most {dsprites.num_images}, the size of the "
            f"dSprites grid. Received: num_train={num_train}, num_test={num_test}."
        )
    index = np.random.default_rng(seed).choice(dsprites.num_images, num, replace=False)
    train, test = (dsprites.to_factors(i) for i in np.split(index, [num_train]))
    return (dsprites.render(train), train), (dsprites.render(test), test)
