"""The report of a comparison: one HTML file that needs nothing else."""

import base64
import collections
import importlib.resources
import io
import re

import numpy as np

from keras_aevae.latent import measures, plots
from keras_aevae.latent.claims import RULE, mean
from keras_aevae.latent.labels import one_of_each
from keras_aevae.latent.plots._figure import style
from keras_aevae.latent.plots._images import check_images
from keras_aevae.latent.rows import ROWS

NUM_EXAMPLES = 10
TRAVERSED = 8


def render(comparison):
    """The report of a `Comparison`, as HTML text."""
    first = {name: runs[0] for name, runs in comparison.models.items()}
    verdicts = comparison.verdicts
    books = [name for name, model in first.items() if hasattr(model, "quantizer")]
    album = Album()
    draw_all(album, comparison)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **tables_of(comparison),
            points=[n for n, m in first.items() if not m.family.has_density and n not in books],
            clouds=[n for n, m in first.items() if m.family.has_density],
            books=books,
            latent_dim=max(model.latent_dim for model in first.values()),
            score=score(verdicts) if verdicts else "",
            rule=rule(comparison),
            decided=sum(verdict.low is not None for verdict in verdicts),
            labelled=attempt(comparison.data.labels, "test") is not None,
            left_out=left_out(comparison),
            undrawn=undrawn(album.missing, len(first)),
            told=[name for name, model in first.items() if model.condition_dim],
            told_what=condition_in_words(comparison.data),
            in_parts=comparison.paired and len(next(iter(comparison.replicates.values()))) > 1,
            diagnoses=diagnoses(comparison.observations),
            runs=max(map(len, comparison.models.values())),
            figures=dict(album.figures),
            settings=comparison.settings,
        )
    )


def tables_html(comparison):
    """The tables alone, for a notebook."""
    template = environment().from_string(
        '{% import "tables.html.j2" as tables with context %}'
        "{% if verdicts %}{{ tables.claims(verdicts, pair, written) }}{% endif %}"
        "{% for title, lines in groups %}{{ tables.numbers(title, lines, names) }}{% endfor %}"
    )
    return template.render(**tables_of(comparison))


def environment():
    import jinja2

    files = importlib.resources.files(__package__)
    loader = jinja2.FunctionLoader(lambda name: (files / name).read_text(encoding="utf-8"))
    found = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    found.filters |= {"minus": minus, "listing": listing, "by_model": by_model}
    return found


def tables_of(comparison):
    from keras_aevae.latent.comparison import written

    values = {name: comparison.values(name) for name in comparison.models}
    return {
        "names": list(comparison.models),
        "rows": ROWS,
        "verdicts": comparison.verdicts,
        "pair": comparison.pair,
        "groups": comparison.tables(),
        "written": lambda key, name: written(ROWS[key], values[name].get(key)),
        "difference": difference,
        "sizes": comparison.of,
    }


def difference(verdict):
    """ "+0.12 [0.10, 0.14]": for the claim where it is positive."""
    if verdict.difference is None:
        return "-"
    text = ROWS[verdict.claim.key].text.replace("+", "")
    signed = ("+" if verdict.difference > 0 else "") + text.format(verdict.difference)
    if verdict.low is None:
        return signed
    ends = f"{text.format(verdict.low)},\N{NO-BREAK SPACE}{text.format(verdict.high)}"
    return f"{signed} [{ends}]"


def score(verdicts):
    """ "7 supported, 2 contradicted and 1 undecided"."""
    counts = collections.Counter(v.verdict for v in verdicts)
    order = ("supported", "contradicted", "undecided", "not measured")
    found = [f"{counts[verdict]} {verdict}" for verdict in order if counts[verdict]]
    return listing(found)


def diagnoses(observations):
    """A sentence on the use of the latent dimensions, of each model that has a density."""
    found = []
    for name, o in observations.items():
        if (posterior := attempt(getattr, o, "posterior")) is None:
            continue
        one = measures.posterior_collapse(*posterior)
        found.append(
            f"{name} uses {len(one['active'])} of {o.model.latent_dim} latent dimensions, for "
            f"{one['rate']:.1f} nats; those it leaves unused cost {one['wasted_rate']:.1f}. "
            f"{one['advice']}"
        )
    return found


def rule(comparison):
    """How the claims were judged, in words."""
    if all(verdict.low is None for verdict in comparison.verdicts):
        return (
            "None is decided: one number of a model says nothing of chance. Give several runs of "
            "each, or 5000 test examples, which are measured in parts."
        )
    test = "paired t" if comparison.paired else "Welch's t"
    return RULE.format(test=test, over=comparison.settings["replicates"])


def left_out(comparison):
    """`(row, reasons)` of what no model, or not every one, has a number for."""
    found = []
    for key, row in ROWS.items():
        reasons = {n: one[key] for n, one in comparison.left_out.items() if key in one}
        if reasons:
            found.append((row, in_words(reasons, len(comparison.models))))
    return found


def undrawn(missing, num_models):
    """`(titles, reasons)` of the pictures that no model, or not every one, is in: those that are
    missing for the same reasons together."""
    found = collections.defaultdict(list)
    for key, reasons in missing.items():
        found[in_words(reasons, num_models)].append(TITLES.get(key, key))
    return [(listing(titles), reasons) for reasons, titles in found.items()]


def in_words(reasons, num_models):
    """A dict from models' names to reasons: "why", or "of A and B, why; of C, why"."""
    names = collections.defaultdict(list)
    for name, why in reasons.items():
        names[why].append(name)
    if len(names) == 1 and len(reasons) == num_models:
        return next(iter(names))
    return "; ".join(f"of {listing(some)}, {why}" for why, some in names.items())


class Album:
    """The figures by name, each a list of `{"src", "alt"}`; and why others are missing: dicts from
    a picture's name to those from a model's to the reason."""

    def __init__(self):
        self.figures = collections.defaultdict(list)
        self.missing = collections.defaultdict(dict)

    def attempt(self, key, names, function, *arguments, **settings):
        """What it returns; None, with the reason noted for these models, where they or the data
        lack what it needs."""
        try:
            return function(*arguments, **settings)
        except ValueError as error:
            # What was received, and the remedy, are for a caller.
            reason = str(error).partition(" Received:")[0].rstrip(".")
            self.missing[key] |= dict.fromkeys(names, reason)

    def draw(self, key, names, alt, function, *arguments, **settings):
        figure = self.attempt(key, names, function, *arguments, **settings)
        if figure is not None:
            self.figures[key].append(picture(figure, alt))


def attempt(function, *arguments):
    """What it returns; None where a model or the data lack what it needs."""
    try:
        return function(*arguments)
    except ValueError:
        return None


def draw_all(album, comparison):
    """Every picture of the report."""
    observations = comparison.observations
    rows = [row for verdict in comparison.verdicts if (row := effect(verdict, comparison))]
    if rows:
        alt = "; ".join(f"{label}: {verdict}" for label, *_, verdict in rows)
        alt = f"Differences with intervals. {alt}."
        pair = comparison.pair
        album.draw("effects", pair, alt, plots.effects, rows, "difference, % of the mean")
    models = {name: o.model for name, o in observations.items()}
    album.attempt("images", models, check_images, models)
    images = "images" not in album.missing
    if images:
        draw_reconstructions(album, comparison.data, observations)
    for name, o in observations.items():
        draw_codes(album, name, o)
        if images:
            draw_images(album, name, o)
    draw_lines(album, observations)
    if points := curve(comparison):
        alt = "Rate against distortion of VAEs trained with several betas."
        album.draw("rate_distortion", points, alt, plots.rate_distortion, points)


def examples_of(data):
    """Indices of the test examples shown: an even number of them."""
    y_test = attempt(data.labels, "test")
    if y_test is None:
        chosen = np.arange(min(NUM_EXAMPLES, len(data.x_test)))
    else:
        chosen = one_of_each(y_test, NUM_EXAMPLES)
    return chosen[: len(chosen) // 2 * 2]


def conditions_of(data, chosen):
    """What conditional models are told of these test examples: their labels, if there are any."""
    return None if data.y_test is None else data.y_test[chosen]


def condition_in_words(data):
    """What they are told where all images are decoded with the condition of the first example."""
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
    """Where the codes of one model lie."""
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
    """What one model decodes."""
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


def draw_lines(album, observations):
    """The figures in which each model is a line."""
    for key, what, values_of, plot in (
        ("spectra", "Variance of the codes along their principal axes", variances, plots.spectra),
        ("rates", "Nats that each latent dimension carries", nats, plots.rates),
        ("jacobians", "Singular values of the decoder's Jacobian", changes, plot_changes),
    ):
        values = {n: album.attempt(key, [n], values_of, o) for n, o in observations.items()}
        values = {name: one for name, one in values.items() if one is not None}
        if values:
            alt = f"{what}, a line for each of {', '.join(values)}."
            album.draw(key, values, alt, plot, values)


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


def plot_changes(values):
    return plots.spectra(values, ylabel="change of the image")


# What pictures are called where they are missing.
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
# The sources of samples, as a row of a picture says them.
SOURCE_NAMES = {
    "prior": "prior",
    "gaussian": "Gaussian",
    "mixture": "mixture",
    "encodings": "test codes",
}


def effect(verdict, comparison):
    """A row of the figure of effects: percentages of the mean of both models' numbers."""
    if verdict.low is None:
        return None
    values = [comparison.values(name)[verdict.claim.key] for name in comparison.pair]
    size = sum(abs(mean(v)) for v in values) / 2
    if not size or "+" in ROWS[verdict.claim.key].text:  # a difference already: about 0
        return None
    low, middle, high = (100 * x / size for x in (verdict.low, verdict.difference, verdict.high))
    return ROWS[verdict.claim.key].name, low, middle, high, verdict.verdict


def curve(comparison):
    """Points of the rate-distortion plane by name, where there is a curve: of the first runs, and
    of the models with the first one's likelihood, since nats of others count other things."""
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
        own = [(*point, "β 1") for point in points.pop("VAE", [])]
        points["VAE"] = own + [
            (one["rate"], one["distortion"], f"β {one['beta']:g}")
            for one in comparison.rate_distortion
        ]
    return points if sum(map(len, points.values())) > 1 else {}


def picture(figure, alt):
    """A figure as an image that an HTML file can hold."""
    file = io.BytesIO()
    with style():
        figure.savefig(file, format="svg", metadata={"Date": None})
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return {"src": f"data:image/svg+xml;base64,{data}", "alt": alt}


def minus(text):
    """`text` as it is printed: a minus sign before numbers, and no line broken at a ±."""
    text = text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    return re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def listing(items):
    """ "A, B and C"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def by_model(values, unit=""):
    """ "1 for A, 2 for B", or just "1" where all are alike."""
    written = {n: ", ".join(map(str, v)) if isinstance(v, list) else v for n, v in values.items()}
    if len(set(written.values())) == 1 and len(written) > 1:
        return f"{next(iter(written.values()))}{unit}"
    return "; ".join(f"{value}{unit} for {name}" for name, value in written.items())
