"""On TensorFlow, `fit` runs several steps in one execution if no callback looks at single batches.

Between two steps TensorFlow returns to Python, which calls the callbacks, starts the next step and
waits for its logs. For a small network this takes a fourth of the time. With Keras's
`steps_per_execution`, TensorFlow returns only after several steps, and callbacks are called only
then.
"""

import contextlib

import keras

from keras_aevae.engine import replicas
from keras_aevae.engine.batches import Batches
from keras_aevae.engine.inference import first_of, is_array

# The largest number of steps in an execution, and the smallest number of executions in an epoch.
# The progress bar moves, and callbacks are called, once for each execution.
MOST, FEWEST_EXECUTIONS = 20, 5

HOOKS = [
    f"on_{kind}batch_{moment}" for kind in ("", "train_", "test_") for moment in ("begin", "end")
]


class Progress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, which doesn't run past its end if the last execution has fewer
    steps."""

    async_safe = True  # as Keras's own

    def on_train_batch_end(self, batch, logs=None):
        last = batch if self.target is None else min(batch, self.target - 1)
        super().on_train_batch_end(last, logs)


@contextlib.contextmanager
def several_steps(model, x, settings):
    """Open a scope for `fit(x, **settings)`, and yield the settings to use instead.

    In this scope the model has a larger `steps_per_execution`, if it was compiled with the default
    of 1 and the results of training, and all that callbacks see, stay the same.
    """
    steps = steps_at_once(model, x, settings)
    if steps == 1:
        yield settings
        return
    callbacks = keras.tree.flatten(settings.get("callbacks") or [])
    if settings.get("verbose", "auto") != 0:
        callbacks.append(Progress())
    with steps_per_execution(model, steps):
        yield {**settings, "callbacks": callbacks}


def steps_of_user(model):
    """Return a scope in which the model has the `steps_per_execution` that it was compiled with.

    A callback may use the model while `fit` runs several steps at once.
    """
    return steps_per_execution(model, vars(model).get("_steps_of_user", model.steps_per_execution))


@contextlib.contextmanager
def steps_per_execution(model, steps):
    before, known = model.steps_per_execution, "_steps_of_user" in vars(model)
    vars(model).setdefault("_steps_of_user", before)
    model.steps_per_execution = steps
    try:
        yield
    finally:
        model.steps_per_execution = before
        if not known:
            del vars(model)["_steps_of_user"]


def steps_at_once(model, x, settings):
    """Return the number of steps that one execution of `fit(x, **settings)` may take."""
    if (
        keras.backend.backend() != "tensorflow"
        or model.steps_per_execution != 1
        or model.run_eagerly
        or not replicas.of_default_strategy(model.distribute_strategy)
        or keras.config.max_steps_per_epoch()
    ):
        return 1
    callbacks = settings.get("callbacks")
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return 1
    if any(looks_at_batches(callback) for callback in keras.tree.flatten(callbacks or [])):
        return 1
    given = [settings.get("steps_per_epoch"), settings.get("validation_steps")]
    batches = number_of_batches(x, settings)
    if given[0] and batches and given[0] != batches:
        return 1  # an epoch begins in the middle of the data, and its executions with them
    most = min(MOST, (batches or given[0] or 0) // FEWEST_EXECUTIONS)
    # Keras would take more steps than were asked for, up to a whole execution.
    asked = [steps for steps in given if steps]
    return next((n for n in range(most, 1, -1) if all(steps % n == 0 for steps in asked)), 1)


def looks_at_batches(callback):
    """Return whether `callback` does something at the beginning or the end of single batches."""
    for name in HOOKS:
        hook = getattr(callback, name)
        if getattr(hook, "__func__", None) is getattr(keras.callbacks.Callback, name):
            continue
        of_keras = hook.__module__.startswith("keras.")
        if not of_keras or getattr(callback, "save_freq", None) != "epoch":
            return True
    return False


def number_of_batches(x, settings):
    """Return the number of batches of one epoch, or None if it isn't known."""
    if is_array(first_of(x)):
        examples = int(len(first_of(x)) * (1 - (settings.get("validation_split") or 0.0)))
        return -(-examples // (settings.get("batch_size") or 32))
    if isinstance(x, (keras.utils.PyDataset, Batches)):
        return x.num_batches
    if hasattr(x, "cardinality"):  # of tf.data, below 0 where it isn't known
        return max(0, int(x.cardinality()))
    return len(x) if hasattr(x, "__len__") else None
