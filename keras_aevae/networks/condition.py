"""The second input of conditional networks."""

import keras
from keras import layers


def condition_input(condition_dim):
    """The input of a condition of that length, or None for 0."""
    return keras.Input((condition_dim,), name="condition") if condition_dim else None


def with_condition(h, condition):
    """The vectors `h`, shape (batch, units), with those of the condition behind them."""
    return h if condition is None else layers.Concatenate()([h, condition])
