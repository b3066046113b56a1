"""Train models in the same way, or take trained ones, and measure how they differ."""

import collections.abc
import contextlib
import datetime
import importlib.metadata
import platform
import shlex
import time

import keras
import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.engine.noise import noise_states, start_noise
from keras_aevae.latent.comparison import Comparison
from keras_aevae.latent.data import Data
from keras_aevae.latent.measures.reconstruction import mean
from keras_aevae.latent.observations import Observations, Part
from keras_aevae.latent.rows import ROWS
from keras_aevae.latent.rows.sizes import sample_sizes
from keras_aevae.latent.subjects import check_betas, check_shapes, models_of
from keras_aevae.recipes import recipe

# Models that were trained once are measured on this many parts of the test data, if each part has
# this many examples: this shows the chance in the choice of the data, though not in training.
PARTS, EXAMPLES_OF_PART = 5, 1000


def compare(
    models=("ae", "vae"),
    dataset=None,
    *,
    epochs=None,
    seeds=None,
    latent_dim=None,
    betas=None,
    binarized=None,
    num_samples=100,
    callbacks=(),
    progress=None,
    verbose=1,
):
    """Measure models on the same data: trained models, or models that it trains by their recipes.

    Good for: seeing on data whether an AE and a VAE differ in the ways that are claimed, and by how
    much more than chance. Misleads as a verdict on AEs and VAEs in general: it is about one dataset
    and these networks.

    Args:
        models: names of recipes to train, such as ("ae", "vae", "iwae"); or names or folders of
            presets, such as ("ae_conv_mnist", "vae_conv_mnist"); or a dict from names of your
            choice to trained models, or to lists of models that were trained in the same way with
            different seeds.
        dataset: name of a dataset of `keras_aevae.datasets`, or your own `((x_train, y_train),
            (x_test, y_test))`, where y may be None: measures that need labels are then left out.
            By default that of the presets; else "digits".
        epochs: number of passes over the training data; by default the recipe's.
        seeds: number of runs of each recipe, with seeds 0, 1, ...; or a tuple of seeds. By default
            one run. Not for trained models.
        latent_dim: number of latent dimensions of the models to train; by default the recipe's.
        betas: weights of the KL: one more VAE is trained with each, for the rate-distortion curve;
            () for none. By default 0.1, 0.3, 3 and 10 if a "vae" is trained.
        binarized: whether a named dataset is drawn as bits, as by `datasets.load`, for training and
            for measuring. By default the recipes or presets determine it, and for a dict of models
            it is False. Samples, which are means, are compared with the grey values in either case.
        num_samples: number of importance samples of the log-likelihood.
        callbacks: Keras callbacks, which each training uses in turn.
        progress: a function that is called before each measure, for a progress bar:
            `progress(name, number, of)`, with `number == of` when all are done. By default it is
            one of Keras's, if `verbose`.
        verbose: as for `fit`; 0 for silence.

    Returns:
        A `Comparison`: print it, `save` it as a report, or read its `numbers`.

    Raises:
        ValueError: if a name is unknown or a model doesn't fit the data. A measure that can't be
            taken raises no error: `left_out` has the reason. A run that diverged raises none if
            there are others: `settings["diverged"]` counts them.

    Example:

    ```python
    from keras_aevae import latent
    comparison = latent.compare(epochs=2, seeds=2, betas=(), verbose=0)
    print(comparison)
    comparison.save("report.html")
    ```
    """
    num_samples = check_positive_integer("num_samples", num_samples)
    start, usual = time.perf_counter(), binarized is None
    training = {"epochs": epochs, "seeds": seeds, "latent_dim": latent_dim}
    trained, recipes, dataset, known = models_of(models, dataset, binarized, **training)
    betas = check_betas(betas, recipes)
    data = Data.of(dataset, **known)
    check_shapes(trained, data.shape, dataset)
    settings = {"callbacks": callbacks, "prior_callbacks": callbacks, "verbose": verbose}
    training = {}
    for r in recipes:
        begin = time.perf_counter()
        trained.setdefault(r.model.upper(), []).append(r.train(**settings))
        training.setdefault(r.model.upper(), []).append(round(time.perf_counter() - begin, 1))
    begin = time.perf_counter()
    others = {beta: train_beta(recipes, beta, settings) for beta in betas}
    curve = [rate_and_distortion(m, data, beta) for beta, m in others.items() if is_finite(m)]
    if betas:
        training["VAEs of other betas"] = round(time.perf_counter() - begin, 1)
    trained, diverged = finite_runs(trained)
    once = all(len(runs) == 1 for runs in trained.values())
    parts = PARTS if once and len(data.x_test) >= PARTS * EXAMPLES_OF_PART else 1
    progress = bar() if progress is None and verbose else progress
    tell = Steps(progress, len(ROWS) * parts * sum(map(len, trained.values())))
    replicates, left_out, observations = {}, {}, {}
    for name, runs in trained.items():
        replicates[name], left_out[name] = [], {}
        for run, model in enumerate(runs):
            observed = Observations(model, data, num_samples=num_samples, seed=run)
            observations.setdefault(name, observed)  # those of the first run, which are also drawn
            with repeatable(model, run):
                for part in range(parts):
                    numbers, missing = measure(observed, Part(part, parts), tell)
                    replicates[name].append(numbers)
                    left_out[name] |= missing
    tell("")
    found = {
        **settings_of(trained, data, parts, num_samples),
        "epochs": {r.model.upper(): r.epochs for r in recipes} or None,
        "alike": alike(recipes),
        "seeds": sorted({r.seed for r in recipes}),
        "diverged": diverged,
        "seconds": {"training": training, "total": round(time.perf_counter() - start, 1)},
        "command": command(models, data, recipes, betas, num_samples, latent_dim)
        if usual
        else None,
    }
    return Comparison(trained, replicates, left_out, data, found, curve, observations)


def settings_of(trained, data, parts, num_samples):
    """Return the settings: what was measured, on what data, with what versions."""
    return {
        "dataset": data.name or "own data",
        "binarized": data.binarized,
        "data_shape": list(data.shape),
        "replicates": replicates_in_words(trained, parts),
        "num_train": len(data.x_train),
        "num_test": len(data.x_test),
        "num_measured": sample_sizes(data, Part(0, parts)),
        "num_samples": num_samples,
        "features": data.features[1],
        "likelihoods": {n: type(runs[0].likelihood).__name__ for n, runs in trained.items()},
        "parameters": {n: runs[0].count_params() for n, runs in trained.items()},
        "backend": keras.backend.backend(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def bar():
    """Return a progress bar for a terminal or a notebook."""
    bars = []

    def progress(name, number, of):
        if not bars:
            bars.append(keras.utils.Progbar(of, unit_name="measure"))
        bars[0].update(number)

    return progress


@contextlib.contextmanager
def repeatable(model, seed):
    """Return a scope in which all noise of the model has this `seed`; afterwards it continues as
    before."""
    states = [generator.state for generator in model.code.noise]
    known = {id(state) for state in states}
    states += [state for state in noise_states(model) if id(state) not in known]
    before = [keras.ops.convert_to_numpy(state.value).copy() for state in states]
    start_noise(states, seed)
    try:
        yield
    finally:
        for state, value in zip(states, before):
            state.assign(keras.ops.convert_to_tensor(value, dtype=state.dtype))


def measure(observed, part, tell):
    """Measure all the rows of one model on one part: the numbers, and why others are missing."""
    found, missing = {}, {}
    for key, row in ROWS.items():
        tell(row.name)
        try:
            value = float(row.measure(observed, part))
        except (ValueError, ArithmeticError) as error:
            missing[key] = str(error).rstrip(".")
            continue
        if np.isfinite(value):
            found[key] = value
        else:
            missing[key] = "it came out as no finite number"
    return found, missing


class Steps:
    """Calls `progress` before each step, and when all are done."""

    def __init__(self, progress, of):
        self.progress, self.of, self.number = progress, of, 0

    def __call__(self, text):
        if self.progress is not None:
            self.progress(text, self.number, self.of)
        self.number += 1


def finite_runs(models):
    """Return the runs that didn't diverge, and how many of each model did; an error if all have."""
    finite = {name: [m for m in runs if is_finite(m)] for name, runs in models.items()}
    diverged = {n: len(runs) - len(finite[n]) for n, runs in models.items()}
    kept = {name: runs for name, runs in finite.items() if runs}
    if not kept:
        raise ValueError(
            f"`models`: the training of {', '.join(map(repr, models))} diverged. Received: weights "
            "that are NaN or infinite. Train with a lower learning rate."
        )
    return kept, {name: lost for name, lost in diverged.items() if lost}


def is_finite(model):
    weights = (keras.ops.convert_to_numpy(v.value) for v in model.weights)
    return all(np.isfinite(w).all() for w in weights)


def alike(recipes):
    """Return whether the models had the same networks, data and number of epochs."""
    made = {(r.network, str(r.network_settings), r.latent_dim, r.epochs) for r in recipes}
    return len(made) == 1 and len({r.model for r in recipes}) > 1


def train_beta(recipes, beta, settings):
    first = next((r for r in recipes if r.model == "vae"), recipes[0])
    changes = {"epochs": first.epochs, "seed": first.seed, "settings": {"beta": beta}}
    if first.latent_dim != recipe(first.model, first.dataset).latent_dim:
        changes["latent_dim"] = first.latent_dim
    return recipe("vae", first.dataset, **changes).train(**settings)


def rate_and_distortion(model, data, beta):
    """Return a point of the curve of Alemi et al. 2018, https://arxiv.org/abs/1711.00464, in
    nats."""
    terms = model.evaluate_terms(data.x_test, batch_size=512)
    return {
        "beta": beta,
        "rate": mean(terms["kl"]),
        "distortion": mean(terms["reconstruction"]),
    }


def replicates_in_words(trained, parts):
    runs = max(map(len, trained.values()))
    if runs > 1:
        return f"{runs} training runs with different seeds"
    if parts > 1:
        return f"{parts} equal parts of the test data; each model was trained once"
    return "one training run of each"


def versions():
    """Return the versions of the software that the numbers depend on."""
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


def command(models, data, recipes, betas, num_samples, latent_dim):
    """Return the command that gives the same numbers; None if a command isn't enough."""
    if isinstance(models, collections.abc.Mapping) or data.name is None:
        return None
    words = ["keras-aevae", "compare", *(models if tuple(models) != ("ae", "vae") else ())]
    words += ["--dataset", data.name]
    if recipes:
        seeds, epochs = sorted({r.seed for r in recipes}), {r.epochs for r in recipes}
        usual = betas == check_betas(None, recipes)
        if seeds != list(range(len(seeds))) or len(epochs) > 1 or not (betas or usual):
            return None
        words += ["--epochs", epochs.pop(), "--seeds", len(seeds)]
        if latent_dim is not None:
            words += ["--latent-dim", latent_dim]
        words += [word for beta in betas if not usual for word in ("--beta", f"{beta:g}")]
    return shlex.join(map(str, [*words, "--num-samples", num_samples]))
