"""The result of `compare`: models, their numbers, the verdicts, and a report."""

import dataclasses
import json

from keras_aevae._checks import check_name
from keras_aevae._paths import check_file, expanded
from keras_aevae.latent.claims import CLAIMS, RULE, judge, mean
from keras_aevae.latent.rows import GROUPS, ROWS
from keras_aevae.latent.words import written
from keras_aevae.models import VAE, Autoencoder

# In the head of each report: it tells a report from other pages.
MARK = '<meta name="generator" content="keras_aevae">'


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison:
    """Models on one dataset, and the numbers that were measured.

    It prints as a table with a measure per row and a model per column. A number with ± is a mean
    with half its 95 % interval (Student's t) over the replicates: training runs with different
    seeds or, if each model was trained once, equal parts of the test data.

    Attributes:
        models: dict from a name, such as "AE", to the list of its trained models, one per seed.
        replicates: dict from the same names to a list of dicts, one per replicate, from a measure's
            name to its number. The measures' names are those of `keras_aevae.latent.rows.ROWS`.
        left_out: dict from the same names to a dict from a measure's name to the reason why it is
            missing.
        data: the `keras_aevae.latent.data.Data` on which the models were measured.
        settings: dict of its conditions: dataset, seeds, sample sizes, backend, versions, ...
        rate_distortion: list of dicts of VAEs trained with other betas: "beta", "rate",
            "distortion", in nats.
        observations: dict from a model's name to the `Observations` of its first run, for pictures.

    Example:

    ```python
    from keras_aevae import latent
    comparison = latent.compare(("ae_mlp_digits", "vae_mlp_digits"), verbose=0)
    print(comparison)
    comparison.numbers["vae_mlp_digits"]["frechet_prior"]
    comparison.save("report.html")
    ```
    """

    models: dict
    replicates: dict
    left_out: dict
    data: object
    settings: dict
    rate_distortion: list = dataclasses.field(default_factory=list)
    observations: dict = dataclasses.field(default_factory=dict)

    @property
    def numbers(self):
        """Return the means over the replicates: a dict from a model's name to a dict from a
        measure's."""
        return {
            name: {key: mean(values) for key, values in self.values(name).items()}
            for name in self.models
        }

    def values(self, name):
        """Return the numbers of a model: a dict from a measure's name to a list."""
        return {
            key: [one[key] for one in self.replicates[name]]
            for key in ROWS
            if all(key in one for one in self.replicates[name])
        }

    @property
    def pair(self):
        """The names of the first `Autoencoder` and the first `VAE`, which the claims are about, or
        None if one is missing. Subclasses and conditional models aren't used; `judge` takes any two
        models by their names."""
        first = {name: runs[0] for name, runs in self.models.items()}
        plain = {name: type(m) for name, m in first.items() if not m.condition_dim}
        found = [
            [name for name, kind in plain.items() if kind is cls] for cls in (Autoencoder, VAE)
        ]
        return tuple(names[0] for names in found) if all(found) else None

    @property
    def not_judged(self):
        """The reason why the claims aren't judged; "" if they are, or if there is only one
        model."""
        if self.pair or len(self.models) < 2:
            return ""
        given = {name: type(runs[0]).__name__ for name, runs in self.models.items()}
        received = ", ".join(f"{name} ({cls})" for name, cls in given.items())
        return (
            "The claims about VAEs beside AEs are not judged here: they compare an Autoencoder "
            f"with a VAE, neither of them conditional nor a relative. Received: {received}."
        )

    @property
    def verdicts(self):
        """The verdicts of `judge` on the `pair`; none without a pair."""
        return self.judge(*self.pair) if self.pair else []

    def judge(self, ae, vae):
        """Return a `keras_aevae.latent.claims.Verdict` for each claim, with the model named `ae` as
        the AE and the model named `vae` as the VAE."""
        one, other = (self.values(check_name("models", name, self.models)) for name in (ae, vae))
        classifier = self.data.has_classifier
        return [
            judge(claim, one.get(claim.key), other.get(claim.key), self.paired, classifier)
            for claim in CLAIMS
        ]

    @property
    def paired(self):
        """True if the replicates are parts of the test data, which are the same for all models."""
        return all(len(runs) == 1 for runs in self.models.values())

    @property
    def rule(self):
        """The rule by which the `verdicts` were reached, in words."""
        if all(verdict.low is None for verdict in self.verdicts):
            return (
                "None is decided: one number of a model says nothing of chance. Give several runs "
                "of each, or 5000 test examples, which are measured in parts."
            )
        test = "paired t" if self.paired else "Welch's t"
        return RULE.format(test=test, over=self.settings["replicates"])

    def to_dict(self):
        """Return everything but the models and data, as a dict that `json` can write."""
        return {
            **self.settings,
            "measures": {
                key: {"name": row.name, "unit": row.unit, "better": row.better, "of": self.of(row)}
                for key, row in ROWS.items()
            },
            "numbers": self.numbers,
            "replicates": self.replicates,
            "left_out": self.left_out,
            "claims": [
                {"claim": v.claim.text, "measure": v.claim.key}
                | {k: x for k, x in vars(v).items() if k != "claim"}
                for v in self.verdicts
            ],
            "rate_distortion": self.rate_distortion,
        }

    def to_frame(self):
        """Return a pandas DataFrame of the numbers: a row per replicate, a column per measure.

        Raises:
            ImportError: if pandas isn't installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "`to_frame` needs pandas. Run: pip install pandas. `replicates` has the same "
                "numbers."
            ) from error
        rows = [
            {"model": name, "replicate": i, **one}
            for name, replicates in self.replicates.items()
            for i, one in enumerate(replicates)
        ]
        return pandas.DataFrame(rows).set_index(["model", "replicate"])

    def of(self, row):
        """Return what a row's numbers are taken of in each replicate, and how many: a dict."""
        return {words: self.settings["num_measured"][words] for words in row.of}

    def tables(self):
        """Return `(title, [(row, list of texts, one per model)])` for each group that has rows."""
        values = {name: self.values(name) for name in self.models}
        found = []
        for title, rows in GROUPS.items():
            lines = [
                (row, [written(row, one.get(row.key)) for one in values.values()]) for row in rows
            ]
            lines = [line for line in lines if set(line[1]) != {"-"}]
            if lines:
                found.append((title, lines))
        return found

    def table(self):
        """Return the table as strings: a header, then a list of rows, all of the same length. The
        last column is the sample size of everything that the row is `of`."""
        rows = []
        for title, lines in self.tables():
            rows.append([title.upper(), *[""] * len(self.models), ""])
            for row, texts in lines:
                name = f"  {row.name} ({row.unit})" if row.unit else f"  {row.name}"
                name += {"lower": " ↓", "higher": " ↑", "": ""}[row.better]
                sizes = " + ".join(map(str, self.of(row).values())) or "-"
                rows.append([name, *texts, sizes])
        return ["", *self.models, "n"], rows

    def __str__(self):
        header, rows = self.table()
        parts = [aligned([header, *rows])]
        if verdicts := self.verdicts:
            ae, vae = self.pair
            lines = [["CLAIM", ae, vae, ""]]
            for verdict in verdicts:
                row = ROWS[verdict.claim.key]
                both = [written(row, self.values(n).get(row.key)) for n in self.pair]
                lines.append([verdict.claim.text, *both, verdict.verdict])
            parts = [aligned(lines), self.rule, *parts]
        elif self.not_judged:
            parts = [self.not_judged, *parts]
        parts.append(
            "↓: lower is better, ↑: higher is. "
            f"Features: {self.data.features[1]}. Numbers of {self.settings['replicates']}."
        )
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self):
        """Return the HTML that a notebook shows."""
        from keras_aevae.latent.report import tables_html

        return tables_html(self)

    def save(self, path="report.html", verbose=0):
        """Write the report, one self-contained HTML file, and its numbers as JSON beside it.

        Args:
            path: the HTML file, or a folder in which `report.html` is written; it is made if it
                doesn't exist. An earlier report there is replaced.
            verbose: 1 for a progress bar; pictures of large data take some seconds.

        Returns:
            `(html_path, json_path)`, two `pathlib.Path`.

        Raises:
            ValueError: before anything is drawn, if one of the two can't be written, or is a file
                that isn't a report's.
        """
        from keras_aevae.latent.report import render  # here, as it loads matplotlib and jinja2

        path, numbers = check_report(path)
        html, text = render(self, verbose), json.dumps(self.to_dict(), indent=2, allow_nan=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
        numbers.write_text(text + "\n", encoding="utf-8")
        return path, numbers


def aligned(lines):
    """Return lines of cells as text in columns: the first is aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    )


def check_report(path, overwrite=True):
    """Return the paths of a report and of its numbers, which both can be written; else raise.

    Files that aren't a report's are never overwritten, and those of a report only if `overwrite`.
    """
    html = expanded("path", path)
    if html.suffix.lower() != ".html" or html.is_dir():
        if html.suffix and not html.is_dir():
            raise ValueError(
                "`path` must be a file that ends in .html, or a folder. "
                f"Received: path={str(path)!r}. Its numbers go to a .json file beside it."
            )
        html = html / "report.html"
    html = check_file("path", html)
    numbers = check_file("path", html.with_suffix(".json"))
    for file, ours in ((html, is_report), (numbers, is_numbers)):
        if not file.exists():
            continue
        if not ours(file):
            raise ValueError(
                "`path` must not name a file that isn't a report's, nor one with such a .json file "
                f"beside it, where the numbers go. Received: '{file}'. Choose another path."
            )
        if not overwrite:
            raise ValueError(
                f"`path` must be new. Received: '{file}', an earlier report. Choose another path, "
                "or pass --overwrite."
            )
    return html, numbers


def is_report(file):
    """Return whether the file is a report's page."""
    with file.open("rb") as opened:
        return MARK.encode() in opened.read(4096)


def is_numbers(file):
    """Return whether the file holds a report's numbers."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(found, dict) and {"measures", "replicates", "left_out"} <= set(found)
