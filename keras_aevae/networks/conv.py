"""Convolutional encoder and decoder, sub-pixel in both directions."""

import math

import keras
from keras import layers

from keras_aevae._checks import (
    check_positive_integer,
    check_positive_integers,
    check_shape,
    check_size,
)
from keras_aevae.layers import DepthToSpace, SpaceToDepth
from keras_aevae.networks.condition import condition_input, with_condition


def conv(
    data_shape,
    latent_dim,
    filters=(32, 64),
    hidden=256,
    outputs_per_value=1,
    activation="relu",
    kernel_size=2,
    condition_dim=0,
):
    """Build a pair of convolutional networks for images of any size, odd and non-square included.

    Each level halves the image with space-to-depth and a small convolution; the decoder mirrors it
    with depth-to-space (Shi et al. 2016). There is no transposed convolution, hence no
    checkerboards. Choose as many levels as reduce the image to about 8x8.

    Args:
        data_shape: (height, width, channels).
        latent_dim: number of latent dimensions.
        filters: number of channels of each level, from the image inwards.
        hidden: number of units of the dense layer between the smallest image and the code. With
            None there is no dense layer: the code is a grid as large as the smallest image, with
            `latent_dim` channels.
        outputs_per_value: number of decoder outputs for each data value: the likelihood's
            `likelihood.outputs_per_value`.
        activation: activation of all layers but the last.
        kernel_size: size of the convolution kernels. With the rearrangement, 2 covers what a 4x4
            kernel of stride 2 covers; 3 is slower and smoother.
        condition_dim: length of a condition that both networks take as a second input, for
            conditional models; 0 for none. It is joined at the dense layer, so it needs `hidden`.

    Returns:
        `(encoder, decoder)`, as for `mlp`.

    Example:

    ```python
    from keras_aevae import networks
    encoder, decoder = networks.conv((50, 70, 3), latent_dim=16, filters=(32, 64, 64))
    ```
    """
    data_shape = check_shape("data_shape", data_shape)
    if len(data_shape) != 3:
        raise ValueError(
            "`data_shape` must be (height, width, channels); for flat vectors use `mlp`. "
            f"Received: data_shape={data_shape}."
        )
    latent_dim = check_positive_integer("latent_dim", latent_dim)
    outputs_per_value = check_positive_integer("outputs_per_value", outputs_per_value)
    if hidden is not None:
        hidden = check_positive_integer("hidden", hidden)
    condition_dim = check_size("condition_dim", condition_dim)
    if condition_dim and hidden is None:
        raise ValueError(
            "`condition_dim` needs a dense layer, at which the condition joins. Received: "
            f"condition_dim={condition_dim}, hidden=None. Give `hidden` a number of units."
        )
    kernel_size = check_positive_integer("kernel_size", kernel_size)
    filters = check_positive_integers("filters", filters, minimum_length=1)

    def convolve(h, channels, size=kernel_size, act=activation):
        return layers.Conv2D(
            channels, size, padding="same", activation=act, data_format="channels_last"
        )(h)

    x = h = keras.Input(data_shape, name="x")
    c = condition_input(condition_dim)
    sizes = []  # (height, width) before each level, for the decoder to crop to
    for channels in filters:
        height, width = h.shape[1:3]
        sizes.append((height, width))
        if height % 2 or width % 2:
            h = layers.ZeroPadding2D(
                ((0, height % 2), (0, width % 2)), data_format="channels_last"
            )(h)
        h = convolve(SpaceToDepth()(h), channels)
    if hidden is None:
        encoder = keras.Model(x, h, name="encoder")
        z = h = keras.Input((*h.shape[1:3], latent_dim), name="z")
    else:
        # A 1x1 convolution to fewer channels keeps the dense layer, the largest, small; to no fewer
        # than 8, since a channel or two may be off for every input.
        h = convolve(h, min(filters[-1], max(8, filters[-1] // 4)), size=1)
        smallest = tuple(h.shape[1:])
        h = with_condition(layers.Flatten("channels_last")(h), c)
        h = layers.Dense(hidden, activation=activation)(h)
        encoder = keras.Model(x if c is None else [x, c], h, name="encoder")

        z, c = keras.Input((latent_dim,), name="z"), condition_input(condition_dim)
        h = layers.Dense(hidden, activation=activation)(with_condition(z, c))
        h = layers.Dense(math.prod(smallest), activation=activation)(h)
        h = layers.Reshape(smallest)(h)
    h = convolve(h, filters[-1], size=1)
    outputs = [data_shape[-1] * outputs_per_value, *filters[:-1]]  # channels after each level
    for level in reversed(range(len(filters))):
        h = convolve(h, 4 * outputs[level], act=activation if level else None)
        h = DepthToSpace()(h)
        extra = h.shape[1] - sizes[level][0], h.shape[2] - sizes[level][1]
        if any(extra):
            h = layers.Cropping2D(((0, extra[0]), (0, extra[1])), data_format="channels_last")(h)
    decoder = keras.Model(z if c is None else [z, c], h, name="decoder")
    return encoder, decoder
