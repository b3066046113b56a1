"""The report of a comparison: one HTML file that needs nothing else."""

import collections
import importlib.resources

import numpy as np

from keras_aevae.latent import measures
from keras_aevae.latent.album import TITLES, Album, attempt, condition_in_words, draw_all
from keras_aevae.latent.rows import ROWS
from keras_aevae.latent.words import by_model, listing, minus, written

# The words for models on the page, by what they store.
KINDS = (("points", "point"), ("clouds", "distribution"), ("books", "codebook"))
NO_BREAK = "\N{NO-BREAK SPACE}"


def render(comparison, verbose=0):
    """Return the report of a `Comparison`, as HTML text; `verbose`: 1 for a progress bar."""
    first = {name: runs[0] for name, runs in comparison.models.items()}
    verdicts = comparison.verdicts
    album = Album()
    draw_all(album, comparison, verbose)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **tables_of(comparison),
            **{kind: [n for n, m in first.items() if m.stores == what] for kind, what in KINDS},
            latent_dim=max(model.latent_dim for model in first.values()),
            score=score(verdicts) if verdicts else "",
            rule=comparison.rule,
            not_judged=comparison.not_judged,
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
    """Return the tables alone, for a notebook."""
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
    """Return "+0.12 [0.10, 0.14]", positive if it supports the claim."""
    if verdict.difference is None:
        return "-"
    text = ROWS[verdict.claim.key].text.replace("+", "")
    signed = ("+" if verdict.difference > 0 else "") + text.format(verdict.difference)
    if verdict.low is None:
        return signed
    ends = (beside_zero(text, end) for end in (verdict.low, verdict.high))
    return f"{signed} [{f',{NO_BREAK}'.join(ends)}]"


def beside_zero(text, value):
    """Return `value` as `text` writes it, with enough digits to tell it from 0, on which a verdict
    depends."""
    shown = text.format(value)
    if value and not float(shown):
        return np.format_float_positional(value, precision=1, fractional=False, trim="-")
    return shown


def score(verdicts):
    """Return "7 supported, 2 contradicted and 1 undecided"."""
    counts = collections.Counter(v.verdict for v in verdicts)
    order = ("supported", "contradicted", "undecided", "not measured")
    found = [f"{counts[verdict]} {verdict}" for verdict in order if counts[verdict]]
    return listing(found)


def diagnoses(observations):
    """Return a sentence on the use of the latent dimensions for each model that has a density."""
    found = []
    for name, o in observations.items():
        if (posterior := attempt(getattr, o, "posterior")) is None:
            continue
        one = measures.posterior_collapse(*posterior)
        used, all_of_them = len(one["active"]), o.model.latent_dim
        unused = f"; those it leaves unused cost {one['wasted_rate']:.1f}"
        found.append(
            f"{name} uses {used} of {all_of_them} latent dimensions, for {one['rate']:.1f} nats"
            f"{unused if used < all_of_them else ''}. {one['advice']}"
        )
    return found


def left_out(comparison):
    """Return `(row, reasons)` for each row that some or all models have no number for."""
    found = []
    for key, row in ROWS.items():
        reasons = {n: one[key] for n, one in comparison.left_out.items() if key in one}
        if reasons:
            found.append((row, in_words(reasons, len(comparison.models))))
    return found


def undrawn(missing, num_models):
    """Return `(titles, reasons)` of the pictures that some or all models are missing from, grouped
    by their reasons."""
    found = collections.defaultdict(list)
    for key, reasons in missing.items():
        found[in_words(reasons, num_models)].append(TITLES.get(key, key))
    return [(listing(titles), reasons) for reasons, titles in found.items()]


def in_words(reasons, num_models):
    """Return a dict from models' names to reasons as text: "why", or "of A and B, why; of C,
    why"."""
    names = collections.defaultdict(list)
    for name, why in reasons.items():
        # The part on what was received, and the remedy, are for the caller.
        names[why.partition(" Received:")[0].rstrip(".")].append(name)
    if len(names) == 1 and len(reasons) == num_models:
        return next(iter(names))
    return "; ".join(f"of {listing(some)}, {why}" for why, some in names.items())
