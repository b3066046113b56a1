import base64
import html.parser
import json

import pytest

from keras_aevae import latent
from keras_aevae.latent.claims import Verdict
from keras_aevae.latent.report import minus, score

VOID = {"meta", "img", "br", "link", "hr", "input"}


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
    # effects, reconstructions, spectra and Jacobians; six pictures for each of two models
    assert len(images) == len({image["alt"] for image in images}) == 16
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


def test_other_endings_are_refused_before_any_work(comparison, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.html, or a folder.*report\.pdf"):
        comparison.save(tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())
