"""The pictures of a report, and the reasons why some are missing."""

import base64
import collections
import io

import keras
import numpy as np

from keras_aevae.latent import measures, plots
from keras_aevae.latent.claims import mean
from keras_aevae.latent.labels import one_of_each
from keras_aevae.latent.plots._figure import colours_of, style
from keras_aevae.latent.plots._images import check_images
from keras_aevae.latent.rows import ROWS
from keras_aevae.latent.words import listing

NUM_EXAMPLES = 10
TRAVERSED = 8


class Album:
    """The figures by name, each a list of `{"src", "alt"}`, and the reasons why others are missing:
    a dict from a picture's name to a dict from a model's name to the reason."""

    def __init__(self):
        self.figures = collections.defaultdict(list)
        self.missing = collections.defaultdict(dict)

    def attempt(self, key, names, function, *arguments, **settings):
        """Return the function's result, or None if the models or the data lack what it needs; the
        reason is then noted for these models."""
        try:
            return function(*arguments, **settings)
        except ValueError as error:
            self.missing[key] |= dict.fromkeys(names, str(error))

    def draw(self, key, names, alt, function, *arguments, **settings):
        figure = self.attempt(key, names, function, *arguments, **settings)
        if figure is not None:
            self.figures[key].append(picture(figure, alt))


def attempt(function, *arguments):
    """Return the function's result, or None if a model or the data lack what it needs."""
    try:
        return function(*arguments)
    except ValueError:
        return None


def draw_all(album, comparison, verbose=0):
    """Draw every picture of the report; `verbose`: 1 for a progress bar."""
    observations = comparison.observations
    bar = keras.utils.Progbar(3 + 2 * len(observations), verbose=verbose, unit_name="part")
    rows = [row for verdict in comparison.verdicts if (row := effect(verdict, comparison))]
    if rows:
        alt = "; ".join(f"{label}: {verdict}" for label, *_, verdict in rows)
        alt = f"Differences with intervals. {alt}."
        pair = comparison.pair
        album.draw("effects", pair, alt, plots.effects, rows, "difference, % of the mean")
    bar.add(1)
    models = {name: o.model for name, o in observations.items()}
    album.attempt("images", models, check_images, models)
    images = "images" not in album.missing
    if images:
        draw_reconstructions(album, comparison.data, observations)
    bar.add(1)
    for name, o in observations.items():
        draw_codes(album, name, o)
        bar.add(1)
        if images:
            draw_images(album, name, o)
        bar.add(1)
    colours = dict(zip(models, colours_of(models)))  # the same in each picture
    draw_lines(album, observations, colours)
    if points := curve(comparison):
        alt = "Rate against distortion of VAEs trained with several betas."
        if "VAE" in colours:
            colours[CURVE] = colours["VAE"]
        album.draw("rate_distortion", points, alt, plots.rate_distortion, points, colours)
    bar.add(1)


def examples_of(data):
    """Return the indices of the test examples that are shown: an even number of them."""
    y_test = attempt(data.labels, "test")
    if y_test is None:
        chosen = np.arange(min(NUM_EXAMPLES, len(data.x_test)))
    else:
        chosen = one_of_each(y_test, NUM_EXAMPLES)
    return chosen[: len(chosen) // 2 * 2]


def conditions_of(data, chosen):
    """Return the condition of these test examples for conditional models: their labels, if any."""
    return None if data.y_test is None else data.y_test[chosen]


def condition_in_words(data):
    """Return, in words, the condition when all images have that of the first example."""
    condition = conditions_of(data, examples_of(data)[:1])
    if condition is None or condition.ndim > 1:
        return "the condition of the first image shown"
    names = dict(enumerate(data.class_names or ()))
    return f"the label {names.get(condition[0], condition[0])}"


def draw_reconstructions(album, data, observations):
    able = {
        name: o.model
        for name, o in observations.items()
        if album.attempt("reconstructions", [name], getattr, o, "reconstructed")
    }
    chosen = examples_of(data)
    if able:
        album.draw(
            "reconstructions",
            able,
            f"{len(chosen)} test images in a row; under each, its reconstruction by "
            f"{listing(list(able))}.",
            plots.reconstructions,
            able,
            data.x_test[chosen],
            condition=conditions_of(data, chosen),
        )


def draw_codes(album, name, o):
    """Draw the codes of one model."""
    y_test = attempt(o.data.labels, "test")
    album.draw(
        "codes",
        [name],
        f"Map of the codes of {name}: a scatter plot of test examples in two dimensions"
        + (", each drawn as the number of its class." if y_test is not None else "."),
        plots.codes,
        {name: o.model},
        o.data.x_test,
        y_test,
        class_names=o.data.class_names,
        condition=o.data.y_test,
    )
    album.draw(
        "hole_map",
        [name],
        f"Map of the codes of {name} with draws from the prior, coloured by whether they "
        "lie in a hole between the codes.",
        lambda: plots.hole_map({name: o.test_draws}, {name: o.codes_from("prior")}),
    )


def draw_images(album, name, o):
    """Draw the images that one model decodes."""
    sampled = {}
    for key, words in SOURCE_NAMES.items():
        found = album.attempt(f"new images from the {words}", [name], o.sampled, key)
        if found is not None:
            sampled[words] = found[1]
    if sampled:
        album.draw(
            "sources",
            [name],
            f"New images by {name}, a row for each source of codes: {', '.join(sampled)}.",
            plots.sources,
            {name: sampled},
        )
    one, x = {name: o.model}, o.data.x_test
    chosen = examples_of(o.data)
    conditions = conditions_of(o.data, chosen)
    start, end = chosen[::2], chosen[1::2]
    told = f", told {condition_in_words(o.data)}" if o.model.condition_dim else ""
    first = None if conditions is None else conditions[0]
    album.draw(
        "interpolations",
        [name],
        f"{len(start)} rows: a test image, seven images that {name} decoded along the "
        "straight line between two codes, and the test image at the other end.",
        plots.interpolations,
        one,
        x[start],
        x[end],
        condition=conditions_of(o.data, start),
    )
    album.draw(
        "manifold",
        [name],
        f"A grid of images that {name} decoded from a plane of its latent space{told}.",
        lambda: plots.manifold(one, {name: o.test_codes}, condition=first),
    )
    album.draw(
        "traversals",
        [name],
        f"Rows of images by {name}, each with one code dimension moved{told}.",
        lambda: plots.traversals(
            one, x[chosen[:1]], {name: o.test_codes}, dimensions=TRAVERSED, condition=first
        ),
    )


def draw_lines(album, observations, colours):
    """Draw the figures in which each model is a line."""
    for key, what, values_of, plot in (
        ("spectra", "Variance of the codes along their principal axes", variances, plots.spectra),
        ("rates", "Nats that each latent dimension carries", nats, plots.rates),
        ("jacobians", "Singular values of the decoder's Jacobian", changes, plot_changes),
    ):
        values = {n: album.attempt(key, [n], values_of, o) for n, o in observations.items()}
        values = {name: one for name, one in values.items() if one is not None}
        if values:
            alt = f"{what}, a line for each of {', '.join(values)}."
            album.draw(key, values, alt, plot, values, colours=colours)


def variances(o):
    values = measures.covariance_spectrum(o.test_codes)
    if not values[0] > 0:
        raise ValueError("its codes are all the same")
    return values


def nats(o):
    return measures.rate_per_dimension(*o.posterior)


def changes(o):
    values = o.jacobians.mean(axis=0)
    if not values[0] > 0:
        raise ValueError("its decoder ignores the code")
    return values


def plot_changes(values, colours):
    return plots.spectra(values, "change of the image", colours)


# The name of the line through VAEs of several betas.
CURVE = "VAEs by their β"
# The names of pictures, for those that are missing.
TITLES = {
    "images": "all pictures of images",
    "reconstructions": "reconstructions",
    "codes": "the map of the codes",
    "hole_map": "the map of holes",
    "spectra": "the variances along the principal axes",
    "rates": "the rate of each dimension",
    "jacobians": "the decoder's Jacobian",
    "sources": "new images",
    "interpolations": "interpolations",
    "manifold": "the plane of decoded codes",
    "traversals": "traversals",
    "effects": "the claims' differences",
    "rate_distortion": "rate and distortion",
}
# The names of the sources of samples, as rows of a picture.
SOURCE_NAMES = {
    "prior": "prior",
    "gaussian": "Gaussian",
    "mixture": "mixture",
    "encodings": "test codes",
}


def effect(verdict, comparison):
    """Return a row of the figure of effects, in percent of the mean of both models' numbers."""
    if verdict.low is None:
        return None
    values = [comparison.values(name)[verdict.claim.key] for name in comparison.pair]
    size = sum(abs(mean(v)) for v in values) / 2
    if not size or "+" in ROWS[verdict.claim.key].text:  # already a difference: its mean is near 0
        return None
    low, middle, high = (100 * x / size for x in (verdict.low, verdict.difference, verdict.high))
    return ROWS[verdict.claim.key].name, low, middle, high, verdict.verdict


def curve(comparison):
    """Return points of the rate-distortion plane by name, if there is a curve. They are those of
    the first runs of the models with the first one's likelihood, since nats of other likelihoods
    can't be compared."""
    likelihoods = comparison.settings["likelihoods"]
    points = {
        name: [(one["kl"], one["test_reconstruction"])]
        for name, one in (
            (n, comparison.numbers[n] if comparison.paired else runs[0])
            for n, runs in comparison.replicates.items()
        )
        if "kl" in one and likelihoods[name] == next(iter(likelihoods.values()))
    }
    if comparison.rate_distortion:
        own = [(*point, "β 1: VAE") for point in points.pop("VAE", [])]
        points[CURVE] = own + [
            (one["rate"], one["distortion"], f"β {one['beta']:g}")
            for one in comparison.rate_distortion
        ]
    return points if sum(map(len, points.values())) > 1 else {}


def picture(figure, alt):
    """Return a figure as an image that an HTML file can hold."""
    file = io.BytesIO()
    with style():
        figure.savefig(file, format="svg", metadata={"Date": None})
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return {"src": f"data:image/svg+xml;base64,{data}", "alt": alt}
