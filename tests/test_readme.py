"""The README's Python snippets run as they stand, and give what their comments say."""

import re
from pathlib import Path

import pytest
from snippets import run

import keras_aevae as ka

ROOT = Path(__file__).parents[1]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: s.splitlines()[-1][:30])
def test_readme(snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(snippet, "README.md")


def test_there_are_snippets():
    assert len(SNIPPETS) >= 7


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
