"""What does importing cost, and loading a preset?

    for b in jax tensorflow torch; do KERAS_BACKEND=$b python benchmarks/start_up.py; done

A fresh process each round: `import keras`, then `import keras_aevae`, each timed; medians, after a
round that doesn't count. A preset is loaded after both, and encodes one image.
"""

import argparse
import os
import statistics
import subprocess
import sys

IMPORT = """
import time
start = time.perf_counter()
import keras
between = time.perf_counter()
import keras_aevae
print(between - start, time.perf_counter() - between)
"""
PRESET = """
import time
import numpy as np
import keras_aevae
start = time.perf_counter()
model = keras_aevae.Autoencoder.from_preset({preset!r})
loaded = time.perf_counter()
model.encode(np.zeros((1, 28, 28, 1), "float32"))
print(loaded - start, time.perf_counter() - loaded)
"""


def seconds(code):
    """What a fresh process that runs `code` prints."""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return [float(word) for word in done.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--preset", action="append")
    arguments = parser.parse_args()
    backend = os.environ["KERAS_BACKEND"]
    times = [seconds(IMPORT) for _ in range(arguments.rounds + 1)][1:]
    keras, ours = (statistics.median(column) for column in zip(*times))
    print("| backend | what | seconds |\n| --- | --- | --- |")
    print(f"| {backend} | import keras | {keras:.2f} |")
    print(f"| {backend} | import keras_aevae, after that | {ours:.2f} |")
    for preset in arguments.preset or ["vae_conv_mnist", "vampprior_vae_mlp_mnist"]:
        code = PRESET.format(preset=preset)
        rounds = [seconds(code) for _ in range(arguments.rounds)]
        load, first = (statistics.median(column) for column in zip(*rounds))
        print(f"| {backend} | from_preset({preset!r}) | {load:.2f} |")
        print(f"| {backend} | its first encode | {first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
