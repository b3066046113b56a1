"""Train models alike, or take trained ones, and measure how they differ."""

import collections.abc
import datetime
import importlib.metadata
import numbers
import platform
import time

import keras
import numpy as np

from keras_aevae._checks import (
    check_name,
    check_number,
    check_positive_integer,
    check_seed,
)
from keras_aevae.latent.comparison import Comparison
from keras_aevae.latent.data import Data
from keras_aevae.latent.measures import kl, reconstruction_error
from keras_aevae.latent.observations import NUM_PATHS, Observations, Part
from keras_aevae.latent.rows import ROWS
from keras_aevae.models import Autoencoder
from keras_aevae.recipes import DEFAULTS, MODELS, recipe

# Models that were trained once are measured on so many parts of the test data, if each has so many
# examples: what chance there is in the choice of the data, if not in the training.
PARTS, EXAMPLES_OF_PART = 5, 1000
BETAS = (0.1, 0.3, 3.0, 10.0)  # with 1, which is the VAE's own


def compare(
    models=("ae", "vae"),
    dataset=None,
    *,
    epochs=None,
    seeds=1,
    betas=None,
    num_samples=100,
    callbacks=(),
    progress=None,
    verbose=1,
):
    """Measure models on the same data: trained ones, or ones it trains by their recipes.

    Good for: seeing on data whether an AE and a VAE differ, in which of the ways that are claimed,
    and by how much beyond chance. Misleads as a verdict on AEs and VAEs at large: it is one
    dataset and one pair of networks.

    Args:
        models: names of recipes to train, such as ("ae", "vae", "iwae"); or names of presets, such
            as ("ae_conv_mnist", "vae_conv_mnist"); or a dict from names of your choice to trained
            models, or to lists of models that were trained alike with different seeds.
        dataset: name of a dataset of `keras_aevae.datasets`, or your own `((x_train, y_train),
            (x_test, y_test))`, where y may be None: measures that need labels are then left out.
            By default that of the presets; else "digits".
        epochs: passes over the training data; by default the recipe's.
        seeds: how many runs of each recipe to train, with seeds 0, 1, ...; or the seeds
            themselves, a tuple.
        betas: weights of the KL: a VAE is trained with each, for the rate-distortion curve; () for
            none. By default 0.1, 0.3, 3 and 10 where a "vae" is trained.
        num_samples: importance samples of the log-likelihood.
        callbacks: Keras callbacks, given to each training in turn.
        progress: a function that is told of each measure before it is taken, for a progress bar:
            `progress(name, number, of)`, and `number == of` when all are done.
        verbose: that of `fit`: 0 for silence.

    Returns:
        A `Comparison`: print it, `save` it as a report, or read its `numbers`.

    Raises:
        ValueError: an unknown name, a model that doesn't fit the data, or one whose training
            diverged. A measure that can't be taken is no error: it is in `left_out`, with why.

    Example:

    ```python
    from keras_aevae import latent
    comparison = latent.compare(epochs=2, seeds=2, betas=(), verbose=0)
    print(comparison)
    comparison.save("report.html")
    ```
    """
    num_samples = check_positive_integer("num_samples", num_samples)
    start = time.perf_counter()
    trained, recipes, dataset, binarized = models_of(models, dataset, epochs, seeds)
    betas = check_betas(betas, recipes)
    settings = {"callbacks": callbacks, "verbose": verbose}
    training = {}
    for r in recipes:
        begin = time.perf_counter()
        trained.setdefault(r.model.upper(), []).append(r.train(**settings))
        training.setdefault(r.model.upper(), []).append(round(time.perf_counter() - begin, 1))
    data = Data.of(dataset, binarized=binarized) if isinstance(dataset, str) else Data.of(dataset)
    check_shapes(trained, data.shape, dataset)
    check_finite(trained)
    curve = [
        rate_and_distortion(train_beta(recipes[0], beta, settings), data, beta) for beta in betas
    ]
    replicates, left_out, observations = {}, {}, {}
    once = all(len(runs) == 1 for runs in trained.values())
    parts = PARTS if once and len(data.x_test) >= PARTS * EXAMPLES_OF_PART else 1
    tell = Steps(progress, len(ROWS) * parts * sum(map(len, trained.values())))
    for name, runs in trained.items():
        replicates[name], left_out[name] = [], {}
        for run, model in enumerate(runs):
            observed = Observations(model, data, num_samples=num_samples, seed=run)
            observations.setdefault(name, observed)  # the first run's are drawn, too
            for part in range(parts):
                found, missing = measure(observed, Part(part, parts), tell)
                replicates[name].append(found)
                left_out[name] |= missing
    tell("")
    return Comparison(
        trained,
        replicates,
        left_out,
        data,
        {
            "dataset": data.name or "own data",
            "data_shape": list(data.shape),
            "epochs": recipes[0].epochs if recipes else None,
            "seeds": [r.seed for r in recipes if r.model == recipes[0].model],
            "replicates": replicates_in_words(trained, parts),
            "num_train": len(data.x_train),
            "num_test": len(data.x_test),
            "num_measured": {
                "training examples": len(data.some_train),
                "test examples in each part": len(data.x_test) // parts,
                "samples of each source in each part": len(data.x_test) // parts,
                "test examples for log p(x) and nearest neighbours": len(data.few),
                "paths": min(NUM_PATHS, len(data.x_test)),
                "importance samples of log p(x)": num_samples,
            },
            "features": data.features[1],
            "likelihoods": {n: type(runs[0].likelihood).__name__ for n, runs in trained.items()},
            "parameters": {n: runs[0].count_params() for n, runs in trained.items()},
            "seconds": {
                "training": training,
                "total": round(time.perf_counter() - start, 1),
            },
            "backend": keras.backend.backend(),
            "versions": versions(),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "command": command(models, dataset, recipes, betas),
        },
        curve,
        observations,
    )


def measure(observed, part, tell):
    """All the rows of one model on one part: the numbers, and why others are missing."""
    found, missing = {}, {}
    for key, row in ROWS.items():
        tell(row.name)
        try:
            value = float(row.measure(observed, part))
        except ValueError as error:
            missing[key] = str(error)
            continue
        if np.isfinite(value):
            found[key] = value
        else:
            missing[key] = f"it came out as {value}"
    return found, missing


class Steps:
    """Tells `progress` of each step before it is done, and that all are."""

    def __init__(self, progress, of):
        self.progress, self.of, self.number = progress, of, 0

    def __call__(self, text):
        if self.progress is not None:
            self.progress(text, self.number, self.of)
        self.number += 1


def models_of(models, dataset, epochs, seeds):
    """`(trained, recipes, dataset, binarized)`: models by name, and what is to be trained."""
    if isinstance(models, collections.abc.Mapping):
        trained = check_trained(models, epochs)
        dataset = "digits" if dataset is None else dataset
        # A dataset by name is what the recipes make of it.
        known = isinstance(dataset, str) and dataset in DEFAULTS
        return trained, [], dataset, known and recipe("ae", dataset).binarized
    if isinstance(models, str) or not models:
        raise ValueError(
            "`models` must name one or more recipes or presets, such as ('ae', 'vae'), or be a "
            f"dict of trained models. Received: models={models!r}. The dataset goes by its name: "
            "compare(dataset=...)."
        )
    presets = Autoencoder.presets
    names = list(
        dict.fromkeys(
            check_name(
                "models",
                name.partition("/")[0] if isinstance(name, str) else name,
                [*MODELS, *presets],
            )
            and name
            for name in models
        )
    )
    recipes_named = [name for name in names if name in MODELS]
    if not recipes_named:
        return of_presets(names, presets, dataset, epochs)
    if len(recipes_named) < len(names):
        raise ValueError(
            "`models` must be recipes to train or presets that are trained, not both. Received: "
            f"models={tuple(names)!r}."
        )
    dataset = "digits" if dataset is None else dataset
    if not isinstance(dataset, str):
        raise ValueError(
            "`dataset` must be a name where models are trained by their recipes. Train on your own "
            "data with `fit`, and give compare the models: compare({'AE': ae, 'VAE': vae}, data)."
        )
    changes = {} if epochs is None else {"epochs": check_positive_integer("epochs", epochs)}
    seeds = check_seeds(seeds)
    recipes = [recipe(n, dataset, seed=seed, **changes) for seed in seeds for n in names]
    return {}, recipes, dataset, recipes[0].binarized


def of_presets(names, presets, dataset, epochs):
    if epochs is not None:
        raise ValueError(
            f"`epochs` is for training; these models are trained. Received: epochs={epochs!r}. "
            "Leave it out."
        )
    made = [presets[name.partition("/")[0]].get("recipe", {}) for name in names]
    datasets = {one.get("dataset") for one in made}
    if dataset is None and len(datasets) > 1:
        raise ValueError(
            "`models` must be of one dataset. Received: "
            + ", ".join(f"'{n}' of {one.get('dataset')}" for n, one in zip(names, made))
            + ". Choose dataset=."
        )
    trained = {name: [Autoencoder.from_preset(name)] for name in names}
    binarized = any(one.get("binarized") for one in made)
    return trained, [], dataset or datasets.pop(), binarized


def check_seeds(seeds):
    if isinstance(seeds, numbers.Integral):
        return list(range(check_positive_integer("seeds", seeds)))
    if not isinstance(seeds, (tuple, list)) or not seeds:
        raise ValueError(
            f"`seeds` must be a number of runs, or a tuple of seeds. Received: seeds={seeds!r}."
        )
    return list(dict.fromkeys(map(check_seed, seeds)))


def check_betas(betas, recipes):
    if betas is None:
        return list(BETAS if any(r.model == "vae" for r in recipes) else ())
    betas = [check_number("betas", beta, minimum=0, exclusive=True) for beta in betas]
    if betas and not recipes:
        raise ValueError(
            "`betas` are for VAEs trained by a recipe, and these models are trained. "
            f"Received: betas={tuple(betas)!r}. Leave them out."
        )
    return betas


def check_trained(models, epochs):
    runs = {k: list(m) if isinstance(m, (list, tuple)) else [m] for k, m in models.items()}
    wrong = {
        k: type(m).__name__
        for k, m in models.items()
        for one in runs[k]
        if not isinstance(one, Autoencoder)
    }
    if wrong or not models or not all(runs.values()):
        raise ValueError(
            "`models` must map names to trained models of keras_aevae.models, or to lists of them. "
            f"Received: models={wrong or models!r}."
        )
    if epochs is not None:
        raise ValueError(
            f"`epochs` is for training; these models are trained. Received: epochs={epochs!r}. "
            "Leave it out."
        )
    return runs


def check_shapes(models, data_shape, dataset):
    named = f"the images of '{dataset}'" if isinstance(dataset, str) else "the data given"
    for name, runs in models.items():
        for model in runs:
            if tuple(model.data_shape) != tuple(data_shape):
                raise ValueError(
                    f"`models` must take {named}, of shape {tuple(data_shape)}. Received: "
                    f"'{name}', whose data have shape {tuple(model.data_shape)}. Choose another "
                    "dataset=."
                )


def check_finite(models):
    for name, runs in models.items():
        for model in runs:
            weights = [keras.ops.convert_to_numpy(v.value) for v in model.weights]
            if not all(np.isfinite(w).all() for w in weights):
                raise ValueError(
                    f"`models`: the training of '{name}' diverged. Received: weights that are NaN "
                    "or infinite. Train it with a lower learning rate."
                )


def train_beta(first, beta, settings):
    changes = {"epochs": first.epochs, "seed": first.seed, "settings": {"beta": beta}}
    return recipe("vae", first.dataset, **changes).train(**settings)


def rate_and_distortion(model, data, beta):
    """A point of the curve of Alemi et al. 2018, https://arxiv.org/abs/1711.00464, in nats."""
    terms = model.evaluate_terms(data.x_test, batch_size=512)
    return {"beta": beta, "rate": kl(terms), "distortion": reconstruction_error(terms)}


def replicates_in_words(trained, parts):
    runs = max(map(len, trained.values()))
    if runs > 1:
        return f"{runs} training runs with different seeds"
    if parts > 1:
        return f"{parts} equal parts of the test data; each model was trained once"
    return "one training run of each"


def versions():
    """Versions of what the numbers depend on."""
    names = {"tensorflow": ("tensorflow", "tensorflow-cpu")}
    backend = keras.backend.backend()
    found = {"python": platform.python_version()}
    packages = ("keras_aevae", "keras", "numpy", "scikit-learn")
    for package in (*packages, *names.get(backend, (backend,))):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def command(models, dataset, recipes, betas):
    """What to type for the same numbers again; None for models from elsewhere."""
    if isinstance(models, collections.abc.Mapping):
        return None
    words = ["keras-aevae", "compare", *(models if tuple(models) != ("ae", "vae") else ())]
    if recipes:
        seeds = sorted({r.seed for r in recipes})
        words += ["--dataset", dataset, "--epochs", recipes[0].epochs]
        if seeds == list(range(len(seeds))):
            words += ["--seeds", len(seeds)]
        else:
            return f"compare({tuple(models)!r}, {dataset!r}, seeds={tuple(seeds)})"
    for beta in betas if tuple(betas) != BETAS else ():
        words += ["--beta", f"{beta:g}"]
    return " ".join(map(str, words))
