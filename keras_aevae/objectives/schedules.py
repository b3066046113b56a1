"""Schedules of a coefficient over training steps, such as KL warm-up.

They are Keras schedules: any `keras.optimizers.schedules.LearningRateSchedule` can be used instead,
and they are serialized like one.
"""

import keras
from keras import ops

from keras_aevae._checks import check_number, check_positive_integer


@keras.saving.register_keras_serializable(package="keras_aevae")
class LinearWarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from `start` to `end` over `steps` training steps, then stays at `end`.

    As the `beta` of a VAE it lets the decoder learn to use z before the KL has its full weight,
    which is the usual remedy for posterior collapse. Sønderby et al. 2016,
    https://arxiv.org/abs/1602.02282

    Args:
        steps: number of training steps (batches) until `end` is reached.
        start: first value.
        end: last value.

    Example:

    ```python
    from keras_aevae.objectives import LinearWarmUp
    LinearWarmUp(steps=100)(50)  # 0.5
    ```
    """

    def __init__(self, steps, start=0.0, end=1.0):
        self.steps = check_positive_integer("steps", steps)
        self.start = check_number("start", start, minimum=0)
        self.end = check_number("end", end, minimum=0)

    def __call__(self, step):
        fraction = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        return self.start + (self.end - self.start) * fraction

    def get_config(self):
        return {"steps": self.steps, "start": self.start, "end": self.end}


@keras.saving.register_keras_serializable(package="keras_aevae")
class Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """Repeats linear warm-ups: each cycle rises from `start` to `end`, then stays at `end`.

    Fu et al. 2019, Cyclical Annealing Schedule, https://arxiv.org/abs/1903.10145

    Args:
        period: number of training steps (batches) of one cycle.
        fraction: the part of the cycle in which the value rises, in (0, 1].
        start: value at the start of each cycle.
        end: value for the rest of the cycle.

    Example:

    ```python
    from keras_aevae.objectives import Cyclical
    Cyclical(period=100, fraction=0.5)(125)  # 0.5
    ```
    """

    def __init__(self, period, fraction=0.5, start=0.0, end=1.0):
        self.period = check_positive_integer("period", period)
        self.fraction = check_number("fraction", fraction, minimum=0, exclusive=True, maximum=1)
        self.start = check_number("start", start, minimum=0)
        self.end = check_number("end", end, minimum=0)

    def __call__(self, step):
        # The position is an integer, so that it stays exact after 2^24 steps.
        position = ops.cast(ops.mod(step, self.period), "float32") / self.period
        return self.start + (self.end - self.start) * ops.minimum(position / self.fraction, 1.0)

    def get_config(self):
        return {
            "period": self.period,
            "fraction": self.fraction,
            "start": self.start,
            "end": self.end,
        }
