"""The report of a comparison: one HTML file that needs nothing else."""

import base64
import importlib.resources
import io
import re

from keras_aevae.latent import plots
from keras_aevae.latent.findings import findings, listing
from keras_aevae.latent.labels import CLASS_NAMES, classes, one_of_each
from keras_aevae.latent.plots._figure import style
from keras_aevae.latent.table import table

NUM_EXAMPLES = 10
NUM_SAMPLES = 32


def render(comparison):
    """The report of a `Comparison`, as HTML text."""
    import jinja2

    source = importlib.resources.files(__package__) / "report.html.j2"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"minus": minus, "listing": listing, "by_model": by_model}
    template = environment.from_string(source.read_text(encoding="utf-8"))
    numbers = comparison.numbers
    return template.render(
        names=list(numbers),
        points=[n for n, model in comparison.models.items() if model.posterior == "point"],
        clouds=[n for n, model in comparison.models.items() if model.posterior != "point"],
        first=next(iter(numbers.values())),
        latent_dim=max(one["latent_dim"] for one in numbers.values()),
        class_names=CLASS_NAMES.get(comparison.settings["dataset"]),
        rows=table(numbers),
        findings=findings(numbers, comparison.settings["likelihoods"]),
        figures=pictures(comparison),
        settings=comparison.settings,
    )


def pictures(comparison):
    """The figures by section: each a list of `{"src", "alt"}`, one a model where they compare."""
    (x_train, _), (x_test, y_test) = comparison.data
    models, dataset = comparison.models, comparison.settings["dataset"]
    y_test = classes(y_test)
    examples = one_of_each(y_test, NUM_EXAMPLES)
    examples = examples[: len(examples) // 2 * 2]
    kinds = CLASS_NAMES.get(dataset)
    start, end = x_test[examples[::2]], x_test[examples[1::2]]
    figures = {
        "reconstructions": [
            picture(
                plots.reconstructions(models, x_test[examples]),
                f"{len(examples)} test images in a row; under each, its reconstruction by "
                f"{listing(list(models))}.",
            )
        ],
        "codes": [],
        "prior_samples": [],
        "fitted_samples": [],
        "interpolations": [],
    }
    for name, model in models.items():
        one = {name: model}
        figures["codes"].append(
            picture(
                plots.codes(one, x_test, y_test, class_names=kinds),
                f"Map of the codes of {name}: a scatter plot of {len(x_test)} test images in two "
                "dimensions, each drawn as the number of its class, with circles where the prior "
                "expects codes.",
            )
        )
        figures["prior_samples"].append(
            picture(
                plots.samples(one, NUM_SAMPLES),
                f"{NUM_SAMPLES} images that {name} decoded from codes drawn from the prior.",
            )
        )
        figures["fitted_samples"].append(
            picture(
                plots.samples(one, NUM_SAMPLES, codes={name: model.encode(x_train, sample=True)}),
                f"{NUM_SAMPLES} images that {name} decoded from codes drawn from a Gaussian fitted "
                "to its codes of the training images.",
            )
        )
        figures["interpolations"].append(
            picture(
                plots.interpolations(one, start, end),
                f"{len(start)} rows: a test image, seven images that {name} decoded along the "
                "straight line between two codes, and the test image at the other end.",
            )
        )
    return figures


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


def by_model(values, unit=""):
    """ "1 for A, 2 for B", or just "1" where all are alike."""
    if len(set(values.values())) == 1:
        return f"{next(iter(values.values()))}{unit}"
    return ", ".join(f"{value}{unit} for {name}" for name, value in values.items())
