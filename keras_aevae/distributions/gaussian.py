"""Gaussian likelihood with a fixed, learned or calibrated scale.

Rybkin, Daniilidis & Levine 2021, Simple and Effective VAE Training with Calibrated Decoders,
https://arxiv.org/abs/2006.13202
"""

import math
import numbers

import keras
from keras import ops

from keras_aevae._checks import check_number
from keras_aevae.distributions.base import LOG_2PI
from keras_aevae.distributions.likelihood import Likelihood, sum_over_values
from keras_aevae.engine import replicas

AVERAGING_RATE = 0.05
SMALLEST_VARIANCE = 1e-8


@keras.saving.register_keras_serializable(package="keras_aevae")
class Gaussian(Likelihood):
    """p(x|z) = N(x; decoder's output, scale^2), with one scale for all values.

    The scale sets how much reconstruction is worth against the KL: a fixed scale s is a beta of
    2 s^2 on the summed squared error, and an unsuitable scale is the commonest cause of blurred or
    collapsed VAEs. `"calibrated"` needs no choice. Misleads, if fitted, on data that the model can
    reproduce exactly (constant borders): the density then grows without bound.

    Args:
        scale: a positive number (fixed); `"learned"`: one weight, trained with the others; or
            `"calibrated"`: the maximum likelihood scale given the reconstructions, which is their
            root mean squared error (Rybkin et al. 2021, section 3.2), as a running average over
            training batches. Evaluation uses the last average.

    Example:

    ```python
    from keras_aevae.distributions import Gaussian
    Gaussian(scale=0.5).log_prob(x=[[1.0]], params=[[0.5]])  # [-0.726] nats
    ```
    """

    def __init__(self, scale="calibrated", **kwargs):
        super().__init__(**kwargs)
        fixed = isinstance(scale, numbers.Real)
        if fixed:
            scale = check_number("scale", scale, minimum=0, exclusive=True)
        elif scale not in ("learned", "calibrated"):
            raise ValueError(
                "`scale` must be a positive number, 'learned' or 'calibrated'. "
                f"Received: scale={scale!r}."
            )
        self.scale = scale
        self.log_scale = self.add_weight(
            name="log_scale",
            initializer=keras.initializers.Constant(math.log(scale) if fixed else 0.0),
            trainable=scale == "learned",
            dtype="float32",
        )
        if scale == "calibrated":
            self.mean_square = self.add_weight(
                name="mean_square", initializer="zeros", trainable=False, dtype="float32"
            )
            self.num_batches = self.add_weight(
                name="num_batches", initializer="zeros", trainable=False, dtype="float32"
            )

    def calibrate(self, x, params):
        if self.scale != "calibrated":
            return
        squared = ops.square(ops.cast(x, "float32") - ops.cast(params, "float32"))
        # The loss has no gradient with respect to the optimal scale: stopping it changes nothing.
        batch = replicas.global_mean(squared)
        self.num_batches.assign_add(1.0)
        rate = ops.maximum(1.0 / self.num_batches, AVERAGING_RATE)
        self.mean_square.assign(self.mean_square + rate * (batch - self.mean_square))
        self.log_scale.assign(0.5 * ops.log(ops.maximum(self.mean_square, SMALLEST_VARIANCE)))

    def log_prob(self, x, params):
        x = ops.cast(x, "float32")
        squared = ops.square(x - ops.cast(params, "float32")) * ops.exp(-2.0 * self.log_scale)
        return sum_over_values(-0.5 * (squared + LOG_2PI) - self.log_scale, x)

    def mean(self, params):
        return ops.cast(params, "float32")

    def mode(self, params):
        return self.mean(params)

    def sample(self, params, seed=None):
        mean = self.mean(params)
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        return mean + ops.exp(self.log_scale) * noise

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
