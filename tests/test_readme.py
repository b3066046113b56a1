"""The Python snippets of the README and of docs/loss.md run as they stand, and give what their
comments say."""

import re
from pathlib import Path

import pytest
from snippets import run

import keras_aevae as ka

ROOT = Path(__file__).parents[1]


def snippets(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    found = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return [pytest.param(path, one, id=f"{path}: {one.splitlines()[-1][:30]}") for one in found]


SNIPPETS = {path: snippets(path) for path in ("README.md", "docs/loss.md")}


@pytest.mark.parametrize("path, snippet", [one for some in SNIPPETS.values() for one in some])
def test_snippets(path, snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(snippet, path)


def test_there_are_snippets():
    assert len(SNIPPETS["README.md"]) >= 7 and len(SNIPPETS["docs/loss.md"]) == 4


def test_linked_pages_and_their_headings_are_there():
    for page, heading in re.findall(
        r"\]\((docs/\w+\.md)#?([\w-]*)\)", (ROOT / "README.md").read_text()
    ):
        titles = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), flags=re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
        assert not heading or heading in anchors, f"{page}#{heading}"


def preset_row(name, metadata):
    measured = metadata["measured"]
    kl, nats = (
        f"{measured[key]:.2f}" if key in measured else "-"
        for key in ("test_kl", "test_log_likelihood")
    )
    if nats != "-":
        nats += f" ({measured['num_samples']} samples)"
    return (
        f"| `{name}` | {metadata['weights_bytes'] / 2**20:.1f} MiB | "
        f"{measured['test_reconstruction']:.2f} | {measured['test_mse']:.4f} | {kl} | {nats} |"
    )


def test_the_presets_table_says_what_was_measured():
    text = (ROOT / "README.md").read_text()
    presets = ka.Autoencoder.presets
    assert len(presets) >= 11
    for name, metadata in presets.items():
        assert preset_row(name, metadata) in text
