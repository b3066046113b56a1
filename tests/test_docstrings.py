"""Every public name has a docstring with an example, and every example runs."""

import inspect
import re

import pytest

import keras_aevae as ka

MODULES = (
    ka,
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
    f"keras_aevae.distributions.{name}" for name in ("Distribution", "LearnedPrior", "Likelihood")
}

# Its example runs under torchrun: tests/distributed.
ELSEWHERE = {"keras_aevae.TorchDataParallel"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ELSEWHERE])
def test_docstring(name, tmp_path, monkeypatch):
    text = inspect.getdoc(NAMES[name])
    assert text, f"{name} has no docstring"
    examples = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert examples or name in CONTRACTS, f"{name} has no example"
    monkeypatch.chdir(tmp_path)
    for example in examples:
        exec(compile(inspect.cleandoc(example), name, "exec"), {"__name__": "example"})
