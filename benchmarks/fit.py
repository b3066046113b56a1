"""How does `fit` compare with a loop written by hand for the same network?

    for b in jax tensorflow torch; do KERAS_BACKEND=$b python benchmarks/fit.py; done

Each loop is in `by_hand/`: the same layers from the same weights, the same batches, the same Adam;
before anything is timed, both must give the same loss for the same noise. Rounds alternate; a round
is one `fit` of three epochs; the median of their seconds counts. The first, with compilation, is
reported apart; whoever is first in it also warms the process up. "relative" is against the loop by
hand that is compiled, or eager where `fit` is. "20 steps" is `steps_per_execution=20`; "its step
alone" is `fit` without Keras's feed and its loop (JAX's step has no such form). On PyTorch the
process takes denormal numbers for 0, as one who knows of them would have it; with `--denormals`
it doesn't, and the loop by hand goes through those of Adam after some 800 steps.
"""

import argparse
import importlib
from functools import partial

import keras
import numpy as np
from by_hand import LEARNING_RATE, weights_of
from side_by_side import side_by_side
from sklearn.datasets import load_sample_images

from keras_aevae import VAE, datasets, networks


def patches(num_images, size=64):
    """Real RGB images: squares cut from scikit-learn's two photographs, (n, size, size, 3)."""
    generator = np.random.default_rng(0)
    photographs = load_sample_images().images
    images = np.empty((num_images, size, size, 3), "float32")
    for image in images:
        photograph = photographs[generator.integers(len(photographs))]
        top, left = (generator.integers(n - size) for n in photograph.shape[:2])
        image[:] = photograph[top : top + size, left : left + size] / 255
    return images


def mnist(num_images):
    return datasets.load("mnist", num_train=num_images)[0][0]


# name: images, networks, latent dimensions
CASES = {
    "MLP, 28x28": (mnist, lambda s: networks.mlp(s, 16, hidden=(512, 256))),
    "conv, 28x28": (mnist, lambda s: networks.conv(s, 32, filters=(32, 64))),
    "conv, 64x64 RGB": (patches, lambda s: networks.conv(s, 32, filters=(32, 64, 64))),
}
# For each backend: what our `compile` is given, and whether the loop to compare with is compiled.
CHOICES = {
    "jax": {"defaults": ({}, True), "20 steps": ({"steps_per_execution": 20}, True)},
    "tensorflow": {
        "defaults": ({}, True),
        "20 steps": ({"steps_per_execution": 20}, True),
        "XLA": ({"jit_compile": True}, True),
        "XLA, 20 steps": ({"jit_compile": True, "steps_per_execution": 20}, True),
    },
    "torch": {"defaults": ({}, False), "compiled": ({"jit_compile": True}, True)},
}


def vae(build, shape, **settings):
    keras.utils.set_random_seed(0)
    model = VAE(*build(shape))
    model.compile(keras.optimizers.Adam(LEARNING_RATE), **settings)
    return model


def check_equal(model, epoch, x):
    """Raise unless both have the same loss at the same noise: none."""
    outputs = model.infer(x)
    outputs["z"] = outputs["z_mean"][:, None]
    terms = model.terms(x, outputs | model.generate(outputs))
    ours = float(keras.ops.mean(terms["reconstruction"] + terms["kl"]))
    theirs = epoch.loss_of(x, np.zeros(outputs["z_mean"].shape, "float32"))
    if not np.isclose(ours, theirs, rtol=1e-5):
        raise AssertionError(f"The networks differ: {ours} and {theirs} nats.")


def by_hand_for(epochs, epoch, x, batch_size):
    for _ in range(epochs):
        epoch(x, batch_size)


def steps_alone(epochs, model, x, batch_size):
    """The training function of `fit`, given tensors that are there already."""
    model.make_train_function()
    batches = np.array_split(x, len(x) // batch_size)
    for batch in [keras.ops.convert_to_tensor(batch) for batch in batches] * epochs:
        model.train_function([(batch,)])


def contestants(backend, x, build, batch_size, epochs, variants):
    """name: (a function that trains for some epochs, the name of what it is compared with)."""
    by_hand = importlib.import_module(f"by_hand.{backend}")
    names = {True: "by hand, compiled", False: "by hand, eager"}
    found = {}
    for compiled in sorted({compiled for _, compiled in variants.values()}):
        model = vae(build, x.shape[1:])
        epoch = by_hand.trainer(weights_of(model), x.shape[1:], compiled)
        check_equal(model, epoch, x[:8])
        found[names[compiled]] = partial(by_hand_for, epochs, epoch, x, batch_size), names[compiled]
    for variant, (settings, compiled) in variants.items():
        model = vae(build, x.shape[1:], **settings)
        found[f"fit, {variant}"] = (
            partial(model.fit, x, batch_size=batch_size, epochs=epochs, verbose=0),
            names[compiled],
        )
        if variant == "defaults" and backend != "jax":
            found["its step alone"] = (
                partial(steps_alone, epochs, vae(build, x.shape[1:]), x, batch_size),
                names[compiled],
            )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append", help="by default all")
    parser.add_argument("--images", type=int, default=12800)
    parser.add_argument("--epochs", type=int, default=3, help="of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=128)
    variants = sorted({name for choices in CHOICES.values() for name in choices})
    parser.add_argument("--variant", choices=variants, action="append", help="by default all")
    parser.add_argument("--denormals", action="store_true", help="leave them to PyTorch")
    arguments = parser.parse_args()
    backend = keras.backend.backend()
    if backend == "torch" and not arguments.denormals:
        import torch

        torch.set_flush_denormal(True)  # before PyTorch's threads begin
    wanted = arguments.variant or CHOICES[backend]
    variants = {name: choice for name, choice in CHOICES[backend].items() if name in wanted}
    print("| backend | networks | loop | images/s | relative | first round, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for case in arguments.case or CASES:
        load, build = CASES[case]
        x = load(arguments.images // (1 if "MLP" in case else 5))

        size, epochs = arguments.batch_size, arguments.epochs
        run = contestants(backend, x, build, size, epochs, variants)
        first, median = side_by_side({k: f for k, (f, _) in run.items()}, arguments.rounds)
        speed = {name: epochs * len(x) / seconds for name, seconds in median.items()}
        for name, (_, against) in run.items():
            print(
                f"| {backend} | {case} | {name} | {speed[name]:.0f} | "
                f"{speed[name] / speed[against]:.2f} | {first[name]:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
