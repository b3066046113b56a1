import json

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from keras_aevae.objectives import Cyclical, LinearWarmUp

schedules = keras.optimizers.schedules
LAST_INT32 = 2**31 - 1


def at(schedule, steps):
    """Values at integer steps, as the model's own step counter gives them."""
    return [float(ops.convert_to_numpy(schedule(ops.convert_to_tensor(s, "int32")))) for s in steps]


@pytest.mark.parametrize(
    "schedule, values",
    [
        (LinearWarmUp(100), {0: 0, 1: 0.01, 50: 0.5, 99: 0.99, 100: 1, 101: 1, LAST_INT32: 1}),
        (LinearWarmUp(4, start=1, end=3), {0: 1, 1: 1.5, 2: 2, 4: 3, 5: 3}),
        (LinearWarmUp(10, start=2.0, end=0.5), {0: 2, 5: 1.25, 10: 0.5, 11: 0.5}),
        (LinearWarmUp(1), {0: 0, 1: 1, 2: 1}),
        (LinearWarmUp(2**30), {2**29: 0.5, 2**30: 1}),
        (Cyclical(100), {0: 0, 25: 0.5, 49: 0.98, 50: 1, 99: 1, 100: 0, 125: 0.5, 199: 1, 200: 0}),
        (Cyclical(10, fraction=1), {0: 0, 5: 0.5, 9: 0.9, 10: 0, 19: 0.9}),
        (Cyclical(8, fraction=0.25, start=1, end=4), {0: 1, 1: 2.5, 2: 4, 7: 4, 8: 1, 9: 2.5}),
        # After 2^24 steps float32 no longer tells neighbouring steps apart.
        (Cyclical(100), {2_000_000_000: 0, 2_000_000_001: 0.02, 2_000_000_049: 0.98}),
        (Cyclical(1), {0: 0, 1: 0, 7: 0}),
    ],
    ids=lambda p: type(p).__name__,
)
def test_values(schedule, values):
    # A quotient and a product: three roundings of 2^-24 of numbers up to 4.
    assert_allclose(at(schedule, values), list(values.values()), rtol=1e-6, atol=1e-6)


def test_python_and_numpy_steps_will_do():
    for step in (5, np.int64(5), 5.0):
        assert_allclose(ops.convert_to_numpy(LinearWarmUp(10)(step)), 0.5)
        assert_allclose(ops.convert_to_numpy(Cyclical(10)(step + 20)), 1.0)


@pytest.mark.parametrize(
    "schedule",
    [LinearWarmUp(7, start=0.25, end=2), Cyclical(12, fraction=0.75, start=0.5, end=3)],
    ids=lambda s: type(s).__name__,
)
def test_round_trip_through_keras_and_json(schedule):
    assert isinstance(schedule, schedules.LearningRateSchedule)
    config = json.loads(json.dumps(schedules.serialize(schedule)))
    copy = schedules.deserialize(config)
    assert type(copy) is type(schedule) and copy.get_config() == schedule.get_config()
    assert at(copy, range(20)) == at(schedule, range(20))
    # The constructor's arguments are all in the config.
    assert type(schedule)(**schedule.get_config()).get_config() == schedule.get_config()


def test_it_serves_as_a_learning_rate():
    weight = keras.Variable(np.zeros(1, "float32"))
    optimizer = keras.optimizers.SGD(LinearWarmUp(4))
    for _ in range(6):
        optimizer.apply([ops.ones((1,))], [weight])
    # Steps of 0, 1/4, 1/2, 3/4, 1 and 1.
    assert_allclose(ops.convert_to_numpy(weight.value), -3.5, rtol=1e-6)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: LinearWarmUp(0), "`steps` must be a positive integer. Received: steps=0."),
        (lambda: LinearWarmUp(10.0), "`steps` must be a positive integer. Received: steps=10.0."),
        (lambda: LinearWarmUp(9, start=-1), "`start` must be .*at least 0.* start=-1."),
        (lambda: LinearWarmUp(9, end=float("nan")), "`end` must be a finite number.* end=nan"),
        (lambda: LinearWarmUp(9, end="1"), "`end` must be a finite number.* end='1'"),
        (lambda: Cyclical(-1), "`period` must be a positive integer. Received: period=-1."),
        (lambda: Cyclical(9, fraction=0), "`fraction` must be .*greater than 0.* fraction=0."),
        (lambda: Cyclical(9, fraction=1.5), "`fraction` must be .* at most 1. .*fraction=1.5."),
        (lambda: Cyclical(9, start=-0.5), "`start` must be .*at least 0.* start=-0.5."),
        (lambda: Cyclical(9, end=float("inf")), "`end` must be a finite number.* end=inf"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
