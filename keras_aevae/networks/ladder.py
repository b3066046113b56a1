"""Convolutional networks for a ladder of groups of different resolutions."""

import keras
from keras import layers

from keras_aevae._checks import check_positive_integer, check_positive_integers, check_shape
from keras_aevae.layers import DepthToSpace, SpaceToDepth


def ladder(
    data_shape,
    groups=(16, 4),
    filters=(32, 64),
    outputs_per_value=1,
    activation="relu",
    kernel_size=3,
):
    """Build convolutional networks for a `HierarchicalVAE` with a group at each resolution.

    Each level halves the image, as in `conv`, and has a group of its own: the top group is a grid
    of the smallest size, the lowest one a grid of half the image's.

    Good for: images with structure of several sizes. Misleads by its number of dimensions: the
    groups are grids, and large images have many more latent dimensions than `conv` has. The
    networks take no condition.

    Args:
        data_shape: (height, width, channels); height and width must be divisible by 2 once for each
            level.
        groups: numbers of channels of the groups, from the top, which is the smallest grid.
        filters: numbers of channels of the layers of each level, from the image inwards: as many as
            there are groups.
        outputs_per_value: number of decoder outputs for each data value: the likelihood's
            `likelihood.outputs_per_value`.
        activation: activation of all layers but the last.
        kernel_size: size of the convolution kernels.

    Returns:
        `(encoder, decoder, top_down)`: the encoder gives features of each group, in a list from the
        top; `top_down` is the list of the networks from each group to the one below it.

    Example:

    ```python
    from keras_aevae import HierarchicalVAE, networks
    encoder, decoder, top_down = networks.ladder((8, 8, 1), groups=(8, 2), filters=(8, 16))
    vae = HierarchicalVAE(encoder, decoder, groups=(8, 2), top_down=top_down)
    vae.latent_dim  # 64
    ```
    """
    data_shape = check_shape("data_shape", data_shape)
    groups = check_positive_integers("groups", groups, minimum_length=1)
    filters = check_positive_integers("filters", filters, minimum_length=1)
    outputs_per_value = check_positive_integer("outputs_per_value", outputs_per_value)
    kernel_size = check_positive_integer("kernel_size", kernel_size)
    if len(groups) != len(filters):
        raise ValueError(
            "`filters` must have a number for each group. Received: "
            f"groups={groups}, filters={filters}."
        )
    if len(data_shape) != 3 or any(size % 2 ** len(filters) for size in data_shape[:2]):
        raise ValueError(
            "`data_shape` must be (height, width, channels), with a height and a width that are "
            f"divisible by {2 ** len(filters)}, for {len(filters)} levels. Received: "
            f"data_shape={data_shape}. Pad the images, or take fewer levels."
        )

    def convolve(h, channels, act=activation):
        return layers.Conv2D(
            channels, kernel_size, padding="same", activation=act, data_format="channels_last"
        )(h)

    def larger(h, channels, act=activation):
        """Return `h` at twice the height and width."""
        return DepthToSpace()(convolve(h, 4 * channels, act))

    x = h = keras.Input(data_shape, name="x")
    features = []
    for channels in filters:
        h = convolve(convolve(SpaceToDepth()(h), channels), channels)
        features.insert(0, h)
    encoder = keras.Model(x, features, name="encoder")

    top_down, state = [], (*features[0].shape[1:3], groups[0])
    widths = filters[::-1]
    for i, below in enumerate(groups[1:]):
        z = keras.Input(state, name="state")
        h = larger(convolve(z, widths[i]), widths[i + 1])
        top_down.append(keras.Model(z, h, name=f"top_down_{i + 1}"))
        state = (*h.shape[1:3], h.shape[3] + below)
    z = keras.Input(state, name="state")
    h = convolve(z, filters[0])
    decoder = keras.Model(z, larger(h, data_shape[-1] * outputs_per_value, None), name="decoder")
    return encoder, decoder, top_down
