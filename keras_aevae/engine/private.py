"""The one file that names private attributes and internal modules of Keras, TensorFlow and PyTorch.

Such names may change in any release. Each is used by one function here, whose docstring says what
it does and what happens if a release doesn't have the name. `tests/engine/test_private.py` tests
for each name, so that a new release fails in one place.
"""

import contextlib
import inspect
import threading

import keras
import numpy as np

# The method in which Keras's optimizers on PyTorch update all weights at once. If a release of
# Keras lacks it, replacing it changes nothing: the optimizer stays Keras's own, which is slower.
PARALLEL_UPDATE = "_parallel_update_step"


def missing(name, remedy):
    """Return the error to raise if this release of a framework doesn't have `name`."""
    return RuntimeError(
        f"`{name}` must be there for this. Received: a release without it (Keras "
        f"{keras.version()}, backend {keras.backend.backend()!r}). {remedy}"
    )


# Keras: models and layers


def called_by_fit(settings):
    """Return whether `settings`, the keywords of `evaluate`, come from Keras's `fit`, which has its
    data already. Without the name this is False: the data are checked twice, which is slower."""
    return bool(settings.get("_use_cached_eval_dataset"))


def layers_within(layer):
    """Return `layer` and all layers in it, at any depth. Without the name, layers in a layer that
    isn't a model are missing."""
    if hasattr(layer, "_flatten_layers"):
        return layer._flatten_layers()
    parts = getattr(layer, "layers", [])
    return [layer, *(found for part in parts for found in layers_within(part))]


def made_by(tensor):
    """Return (operation, node, place) of a symbolic `keras.KerasTensor`: the operation whose output
    it is, its call, which has `arguments` and `input_tensors`, and the place of the tensor among
    its outputs. Without the names it raises an AttributeError: the end of a network isn't known."""
    history = tensor._keras_history
    node = history.operation._inbound_nodes[history.node_index]
    return history.operation, node, history.tensor_index


def stateless_scope():
    """Return Keras's current `keras.StatelessScope`, or None. Without the name it raises an error:
    within another scope, variables would have their values from outside of both."""
    try:
        from keras.src.backend.common.stateless_scope import get_stateless_scope
    except ImportError:
        raise missing("keras.src.backend.common.stateless_scope", "Take Keras 3.15.") from None
    return get_stateless_scope()


class BuildsFromOwnBatch:
    """A mixin for Keras models that choose the batch from which Keras builds them.

    The model's `batch_to_build_from(iterator)` returns that batch, or None for Keras's choice.
    Without the name Keras never calls it: training with several TensorFlow workers then ends with
    Keras's own error, and everything else works.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is not None and (batch := self.batch_to_build_from(iterator)) is not None:
            iterator, data_batch = None, batch
        super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)


def data_adapter():
    """Return Keras's class of what `fit` reads batches from. Without the name Keras refuses the
    `Batches` of generators, loaders and sparse matrices, and takes all other data."""
    try:
        from keras.src.trainers.data_adapters.data_adapter import DataAdapter
    except ImportError:
        return object
    return DataAdapter


DataAdapter = data_adapter()


# The parts of a training state on JAX, in Keras's order; a test's ends with the metrics, without
# the optimizer, and a prediction's has the first two.
TRAINED, OTHER = "trainable_variables", "non_trainable_variables"
OPTIMIZER, METRICS = "optimizer_variables", "metrics_variables"
PARTS = {
    4: (TRAINED, OTHER, OPTIMIZER, METRICS),
    3: (TRAINED, OTHER, METRICS),
    2: (TRAINED, OTHER),
}


class HoldsJaxState:
    """A mixin for Keras models, which on JAX hold the newest state of a `fit` at any time.

    Keras's JAX trainer takes the values out of a model's variables for the time of `fit`. It keeps
    the state in an attribute only after each execution, and `jax_state_sync` puts it back from
    there. The model's `step_to_trace(step)` returns what is traced in place of Keras's step.
    Without the names an error in the first step, or between the steps of one execution, loses the
    values of the variables, as in Keras.
    """

    def _get_jax_state(self, purge_model_variables=False, **parts):
        state = super()._get_jax_state(**parts)
        self._jax_state = dict(zip([part for part in parts if parts[part]], state))
        self._jax_state_synced = False
        if purge_model_variables:
            self._purge_model_variables(**parts)
        return state

    def _make_function(self, step_function, *args, **kwargs):
        step_function = self.step_to_trace(step_function)
        return super()._make_function(step_function, *args, **kwargs)


def hold_jax_state(model, state):
    """Let `jax_state_sync` put `state`, a tuple of Keras's parts, into the variables of `model`.
    Without the name nothing reads it."""
    model._jax_state = dict(zip(PARTS[len(state)], state))


# Keras: initializers


def random_initializers():
    """Return Keras's classes of initializers that draw numbers and define `__call__` themselves."""
    classes = {c for c in vars(keras.initializers).values() if inspect.isclass(c)}
    callable_themselves = [c for c in classes if "__call__" in vars(c)]
    return [c for c in callable_themselves if "seed" in inspect.signature(c).parameters]


@contextlib.contextmanager
def no_random_starts():
    """Return a scope in which this thread builds weights of zeros, to be read from a file.

    It replaces a method of Keras's classes, so only one may be open at a time.

    JAX compiles each random initializer for each shape: this takes some seconds for a model that is
    read in a tenth of a second. A class that this doesn't find initializes at random, which is
    slower.
    """
    thread = threading.get_ident()

    def zeros_here(random):
        def call(self, shape, dtype=None, **kwargs):
            if threading.get_ident() != thread:
                return random(self, shape, dtype=dtype, **kwargs)
            return keras.ops.convert_to_tensor(np.zeros(shape, "float32"), dtype)

        return call

    replaced = [(c, c.__call__) for c in random_initializers()]
    for c, call in replaced:
        c.__call__ = zeros_here(call)
    try:
        yield
    finally:
        for c, call in replaced:
            c.__call__ = call


# Keras: Adam


def adam_state(optimizer, variables):
    """Return Adam's state of `variables`: the lists of their first moments, second moments and
    largest second moments (empty without `amsgrad`), as Keras variables. Without one of the names
    this is None: Adam then stays Keras's own, which is slower."""
    try:
        places = [optimizer._get_variable_index(v) for v in variables]
        slots = [optimizer._momentums, optimizer._velocities]
        slots.append(optimizer._velocity_hats if optimizer.amsgrad else None)
    except AttributeError:
        return None
    return [[slot[i] for i in places] if slot else [] for slot in slots]


def parallel_update(optimizer, gradients, variables, learning_rate):
    """Update all weights as Keras does on PyTorch. It is called only in place of that method, so
    the name exists."""
    update = getattr(type(optimizer), PARALLEL_UPDATE)
    return update(optimizer, gradients, variables, learning_rate)


def of_any_backend(config):
    """Return `config`, that of objects in a file, with the public names of Keras's optimizers. On
    PyTorch Keras writes the names of subclasses that no other backend has. Where a release writes
    others, they are left as they are, and a model that was compiled with them must be compiled
    again."""
    if isinstance(config, dict):
        config = {name: of_any_backend(value) for name, value in config.items()}
        if str(config.get("module")).startswith("keras.src.backend.torch.optimizers"):
            config["module"] = "keras.optimizers"
        return config
    return [of_any_backend(value) for value in config] if isinstance(config, list) else config


# PyTorch


def fused_adam_kernel():
    """Return PyTorch's kernel for one step of Adam on a list of weights. Without the name this is
    None: Adam then stays Keras's own, which is slower."""
    import torch

    return getattr(torch, "_fused_adam_", None)


def is_fused_adam(operation):
    """Return whether a recorded operation is that kernel. Without the name this is False."""
    return str(operation) == "aten._fused_adam_.tensor_lr"


def record(function, tensors):
    """Record the tensor operations of `function(*tensors)` as a `torch.fx.GraphModule`. Without one
    of the names a RuntimeError says so, and the function runs eagerly, which is slower."""
    import torch

    remedy = "It runs eagerly instead."
    if not hasattr(torch.ops.aten.add.Tensor, "_schema"):
        raise missing("torch.ops.aten.add.Tensor._schema", remedy)
    try:
        from torch.fx.experimental.proxy_tensor import make_fx
    except ImportError as error:
        raise missing("torch.fx.experimental.proxy_tensor.make_fx", remedy) from error
    return make_fx(function, tracing_mode="fake")(*tensors)


def shards_datasets():
    """Return whether Keras gives each of several processes of JAX its part of a dataset. Without
    the names this is False, and each process reads the whole dataset."""
    distribution = keras.distribution.distribution()
    several = getattr(distribution, "_is_multi_process", False)
    return bool(several and getattr(distribution, "auto_shard_dataset", False))


# One thread at a time replaces `keras.ops.cond`.
COND = threading.RLock()


@contextlib.contextmanager
def cond_replaced(choose):
    """Open a scope in which `keras.ops.cond`, of a tensor and in this thread, is `choose(pred,
    true_fn, false_fn)`. Without the names Keras's own is called: a step that calls it can't be
    recorded, and runs eagerly, which is slower."""
    import torch

    try:
        from keras.src.backend.torch import core
    except ImportError:
        core = None
    own, thread = getattr(core, "cond", None), threading.get_ident()
    if own is None:
        yield
        return

    def cond(pred, true_fn, false_fn):
        here = torch.is_tensor(pred) and threading.get_ident() == thread
        return (choose if here else own)(pred, true_fn, false_fn)

    with COND:
        core.cond = cond
        try:
            yield
        finally:
            core.cond = own


def comes_from_a_seed(error):
    """Return whether an error was raised where Keras makes a generator of PyTorch from a seed of a
    layer, whose value it asks for. Without the name this is False: the error has another text."""
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_name == "torch_seed_generator":
            return True
        frame = frame.tb_next
    return False


def is_recording():
    """Return whether PyTorch's operations are being recorded now, by `record` or by PyTorch's own
    export. Without the name this is False, and `record` fails."""
    try:
        from torch.fx.experimental.proxy_tensor import get_proxy_mode
    except ImportError:
        return False
    return get_proxy_mode() is not None


def schema(operation):
    """Return the schema of a recorded operation: its arguments and results, and what it writes to;
    None if it isn't an operation of PyTorch. Without the name `record` raises an error."""
    return getattr(operation, "_schema", None)
