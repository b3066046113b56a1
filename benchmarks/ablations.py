"""What does each rewrite of PyTorch's recorded steps gain? Each is switched off in turn.

    KERAS_BACKEND=torch python benchmarks/ablations.py

A contestant is a VAE of MNIST, recorded with all the rewrites or with all but one, and given
tensors that are there already. It either takes training steps of `fit`, with batches of 128, or
computes the loss of one image, which is little arithmetic and so shows what an operation costs. The
contestants take turns; in each round their seconds are divided by those of "all rewrites", and the
median of these ratios counts: above 1, the rewrite gains. "all rewrites, again" is a second copy of
the same: how far its ratio is from 1 is the noise. The seconds are the processor's, on one thread,
so that other work on the machine changes them less.

Without draws that are one operation a step can't be recorded: it is Keras's own. Denormal numbers
come up after some 800 steps of the MLP, so its contestants train for longer than that before they
are timed.
"""

import argparse
import contextlib
import statistics
import time
import types
from unittest import mock

import keras
import torch
from contestants import print_conditions, print_table

from keras_aevae import VAE, datasets, networks
from keras_aevae.engine import denormals, recorded_graph, torch_noise
from keras_aevae.engine.recorded import recorded_function

UNWRAPPED = types.SimpleNamespace(normal=torch_noise.normal, uniform=torch_noise.uniform)
ALL, AGAIN = "all rewrites", "all rewrites, again"
NO_DRAWS, NO_FLUSH = "no draws as an operation", "no denormals.flush"


def without(rewrite):
    """A scope in which the function `rewrite` of recorded graphs does nothing."""
    return mock.patch.object(recorded_graph, rewrite, lambda graph: None)


# name: a scope to record and to run in
ABLATIONS = {
    ALL: contextlib.nullcontext(),
    AGAIN: contextlib.nullcontext(),
    "no fold_constants": without("fold_constants"),
    "no fuse_convolutions": without("fuse_convolutions"),
    NO_FLUSH: mock.patch.object(denormals, "flush", lambda optimizer: None),
    NO_DRAWS: mock.patch.object(torch_noise, "operations", UNWRAPPED),
}
MLP = lambda shape: networks.mlp(shape, 16, hidden=(512, 256))  # noqa: E731
CONV = lambda shape: networks.conv(shape, 32, filters=(32, 64))  # noqa: E731
# name: networks of a shape, steps before anything is timed, runs in a round, what doesn't apply
CASES = {
    "MLP, 28x28: step": (MLP, 1000, 10, {"no fuse_convolutions"}),
    "conv, 28x28: step": (CONV, 10, 5, {NO_FLUSH}),
    "MLP, 28x28: one image": (MLP, 10, 20, {"no fuse_convolutions", NO_FLUSH}),
    "conv, 28x28: one image": (CONV, 10, 10, {NO_FLUSH}),
}


def training_step(model, x, batch_size):
    """A function that takes a step of `fit` on the next batch of `x`; and what records it."""
    model.compile(keras.optimizers.Adam(1e-3))
    recorded = model.make_train_function()
    batches = x.split(batch_size)
    places = iter(range(10**9))
    return lambda: recorded([(batches[next(places) % len(batches)],)]), recorded


def loss_of_one(model, x):
    """A function that computes the loss of the first of `x`; and what records it."""

    def loss(x):
        return model.compute_loss(x, None, model(x, training=False), training=False)

    recorded = recorded_function(model, loss)
    return lambda: recorded(x[:1]), recorded


class Contestant:
    """A recorded function of a VAE, and how many nodes its graph has."""

    def __init__(self, case, ablation, x, batch_size):
        keras.utils.set_random_seed(0)
        build, steps_before, self.runs, _ = CASES[case]
        model = VAE(*build(x.shape[1:]), seed=0)
        make = training_step(model, x, batch_size) if "step" in case else loss_of_one(model, x)
        self.run, recorded = make
        self.scope = ABLATIONS[ablation]
        self.seconds(2)  # eagerly, then recorded
        [graph] = recorded.graphs.values()
        self.nodes = len(graph[0].graph.nodes) if isinstance(graph, tuple) else "not recorded"
        self.seconds(steps_before)

    def seconds(self, runs):
        """The processor's seconds for so many runs."""
        start = time.process_time()
        with self.scope:
            for _ in range(runs):
                self.run()
        return time.process_time() - start


def compare(case, x, arguments):
    """A row for each ablation of the case."""
    *_, without_effect = CASES[case]
    names = [
        name
        for name in ABLATIONS
        if name == ALL or (name not in without_effect and name in arguments.ablation)
    ]
    alive = {name: Contestant(case, name, x, arguments.batch_size) for name in names}
    rounds = [
        {name: contestant.seconds(contestant.runs) for name, contestant in alive.items()}
        for _ in range(arguments.rounds)
    ]
    for name, contestant in alive.items():
        ratios = sorted(seconds[name] / seconds[ALL] for seconds in rounds)
        quarter = len(ratios) // 4
        each = statistics.median(seconds[name] for seconds in rounds) / contestant.runs
        yield {
            "case": case,
            "rewrites": name,
            "nodes": contestant.nodes,
            "ms": f"{1000 * each:.2f}",
            "ratio": f"{statistics.median(ratios):.3f}",
            "middle half of the ratios": f"{ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f}",
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append", help="by default all")
    parser.add_argument("--ablation", choices=ABLATIONS, action="append", help="by default all")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    if keras.backend.backend() != "torch":
        parser.error("PyTorch's steps alone are recorded: set KERAS_BACKEND=torch.")
    arguments.ablation = arguments.ablation or list(ABLATIONS)
    torch.set_num_threads(1)
    x = torch.from_numpy(datasets.load("mnist", num_train=arguments.images)[0][0])
    print_conditions()
    for case in arguments.case or CASES:
        print_table(list(compare(case, x, arguments)))


if __name__ == "__main__":
    main()
