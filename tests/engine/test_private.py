"""Private names of the frameworks: each is there; without it things are slower or say why."""

import ast
import importlib
import inspect
import re
import sys

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae.engine import private
from keras_aevae.engine.fused_adam import fused_adam
from keras_aevae.engine.gradients import frozen

BACKEND = keras.backend.backend()
SHAPE = (6,)


def built_adam():
    optimizer = keras.optimizers.Adam(amsgrad=True)
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    return optimizer


def compiled_model():
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(1)])
    model.compile(loss="mse", metrics=["mae"])
    return model


def model_in_fit():
    """A model of Keras's own as it is while it is trained."""
    model, names = compiled_model(), {}
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: names.update(vars(model))
    )
    model.fit(np.zeros((4, *SHAPE), "float32"), np.zeros((4, 1)), callbacks=[look], verbose=0)
    return type("InFit", (), names)


def module(name):
    return lambda: importlib.import_module(name)


def torch_operation():
    import torch

    return torch.ops.aten.add.Tensor


# name: (where it is looked for, the backends that it is needed on)
ALL = ("jax", "tensorflow", "torch")
NAMES = {
    "keras.Layer._flatten_layers": (keras.layers.Layer, ALL),
    "keras.Model._maybe_symbolic_build": (lambda: keras.Model, ("tensorflow",)),
    "keras.Model._get_jax_state": (lambda: keras.Model, ("jax",)),
    "keras.Model._make_function": (lambda: keras.Model, ("jax",)),
    "keras.Model._purge_model_variables": (lambda: keras.Model, ("jax",)),
    "keras.Model._jax_state": (model_in_fit, ("jax",)),
    "keras.Model._jax_state_synced": (model_in_fit, ("jax",)),
    "keras.KerasTensor._keras_history": (lambda: keras.Input(SHAPE), ALL),
    "keras.Operation._inbound_nodes": (lambda: keras.layers.Dense(1), ALL),
    "keras.distribution.DataParallel._is_multi_process": (
        lambda: keras.distribution.DataParallel(devices=["cpu:0"]),
        ("jax",),
    ),
    "keras.optimizers.Adam._get_variable_index": (built_adam, ("tensorflow", "torch")),
    "keras.optimizers.Adam._momentums": (built_adam, ("tensorflow", "torch")),
    "keras.optimizers.Adam._velocities": (built_adam, ("tensorflow", "torch")),
    "keras.optimizers.Adam._velocity_hats": (built_adam, ("tensorflow", "torch")),
    "keras.optimizers.Adam._parallel_update_step": (built_adam, ("torch",)),
    "keras.src.backend.common.stateless_scope.get_stateless_scope": (
        module("keras.src.backend.common.stateless_scope"),
        ALL,
    ),
    "keras.src.trainers.data_adapters.data_adapter.DataAdapter": (
        module("keras.src.trainers.data_adapters.data_adapter"),
        ALL,
    ),
    "torch._fused_adam_": (module("torch"), ("torch",)),
    "keras.src.backend.torch.core": (module("keras.src.backend.torch"), ("torch",)),
    "torch.ops.aten.add.Tensor._schema": (torch_operation, ("torch",)),
    "torch.fx.experimental.proxy_tensor.make_fx": (
        module("torch.fx.experimental.proxy_tensor"),
        ("torch",),
    ),
    "torch.fx.experimental.proxy_tensor.get_proxy_mode": (
        module("torch.fx.experimental.proxy_tensor"),
        ("torch",),
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_there(name):
    found, backends = NAMES[name]
    if BACKEND not in backends:
        pytest.skip(f"not needed on {BACKEND}")
    attributes = name[name.index("._") + 1 :] if "._" in name else name.rpartition(".")[2]
    owner = found()
    for attribute in attributes.split("."):
        assert hasattr(owner, attribute), f"{name} is not there any more"
        owner = getattr(owner, attribute)


def test_fit_says_that_it_calls_evaluate(monkeypatch):
    """`keras.Model.fit` gives `evaluate` the keyword _use_cached_eval_dataset."""
    model, told = compiled_model(), []
    evaluate = model.evaluate

    def spy(*args, **settings):
        told.append(private.called_by_fit(settings))
        return evaluate(*args, **settings)

    monkeypatch.setattr(model, "evaluate", spy)
    x = np.zeros((4, *SHAPE), "float32")
    model.fit(x, x[:, :1], validation_data=(x, x[:, :1]), verbose=0)
    model.evaluate(x, x[:, :1], verbose=0)
    assert told == [True, False], "keras.Model.evaluate._use_cached_eval_dataset is not there"


def test_every_private_name_of_the_file_is_asked_for():
    source = re.sub(r'""".*?"""', "", inspect.getsource(private), flags=re.S)
    used = set(re.findall(r"\b_[a-z]\w*", source))
    tested = set(re.findall(r"\b_[a-z]\w*", inspect.getsource(inspect.getmodule(compiled_model))))
    assert used and used <= tested


# The public modules of the frameworks that `private.py` imports; each of its other imports from
# them names something internal.
PUBLIC = {"keras", "torch", "numpy"}


def internal_imports(source):
    """The names that `source` imports from modules that aren't public."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if "." in alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module not in PUBLIC:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_internal_module_of_the_file_is_asked_for():
    found = set(internal_imports(inspect.getsource(private)))
    assert found and found == {name for name in NAMES if name in found}
    for node in ast.walk(ast.parse(inspect.getsource(private))):
        if isinstance(node, ast.Attribute):  # nor are they reached by a dot
            assert not re.search(r"\b(src|experimental|python)\.", ast.unparse(node))


@pytest.mark.parametrize(
    "source, found",
    [
        ("import keras\nfrom torch import nn", []),
        ("from keras.src.utils import tree", ["keras.src.utils.tree"]),
        ("def f():\n    import torch.fx.experimental", ["torch.fx.experimental"]),
        ("from jax._src import core", ["jax._src.core"]),
    ],
)
def test_internal_imports(source, found):
    assert list(internal_imports(source)) == found


# What happens without a name


def trained(**settings):
    """The weights and the history of a small VAE after some steps."""
    keras.utils.set_random_seed(0)
    model = ka.VAE(*ka.networks.mlp(SHAPE, latent_dim=2, hidden=(8,)), seed=1)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False, **settings)
    x = np.random.default_rng(0).uniform(0.1, 0.9, (24, *SHAPE)).astype("float32")
    history = model.fit(x, batch_size=8, epochs=2, shuffle=False, validation_data=(x,), verbose=0)
    return model, history.history


def check_equal(given, expected):
    (model, history), (other, other_history) = given, expected
    for name, values in other_history.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def hide(monkeypatch, name):
    """Let whoever reads the attribute `name` of an optimizer find none."""
    cls = type(built_adam())

    def nothing(self):
        raise AttributeError(name)

    monkeypatch.setattr(cls, name, property(nothing, lambda self, value: None), raising=False)


def test_without_the_current_scope_frozen_says_what_to_take(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras.src.backend.common.stateless_scope", None)
    wanted = "`keras.src.backend.common.stateless_scope` must be there.*Take Keras 3.15"
    with pytest.raises(RuntimeError, match=wanted):
        private.stateless_scope()
    with pytest.raises(RuntimeError, match=wanted), frozen(keras.layers.Dense(2)):
        pass


def test_the_current_scope():
    assert private.stateless_scope() is None
    with keras.StatelessScope() as scope:
        assert private.stateless_scope() is scope


def test_without_the_keyword_of_fit_the_data_are_checked_twice(monkeypatch):
    checked = []
    check_fit = ka.VAE.check_fit

    def counted(*arguments, **names):
        checked.append(1)
        return check_fit(*arguments, **names)

    monkeypatch.setattr(ka.VAE, "check_fit", counted)
    expected = trained()
    assert len(checked) == 2  # x and the validation data
    monkeypatch.setattr(private, "called_by_fit", lambda settings: False)
    check_equal(trained(), expected)
    assert len(checked) == 2 + 2 + 2  # and in each epoch


def test_without_the_building_keras_builds_by_itself(monkeypatch):
    expected = trained()
    monkeypatch.delattr(private.BuildsFromOwnBatch, "_maybe_symbolic_build")
    check_equal(trained(), expected)


@pytest.mark.skipif(BACKEND != "jax", reason="names of Keras on JAX")
def test_without_the_state_of_jax_an_error_leaves_no_values(monkeypatch):
    expected = trained()

    def keeps_its_values():
        model, _ = trained()
        before = model.get_weights()

        class Fails(keras.utils.PyDataset):
            asked = 0

            def __len__(self):
                return 2

            def __getitem__(self, i):
                self.asked += 1
                if self.asked > 1:  # the first time the data are checked
                    raise OSError
                return (np.full((4, *SHAPE), 0.5, "float32"),)

        with pytest.raises(OSError):
            model.fit(Fails(), shuffle=False, verbose=0)
        try:
            pairs = zip(before, model.get_weights(), strict=True)
        except TypeError:  # of Keras, of a variable without a value
            return False
        return all(np.array_equal(a, b) for a, b in pairs)

    assert keeps_its_values()
    monkeypatch.delattr(private.HoldsJaxState, "_get_jax_state")
    monkeypatch.delattr(private.HoldsJaxState, "_make_function")
    monkeypatch.setattr(private, "hold_jax_state", lambda model, state: None)
    check_equal(trained(), expected)
    assert not keeps_its_values()


@pytest.mark.parametrize("name", ["_momentums", "_velocities", "_get_variable_index"])
def test_without_adams_state_there_is_none_to_fuse(name, monkeypatch):
    optimizer = built_adam()
    variables = optimizer._trainable_variables
    assert [len(slot) for slot in private.adam_state(optimizer, variables)] == [1, 1, 1]
    hide(monkeypatch, name)
    assert private.adam_state(optimizer, variables) is None


@pytest.mark.skipif(BACKEND == "jax", reason="XLA fuses Keras's own Adam")
@pytest.mark.parametrize("name", ["adam_state", "fused_adam_kernel"])
def test_without_what_fuses_it_adam_is_kerass_own(name, monkeypatch):
    expected = trained()
    calls = []
    monkeypatch.setattr(private, name, lambda *_: calls.append(1))
    check_equal(trained(), expected)
    assert calls or (BACKEND, name) == ("tensorflow", "fused_adam_kernel")


@pytest.mark.skipif(BACKEND != "torch", reason="a name of Keras on PyTorch")
def test_without_the_parallel_update_adam_is_kerass_own(monkeypatch):
    monkeypatch.setattr(private, "PARALLEL_UPDATE", "_parallel_update_of_another_release")
    optimizer = built_adam()
    with fused_adam(optimizer):
        optimizer.apply([keras.ops.ones(2)])
    alone = built_adam()
    alone.apply([keras.ops.ones(2)])
    for a, b in zip(optimizer.variables, alone.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.skipif(BACKEND != "torch", reason="a name of PyTorch")
def test_without_the_kernel_there_is_none(monkeypatch):
    import torch

    assert private.fused_adam_kernel() is torch._fused_adam_
    assert private.is_fused_adam(torch.ops.aten._fused_adam_.tensor_lr)
    assert not private.is_fused_adam(torch.ops.aten.add.Tensor)
    monkeypatch.delattr(torch, "_fused_adam_")
    assert private.fused_adam_kernel() is None


@pytest.mark.skipif(BACKEND != "torch", reason="a name of PyTorch")
def test_the_schema_of_an_operation():
    assert private.schema(torch_operation()).name == "aten::add"
    assert private.schema(len) is None


@pytest.mark.skipif(BACKEND != "torch", reason="names of PyTorch")
@pytest.mark.parametrize("name", ["make_fx", "_schema"])
def test_without_what_records_it_a_step_runs_eagerly_and_says_so(name, monkeypatch, caplog):
    import torch
    from torch.fx.experimental import proxy_tensor

    expected = trained(run_eagerly=True)
    if name == "make_fx":
        monkeypatch.delattr(proxy_tensor, name)
    else:
        monkeypatch.setattr(torch.ops.aten, "add", type("Other", (), {"Tensor": None}))
    given = trained()
    check_equal(given, expected)
    warnings = [r for r in caplog.records if "training step" in r.getMessage()]
    assert len(warnings) == 1 and f"{name}` must be there" in warnings[0].getMessage()
    assert not [g for g in given[0].train_function.graphs.values() if isinstance(g, tuple)]


@pytest.mark.skipif(BACKEND != "torch", reason="names of PyTorch")
def test_whether_operations_are_being_recorded(monkeypatch):
    import torch
    from torch.fx.experimental import proxy_tensor

    seen = []
    private.record(lambda x: seen.append(private.is_recording()) or x + 1, [torch.ones(2)])
    assert seen == [True] and not private.is_recording()
    monkeypatch.delattr(proxy_tensor, "get_proxy_mode")
    assert not private.is_recording()


def test_layers_within():
    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = keras.layers.Dropout(0.5)

    dense, outer = keras.layers.Dense(2), Outer()
    model = keras.Sequential([keras.Input(SHAPE), keras.Sequential([dense]), outer])
    assert {dense, outer, outer.inner} <= set(private.layers_within(model))

    class Model:  # of a release without the name
        layers = [type("Layer", (), {})(), type("Model", (), {"layers": ["inner"]})()]

    assert private.layers_within(Model)[-1] == "inner"


def test_random_starts_are_those_that_a_seed_changes():
    found = {cls.__name__ for cls in private.random_initializers()}
    assert found == {
        "Orthogonal",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
    }
    start = keras.initializers.GlorotUniform()
    with private.no_random_starts():
        assert not np.any(keras.ops.convert_to_numpy(start((3, 2))))
    assert np.all(keras.ops.convert_to_numpy(start((3, 2))))


def test_a_class_of_initializers_that_is_not_found_draws(monkeypatch):
    monkeypatch.setattr(private, "random_initializers", lambda: [])
    with private.no_random_starts():
        start = keras.initializers.GlorotUniform()((3, 2))
    assert np.all(keras.ops.convert_to_numpy(start))


@pytest.mark.skipif(BACKEND != "jax", reason="processes of JAX")
def test_several_processes_are_given_their_parts_by_keras(monkeypatch):
    distribution = keras.distribution.DataParallel(devices=["cpu:0"])
    model, x = compiled_model(), np.zeros((4, *SHAPE), "float32")
    with distribution.scope():
        assert not private.shards_datasets()
        monkeypatch.setattr(distribution, "_is_multi_process", True)
        assert private.shards_datasets()
        with pytest.raises(ValueError, match="auto-sharding|tf.data"):
            model.fit(((x,) for _ in range(2)), verbose=0)
    assert not private.shards_datasets()
