"""Rearrangements between space and channels: down- and up-sampling without a stride.

Shi et al. 2016, Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network, https://arxiv.org/abs/1609.05158
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_aevae")
class SpaceToDepth(keras.layers.Layer):
    """Each block of 2x2 pixels becomes one pixel of 4 times the channels.

    (batch, height, width, channels) -> (batch, height / 2, width / 2, 4 * channels). Height and
    width must be even. Nothing is lost. Followed by a convolution, it is a strided convolution, at
    the speed of an ordinary one on every backend.

    Example:

    ```python
    import keras
    from keras_aevae.layers import SpaceToDepth
    SpaceToDepth()(keras.Input((28, 28, 1))).shape  # (None, 14, 14, 4)
    ```
    """

    def compute_output_shape(self, input_shape):
        if None in input_shape[1:] or len(input_shape) != 4:
            raise ValueError(
                "SpaceToDepth takes images of known shape (batch, height, width, channels). "
                f"Received: shape {tuple(input_shape)}."
            )
        batch, height, width, channels = input_shape
        if height % 2 or width % 2:
            raise ValueError(
                "SpaceToDepth takes images of even height and width; pad them first. "
                f"Received: shape {tuple(input_shape)}."
            )
        return batch, height // 2, width // 2, 4 * channels

    def call(self, x):
        _, height, width, channels = self.compute_output_shape(x.shape)
        x = ops.reshape(x, (-1, height, 2, width, 2, channels // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, height, width, channels))


@keras.saving.register_keras_serializable(package="keras_aevae")
class DepthToSpace(keras.layers.Layer):
    """The inverse of `SpaceToDepth`: each pixel becomes 2x2 pixels of a quarter of the channels.

    (batch, height, width, 4 * channels) -> (batch, 2 * height, 2 * width, channels). After a
    convolution it is sub-pixel up-sampling: a transposed convolution without its checkerboards.

    Example:

    ```python
    import keras
    from keras_aevae.layers import DepthToSpace
    DepthToSpace()(keras.Input((14, 14, 4))).shape  # (None, 28, 28, 1)
    ```
    """

    def compute_output_shape(self, input_shape):
        if None in input_shape[1:] or len(input_shape) != 4:
            raise ValueError(
                "DepthToSpace takes images of known shape (batch, height, width, channels). "
                f"Received: shape {tuple(input_shape)}."
            )
        batch, height, width, channels = input_shape
        if channels % 4:
            raise ValueError(
                "DepthToSpace takes a number of channels that 4 divides. "
                f"Received: shape {tuple(input_shape)}."
            )
        return batch, 2 * height, 2 * width, channels // 4

    def call(self, x):
        _, height, width, channels = self.compute_output_shape(x.shape)
        x = ops.reshape(x, (-1, height // 2, width // 2, 2, 2, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, height, width, channels))
