"""Does the library reach the published likelihoods of dynamically binarised MNIST?

One command a row, on any backend; an interrupted run goes on when the command is given again, and
a finished one is printed again:

    KERAS_BACKEND=jax python benchmarks/likelihood.py iwae_5
    KERAS_BACKEND=jax python benchmarks/likelihood.py iwae_5 --epochs 400   # another folder
    KERAS_BACKEND=jax python benchmarks/likelihood.py vae_stages            # as published, hours

An unfinished run goes on elsewhere from a copy of its folder `backup`, which may be taken at any
time and holds the weights, Adam's moments and the steps so far (5 MiB for these perceptrons):

    tar -cf vae.tar likelihood_runs/vae_stages_3280_epochs/backup   # here
    tar -xf vae.tar                                                 # there; then the same command

The folder `unfinished` holds such copies of the rows that need more hours:

    mkdir -p likelihood_runs && tar -xf benchmarks/unfinished/vae_stages.tar.xz -C likelihood_runs

Networks as published: Burda et al. 2016 (https://arxiv.org/abs/1509.00519), one stochastic layer;
the VampPrior's (https://arxiv.org/abs/1705.07120), whose number is that of Norouzi, Fleet & Norouzi
2020 (https://arxiv.org/abs/2004.04795). The rows with `stages` are also trained as published: in
batches of 20, at eight learning rates, for 3280 epochs. -log p(x) by importance samples, 5000 as
published, on all 10 000 test images. Batches, rates and epochs are the recipes' own: see
`keras_aevae/recipes.py`.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import keras

from keras_aevae.pretrain import pretrain
from keras_aevae.recipes import BURDA, BURDA_STAGES, recipe

# name: the recipe, the published -log p(x) in nats, and the epochs that were published.
ROWS = {
    "vae": (recipe("vae", "mnist", **BURDA), 86.76, 3280),
    "iwae_5": (recipe("iwae", "mnist"), 85.54, 3280),
    "vae_stages": (recipe("vae", "mnist", **BURDA_STAGES), 86.76, 3280),
    "iwae_5_stages": (recipe("iwae", "mnist", **BURDA_STAGES), 85.54, 3280),
    "iwae_50": (recipe("iwae", "mnist", settings={"num_samples": 50}), 84.78, 3280),
    "vampprior": (recipe("vampprior_vae", "mnist"), 82.43, "until 50 epochs bring nothing"),
}


def run(name, epochs, num_samples, directory):
    chosen, published, published_epochs = ROWS[name]
    if epochs:
        chosen = dataclasses.replace(chosen, epochs=epochs)
    directory = directory / f"{name}_{chosen.epochs}_epochs"
    if not (directory / "metadata.json").exists():
        # PyTorch takes one step at a time.
        steps = 1 if keras.backend.backend() == "torch" else 20
        settings = {"num_samples": num_samples, "verbose": 2, "steps_per_execution": steps}
        pretrain(chosen, directory, **settings)
    metadata = json.loads((directory / "metadata.json").read_text(encoding="utf-8"))
    measured, training = metadata["measured"], metadata["training"]
    cells = {
        "model": name,
        "-log p(x)": f"{-measured['test_log_likelihood']:.2f}",
        "samples": measured["num_samples"],
        "published": published,
        "epochs": chosen.epochs,
        "published epochs": published_epochs,
        "active units": measured["active_units"],
        "seconds": f"{training['seconds']:.0f}",
        "on": f"{training['backend']}, {training['hardware']}",
    }
    for row in (list(cells), ["---"] * len(cells), cells.values()):
        print(f"| {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--epochs", type=int, help="by default the recipe's")
    parser.add_argument("--num-samples", type=int, default=5000, help="importance samples")
    parser.add_argument("--out", type=Path, default=Path("likelihood_runs"))
    arguments = parser.parse_args()
    run(arguments.row, arguments.epochs, arguments.num_samples, arguments.out)
