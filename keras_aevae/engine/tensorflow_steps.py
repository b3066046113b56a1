"""TensorFlow: several steps in one execution, each of them taken as a whole or not at all.

Keras's own function of an iterator starts a step while its batch is still being fetched, and
fetches the next one while the step runs. Should the data fail, some of the model's variables have
moved and others haven't. Here a step starts when its batch is there, its weights move when all
gradients are there, and the next batch is fetched when it is done; `tf.data` prepares batches in
threads of its own either way. The number of steps is an argument of the one function that is
traced, so that another number asks for no other trace.
"""

import contextlib
import functools
import time

import keras
import tensorflow as tf

from keras_aevae.engine.whole_steps import whole_or_undone

# The seconds that TensorFlow may take steps for before Python can answer Ctrl-C, if one step takes
# no longer.
LONGEST = 0.25


def steps_function(model, step, training):
    """Return Keras's training or test function of `model`. It takes the model's
    `steps_per_execution` steps `step(data)` with the batches of an iterator, and returns the logs
    of the last one."""

    if training and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)

    def one_step(data):
        with updates_after_gradients(model.optimizer):
            return step(keras.tree.map_structure(none_of_optional, data))

    if model.run_eagerly:
        return eager_function(model, whole_or_undone(model, one_step))
    one_step = traced_apart(one_step, jit_compile=model.jit_compile)

    def on_iterator(data, iterator, most):
        def fetch(done):
            return tf.cond(
                done < most,
                iterator.get_next_as_optional,
                lambda: tf.experimental.Optional.empty(iterator.element_spec),
            )

        def more(done, batch, logs):
            return batch.has_value()

        def another(done, batch, logs):
            logs = one_step(batch.get_value())
            with tf.control_dependencies(tensors_of(logs)):
                return done + 1, fetch(done + 1), logs

        logs = one_step(data)
        with tf.control_dependencies(tensors_of(logs)):
            batch = fetch(1)
        return tf.while_loop(more, another, (1, batch, logs), parallel_iterations=1)[-1]

    on_iterator, on_batches = traced_apart(on_iterator), eager_function(model, one_step)
    seconds_of_step = LONGEST

    def function(iterator):
        nonlocal seconds_of_step
        if not isinstance(iterator, tf.data.Iterator):
            return on_batches(iterator)
        logs, left = None, model.steps_per_execution
        while left:
            most = min(left, max(1, int(LONGEST / seconds_of_step)))
            start = time.perf_counter()
            try:
                data = next(iterator)
            except StopIteration:
                if logs is None:
                    raise
                break
            logs = on_iterator(data, iterator, tf.constant(most)) if most > 1 else one_step(data)
            seconds_of_step = (time.perf_counter() - start) / most
            left -= most
        return logs

    return function


def traced_apart(function, **settings):
    """Return `function` as TensorFlow traces it, for one model. TensorFlow counts how often a
    function is traced by its code, and would warn of a fifth model, whose code is the same: a
    `partial` has none."""
    function = functools.partial(function)
    return tf.function(function, autograph=False, reduce_retracing=True, **settings)


def eager_function(model, one_step):
    """Return a function like that of `steps_function`, in which Python, not TensorFlow, takes the
    batches from the iterator."""

    def function(batches):
        batches = iter(batches)
        logs = one_step(next(batches))
        for _, data in zip(range(model.steps_per_execution - 1), batches):
            logs = one_step(data)
        return logs

    return function


@contextlib.contextmanager
def updates_after_gradients(optimizer):
    """Open a scope in which `optimizer` changes nothing before all gradients are computed. A step
    that fails, for example because memory runs out, has then changed no weight."""

    def apply(grads, trainable_variables=None):
        with tf.control_dependencies(tensors_of(grads)):
            return type(optimizer).apply(optimizer, grads, trainable_variables)

    vars(optimizer)["apply"] = apply
    try:
        yield
    finally:
        del vars(optimizer)["apply"]


def tensors_of(values):
    """Return the tensors in `values`, which may be nested, sparse or absent."""
    return [v for v in tf.nest.flatten(values, expand_composites=True) if tf.is_tensor(v)]


def none_of_optional(value):
    """Return `value`, or None if it is the empty Optional that Keras's datasets have in place of a
    missing target or weight."""
    return None if isinstance(value, tf.experimental.Optional) else value
