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
from keras_aevae.latent.rows import ROWS

NUM_EXAMPLES = 10
NUM_SAMPLES = 10
TRAVERSED = 8


def render(comparison):
    """The report of a `Comparison`, as HTML text."""
    first = {name: runs[0] for name, runs in comparison.models.items()}
    verdicts = comparison.verdicts
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **tables_of(comparison),
            points=[n for n, model in first.items() if model.posterior == "point"],
            clouds=[n for n, model in first.items() if model.posterior != "point"],
            latent_dim=max(model.latent_dim for model in first.values()),
            score=score(verdicts) if verdicts else "",
            rule=RULE.format(
                test="paired t" if comparison.paired else "Welch's t",
                over=comparison.settings["replicates"],
            ),
            left_out=left_out(comparison),
            diagnoses=diagnoses(comparison.observations),
            runs=max(map(len, comparison.models.values())),
            figures=pictures(comparison, first),
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
    }


def score(verdicts):
    """ "7 are supported, 2 contradicted and 1 undecided"."""
    counts = collections.Counter(v.verdict for v in verdicts)
    order = ("supported", "contradicted", "undecided", "not measured")
    found = [f"{counts[verdict]} {verdict}" for verdict in order if counts[verdict]]
    return listing(found)


def diagnoses(observations):
    """A sentence on the use of the latent dimensions, of each model that has a density."""
    found = []
    for name, o in observations.items():
        try:
            one = measures.posterior_collapse(*o.posterior)
        except ValueError:
            continue
        found.append(
            f"{name} uses {len(one['active'])} of {o.model.latent_dim} latent dimensions, for "
            f"{one['rate']:.1f} nats; those it leaves unused cost {one['wasted_rate']:.1f}. "
            f"{one['advice']}"
        )
    return found


def left_out(comparison):
    """`(row, reasons)` of what no model, or not every one, has a number for."""
    found = []
    for key, row in ROWS.items():
        reasons = {n: one[key] for n, one in comparison.left_out.items() if key in one}
        if reasons:
            found.append((row, by_model(reasons)))
    return found


def pictures(comparison, models):
    """The figures by name: each a list of `{"src", "alt"}`. A figure that can't be drawn of these
    models or data is left out."""
    data, observations = comparison.data, comparison.observations
    figures = collections.defaultdict(list)

    def draw(key, alt, function, *arguments, **settings):
        try:
            figure = function(*arguments, **settings)
        except ValueError:
            return
        figures[key].append(picture(figure, alt))

    if comparison.verdicts:
        rows = [effect(verdict, comparison) for verdict in comparison.verdicts]
        rows = [row for row in rows if row is not None]
        if rows:
            alt = "; ".join(f"{label}: {verdict}" for label, *_, verdict in rows)
            draw(
                "effects",
                f"Differences with intervals. {alt}.",
                plots.effects,
                rows,
                "difference, % of the mean",
            )
    images = len(data.shape) == 3 and data.shape[-1] in (1, 3, 4)
    try:
        y_test = data.labels("test")
        examples = one_of_each(y_test, NUM_EXAMPLES)
    except ValueError:
        y_test, examples = None, np.arange(min(NUM_EXAMPLES, len(data.x_test)))
    examples = examples[: len(examples) // 2 * 2]
    start, end = data.x_test[examples[::2]], data.x_test[examples[1::2]]
    told = any(model.condition_dim for model in models.values())
    codes = {name: o.test_codes for name, o in observations.items()}
    if images and not told:
        draw(
            "reconstructions",
            f"{len(examples)} test images in a row; under each, its reconstruction by "
            f"{listing(list(models))}.",
            plots.reconstructions,
            models,
            data.x_test[examples],
        )
    for name, model in models.items():
        one, o = {name: model}, observations[name]
        if not told:
            draw(
                "codes",
                f"Map of the codes of {name}: a scatter plot of test examples in two dimensions, "
                "each drawn as the number of its class, circles where the prior expects codes.",
                plots.codes,
                one,
                data.x_test,
                y_test,
                class_names=data.class_names,
            )
        held = drawn(o, "prior")
        if held is not None:
            draw(
                "hole_map",
                f"Map of the codes of {name} with draws from the prior, coloured by whether they "
                "lie in a hole between the codes.",
                plots.hole_map,
                {name: o.test_draws},
                {name: held},
            )
        if not images:
            continue
        found = {words: shown(o, source) for source, words in ROW_NAMES.items()}
        found = {words: x for words, x in found.items() if x is not None}
        draw(
            "sources",
            f"New images by {name}, a row for each source of codes: {listing(list(found))}.",
            plots.sources,
            {name: found},
        )
        if told:
            continue
        draw(
            "interpolations",
            f"{len(start)} rows: a test image, seven images that {name} decoded along the "
            "straight line between two codes, and the test image at the other end.",
            plots.interpolations,
            one,
            start,
            end,
        )
        draw(
            "manifold",
            f"A grid of images that {name} decoded from a plane of its latent space.",
            plots.manifold,
            one,
            {name: codes[name]},
        )
        draw(
            "traversals",
            f"Rows of images by {name}, each with one code dimension moved.",
            plots.traversals,
            one,
            data.x_test[examples[:1]],
            {name: codes[name]},
            dimensions=min(TRAVERSED, model.latent_dim),
        )
    spectra = {name: measures.covariance_spectrum(z) for name, z in codes.items()}
    draw(
        "spectra",
        "Variance of the codes along their principal axes, a line for each of "
        f"{listing(list(models))}.",
        plots.spectra,
        spectra,
    )
    jacobians = {name: steepness(o) for name, o in observations.items()}
    draw(
        "jacobians",
        "Mean singular values of the decoder's Jacobian, a line for each of "
        f"{listing(list(models))}.",
        plots.spectra,
        {n: v for n, v in jacobians.items() if v is not None},
        ylabel="change of the image",
    )
    if points := curve(comparison):
        draw(
            "rate_distortion",
            "Rate against distortion of VAEs trained with several betas.",
            plots.rate_distortion,
            points,
        )
    return dict(figures)


ROW_NAMES = {
    "prior": "prior",
    "gaussian": "Gaussian",
    "mixture": "mixture",
    "encodings": "test codes",
}


def shown(o, source):
    try:
        return o.samples(source)[:NUM_SAMPLES]
    except ValueError:
        return None


def drawn(o, source):
    try:
        return o.codes_from(source)
    except ValueError:
        return None


def steepness(o):
    try:
        return o.jacobians.mean(axis=0)
    except ValueError:
        return None


def effect(verdict, comparison):
    """A row of the figure of effects: percentages of the mean of both models' numbers."""
    if verdict.low is None:
        return None
    values = [comparison.values(name)[verdict.claim.key] for name in comparison.pair]
    size = sum(abs(mean(v)) for v in values) / 2
    if not size:
        return None
    low, middle, high = (100 * x / size for x in (verdict.low, verdict.difference, verdict.high))
    return ROWS[verdict.claim.key].name, low, middle, high, verdict.verdict


def curve(comparison):
    """Points of the rate-distortion plane by name, where there is a curve."""
    points = {
        name: [(numbers["kl"], numbers["test_reconstruction"])]
        for name, numbers in comparison.numbers.items()
        if "kl" in numbers
    }
    if comparison.rate_distortion:
        name = next((n for n in points if n == "VAE"), "VAEs")
        points[name] = [(*point, "β 1") for point in points.get(name, [])] + [
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
