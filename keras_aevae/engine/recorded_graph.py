"""PyTorch: a recorded graph with fewer operations, and the same results up to rounding.

Each operation costs a few microseconds, which is most of the time of a small model's step.
"""

import operator

import torch

from keras_aevae.engine import private

# The largest number of values in a constant of a graph.
MOST_NUMBERS = 1024


def simplify(graph):
    """Simplify `graph`, a `torch.fx.GraphModule`, and return which of its inputs are still used.

    Only these need to be given. A verb, for example, uses half of the weights.
    """
    fold_constants(graph)
    graph.graph.eliminate_dead_code()  # operations that write to a tensor are kept
    places = graph.graph.find_nodes(op="placeholder")
    used = [bool(place.users) for place in places]
    for place in places:
        if not place.users:
            graph.graph.erase_node(place)
    fuse_convolutions(graph.graph)
    replay_any_strides(graph.graph)
    graph.recompile()
    return used


def fold_constants(module):
    """Compute small tensors that depend on no input, such as the prior's scale, only once."""
    graph, known = module.graph, {}
    exposed = sharing_memory([*written_to(graph), *graph.output_node().all_input_nodes])
    for node in list(graph.nodes):
        if node in exposed:  # its memory is changed, here or by the caller
            continue
        if node.op == "get_attr":
            known[node] = getattr(module, node.target)
        elif is_pure(node) and all(argument in known for argument in node.all_input_nodes):
            arguments, settings = torch.fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
            value = node.target(*arguments, **settings)
            if not torch.is_tensor(value) or value.numel() > MOST_NUMBERS:
                continue
            name = f"constant_{node.name}"
            module.register_buffer(name, value)
            with graph.inserting_before(node):
                constant = graph.get_attr(name)
            constant.meta = node.meta
            known[constant] = value
            node.replace_all_uses_with(constant)
            graph.erase_node(node)


def is_pure(node):
    """Return whether it is an operation of PyTorch's own that always gives the same result."""
    return (
        is_call(node)
        and node.target.namespace == "aten"
        and not private.schema(node.target).is_mutable
        and torch.Tag.nondeterministic_seeded not in node.target.tags
    )


def written_to(graph):
    """Return the nodes that some operation writes to."""
    found = []
    for node in filter(is_call, graph.nodes):
        arguments = private.schema(node.target).arguments
        given = dict(zip([argument.name for argument in arguments], node.args)) | node.kwargs
        for argument in arguments:
            if argument.alias_info and argument.alias_info.is_write and argument.name in given:
                torch.fx.node.map_arg(given[argument.name], found.append)
    return found


def sharing_memory(nodes):
    """Return `nodes` and the nodes that they are views of."""
    found, pending = set(), list(nodes)
    while pending:
        node = pending.pop()
        found.add(node)
        results = private.schema(node.target).returns if is_call(node) else []
        view = any(result.alias_info for result in results)
        if view or node.target is operator.getitem:
            pending += node.all_input_nodes
    return found


READ_BY = (
    torch.ops.aten.constant_pad_nd.default,
    torch.ops.aten.convolution.default,
    torch.ops.aten.convolution_backward.default,
)


def fuse_convolutions(graph):
    """Fuse convolutions with their bias, and let them take channels-last images as they are.

    Keras moves the channels first, in a copy, which PyTorch copies back; and adds the bias
    afterwards. The convolution moves to the place of that sum: nothing between them writes to its
    inputs, since all writes are at the end (see `recorded.write`).
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
    written = sharing_memory(written_to(graph))
    for node in graph.nodes:
        if node.target is torch.ops.aten.view.default and node not in written:
            node.target = torch.ops.aten.reshape.default
        if private.is_fused_adam(node.target):  # it walks raw memory
            with graph.inserting_before(node):
                contiguous = [
                    graph.call_function(torch.ops.aten.contiguous.default, (gradient,))
                    for gradient in node.args[1]
                ]
            node.update_arg(1, contiguous)


def is_call(node):
    return node.op == "call_function" and private.schema(node.target) is not None
