"""How long does the latent lab take, and how much memory?

    python benchmarks/latent.py measures    # or compare, or presets; all three without a name

`measures`: each measure of arrays on 60 000 codes of 64 dimensions, in a fresh process: seconds and
the most memory above what it held before. The codes are made from a mixture of ten Gaussians, which
are also their labels; factors are the codes' first dimensions in five steps. `dci` grows trees for
each factor and takes 10 000 of the codes, its usual number.
`compare`: `keras-aevae compare --seeds 5` on digits, a process of its own, start-up included.
`presets`: `keras-aevae compare ae_conv_mnist vae_conv_mnist`, on all of MNIST's test images.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from contestants import (
    Parent,
    contestants,
    memory,
    print_conditions,
    print_table,
    seconds_of,
    worker_arguments,
)

N, LATENT_DIM, CLASSES = 60_000, 64, 10
CLI = "from keras_aevae.cli import main; main()"


def arrays():
    """Codes, labels, other codes, factors, and a posterior's mean and log-variance."""
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(CLASSES, LATENT_DIM))
    labels = rng.integers(CLASSES, size=2 * N)
    codes = (centres[labels] + rng.normal(size=(2 * N, LATENT_DIM))).astype("float32")
    factors = np.digitize(codes[:N, :5], [-2, -0.5, 0.5, 2])
    return {
        "codes": codes[:N],
        "labels": labels[:N],
        "other": codes[N:],
        "other_labels": labels[N:],
        "factors": factors,
        "log_var": np.full((N, LATENT_DIM), -1.0, "float32"),
    }


# name: what is called with `keras_aevae.latent` and the arrays
MEASURES = {
    "active_units": lambda m, a: m.active_units(a["codes"]),
    "code_scale": lambda m, a: m.code_scale(a["codes"]),
    "covariance_spectrum": lambda m, a: m.covariance_spectrum(a["codes"]),
    "effective_dimension": lambda m, a: m.effective_dimension(a["codes"]),
    "whiten": lambda m, a: m.whiten(a["codes"]),
    "generalization_gap_interval": lambda m, a: m.generalization_gap_interval(
        a["codes"][:, 0], a["other"][:, 0]
    ),
    "rate_per_dimension": lambda m, a: m.rate_per_dimension(a["codes"], a["log_var"]),
    "posterior_collapse": lambda m, a: m.posterior_collapse(a["codes"], a["log_var"]),
    "kl_decomposition": lambda m, a: m.kl_decomposition(a["codes"], a["log_var"]),
    "maximum_mean_discrepancy": lambda m, a: m.maximum_mean_discrepancy(a["codes"], a["other"]),
    "frechet_distance": lambda m, a: m.frechet_distance(a["codes"], a["other"]),
    "training_preference": lambda m, a: m.training_preference(
        a["other"][1::2], a["codes"], a["other"][::2]
    ),
    "memorization_score": lambda m, a: m.memorization_score(
        a["other"][1::2], a["other"][::2], a["codes"]
    ),
    "precision_recall": lambda m, a: m.precision_recall(a["codes"], a["other"]),
    "holes": lambda m, a: m.holes(a["codes"], a["other"]),
    "nearest_training_distance": lambda m, a: m.nearest_training_distance(a["codes"], a["other"]),
    "path_length": lambda m, a: m.path_length(a["codes"].reshape(-1, 10, LATENT_DIM)),
    "step_uniformity": lambda m, a: m.step_uniformity(a["codes"].reshape(-1, 10, LATENT_DIM)),
    "anomaly_auroc": lambda m, a: m.anomaly_auroc(a["codes"][:, 0], a["other"][:, 0]),
    "linear_probe": lambda m, a: m.linear_probe(
        a["codes"], a["labels"], a["other"], a["other_labels"]
    ),
    "nearest_neighbour_probe": lambda m, a: m.nearest_neighbour_probe(
        a["codes"], a["labels"], a["other"], a["other_labels"]
    ),
    "clustering_agreement": lambda m, a: m.clustering_agreement(a["codes"], a["labels"]),
    "latent_density_scores": lambda m, a: m.latent_density_scores(a["codes"], a["other"]),
    "mutual_information_gap": lambda m, a: m.mutual_information_gap(a["codes"], a["factors"]),
    "modularity": lambda m, a: m.modularity(a["codes"], a["factors"]),
    "separated_attribute_predictability": lambda m, a: m.separated_attribute_predictability(
        a["codes"], a["factors"], a["codes"][:5000], a["factors"][:5000]
    ),
    "explicitness": lambda m, a: m.explicitness(
        a["codes"], a["factors"], a["codes"][:5000], a["factors"][:5000]
    ),
    "dci": lambda m, a: m.dci(
        a["codes"][:10_000], a["factors"][:10_000], a["codes"][:5000], a["factors"][:5000]
    ),
}


def measure(parent, name):
    from keras_aevae import latent

    given = arrays()
    MEASURES[name](latent, {k: v[:200] for k, v in given.items()})  # imports, and starts threads
    before = memory("VmRSS")

    def turn():
        seconds, _ = seconds_of(MEASURES[name], latent, given)
        return {"seconds": seconds, "peak": memory("VmHWM") - before}

    parent.serve(turn)


def measures(names):
    print("| measure | seconds | memory, MiB |\n| --- | --- | --- |")
    for name in names or MEASURES:
        start = {name: {"arguments": {"name": name}, "backend": "torch"}}
        with contestants(start) as alive:
            answer = alive[name].ask()
        print(f"| {name} | {answer['seconds']:.1f} | {answer['peak']:.0f} |", flush=True)
    print(flush=True)


def compare(arguments, backends):
    rows = []
    for backend in backends:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", CLI, "compare", *arguments]
            seconds, _ = seconds_of(
                subprocess.run,
                [*command, "--out", str(Path(folder) / "report.html")],
                env={**os.environ, "KERAS_BACKEND": backend},
                stdout=subprocess.DEVNULL,
                check=True,
            )
        words = " ".join(["keras-aevae compare", *arguments])
        rows.append({"backend": backend, "command": words, "seconds": f"{seconds:.0f}"})
    print_table(rows)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "questions", nargs="*", metavar="question", help="measures, compare, presets"
    )
    parser.add_argument("--measure", action="append", choices=MEASURES, help="by default all")
    backends = ("jax", "tensorflow", "torch")
    parser.add_argument("--backends", nargs="+", choices=backends, default=backends)
    arguments = parser.parse_args()
    asked = arguments.questions or ["measures", "compare", "presets"]
    print_conditions()
    if "measures" in asked:
        measures(arguments.measure)
    if "compare" in asked:
        compare(["--seeds", "5"], arguments.backends)
    if "presets" in asked:
        compare(["ae_conv_mnist", "vae_conv_mnist"], arguments.backends)


if __name__ == "__main__":
    if (given := worker_arguments()) is not None:
        measure(Parent(), **given)
    else:
        main()
