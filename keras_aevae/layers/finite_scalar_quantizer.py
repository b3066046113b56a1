"""Quantisation by rounding each dimension.

Mentzer, Minnen, Agustsson & Tschannen 2024, Finite Scalar Quantization: VQ-VAE Made Simple,
https://arxiv.org/abs/2309.15505
"""

import math

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integers
from keras_aevae.layers.vector_quantizer import straight_through

# Keeps the ends of tanh away from the next level (appendix A.1 of the paper).
MARGIN = 1e-3


@keras.saving.register_keras_serializable(package="keras_aevae")
class FiniteScalarQuantizer(keras.layers.Layer):
    """Rounds each dimension of a vector to one of a few levels: a fixed grid of codes.

    It has no codebook and no loss terms, hardly ever collapses, and has the same methods as
    `VectorQuantizer`, which it can replace. There are `num_codes` codes, the product of the levels.
    Misleads when compared with a VectorQuantizer of as many codes at the same width: the grid has
    only `len(levels)` dimensions, so change the width before and after it by a dense layer or a 1x1
    convolution.

    Args:
        levels: number of levels of each dimension, integers of 2 or more; the paper advises 5 or
            more: (8, 6, 5) for about 2^8 codes, (8, 5, 5, 5) for 2^10, (7, 5, 5, 5, 5) for 2^12.

    Call arguments:
        z: vectors, shape (batch, ..., len(levels)).

    Returns:
        quantized: codes within [-1, 1], of z's shape, in the compute dtype of the policy; the
            gradient passes straight through the rounding.
        indices: int32, shape (batch, ...): the first dimension's level, plus the second's times
            `levels[0]`, and so on.

    Example:

    ```python
    import numpy as np
    from keras_aevae.layers import FiniteScalarQuantizer
    z = np.random.default_rng(0).normal(size=(8, 7, 7, 3)).astype("float32")
    quantizer = FiniteScalarQuantizer(levels=(8, 6, 5))
    quantized, indices = quantizer(z)  # (8, 7, 7, 3) and (8, 7, 7), below 240
    codes = quantizer.embed(indices)  # quantized again
    ```
    """

    term_names = ()

    def __init__(self, levels=(8, 5, 5, 5), **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.levels = tuple(check_positive_integers("levels", levels, minimum_length=1))
        if min(self.levels) < 2:
            raise ValueError(
                "`levels` must be integers of at least 2: a dimension of 1 level says nothing "
                f"about its input; leave it out. Received: levels={levels!r}."
            )
        self.num_codes = math.prod(self.levels)
        if self.num_codes >= 2**31:
            raise ValueError(
                "`levels` must have a product below 2^31, for indices of 32 bits. "
                f"Received: levels={levels!r}, with the product {self.num_codes}."
            )
        self.code_dim = len(self.levels)
        # How much one level of each dimension adds to the index.
        self.basis = np.cumprod([1, *self.levels[:-1]]).astype("int32")

    def build(self, input_shape):
        if len(input_shape) < 2 or input_shape[-1] != self.code_dim:
            raise ValueError(
                f"FiniteScalarQuantizer({self.levels}) takes vectors with one dimension for each "
                f"of its levels, shape (batch, ..., {self.code_dim}): put a Dense({self.code_dim}) "
                f"before it. Received: shape {tuple(input_shape)}."
            )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: self.code_dim})

    def call(self, z):
        bounded = self.bound(ops.cast(z, "float32"))
        level = ops.round(bounded)
        quantized = self.scale(straight_through(bounded, level))
        digits = ops.cast(level, "int32") + self.half()
        indices = ops.sum(digits * ops.convert_to_tensor(self.basis), axis=-1)
        return quantized, ops.cast(indices, "int32")

    def bound(self, z):
        """Squeeze z to an interval in which rounding gives `levels` different integers around 0."""
        levels = np.asarray(self.levels)
        reach = (levels - 1) * (1 - MARGIN) / 2
        # An even number of integers has no middle: the interval is moved down by a half, and z by a
        # shift that keeps 0 near 0. The paper's tan is within 1 % of the exact atanh, and also
        # finite at 2 levels.
        offset = np.where(levels % 2 == 0, 0.5, 0.0)
        shift = np.tan(offset / reach)
        reach, offset, shift = (ops.cast(a, "float32") for a in (reach, offset, shift))
        return ops.tanh(z + shift) * reach - offset

    def half(self):
        return ops.convert_to_tensor(np.asarray(self.levels, "int32") // 2)

    def scale(self, level):
        return level / ops.cast(self.half(), "float32")

    def embed(self, indices):
        """Return the codes of `indices`, shape (...): float32, shape (..., len(levels))."""
        indices = ops.cast(indices, "int32")[..., None]
        levels = ops.convert_to_tensor(np.asarray(self.levels, "int32"))
        digits = ops.mod(ops.floor_divide(indices, ops.convert_to_tensor(self.basis)), levels)
        return self.scale(ops.cast(digits - self.half(), "float32"))

    def terms(self, z, quantized, indices):
        """Return no terms: the codes are fixed, and tanh keeps the inputs near them."""
        return {}

    def start_from(self, z):
        """Do nothing, as the codes are fixed."""

    def compute_output_spec(self, z):
        return (
            keras.KerasTensor(z.shape, dtype="float32"),
            keras.KerasTensor(z.shape[:-1], dtype="int32"),
        )

    def compute_output_shape(self, input_shape):
        return tuple(input_shape), tuple(input_shape[:-1])

    def get_config(self):
        return {**super().get_config(), "levels": list(self.levels)}
