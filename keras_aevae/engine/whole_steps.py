"""After an error or Ctrl-C in `fit`, a model is as it was after the last step that finished.

On JAX Keras takes the values out of a model's variables for the time of `fit`, and each step gives
the memory of its state to the next. So the newest state must be kept, to be put back. On TensorFlow
and PyTorch a step writes to the variables in place, and must not be left half-way.
"""

import contextlib
import functools
import signal
import sys
import threading

import keras

from keras_aevae.engine import private


class Interrupts:
    """Handles Ctrl-C: the first one waits for the end of a step, a second one doesn't."""

    def __init__(self):
        self.in_step, self.waiting, self.previous = False, None, None

    @contextlib.contextmanager
    def between_steps(self):
        """Open a scope in which Ctrl-C waits for the end of a `step`. Python interrupts only the
        main thread, so in other threads this does nothing."""
        previous = signal.getsignal(signal.SIGINT)
        main = threading.current_thread() is threading.main_thread()
        if not main or not callable(previous) or previous == self.handle:
            yield
            return
        self.previous = previous
        signal.signal(signal.SIGINT, self.handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def handle(self, *arguments):
        if self.in_step and self.waiting is None:
            self.waiting = arguments
        else:
            self.waiting = None
            self.previous(*arguments)

    @contextlib.contextmanager
    def step(self):
        self.in_step = True
        try:
            yield
        finally:
            self.in_step = False
            if self.waiting is not None:
                self.handle(*self.waiting)


class WholeSteps(private.HoldsJaxState, keras.Model):
    """A Keras model whose steps are taken as a whole or not at all."""

    @functools.cached_property
    def interrupts(self):
        return Interrupts()

    def step_to_trace(self, step):
        """Return the function that Keras traces on JAX in place of its own `step(state, data)`."""
        if keras.backend.backend() != "jax":
            return step

        def whole_step(state, data):
            with self.interrupts.step():
                outputs, state = step(state, data)
                private.hold_jax_state(self, state)
            return outputs, state

        return whole_step


@contextlib.contextmanager
def whole_steps(model):
    """Open a scope for steps of `model`, after which its variables have values, even after an
    error."""
    give_back_state(model)  # a callback may use the model while it is trained
    with model.interrupts.between_steps():
        try:
            yield
        except BaseException:
            give_back_state(model)
            raise


def give_back_state(model):
    """On JAX, put the state that `model` is trained with into its variables."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


@contextlib.contextmanager
def finalized_if_finished(optimizer):
    """Open a scope in which `optimizer` does what it does at the end of training only if there was
    no error. It replaces the weights by their moving averages; on JAX, Keras would do so after an
    error too."""
    if optimizer is None or keras.backend.backend() != "jax":
        yield
        return
    handled = sys.exc_info()[1]

    def finalize(variables):
        if sys.exc_info()[1] is handled:
            type(optimizer).finalize_variable_values(optimizer, variables)

    vars(optimizer)["finalize_variable_values"] = finalize
    try:
        yield
    finally:
        del vars(optimizer)["finalize_variable_values"]


def whole_or_undone(model, step, variables=None):
    """Return `step(data)` of `model`, which runs eagerly, as a step that is taken as a whole.

    Ctrl-C waits for its end, and after an error the variables have their former values. They are
    those that `variables()` returns, by default all that the forward pass may change. Weights and
    the optimizer's variables change last, so they need no copy.
    """
    if variables is None:

        def variables():
            return model.non_trainable_variables + model.metrics_variables

    def whole_step(data):
        before = [(variable, keras.ops.copy(variable.value)) for variable in variables()]
        with model.interrupts.step():
            try:
                return step(data)
            except BaseException:
                for variable, value in before:
                    variable.assign(value)
                raise

    return whole_step
