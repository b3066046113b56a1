"""What `compare` returns: trained models, their numbers, and a report of both."""

import dataclasses
import json
import pathlib

from keras_aevae.latent.table import table


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison:
    """Models that were trained on one dataset, and what was measured of them.

    Printed, it is a table: a measure a row, a model a column.

    Attributes:
        models: dict from a name, such as "AE", to the trained model.
        numbers: dict from the same names to what `keras_aevae.latent.summary` returned.
        data: `(x_train, y_train), (x_test, y_test)`, as measured on.
        settings: dict of how it came about: dataset, epochs, seed, backend, versions, ...

    Example:

    ```python
    from keras_aevae import latent
    comparison = latent.compare(epochs=2, verbose=0)
    print(comparison)
    comparison.numbers["VAE"]["test_kl"]
    comparison.save("report.html")
    ```
    """

    models: dict
    numbers: dict
    data: tuple
    settings: dict

    def to_dict(self):
        """Settings and numbers as a dict that `json` can write."""
        return {**self.settings, "models": {k: dict(v) for k, v in self.numbers.items()}}

    def table(self):
        """The table as strings: a header, then a list of rows, all of the same length."""
        header = ["", *self.numbers]
        rows = []
        for row, name, values in table(self.numbers):
            rows.append([f"{name} ({row.unit})" if row.unit else name, *values])
        return header, rows

    def __str__(self):
        header, rows = self.table()
        widths = [max(map(len, column)) for column in zip(header, *rows)]
        lines = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
            for line in (header, *rows)
        ]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__

    def save(self, path="report.html"):
        """Write the report, one self-contained HTML file, and its numbers as JSON beside it.

        Args:
            path: of the HTML file, or of a folder to write `report.html` to; made if it isn't
                there.

        Returns:
            `(html_path, json_path)`, two `pathlib.Path`.
        """
        from keras_aevae.latent.report import render  # here: it loads matplotlib and jinja2

        path = report_path(path)
        html = render(self)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
        numbers = path.with_suffix(".json")
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        numbers.write_text(text + "\n", encoding="utf-8")
        return path, numbers


def report_path(path):
    path = pathlib.Path(path)
    if path.suffix == ".html":
        return path
    if path.suffix and not path.is_dir():
        raise ValueError(
            "`path` must be a file that ends in .html, or a folder. "
            f"Received: path={str(path)!r}. Its numbers go to a .json file beside it."
        )
    return path / "report.html"
