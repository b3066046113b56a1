"""The second input of conditional networks."""

import keras
from keras import layers


def condition_input(condition_dim):
    """Return the input for a condition of that length, or None for 0."""
    return keras.Input((condition_dim,), name="condition") if condition_dim else None


def with_condition(h, condition):
    """Append the condition's vectors to the vectors `h`, shape (batch, units)."""
    return h if condition is None else layers.Concatenate()([h, condition])
