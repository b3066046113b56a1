"""The models that are compared, and the data."""

import collections.abc
import numbers
import os

from keras_aevae import hub
from keras_aevae._checks import check_number, check_positive_integer, check_seed, nearest
from keras_aevae.models import Autoencoder
from keras_aevae.recipes import MODELS, recipe

BETAS = (0.1, 0.3, 3.0, 10.0)  # besides 1, the VAE's own


def models_of(models, dataset, binarized, **training):
    """Return `(trained, recipes, dataset, known)`: trained models by name, the recipes to train,
    the data, and the settings that are known of them.

    `training`: `epochs`, `seeds` and `latent_dim`, each of which is None by default.
    """
    if isinstance(models, collections.abc.Mapping):
        trained = check_trained(models, training)
        dataset = "digits" if dataset is None else dataset
        return trained, [], dataset, {"binarized": bool(binarized)}
    listed = models if isinstance(models, (list, tuple)) else [models]
    if any(isinstance(model, Autoencoder) for model in listed):
        raise ValueError(
            "`models` that are trained want names: compare({'AE': ae, 'VAE': vae}). "
            f"Received: a {type(models).__name__}."
        )
    if not isinstance(models, (list, tuple, set)) or not models:
        raise ValueError(
            "`models` must name one or more recipes or presets, such as ('ae', 'vae'), or be a "
            f"dict of trained models. Received: models={models!r}. The dataset goes by its name: "
            "compare(dataset=...)."
        )
    names = list(dict.fromkeys(map(check_known, models)))
    recipes_named = [name for name in names if name in MODELS]
    if not recipes_named:
        return of_presets(names, dataset, binarized, training)
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
    usual = [recipe(name, dataset) for name in names]
    # All recipes have the same data.
    sizes = [r.num_train for r in usual if r.num_train is not None]
    known = {
        "num_train": max(sizes, default=None),
        "binarized": usual[0].binarized if binarized is None else bool(binarized),
    }
    seeds = check_seeds(training.pop("seeds", None))
    changes = {
        name: check_positive_integer(name, value)
        for name, value in training.items()
        if value is not None
    }
    changes |= known
    recipes = [recipe(n, dataset, seed=s, **changes) for s in seeds for n in names]
    return {}, recipes, dataset, known


def check_known(name):
    """Return `name` as a string if it is that of a recipe or a preset, or the place of a preset;
    else raise."""
    text = os.fspath(name) if isinstance(name, os.PathLike) else name
    if isinstance(text, str) and text:
        known = [*MODELS, *hub.preset_names()]
        if text in MODELS or text.partition("/")[0] in known:
            return text
        if text.startswith(("hf://", "kaggle://")) or os.path.isdir(os.path.expanduser(text)):
            return text
    raise ValueError(
        "Unknown `models`: each must be a recipe, a preset or the folder of one. Received: "
        f"models={text!r}. {nearest(text, [*MODELS, *Autoencoder.presets])}"
    )


def of_presets(names, dataset, binarized, training):
    check_no_training(**training)
    made = {}
    for name in names:
        known = hub.read_metadata(name).get("recipe")
        made[name] = known if isinstance(known, dict) else {}
    datasets = {str(one["dataset"]) if "dataset" in one else None for one in made.values()}
    if dataset is None and len(datasets) > 1:
        raise ValueError(
            "`models` must be of one dataset. Received: "
            + ", ".join(f"'{n}' of {one.get('dataset')}" for n, one in made.items())
            + ". Choose dataset=."
        )
    dataset = datasets.pop() if dataset is None else dataset
    if dataset is None:
        raise ValueError(
            f"`dataset` is needed: the presets don't say what theirs was. Received: {names!r}."
        )
    trained = {name: [Autoencoder.from_preset(name)] for name in names}
    if not isinstance(dataset, str):
        return trained, [], dataset, {}
    made = {n: {k: one.get(k) for k in ("binarized", "num_train")} for n, one in made.items()}
    return trained, [], dataset, one_of(made, binarized)


def one_of(made, binarized):
    """Return what the models' data have in common, or raise an error if they differ."""
    if binarized is not None:
        made = {name: one | {"binarized": binarized} for name, one in made.items()}
    if len(kinds := {tuple(one.items()) for one in made.values()}) > 1:
        raise ValueError(
            f"`models` must have been trained on the same data. Received: {made}. Compare those "
            "that were, or give the data themselves as `dataset`."
        )
    known = dict(kinds.pop())
    return {"binarized": bool(known["binarized"]), "num_train": known["num_train"]}


def check_seeds(seeds):
    seeds = 1 if seeds is None else seeds
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


def check_trained(models, training):
    runs = {k: list(m) if isinstance(m, (list, tuple)) else [m] for k, m in models.items()}
    wrong = {
        k: type(one).__name__ for k in models for one in runs[k] if not isinstance(one, Autoencoder)
    }
    if wrong or not models or not all(runs.values()):
        raise ValueError(
            "`models` must map names to trained models of keras_aevae.models, or to lists of them. "
            f"Received: models={wrong or models!r}."
        )
    check_no_training(**training)
    return runs


def check_no_training(**settings):
    for name, value in settings.items():
        if value is not None:
            raise ValueError(
                f"`{name}` is for training; these models are trained. Received: {name}={value!r}. "
                "Leave it out."
            )


def check_shapes(models, data_shape, dataset):
    named = f"the images of '{dataset}'" if isinstance(dataset, str) else "the data given"
    for name, runs in models.items():
        for model in runs:
            if tuple(model.data_shape) != tuple(data_shape):
                raise ValueError(
                    f"`models` must take {named}, of shape {tuple(data_shape)}. Received: "
                    f"'{name}', whose data have shape {tuple(model.data_shape)}. Choose another "
                    "dataset=, and compare models of one shape."
                )
