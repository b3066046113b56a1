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
TRAVERSED = 8


def render(comparison):
    """The report of a `Comparison`, as HTML text."""
    first = {name: runs[0] for name, runs in comparison.models.items()}
    verdicts = comparison.verdicts
    books = [name for name, model in first.items() if hasattr(model, "quantizer")]
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
    return f"{signed} [{text.format(verdict.low)}, {text.format(verdict.high)}]"


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
        if len(reasons) == len(comparison.models) and len(set(reasons.values())) == 1:
            found.append((row, next(iter(reasons.values()))))
        elif reasons:
            found.append((row, "; ".join(f"of {n}, {why}" for n, why in reasons.items())))
    return found


def pictures(comparison, models):
    """The figures by name: each a list of `{"src", "alt"}`. A figure that can't be drawn of these
    models or data is left out."""
    figures = collections.defaultdict(list)

    def draw(key, alt, function, *arguments, **settings):
        if (figure := attempt(function, *arguments, **settings)) is not None:
            figures[key].append(picture(figure, alt))

    draw_all(draw, comparison, models)
    return dict(figures)


def attempt(function, *arguments, **settings):
    """What it returns; None where a model or the data lack what it needs."""
    try:
        return function(*arguments, **settings)
    except ValueError:
        return None


def draw_all(draw, comparison, models):
    """Every picture of the report."""
    data, observations = comparison.data, comparison.observations
    rows = [row for verdict in comparison.verdicts if (row := effect(verdict, comparison))]
    if rows:
        alt = "; ".join(f"{label}: {verdict}" for label, *_, verdict in rows)
        alt = f"Differences with intervals. {alt}."
        draw("effects", alt, plots.effects, rows, "difference, % of the mean")
    y_test = attempt(data.labels, "test")
    if y_test is None:
        examples = np.arange(min(NUM_EXAMPLES, len(data.x_test)))
    else:
        examples = one_of_each(y_test, NUM_EXAMPLES)
    examples = examples[: len(examples) // 2 * 2]
    start, end = data.x_test[examples[::2]], data.x_test[examples[1::2]]
    plain = {name: model for name, model in models.items() if not model.condition_dim}
    if plain:
        draw(
            "reconstructions",
            f"{len(examples)} test images in a row; under each, its reconstruction by "
            f"{listing(list(plain))}.",
            plots.reconstructions,
            plain,
            data.x_test[examples],
        )
    spectra, jacobians = {}, {}
    for name in models:
        o = observations[name]
        codes = attempt(getattr, o, "test_codes")
        draws, prior = attempt(getattr, o, "test_draws"), attempt(o.codes_from, "prior")
        found = {words: attempt(o.sampled, key) for key, words in SOURCE_NAMES.items()}
        found = {words: sampled[1] for words, sampled in found.items() if sampled is not None}
        if draws is not None and prior is not None:
            draw(
                "hole_map",
                f"Map of the codes of {name} with draws from the prior, coloured by whether they "
                "lie in a hole between the codes.",
                plots.hole_map,
                {name: draws},
                {name: prior},
            )
        draw(
            "sources",
            f"New images by {name}, a row for each source of codes: {', '.join(found)}.",
            plots.sources,
            {name: found},
        )
        if codes is not None:
            spectrum = attempt(measures.covariance_spectrum, codes)
            spectra[name] = spectrum if spectrum is not None and spectrum[0] > 0 else None
            jacobians[name] = attempt(getattr, o, "jacobians")
        if name not in plain:  # the rest ask the model itself, without a condition
            continue
        one = {name: plain[name]}
        draw(
            "codes",
            f"Map of the codes of {name}: a scatter plot of test examples in two dimensions"
            + (", each drawn as the number of its class." if y_test is not None else "."),
            plots.codes,
            one,
            data.x_test,
            y_test,
            class_names=data.class_names,
        )
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
            {name: codes},
        )
        draw(
            "traversals",
            f"Rows of images by {name}, each with one code dimension moved.",
            plots.traversals,
            one,
            data.x_test[examples[:1]],
            {name: codes},
            dimensions=TRAVERSED,
        )
    for key, values, what, ylabel in (
        ("spectra", spectra, "Variance of the codes along their principal axes", "variance"),
        (
            "jacobians",
            jacobians,
            "Singular values of the decoder's Jacobian",
            "change of the image",
        ),
    ):
        values = {
            name: np.atleast_2d(v).mean(axis=0) for name, v in values.items() if v is not None
        }
        alt = f"{what}, a line for each of {', '.join(values)}."
        draw(key, alt, plots.spectra, values, ylabel=ylabel)
    if points := curve(comparison):
        alt = "Rate against distortion of VAEs trained with several betas."
        draw("rate_distortion", alt, plots.rate_distortion, points)


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
