"""Every public name has a docstring with an example; every example runs and gives what it says."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from snippets import run

import keras_aevae as ka

MODULES = (
    ka,
    ka.codes,
    ka.datasets,
    ka.distributions,
    ka.latent,
    ka.latent.plots,
    ka.layers,
    ka.networks,
    ka.objectives,
)


def public():
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.ismodule(value) and not inspect.isabstract(value):
                yield f"{module.__name__}.{name}", value


NAMES = dict(public())
# The contracts, which have nothing to run.
CONTRACTS = {
    "keras_aevae.codes.Code",
    "keras_aevae.distributions.Distribution",
    "keras_aevae.distributions.LearnedPrior",
    "keras_aevae.distributions.Likelihood",
    "keras_aevae.distributions.Prior",
}


def examples_in(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_docstring(name):
    text = inspect.getdoc(NAMES[name])
    assert text, f"{name} has no docstring"
    assert examples_in(text) or name in CONTRACTS, f"{name} has no example"


def examples(node, name):
    """`(name, example)` of all classes, functions and methods that are defined in `node`."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (ast.ClassDef, ast.FunctionDef)):
            own = f"{name}.{inner.name}"
            yield from ((own, one) for one in examples_in(ast.get_docstring(inner) or ""))
            yield from examples(inner, own)


# Its example runs under torchrun: tests/distributed.
ELSEWHERE = {"distributed.TorchDataParallel"}
PACKAGE = Path(ka.__file__).parent
EXAMPLES = [
    example
    for path in sorted(PACKAGE.rglob("*.py"))
    for example in examples(ast.parse(path.read_text("utf-8")), path.stem)
    if example[0] not in ELSEWHERE
]


@pytest.mark.parametrize("name, example", EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_example(name, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(example, name)
