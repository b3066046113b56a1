"""PyTorch: a function's tensor operations, recorded once for each shape and replayed.

Run eagerly, a small step spends more time in the Python of layers, metrics and optimizers than in
its arithmetic. Recorded, it is a list of tensor operations. JAX and TensorFlow trace their steps
for the same reason, and the same rules hold: what is no operation on tensors happens while
recording, once. So a number that changes in training must be a schedule or a variable, and what is
frozen or replaced asks for another `compile`. What can't be recorded, such as a branch on a
tensor's value, runs as it did, and the logger of this module says so.
"""

import contextlib
import itertools
import logging

import keras
import numpy as np
import optree
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from keras_aevae.models import denormals
from keras_aevae.models.fused_adam import fused_adam

# Shapes of arguments that one function is recorded for; beyond them it runs eagerly.
MOST_SHAPES = 16
FIRST_SEEN, NEVER = "first seen", "never"


class Recorded:
    """`eagerly(*arguments)`, by recorded operations from the second call of the same shapes on.

    Args:
        eagerly: takes tensors (nested), returns tensors (nested); it may read and assign Keras
            variables, and no other state.
        step: function of (mapping, *arguments) that does the same, where `mapping` is a list of
            pairs (variable, tensor): it reads the variables' values there and writes them there.
        variables: function of nothing: all Keras variables that are read or assigned.
        first: what to call instead of `eagerly` before there are operations; by default that.
        compiled: hand the recorded operations to `torch.compile`.
        name: what it is, for a warning where it can't be recorded; by default none is given.
        before: called before the operations are replayed, each time.
    """

    def __init__(
        self, eagerly, step, variables, first=None, compiled=False, name=None, before=None
    ):
        self.eagerly = eagerly
        self.first = first or eagerly
        self.step = step
        self.variables = variables
        self.compiled = compiled
        self.name = name
        self.before = before
        self.graphs = {}

    def __call__(self, *arguments):
        flat = optree.tree_leaves(arguments, none_is_leaf=True)
        if any(isinstance(a, np.ndarray) for a in flat):
            return self.eagerly(*arguments)
        key = tuple((a.shape, a.dtype, a.device) if torch.is_tensor(a) else a for a in flat)
        graph = self.graphs.get(key)
        if graph is None and len(self.graphs) < MOST_SHAPES:
            self.graphs[key] = FIRST_SEEN
            return self.first(*arguments)
        if graph is FIRST_SEEN:
            graph = self.graphs[key] = self.record(arguments)
        if graph in (None, NEVER):
            return self.eagerly(*arguments)
        if self.before:
            self.before()
        operations, variables, used, structure = graph
        tensors = itertools.compress([a for a in flat if torch.is_tensor(a)], used)
        with torch.no_grad():
            # Their tensors as they are: a variable's `value` asks for scopes, and takes its time.
            outputs = operations(*[v._value for v in variables], *tensors)
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
            graph = make_fx(flat_step, tracing_mode="fake")(
                *[tensor.detach() for tensor in tensors]
            )
        except Exception as error:  # whatever it trips over; a mistake will raise eagerly too
            new = self.name and NEVER not in self.graphs.values()
            logging.getLogger(__name__).log(
                logging.WARNING if new else logging.INFO,
                "%s runs eagerly, which is slower: its operations can't be recorded: %r",
                self.name or "A function",
                error,
            )
            return NEVER
        graph.graph.eliminate_dead_code()  # what writes to a tensor is kept
        # What isn't used needn't be passed: a verb uses half of the weights.
        places = graph.graph.find_nodes(op="placeholder")
        used = [bool(place.users) for place in places]
        for place in places:
            if not place.users:
                graph.graph.erase_node(place)
        fuse_biases(graph.graph)
        fuse_convolutions(graph.graph)
        replay_any_strides(graph.graph)
        graph.recompile()
        if self.compiled:
            graph = torch.compile(graph, dynamic=False)
        variables = [v for v, needed in zip(variables, used) if needed]
        return graph, variables, used[len(used) - num_tensors :], structure


def fuse_biases(graph):
    """A matrix product and its bias as one operation: one pass over the result less.

    The product moves to the place of the sum; nothing between them writes to what it takes, since
    all writes are at the end (see `write`).
    """
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.add.Tensor):
        if node.kwargs or not all(isinstance(a, torch.fx.Node) for a in node.args):
            continue
        product, bias = node.args
        if product.target is not torch.ops.aten.mm.default or len(product.users) > 1:
            continue
        a, b = (n.meta.get("val") for n in (product, bias))
        if a is not None and b is not None and b.shape == a.shape[1:] and b.dtype == a.dtype:
            node.target, node.args = torch.ops.aten.addmm.default, (bias, *product.args)
            graph.erase_node(product)


READ_BY = (
    torch.ops.aten.constant_pad_nd.default,
    torch.ops.aten.convolution.default,
    torch.ops.aten.convolution_backward.default,
)


def fuse_convolutions(graph):
    """Convolutions of channels-last images: with their bias, and of images as they lie in memory.

    Keras puts the channels first, in a copy, which PyTorch copies back; and adds the bias after.
    The convolution moves to the place of the sum, which is right for the reason in `fuse_biases`.
    """
    aten = torch.ops.aten
    for node in graph.find_nodes(op="call_function", target=aten.clone.default):
        only_read = all(user.target in READ_BY for user in node.users)
        if node.kwargs == {"memory_format": torch.channels_last} and only_read:
            before = node.args[0]
            if before.target is aten.clone.default:
                node.args = before.args
                if not before.users:
                    graph.erase_node(before)
            node.target = aten.contiguous.default
    for node in graph.find_nodes(op="call_function", target=aten.add.Tensor):
        if node.kwargs or not all(isinstance(a, torch.fx.Node) for a in node.args):
            continue
        last, spread = node.args
        if (last.target, spread.target) != (aten.permute.default, aten.view.default):
            continue
        product, bias = last.args[0], spread.args[0]
        if product.target is not aten.convolution.default or product.args[2] is not None:
            continue
        if len(last.users) > 1 or len(product.users) > 1:
            continue
        sizes, a, b = (n.meta["val"] for n in (spread, product, bias))
        if a.ndim != 4 or last.args[1] != [0, 2, 3, 1] or a.dtype != b.dtype:
            continue
        if b.shape != a.shape[1:2] or sizes.shape != (1, 1, 1, len(b)):
            continue
        with graph.inserting_before(node):
            node.target = aten.permute.default
            node.args = (
                graph.call_function(
                    aten.convolution.default, (*product.args[:2], bias, *product.args[3:])
                ),
                last.args[1],
            )
        for unused in (last, product, spread):
            if not unused.users:
                graph.erase_node(unused)


def replay_any_strides(graph):
    """Let operations take tensors that were contiguous while recording and aren't afterwards."""
    for node in graph.nodes:
        mutated = any(getattr(u.target, "_schema", u).is_mutable for u in node.users if is_call(u))
        if node.target is torch.ops.aten.view.default and not mutated:
            node.target = torch.ops.aten.reshape.default
        if node.target is torch.ops.aten._fused_adam_.tensor_lr:  # it walks raw memory
            with graph.inserting_before(node):
                contiguous = [
                    graph.call_function(torch.ops.aten.contiguous.default, (gradient,))
                    for gradient in node.args[1]
                ]
            node.update_arg(1, contiguous)


def is_call(node):
    return node.op == "call_function" and hasattr(node.target, "_schema")


class Scope(keras.StatelessScope):
    """As in Keras's eager PyTorch, no gradient goes through what a variable was assigned."""

    def add_update(self, update):
        variable, value = update
        super().add_update((variable, value.detach()))


def write(scope, mapping, before=None):
    """Copy the values that variables have in `scope` to their tensors in `mapping`, where they
    aren't the ones from `before` (by default `mapping`'s own)."""
    changed = []
    for (variable, tensor), (_, old) in zip(mapping, before or mapping):
        new = scope.get_current_value(variable)
        if new is not old:
            # A copy of its own, should it be another variable's tensor.
            changed.append((tensor, new.detach().clone()))
    with torch.no_grad():
        for tensor, new in changed:
            tensor.copy_(new)


def recorded_function(model, function):
    """`function(*tensors)` of `model`, without gradients."""

    def eagerly(*arguments):
        with torch.no_grad():
            return function(*arguments)

    def step(mapping, *arguments):
        with torch.no_grad(), Scope(mapping) as scope:
            outputs = function(*arguments)
        write(scope, mapping)
        return outputs

    return Recorded(eagerly, step, lambda: model.variables)


def recorded_step(model, eagerly, training):
    """Keras's training or test step of `model`; `eagerly` is Keras's own function of the data."""
    compiled = model.jit_compile is True

    def forward(data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data[0])
        y_pred = model(x, training=training)
        loss = model.compute_loss(x, y, y_pred, sample_weight, training=training)
        batch_size = len(next(a for a in keras.tree.flatten(x) if a is not None))
        model._loss_tracker.update_state(loss, sample_weight=batch_size)
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
            with fused:
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

    def flush():
        if next(steps) % denormals.EVERY == 0:
            denormals.flush(model.optimizer)

    step, before = (train_step, flush) if training else (test_step, None)
    name = f"The {'training' if training else 'test'} step of {type(model).__name__}"
    return Recorded(eagerly, step, all_variables, keras_step, compiled, name, before)
