"""Images side by side in one array."""

import numpy as np

PAPER = 1.0
GAP = 0.9  # a little darker than paper, so that tiles of white images have visible edges
TILE = 64  # the least pixels of a tile, so that no viewer blurs small images


def check_images(models):
    """Raise an error unless every model's data can be drawn as an image."""
    for name, model in models.items():
        if len(model.data_shape) != 3 or model.data_shape[-1] not in (1, 3, 4):
            raise ValueError(
                "`models` must be of images, of shape (height, width, channels) with 1, 3 or 4 "
                f"channels. Received: '{name}', whose data have shape {model.data_shape}. "
                "`plots.codes` draws models of any data."
            )


def to_rgb(images):
    """Return images with values in [0, 1], (n, height, width, 1, 3 or 4), as RGB.

    A single channel is drawn as ink on paper: 0 is white, 1 is black. The last of four channels is
    opacity.
    """
    images = np.clip(np.asarray(images, "float32"), 0, 1)
    if images.shape[-1] == 1:
        return np.repeat(1 - images, 3, axis=-1)
    if images.shape[-1] == 4:
        opacity = images[..., 3:]
        return images[..., :3] * opacity + PAPER * (1 - opacity)
    return images


def montage(images, columns):
    """Tile images, (n, height, width, channels), row by row: one RGB array.

    Returns:
        `(array, step)`: the array, and the `(rows, columns)` of pixels from one tile to the next;
        the first tile starts at pixel `step - tile`.
    """
    tiles = to_rgb(images)
    scale = max(1, -(-TILE // max(tiles.shape[1:3])))
    tiles = tiles.repeat(scale, axis=1).repeat(scale, axis=2)
    n, height, width, _ = tiles.shape
    gap = max(2, max(height, width) // 24)
    rows = -(-n // columns)
    step = np.array([height + gap, width + gap])
    array = np.full((*(step * (rows, columns) + gap), 3), GAP, "float32")
    for i, tile in enumerate(tiles):
        top, left = step * divmod(i, columns) + gap
        array[top : top + height, left : left + width] = tile
    return array, step


def show(axes, array):
    """Draw an RGB array on bare axes, one pixel of the array as one square."""
    axes.imshow(array, interpolation="none")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
