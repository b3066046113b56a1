"""Train an AE and a VAE alike, and measure how they differ."""

import collections.abc
import datetime
import importlib.metadata
import platform
import time

import keras
import numpy as np

from keras_aevae._checks import check_name, check_positive_integer, check_seed
from keras_aevae.latent.comparison import Comparison
from keras_aevae.latent.summary import summary
from keras_aevae.models import VQVAE, Autoencoder, ConditionalVAE
from keras_aevae.recipes import MODELS, recipe


def compare(
    models=("ae", "vae"),
    dataset="digits",
    *,
    epochs=None,
    seed=0,
    num_samples=100,
    callbacks=(),
    verbose=1,
):
    """Train models by their recipes on the same data with the same networks, and measure them.

    Good for: seeing on data that an AE and a VAE differ, in which of the ways that are claimed,
    and by how much. Misleads as a verdict on AEs and VAEs at large: it is one dataset, one pair of
    networks and one run of each; another seed gives other numbers.

    Args:
        models: names of recipes, such as "ae", "vae" and "iwae"; or a dict from names of your
            choice to models that are trained already, such as `{"AE": ae, "VAE": vae}`.
        dataset: name of a dataset of `keras_aevae.datasets`: what is trained and measured on.
        epochs: passes over the training data; by default the recipe's.
        seed: of the weights, the noise and the order of the data.
        num_samples: importance samples of the VAE's log-likelihood.
        callbacks: Keras callbacks, given to the training of each model in turn. A progress bar is
            one: `self.model.name` and `self.params["epochs"]` are known in `on_train_begin`, and
            the last model's `on_train_end` is followed by the measuring.
        verbose: that of `fit`: 0 for silence.

    Returns:
        A `Comparison`: print it, `save` it as a report, or read its `numbers`.

    Raises:
        ValueError: an unknown name, a model that doesn't fit the data, or one whose training
            diverged.

    Example:

    ```python
    from keras_aevae import latent
    comparison = latent.compare(epochs=2, verbose=0)
    print(comparison)
    comparison.save("report.html")
    ```
    """
    num_samples = check_positive_integer("num_samples", num_samples)
    start = time.perf_counter()
    if isinstance(models, collections.abc.Mapping):
        check_trained(models, epochs)
        data = recipe("ae", dataset, seed=check_seed(seed)).data()
        trained, training = dict(models), {}
        check_shapes(trained, data[0][0].shape[1:], dataset)
    else:
        recipes = recipes_of(models, dataset, epochs, seed)
        data = recipes[0].data()
        trained, training = {}, {}
        for r in recipes:
            if verbose:
                print(f"{r.name}: {r.epochs} epochs")
            begin = time.perf_counter()
            trained[r.model.upper()] = r.train(callbacks=callbacks, verbose=verbose)
            training[r.model.upper()] = round(time.perf_counter() - begin, 1)
        epochs = recipes[0].epochs
    (x_train, _), (x_test, _) = data
    check_finite(trained)
    numbers = {
        name: summary(model, x_train, x_test, num_samples=num_samples)
        for name, model in trained.items()
    }
    settings = {
        "dataset": dataset,
        "data_shape": list(x_test.shape[1:]),
        "epochs": epochs if training else None,
        "seed": seed,
        "likelihoods": {name: type(model.likelihood).__name__ for name, model in trained.items()},
        "parameters": {name: model.count_params() for name, model in trained.items()},
        "seconds": {
            "training": training,
            "total": round(time.perf_counter() - start, 1),
        },
        "backend": keras.backend.backend(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command(models, dataset, epochs, seed) if training else None,
    }
    return Comparison(trained, numbers, data, settings)


def recipes_of(models, dataset, epochs, seed):
    if isinstance(models, str) or not models:
        raise ValueError(
            "`models` must name one or more recipes, such as ('ae', 'vae'), or be "
            f"a dict of trained models. Received: models={models!r}. The dataset goes by its "
            "name: compare(dataset=...)."
        )
    changes = {"seed": check_seed(seed)}
    if epochs is not None:
        changes["epochs"] = check_positive_integer("epochs", epochs)
    # Not those that are told a label beside each x, nor those whose codes are no Gaussian's.
    comparable = [
        name for name, cls in MODELS.items() if not issubclass(cls, (ConditionalVAE, VQVAE))
    ]
    names = dict.fromkeys(check_name("models", name, comparable) for name in models)
    return [recipe(name, dataset, **changes) for name in names]


def check_trained(models, epochs):
    wrong = {k: type(m).__name__ for k, m in models.items() if not isinstance(m, Autoencoder)}
    if wrong or not models:
        raise ValueError(
            "`models` must map names to trained models of keras_aevae.models. "
            f"Received: models={wrong or models!r}."
        )
    told = [name for name, model in models.items() if model.condition_dim]
    if told:
        raise ValueError(
            "`models` must be called on data alone, and conditional models want a condition beside "
            f"it. Received: {', '.join(map(repr, told))}."
        )
    if epochs is not None:
        raise ValueError(
            f"`epochs` is for training; these models are trained. Received: epochs={epochs!r}. "
            "Leave it out."
        )


def check_shapes(models, data_shape, dataset):
    for name, model in models.items():
        if tuple(model.data_shape) != tuple(data_shape):
            raise ValueError(
                f"`models` must take the images of '{dataset}', of shape {tuple(data_shape)}. "
                f"Received: '{name}', whose data have shape {tuple(model.data_shape)}. Choose "
                "another dataset=."
            )


def check_finite(models):
    for name, model in models.items():
        weights = [keras.ops.convert_to_numpy(v.value) for v in model.weights]
        if not all(np.isfinite(w).all() for w in weights):
            raise ValueError(
                f"`models`: the training of '{name}' diverged. Received: weights that are NaN or "
                "infinite. Train it with a lower learning rate."
            )


def versions():
    """Versions of what the numbers depend on."""
    names = {"tensorflow": ("tensorflow", "tensorflow-cpu")}
    backend = keras.backend.backend()
    found = {"python": platform.python_version()}
    for package in ("keras_aevae", "keras", "numpy", *names.get(backend, (backend,))):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def command(models, dataset, epochs, seed):
    """What to type for the same numbers again."""
    if tuple(models) == ("ae", "vae"):
        return f"keras-aevae compare --dataset {dataset} --epochs {epochs} --seed {seed}"
    return f"compare({tuple(models)!r}, {dataset!r}, epochs={epochs}, seed={seed})"
