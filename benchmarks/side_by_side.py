"""Timing in alternation: a busy machine slows all contestants alike."""

import statistics
import time


def seconds_of(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def side_by_side(functions, rounds):
    """`first, median`: the seconds of each function's first call, and the median of those after it,
    in `rounds` rounds of one call each. `functions` is a dict, and so are both results."""
    first = {name: seconds_of(function) for name, function in functions.items()}
    times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(seconds_of(function))
    return first, {name: statistics.median(seconds) for name, seconds in times.items()}
