import base64
import html.parser
import json

import keras
import numpy as np
import pytest

from keras_aevae import VQVAE, ConditionalVAE, latent, networks
from keras_aevae.latent.claims import CLAIMS, Verdict
from keras_aevae.latent.comparison import is_numbers, is_report
from keras_aevae.latent.report import difference, score
from keras_aevae.latent.rows import ROWS, Row
from keras_aevae.latent.words import minus
from keras_aevae.layers import VectorQuantizer

VOID = {"meta", "img", "br", "wbr", "link", "hr", "input"}


class Page(html.parser.HTMLParser):
    """Checks the nesting of a page, and keeps its elements and its text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text, self.ids = [], [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def paths(comparison, tmp_path_factory):
    return comparison.save(tmp_path_factory.mktemp("report") / "new" / "digits.html")


@pytest.fixture(scope="module")
def page(paths):
    return Page(paths[0].read_text(encoding="utf-8"))


def test_files_lie_side_by_side_and_are_small(paths):
    assert [path.name for path in paths] == ["digits.html", "digits.json"]
    assert paths[0].stat().st_size < 1.5e6


def test_page_needs_nothing_else(page):
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/svg+xml;base64,")), (tag, value[:80])
    anchors = {a["href"][1:] for a in page.all("a")}
    assert anchors <= {a.get("id") for _, a in page.elements}


def test_pictures_load_nothing_and_have_alternatives(page):
    images = page.all("img")
    # effects, reconstructions, spectra, rates and Jacobians; six pictures for each of two models
    assert len(images) == len({image["alt"] for image in images}) == 17
    for image in images:
        assert len(image["alt"]) > 30
        svg = base64.b64decode(image["src"].partition(",")[2]).decode()
        assert "<svg" in svg and 'href="http' not in svg and "<script" not in svg


def test_structure_is_semantic(page):
    assert page.all("html")[0]["lang"] == "en"
    levels = [tag for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert levels[0] == "h1" and set(levels[1:]) == {"h2"}
    assert len(page.all("title")) == 1
    assert {"col", "row"} == {th["scope"] for th in page.all("th")}
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))


def test_page_shows_claims_numbers_and_where_they_came_from(page, comparison):
    text = " ".join(page.text.split())
    for verdict in comparison.verdicts:
        assert verdict.claim.text in text and verdict.claim.why in text
    for _, lines in comparison.tables():
        for row, values in lines:
            assert row.name in text and row.meaning in text
            for value in values:
                assert minus(value) in page.text or value == "-"
    for fact in ("digits", comparison.settings["date"], "epochs: 1; 2 runs of each"):
        assert fact in text
    assert comparison.settings["backend"] in text


def test_the_score_counts_the_verdicts():
    verdicts = [Verdict(None, name) for name in ("supported", "undecided", "supported")]
    assert score(verdicts) == "2 supported and 1 undecided"


def test_an_interval_is_not_broken():
    claim = next(claim for claim in CLAIMS if ROWS[claim.key].text == Row.text)
    assert difference(Verdict(claim, "supported", 0.12, 0.1, 0.14)) == "+0.12 [0.10,\xa00.14]"
    assert difference(Verdict(claim, "undecided", -0.12)) == "-0.12"
    # what leaves out 0 is seen to do so
    near = Verdict(claim, "contradicted", -0.1, -0.2, -0.00006)
    assert difference(near) == "-0.10 [-0.20,\xa0-0.00006]"


def test_a_conditional_model_is_drawn_and_what_is_not_says_why(rng, tmp_path):
    keras.utils.set_random_seed(0)
    names = networks.mlp((8, 8, 1), 3, hidden=(16,), condition_dim=10)
    grid = networks.conv((8, 8, 1), 4, filters=(8,), hidden=None)
    models = {
        "told": ConditionalVAE(*names, classes=10, seed=0),
        "book": VQVAE(*grid, quantizer=VectorQuantizer(8), seed=0),
    }
    x, y = rng.uniform(size=(60, 8, 8, 1)).astype("float32"), np.arange(60) % 10
    data = (x[:40], y[:40]), (x[40:], y[40:])
    html, _ = latent.compare(models, data, num_samples=2, verbose=0).save(tmp_path)
    page = Page(html.read_text(encoding="utf-8"))
    alts = [image["alt"] for image in page.all("img")]
    for name in models:
        for words in (
            "its reconstruction by told and book",
            f"Map of the codes of {name}: a scatter plot",
            f"New images by {name}",
            f"images that {name} decoded along",
            f"images that {name} decoded from a plane",
            f"Rows of images by {name}",
        ):
            assert sum(words in alt for alt in alts) == 1, (name, words)
    assert sum("told the label 0" in alt for alt in alts) == 2  # its plane and its traversals
    text = " ".join(page.text.split())
    assert "told is told the label of the image on the left" in text
    _, _, undrawn = text.partition("What could not be drawn")
    for line in (
        "The map of holes: of book, codes of a codebook have no prior of vectors.",
        "The rate of each dimension: of book, its codes have no density.",
        "The decoder's Jacobian: of told, `model` must decode a code alone",
    ):
        assert line in undrawn
    assert "Received" not in undrawn


def test_data_that_are_no_images_are_drawn_as_codes_alone(tiny, rng, tmp_path):
    x = rng.uniform(size=(60, 6)).astype("float32")
    found = latent.compare(tiny((6,)), ((x[:40], None), (x[40:], None)), num_samples=2, verbose=0)
    page = Page(found.save(tmp_path)[0].read_text(encoding="utf-8"))
    assert not any("econstruction" in image["alt"] for image in page.all("img"))
    assert page.text.count("All pictures of images: `models` must be of images") == 1
    undrawn = page.text.partition("What could not be drawn")[2]
    assert "nterpolations" not in undrawn and "every one drawn is shown" not in page.text


def test_shares_over_parts_are_told_from_those_of_maps(tiny, rng, tmp_path, page):
    x = rng.uniform(size=(5000, 5)).astype("float32")
    found = latent.compare(tiny((5,)), ((x[:100], None), (x, None)), num_samples=2, verbose=0)
    text = found.save(tmp_path)[0].read_text(encoding="utf-8")
    assert "a mean over parts of them" in " ".join(text.split())
    assert "a mean over parts of them" not in " ".join(page.text.split())
    assert "The pictures are of the first run of each" in " ".join(page.text.split())


def test_a_notebook_shows_the_tables(comparison):
    tables = Page(comparison._repr_html_())
    assert len(tables.all("table")) == 1 + len(comparison.tables())
    assert not tables.all("img")


def test_json_is_what_to_dict_says(paths, comparison):
    assert json.loads(paths[1].read_text(encoding="utf-8")) == comparison.to_dict()


def test_names_are_escaped_and_trained_models_reported(comparison, tmp_path):
    renamed = latent.compare({"<b>": comparison.models["VAE"][0]}, num_samples=2, verbose=0)
    html_path, _ = renamed.save(tmp_path)
    assert html_path == tmp_path / "report.html"
    page = Page(html_path.read_text(encoding="utf-8"))
    assert not page.all("b") and "<b> on digits" in page.text
    assert "Epochs" not in page.text and "Command" not in page.text


def test_only_reports_are_replaced(comparison, tmp_path):
    for _ in range(2):  # an earlier report is replaced
        html, numbers = comparison.save(tmp_path / "found.html")
    assert is_report(html) and is_numbers(numbers)
    for path in (numbers, html):
        path.write_text('{"mine": 1}')
        with pytest.raises(ValueError, match=f"isn't a report's.*'.*{path.name}'"):
            comparison.save(html)
        assert path.read_text() == '{"mine": 1}'
    with pytest.raises(ValueError, match="can't be written .*it is no file"):
        (tmp_path / "folder.json").mkdir()
        comparison.save(tmp_path / "folder.html")


def test_other_endings_are_refused_before_any_work(comparison, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.html, or a folder.*report\.pdf"):
        comparison.save(tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())
