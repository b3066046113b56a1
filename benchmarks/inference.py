"""How do the verbs compare with the raw forward pass, and how long does one image take?

    for b in jax tensorflow torch; do KERAS_BACKEND=$b python benchmarks/inference.py; done

The raw pass is in `by_hand/`: the same layers and weights without Keras, compiled (torch: eager),
over the same batches, NumPy in and out.
Rounds alternate, their median counts, after a round of warm-up.
"""

import argparse
import importlib
from functools import partial

import keras
import numpy as np
from by_hand import weights_of
from fit import CASES, vae
from side_by_side import side_by_side


def in_batches(function, x, batch_size):
    starts = range(0, len(x), batch_size)
    return np.concatenate([function(x[start : start + batch_size]) for start in starts])


def sample_in_batches(function, num_samples, batch_size):
    sizes = [min(batch_size, num_samples - i) for i in range(0, num_samples, batch_size)]
    return np.concatenate([function(size) for size in sizes])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append", help="by default all")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=128)
    arguments = parser.parse_args()
    backend, n, size = keras.backend.backend(), arguments.images, arguments.batch_size
    by_hand = importlib.import_module(f"by_hand.{backend}")
    print("| backend | networks | verb | images/s | by hand | relative | one image, ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in arguments.case or CASES:
        load, build = CASES[case]
        x = load(n if "28" in case else n // 5)
        model = vae(build, x.shape[1:])
        raw = by_hand.forward(weights_of(model), x.shape[1:], compiled=backend != "torch")
        z = model.encode(x)
        np.testing.assert_allclose(z[:size], raw["encode"](x[:size]), atol=1e-4)
        for verb in ("encode", "decode", "reconstruct", "sample"):
            ours = getattr(model, verb)
            if verb == "sample":
                data, one, batched = len(x), 1, sample_in_batches
            else:
                data = z if verb == "decode" else x
                one, batched = data[:1], in_batches
            run = {
                "ours": partial(ours, data, batch_size=size),
                "by hand": partial(batched, raw[verb], data, size),
            }
            _, seconds = side_by_side(run, arguments.rounds)
            a, b = seconds["ours"], seconds["by hand"]
            _, single = side_by_side({"ours": partial(ours, one)}, 50)
            c = single["ours"]
            print(
                f"| {backend} | {case} | {verb} | "
                f"{len(x) / a:.0f} | {len(x) / b:.0f} | {b / a:.2f} | {1000 * c:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
