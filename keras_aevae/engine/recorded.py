"""PyTorch: a function's tensor operations, recorded once for each shape and replayed.

Run eagerly, a small step spends more time in the Python of layers, metrics and optimizers than in
its arithmetic. Recorded, it is a list of tensor operations. JAX and TensorFlow trace their steps
for the same reason, and the same rules hold: everything that isn't an operation on tensors happens
once, while recording. So a new `compile` is needed after layers are frozen or replaced, and a plain
attribute that changes in training has no effect. (A model's numbers, such as beta, are kept in
variables: `numbers.py`.) A step that can't be recorded, for example because it branches on a
tensor's value, runs eagerly, and this module's logger says so.
"""

import contextlib
import functools
import itertools
import logging

import keras
import numpy as np
import optree
import torch

from keras_aevae.engine import denormals, private
from keras_aevae.engine.fused_adam import fused_adam
from keras_aevae.engine.gradients import Within
from keras_aevae.engine.recorded_graph import simplify
from keras_aevae.engine.whole_steps import whole_or_undone

# The number of argument shapes that one function is recorded for; beyond it, it runs eagerly.
MOST_SHAPES = 16
FIRST_SEEN, NEVER = "first seen", "never"
# The errors that are raised if something can't be recorded: RuntimeErrors and AssertionErrors by
# PyTorch's stand-ins for tensors, TypeErrors by Python and NumPy when given one, ValueErrors by
# Keras, which wraps these.
NOT_RECORDABLE = (RuntimeError, AssertionError, TypeError, ValueError)

NO_VARIABLE = "it reads a tensor that is no Keras variable, such as a weight of a PyTorch module"
# What is in the errors of a stand-in of a tensor that is asked for its value.
ASKS_FOR_VALUE = ("DataDependent", "_local_scalar_dense", "numpy()", "__array__")


class Recorded:
    """`eagerly(*arguments)`, replayed from recorded operations from the second call of a shape on.

    Args:
        eagerly: takes tensors (nested), returns tensors (nested); it may read and assign Keras
            variables, and no other state.
        step: function of (mapping, *arguments) that does the same, where `mapping` is a list of
            pairs (variable, tensor): it reads the variables' values from these tensors and writes
            them there.
        variables: function without arguments: all Keras variables that are read or assigned.
        first: the function to call while nothing is recorded; by default `eagerly`.
        compiled: whether to pass the recorded operations to `torch.compile`.
        name: a name for the warning if it can't be recorded; by default there is no warning.
        around: function without arguments: a scope in which the operations are replayed.
    """

    def __init__(
        self,
        eagerly,
        step,
        variables,
        first=None,
        compiled=False,
        name=None,
        around=contextlib.nullcontext,
    ):
        self.eagerly = eagerly
        self.first = first or eagerly
        self.step = step
        self.variables = variables
        self.compiled = compiled
        self.name = name
        self.around = around
        self.graphs = {}

    def __call__(self, *arguments):
        flat = optree.tree_leaves(arguments, none_is_leaf=True)
        if any(isinstance(a, np.ndarray) for a in flat):
            return self.eagerly(*arguments)
        key = tuple((a.shape, a.dtype, a.device) if torch.is_tensor(a) else a for a in flat)
        graph = self.graphs.get(key)
        if graph is None and len(self.graphs) < MOST_SHAPES:
            outputs = self.first(*arguments)
            self.graphs[key] = FIRST_SEEN
            return outputs
        if graph is FIRST_SEEN:
            graph = self.graphs[key] = self.record(arguments)
        if graph in (None, NEVER):
            return self.eagerly(*arguments)
        operations, variables, used, structure = graph
        tensors = itertools.compress([a for a in flat if torch.is_tensor(a)], used)
        with torch.no_grad(), self.around():
            outputs = operations(*[v.value for v in variables], *tensors)
        return optree.tree_unflatten(structure, outputs)

    def record(self, arguments):
        variables = list({id(v): v for v in self.variables()}.values())
        flat, layout = optree.tree_flatten(arguments, none_is_leaf=True)
        structure = None

        def flat_step(*tensors):
            nonlocal structure
            values, left = tensors[: len(variables)], iter(tensors[len(variables) :])
            leaves = [next(left) if torch.is_tensor(a) else a for a in flat]
            inputs = optree.tree_unflatten(layout, leaves)
            outputs = self.step(list(zip(variables, values)), *inputs)
            leaves, structure = optree.tree_flatten(outputs, none_is_leaf=True)
            return leaves

        tensors = [*(v.value for v in variables), *filter(torch.is_tensor, flat)]
        num_tensors = len(tensors) - len(variables)
        try:
            with whole_tracebacks():
                graph = private.record(flat_step, [tensor.detach() for tensor in tensors])
            check_literals(graph.graph)
        except NOT_RECORDABLE as error:  # the same has just run eagerly, so it isn't a mistake
            new = self.name and NEVER not in self.graphs.values()
            logging.getLogger(__name__).log(
                logging.WARNING if new else logging.INFO,
                "%s runs eagerly, which is slower: its operations can't be recorded, since %s.",
                self.name or "A function",
                cause_of(error),
            )
            return NEVER
        used = simplify(graph)
        if self.compiled:
            graph = torch.compile(graph, dynamic=False)
        variables = [v for v, needed in zip(variables, used) if needed]
        return graph, variables, used[len(used) - num_tensors :], structure


@contextlib.contextmanager
def whole_tracebacks():
    """Open a scope in which Keras leaves its own functions in the traceback of an error."""
    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if filtered:
            keras.config.enable_traceback_filtering()


def cause_of(error):
    """Return in words why something can't be recorded, of the error that this raised."""
    received = f"{type(error).__name__} {error}"
    if private.comes_from_a_seed(error):
        return "a layer has noise with a seed of its own, such as Dropout(seed=1); leave it out"
    if "convert all Tensors to FakeTensors" in received:
        return NO_VARIABLE
    if any(sign in received for sign in ASKS_FOR_VALUE):
        return (
            "it asks for the value of a tensor, as `if tensor:`, float(tensor), tensor.item() and "
            "conversions to NumPy do; use operations on tensors instead, such as keras.ops.where"
        )
    return received.removeprefix("RuntimeError ").rstrip(".")


def check_literals(graph):
    """Raise an error if the graph reads a tensor that is neither an argument nor a number in the
    code."""
    for node in graph.find_nodes(op="get_attr"):
        if any(user.target is not torch.ops.aten.lift_fresh_copy.default for user in node.users):
            raise RuntimeError(NO_VARIABLE)


class Scope(keras.StatelessScope):
    """A scope in which, as in eager PyTorch, no gradient passes through assigned values."""

    def add_update(self, update):
        variable, value = update
        super().add_update((variable, value.detach()))


class Branch(Within):
    """A scope for one branch of a condition, within the scope `outer`. What it reads are copies, so
    that it may also write in place, as optimizers do; `values` holds them, by their variables'
    ids."""

    def __init__(self, outer):
        super().__init__(outer, [])
        self.values = {}

    def get_current_value(self, variable):
        if id(variable) not in self.values:
            self.values[id(variable)] = variable, super().get_current_value(variable).clone()
        return self.values[id(variable)][1]

    def add_update(self, update):
        self.values[id(update[0])] = update


def both_branches(pred, true_fn, false_fn):
    """Return the result of `true_fn` or of `false_fn`, and leave variables as it does, by running
    both. So a condition on a tensor's value is an operation like others, if neither branch can
    fail, draws noise, or has a gradient: it is used for optimizers."""
    outer, results = private.stateless_scope(), []
    for branch in (true_fn, false_fn):
        with Branch(outer) as scope:
            results.append((branch(), scope.values))
    (output, values), (other, values_there) = results
    for key, (variable, _) in {**values, **values_there}.items():
        before = variable, outer.get_current_value(variable)
        either = [each.get(key, before)[1] for each in (values, values_there)]
        outer.add_update((variable, torch.where(pred, *either)))
    return optree.tree_map(functools.partial(torch.where, pred), output, other)


def write(scope, mapping, before=None):
    """Copy the values that variables have in `scope` to their tensors in `mapping`, unless they are
    those from `before` (by default `mapping`'s own)."""
    changed = []
    for (variable, tensor), (_, old) in zip(mapping, before or mapping):
        new = scope.get_current_value(variable)
        if new is not old:
            # Make a copy, in case it is another variable's tensor.
            changed.append((tensor, new.detach().clone()))
    with torch.no_grad():
        for tensor, new in changed:
            tensor.copy_(new)


def recorded_function(model, function):
    """Return `function(*tensors)` of `model`, recorded and without gradients."""

    def eagerly(*arguments):
        with torch.no_grad():
            return function(*arguments)

    def step(mapping, *arguments):
        with torch.no_grad(), Scope(mapping) as scope:
            outputs = function(*arguments)
        write(scope, mapping)
        return outputs

    return Recorded(eagerly, step, lambda: model.variables)


def loss_tracker(model):
    """Return the metric in which Keras's step keeps the mean of the loss: the first of that
    name."""
    return next(metric for metric in model.metrics if metric.name == "loss")


def recorded_step(model, eagerly, training):
    """Return Keras's training or test step of `model`, recorded; `eagerly` is Keras's own function
    of the data."""
    compiled = model.jit_compile is True

    def forward(data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data[0])
        y_pred = model(x, training=training)
        loss = model.compute_loss(x, y, y_pred, sample_weight, training=training)
        batch_size = len(next(a for a in keras.tree.flatten(x) if a is not None))
        loss_tracker(model).update_state(loss, sample_weight=batch_size)
        return loss, (x, y, y_pred, sample_weight)

    def test_step(mapping, data):
        with torch.no_grad(), Scope(mapping, collect_losses=True) as scope:
            _, batch = forward(data)
            logs = model.compute_metrics(*batch)
        write(scope, mapping)
        return logs

    def train_step(mapping, data):
        variables = model.trainable_variables
        known = {id(v) for v in variables}
        leaves = [
            (v, value.detach().requires_grad_() if id(v) in known else value)
            for v, value in mapping
        ]
        with torch.enable_grad(), Scope(leaves, collect_losses=True) as scope:
            loss, batch = forward(data)
            loss = model.optimizer.scale_loss(loss)
        values = {id(v): value for v, value in leaves}
        gradients = torch.autograd.grad(loss, [values[id(v)] for v in variables], allow_unused=True)
        write(scope, mapping, leaves)
        # Compiled, the optimizer's many small operations become one by themselves.
        fused = contextlib.nullcontext() if compiled else fused_adam(model.optimizer)
        with torch.no_grad(), Scope(mapping) as scope:
            with fused, private.cond_replaced(both_branches):
                model.optimizer.apply(gradients, variables)
            logs = model.compute_metrics(*batch)
        write(scope, mapping)
        return logs

    def keras_step(data):  # not compiled: for one step that would take half a minute
        if not training:
            with torch.no_grad():
                return model.test_step(data[0])
        logs = model.train_step(data[0])
        model.zero_grad()  # recorded steps keep no gradients
        return logs

    def all_variables():
        return model.variables + model.metrics_variables + model.optimizer.variables

    steps = itertools.count(1)

    @contextlib.contextmanager
    def whole_step():
        with model.interrupts.step():
            if training and next(steps) % denormals.EVERY == 0:
                denormals.flush(model.optimizer)
            yield

    return Recorded(
        whole_or_undone(model, eagerly),
        train_step if training else test_step,
        all_variables,
        first=whole_or_undone(model, keras_step, all_variables),
        compiled=compiled,
        name=f"The {'training' if training else 'test'} step of {type(model).__name__}",
        around=whole_step,
    )
