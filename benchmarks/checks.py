"""How much of `fit` and of one-image `encode` do the checks of the data take?

    for b in jax tensorflow torch; do KERAS_BACKEND=$b python benchmarks/checks.py; done

`fit` takes one epoch of 60 000 arrays of 784 float32 numbers, of an MLP, from an array and from a
`PyDataset` of its batches; `check_fit` and `check_inputs` are timed inside of it, and by themselves
for one image. Medians of the rounds, which alternate, after one of warm-up. To compare two versions
of the package, let PYTHONPATH name one checkout, then the other, in turn.
"""

import argparse
import statistics
import time
from functools import partial

import keras
import numpy as np
from side_by_side import side_by_side

from keras_aevae import VAE, networks

SIZE, BATCH = 784, 128


class Batches(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return -(-len(self.x) // BATCH)

    def __getitem__(self, i):
        return (self.x[i * BATCH : (i + 1) * BATCH],)


def seconds_of(function, repetitions):
    """Return the median time of one call, over `repetitions` of them."""
    function()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    x = np.random.default_rng(0).random((arguments.examples, SIZE), "float32")
    model = VAE(*networks.mlp((SIZE,), latent_dim=16), seed=0)
    model.compile()
    settings = {"batch_size": BATCH, "verbose": 0}
    run = {
        "fit, array": partial(model.fit, x, **settings),
        "fit, PyDataset": partial(model.fit, Batches(x), verbose=0),
    }
    _, seconds = side_by_side(run, arguments.rounds)
    one = x[:1]
    seconds["check of the array"] = seconds_of(partial(model.check_fit, x), 7)
    seconds["check of a batch"] = seconds_of(partial(model.check_batch, x[:BATCH]), 500)
    seconds["encode, one image"] = seconds_of(partial(model.encode, one), 500)
    seconds["check of one image"] = seconds_of(partial(model.check_inputs, one), 2000)
    print("| backend | what | ms |\n| --- | --- | --- |")
    for name, value in seconds.items():
        print(f"| {keras.backend.backend()} | {name} | {1000 * value:.4g} |", flush=True)


if __name__ == "__main__":
    main()
