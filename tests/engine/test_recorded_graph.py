"""Rewrites of what PyTorch recorded: fewer operations, the same results."""

import operator

import pytest
import torch
import torch.nn.functional as F
from torch.fx.experimental.proxy_tensor import make_fx

from keras_aevae.engine.recorded_graph import (
    MOST_NUMBERS,
    fold_constants,
    fuse_convolutions,
    simplify,
)


def operations(graph):
    return [
        str(node.target).split(".")[1]
        for node in graph.graph.nodes
        if node.op == "call_function" and node.target is not operator.getitem
    ]


def with_constant(size):
    return lambda x: x * torch.exp(-torch.zeros(size)) + torch.tensor(1.0)


def after(write, given=lambda x, constant: x + constant):
    """A function of x with a constant that `write` writes to."""

    def function(x):
        constant = torch.zeros(3)
        write(constant)
        return given(x, constant) + torch.exp(torch.zeros(3))

    return function


@pytest.mark.parametrize(
    "function, size, left",
    [
        (with_constant(3), 3, ["mul", "add"]),
        (with_constant(MOST_NUMBERS + 1), MOST_NUMBERS + 1, ["zeros", "neg", "exp", "mul", "add"]),
        (lambda x: x + torch.rand(3), 3, ["rand", "add"]),
        (after(lambda c: c.add_(1)), 3, ["zeros", "add_", "add", "add"]),
        (after(lambda c: c.view(3, 1).add_(1)), 3, ["zeros", "view", "add_", "add", "add"]),
        (after(lambda c: c.unbind(0)[0].add_(1)), 3, ["zeros", "unbind", "add_", "add", "add"]),
        (after(lambda c: torch.add(c + 1, 1, out=c)), 3, ["zeros", "add", "add", "add", "add"]),
    ],
)
def test_what_depends_on_no_input_is_computed_once(function, size, left):
    x = torch.rand(size)
    graph = make_fx(function, tracing_mode="fake")(x)
    fold_constants(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    assert operations(graph) == left
    for _ in range(2):  # what it computes once stays as it is
        torch.manual_seed(0)
        given = graph(x)
        torch.manual_seed(0)
        torch.testing.assert_close(given, function(x))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x + 1, torch.zeros(4)),
        lambda x: (x + 1, torch.zeros(4).view(2, 2)),
        lambda x: (x + 1, torch.tensor([1.0, 2.0]).view(2, 1)),
        lambda x: (x + 1, torch.zeros(4).detach()),
    ],
)
def test_a_result_is_the_callers_to_write_to(function):
    x = torch.rand(3)
    graph = make_fx(function, tracing_mode="fake")(x)
    simplify(graph)
    graph(x)[1].add_(1)
    torch.testing.assert_close(graph(x), function(x))


def test_inputs_that_are_not_used_are_named():
    graph = make_fx(lambda a, b, c: a + c, tracing_mode="fake")(*torch.ones(3, 2))
    assert simplify(graph) == [True, False, True]
    torch.testing.assert_close(graph(torch.ones(2), torch.ones(2)), torch.full((2,), 2.0))


def convolved(pad=None, spread=(1, 1, 1, 4), back=(0, 2, 3, 1), write=False):
    """A function as Keras has it, of channels-last images, a kernel and a bias."""

    def function(x, kernel, bias):
        x = x.permute(0, 3, 1, 2).contiguous().clone(memory_format=torch.channels_last)
        if pad:
            x = F.pad(x, pad)
        y = F.conv2d(x, kernel.permute(3, 2, 0, 1).clone(memory_format=torch.channels_last))
        y = y.permute(back) + bias.view(spread)
        if write:  # at the end, where a recorded function has its writes
            x.add_(1.0)
        return y

    return function


@pytest.mark.parametrize(
    "function, copies, bias_within",
    [
        (convolved(), 0, True),
        (convolved(pad=(0, 1, 0, 1)), 0, True),
        (convolved(spread=(4,)), 0, False),  # a view that adds no dimension is none
        (convolved(back=(0, 1, 3, 2), spread=(1, 4, 1, 1)), 0, False),
        (convolved(write=True), 2, True),
    ],
)
def test_a_convolution_takes_its_bias_and_images_as_they_lie(function, copies, bias_within):
    values = [torch.rand(shape) for shape in ((5, 8, 8, 3), (3, 3, 3, 4), (4,))]
    expected = function(*values)
    graph = make_fx(function, tracing_mode="fake")(*values)
    fuse_convolutions(graph.graph)
    graph.recompile()
    nodes = graph.graph.find_nodes
    clones = nodes(op="call_function", target=torch.ops.aten.clone.default)
    (product,) = nodes(op="call_function", target=torch.ops.aten.convolution.default)
    assert len(clones) == copies
    assert (product.args[2] is not None) == bias_within
    before = [value.clone() for value in values]
    torch.testing.assert_close(graph(*values), expected)
    assert all(torch.equal(a, b) for a, b in zip(values, before))
