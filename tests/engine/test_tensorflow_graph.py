"""The graph of a training step that TensorFlow runs, after its optimizations."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

import keras_aevae as ka

READ, WRITE = "ReadVariableOp", ("AssignVariableOp", "AssignSubVariableOp", "ResourceApplyAdam")


def graphs_of(run):
    """The optimized graphs of the functions that `run()` calls, with their nodes by name."""
    context.enable_run_metadata()
    try:
        run()
        functions = context.export_run_metadata().function_graphs
    finally:
        context.disable_run_metadata()
    return [{node.name: node for node in f.post_optimization_graph.node} for f in functions]


def names_before(graph, name):
    """The nodes that have run before `name` does, by data or by control."""
    before, left = set(), [name]
    while left:
        for edge in graph[left.pop()].input:
            source = edge.lstrip("^").split(":")[0]
            if source not in before:
                before.add(source)
                left.append(source)
    return before


def unordered(graph):
    """Pairs of a read and a write of the same variable of which either may come first."""
    pairs = []
    for write in (node for node in graph.values() if node.op in WRITE):
        before = names_before(graph, write.name)
        for read in (node for node in graph.values() if node.op == READ):
            if read.input[0] == write.input[0] and read.name not in before:
                if write.name not in names_before(graph, read.name):
                    pairs.append((read.name, write.name))
    return pairs


def vae(cls=ka.VAE, **settings):
    return cls(*ka.networks.mlp((6,), latent_dim=2, hidden=(8,)), seed=0, **settings)


MODELS = {
    "VAE": vae,
    "FactorVAE": lambda: vae(ka.FactorVAE, discriminator=(8,)),
    "PIWAE": lambda: vae(ka.PIWAE, num_samples=2, num_bounds=2),
    "IWAE": lambda: vae(ka.IWAE, num_samples=2, gradient="doubly_reparameterized"),
    "VampPriorVAE": lambda: vae(ka.VampPriorVAE, prior=ka.distributions.VampPrior(4)),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weights_are_read_before_they_are_moved(model, optimizer):
    """Else a gradient would now and then be that of weights that are half updated: FactorVAE's
    was, in one of ten first steps of a busy machine."""
    model = model()
    model.compile(optimizer)
    x = np.random.default_rng(0).uniform(size=(16, 6)).astype("float32")
    graphs = graphs_of(lambda: model.train_on_batch(x))
    writes = sum(node.op in WRITE for graph in graphs for node in graph.values())
    assert writes >= len(model.trainable_variables)
    assert not [pair for graph in graphs for pair in unordered(graph)]


@pytest.mark.parametrize("settings", [{}, {"metrics": ["mse"]}], ids=str)
def test_a_batch_is_fetched_when_the_step_before_it_is_done(settings):
    """Else data that fail would stop that step half-way."""
    model = vae()
    model.compile(steps_per_execution=3, **settings)
    x = np.random.default_rng(0).uniform(size=(96, 6)).astype("float32")
    [graph] = [
        graph
        for graph in graphs_of(lambda: model.fit(x, batch_size=16, epochs=2, verbose=0))
        if any(node.op == "ResourceApplyAdam" for node in graph.values())
        and any("Iterator" in node.op for node in graph.values())
    ]
    fetched = [names_before(graph, n.name) for n in graph.values() if "Iterator" in n.op]
    writes = {node.name for node in graph.values() if node.op in WRITE}
    # One after the first step, and one after each of the loop's.
    assert sorted(len(writes & before) for before in fetched) == [len(writes) / 2, len(writes)]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weights_are_moved_when_all_gradients_are_there(optimizer):
    """Else a step that fails in the backward pass would have moved some of them."""
    model = vae()
    model.compile(optimizer)
    x = np.random.default_rng(0).uniform(size=(16, 6)).astype("float32")
    moved = 0
    for graph in graphs_of(lambda: model.train_on_batch(x)):
        products = {node.name for node in graph.values() if "MatMul" in node.op}
        for node in graph.values():
            if node.op in ("AssignSubVariableOp", "ResourceApplyAdam"):
                assert products and products <= names_before(graph, node.name)
                moved += 1
    assert moved >= len(model.trainable_variables)


def test_nothing_is_said_of_many_shapes_and_models(caplog):
    """TensorFlow warns of a function that is traced five times."""
    x = np.random.default_rng(0).random((40, 6), "float32")
    with caplog.at_level(logging.WARNING):
        counted = tf.function(lambda x: x)
        for n in range(1, 6):
            counted(tf.zeros(n))
        for _ in range(5):
            model = ka.VAE(*ka.networks.mlp((6,), 2, hidden=(4,)), seed=1)
            model.compile()
            model.fit(x, batch_size=40, verbose=0)
            model.predict(x, verbose=0)
        for n in (1, 2, 3, 5, 9, 17, 33):
            model.encode(x[:n])
            model.log_likelihood(x[:n], num_samples=3)
    told = [record.message for record in caplog.records if "retracing" in record.message]
    assert len(told) == 1 and "lambda" in told[0]  # of that function it is said


def test_nothing_is_said_within_a_users_own_step(caplog):
    """AutoGraph, which is on there, can't convert all of the loss."""
    model = ka.VAE(*ka.networks.mlp((6,), 2, hidden=(4,)), seed=1)
    model.compile()
    model.optimizer.build(model.trainable_variables)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, None, model(x, training=True), training=True)
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables))
        return loss

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            step(keras.ops.full((8, 6), 0.9))
        tf.function(two_shapes_of_python)(tf.ones(()))
    told = [record.message for record in caplog.records if "AutoGraph" in record.message]
    assert len(told) == 1 and "two_shapes_of_python" in told[0]  # of that one it is said
    assert int(model.step.numpy()) == 3


def two_shapes_of_python(x):
    if (y := x + 1.0) is not None:
        return y
