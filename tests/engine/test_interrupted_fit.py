"""After an error or Ctrl-C a model is as it was after the last step that finished."""

import os
import signal
import threading

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae.engine.whole_steps import Interrupts

BACKEND = keras.backend.backend()
SIZE, STEPS = 16, 5
X = np.random.default_rng(0).uniform(size=(SIZE * STEPS, 6)).astype("float32")


class Batches(keras.utils.PyDataset):
    """The batches of X; in an epoch, `at` one of them, `happens(batch)` comes in its place."""

    def __init__(self, epoch=None, at=None, happens=None):
        super().__init__()
        self.epoch, self.at, self.happens, self.now = epoch, at, happens, -1

    def __len__(self):
        return STEPS

    def on_epoch_begin(self):
        self.now += 1

    def __getitem__(self, i):
        batch = X[SIZE * i : SIZE * (i + 1)]
        return (self.happens(batch) if (self.now, i) == (self.epoch, self.at) else batch,)


def raises(error):
    def happens(batch):
        raise error

    return happens


def build(optimizer=None, cls=ka.VAE, **settings):
    keras.utils.set_random_seed(0)
    model = cls(*ka.networks.mlp((6,), latent_dim=2, hidden=(8,)), seed=1000)
    model.compile(optimizer or keras.optimizers.Adam(0.01), **settings)
    model.optimizer.build(model.trainable_variables)
    return model


def state_of(model, seeds=True):
    variables = model.variables + model.optimizer.variables
    return {
        i: np.array(keras.ops.convert_to_numpy(variable.value))
        for i, variable in enumerate(variables)
        if seeds or not variable.path.endswith("seed_generator_state")
    }


def set_state(model, state):
    for variable, value in zip(model.variables + model.optimizer.variables, state.values()):
        variable.assign(value)


def assert_state(model, expected, seeds=True):
    for i, value in state_of(model, seeds).items():
        np.testing.assert_allclose(value, expected[i], rtol=1e-4, atol=1e-6)


def states_of(model, num_steps):
    """Its states before an undisturbed training, and after each step."""
    states = [state_of(model)]
    for step in range(num_steps):
        i = step % STEPS
        model.train_on_batch(X[SIZE * i : SIZE * (i + 1)])
        states.append(state_of(model))
    return states


@pytest.fixture(autouse=True)
def python_handles_ctrl_c():
    """Which a shell may have told it not to."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def undisturbed():
    return states_of(build(), 2 * STEPS)


@pytest.fixture(scope="module")
def trained():
    return build()


@pytest.fixture
def model(trained, undisturbed):
    """A model that has no step behind it, without its steps compiled again."""
    set_state(trained, undisturbed[0])
    return trained


def assert_usable(model, directory):
    assert np.isfinite(model.predict(X, verbose=0)["z_mean"]).all()
    assert np.isfinite(model.evaluate(X, verbose=0, return_dict=True)["loss"])
    model.save(directory / "model.keras")
    codes = keras.saving.load_model(directory / "model.keras").encode(X)
    np.testing.assert_allclose(codes, model.encode(X), atol=1e-5)
    assert np.isfinite(model.fit(X, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("error", [OSError("the disk"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize(
    "epoch, at, validation",
    [(0, 0, False), (0, STEPS - 1, False), (1, 0, False), (1, 3, False), (1, 0, True)],
)
def test_data_that_fail(epoch, at, validation, error, model, undisturbed):
    data = Batches(epoch, at, raises(error))
    settings = {"validation_data": (X,)} if validation else {}
    with pytest.raises(type(error)):
        model.fit(data, epochs=2, shuffle=False, verbose=0, **settings)
    # Validation draws noise too.
    assert_state(model, undisturbed[epoch * STEPS + at], seeds=not validation)


@pytest.mark.parametrize("at", [0, 3])
def test_a_model_can_be_used_at_once(at, model, undisturbed, tmp_path):
    with pytest.raises(OSError):
        model.fit(Batches(0, at, raises(OSError())), shuffle=False, verbose=0)
    assert_state(model, undisturbed[at])
    assert_usable(model, tmp_path)


def test_a_generator_that_fails(model, undisturbed):
    def generator():
        for i in range(3):
            yield (X[SIZE * i : SIZE * (i + 1)],)
        raise OSError("the disk")

    with pytest.raises(OSError):
        model.fit(generator(), verbose=0)
    assert_state(model, undisturbed[3])


def test_a_batch_of_another_shape(model, undisturbed):
    data = Batches(0, 3, lambda batch: batch[:, :4])
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        model.fit(data, shuffle=False, verbose=0)
    assert_state(model, undisturbed[3])


HOOKS = {
    "on_train_begin": 0,
    "on_epoch_begin": 0,
    "on_train_batch_begin": 0,
    "on_train_batch_end": 1,
    "on_test_begin": STEPS,
    "on_test_batch_begin": STEPS,
    "on_test_batch_end": STEPS,
    "on_test_end": STEPS,
    "on_epoch_end": STEPS,
    "on_train_end": STEPS,
}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_callback_that_fails(hook, model, undisturbed):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    callback = keras.callbacks.Callback()
    setattr(callback, hook, fail)
    with pytest.raises(KeyboardInterrupt):
        model.fit(Batches(), shuffle=False, verbose=0, validation_data=(X,), callbacks=[callback])
    assert_state(model, undisturbed[HOOKS[hook]], seeds=False)


def test_a_callback_that_fails_in_a_later_step(model, undisturbed):
    class Fails(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 3:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        model.fit(Batches(), shuffle=False, verbose=0, callbacks=[Fails()])
    assert_state(model, undisturbed[3])


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
@pytest.mark.parametrize("at", [0, 3])
def test_evaluation_and_prediction_that_fail(verb, at, model, undisturbed, tmp_path):
    model.fit(Batches(), shuffle=False, verbose=0)
    data = Batches(0, at, raises(OSError()))
    with pytest.raises(OSError):
        getattr(model, verb)(data, verbose=0)
    assert_state(model, undisturbed[STEPS], seeds=False)
    assert_usable(model, tmp_path)


@pytest.mark.skipif(BACKEND == "torch", reason="one step an execution")
@pytest.mark.parametrize("at", [0, 1, 3])
def test_data_that_fail_between_the_steps_of_an_execution(at, undisturbed):
    model = build(steps_per_execution=3)
    with pytest.raises(OSError):
        model.fit(Batches(0, at, raises(OSError())), shuffle=False, verbose=0)
    assert_state(model, undisturbed[at])


@pytest.mark.parametrize("at", [0, 2])
def test_moving_averages_stay_where_they_are(at):
    """Keras puts them in the weights' place when a training is finished."""
    states = states_of(build(keras.optimizers.Adam(0.01, use_ema=True)), at)
    model = build(keras.optimizers.Adam(0.01, use_ema=True))
    with pytest.raises(OSError):
        model.fit(Batches(0, at, raises(OSError())), shuffle=False, verbose=0)
    assert_state(model, states[at])
    try:
        raise ValueError  # an error that is handled already is none of this training
    except ValueError:
        model.fit(Batches(), shuffle=False, verbose=0)
    weights = {v.path: keras.ops.convert_to_numpy(v.value) for v in model.trainable_variables}
    for variable in model.optimizer.variables:
        path = variable.path.removeprefix("adam/").removesuffix("_average")
        if path != variable.path and path in weights:
            np.testing.assert_allclose(variable.numpy(), weights.pop(path), rtol=1e-6)


@pytest.mark.parametrize("run_eagerly, at", [(False, 0), (True, 0), (True, 3)])
def test_a_step_that_fails_half_way(run_eagerly, at, undisturbed, tmp_path):
    """When the forward pass has counted the step and drawn its noise."""

    class Fails(ka.VAE):
        steps = 0

        def compute_loss(self, *args, **kwargs):
            loss = super().compute_loss(*args, **kwargs)
            self.steps += 1
            if self.steps == at + 1:
                raise RuntimeError("half-way")
            return loss

    model = build(cls=Fails, run_eagerly=run_eagerly)
    with pytest.raises(RuntimeError, match="half-way"):
        model.fit(Batches(), shuffle=False, verbose=0)
    assert_state(model, undisturbed[at])
    assert np.isfinite(model.fit(X, verbose=0).history["loss"]).all()


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


class Interrupted(ka.VAE):
    """Ctrl-C comes while it takes step number `at`, before the weights have moved."""

    at = None

    def compute_loss(self, *args, **kwargs):
        def interrupt(step):
            if int(step) == self.at:
                self.at = None
                ctrl_c()

        if BACKEND == "jax":
            import jax

            jax.debug.callback(interrupt, self.step.value)
        elif BACKEND == "tensorflow":
            import tensorflow as tf

            tf.py_function(interrupt, [self.step.value], [])
        else:
            interrupt(self.step.value)
        return super().compute_loss(*args, **kwargs)


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("at", [0, 3])
def test_ctrl_c_within_a_step(at, run_eagerly, undisturbed, tmp_path):
    if BACKEND == "torch" and not run_eagerly:
        pytest.skip("nothing in Python runs within a recorded step; see below")
    model = build(cls=Interrupted, run_eagerly=run_eagerly)
    model.at = at
    with pytest.raises(KeyboardInterrupt):
        model.fit(Batches(), epochs=50, shuffle=False, verbose=0)
    steps = int(keras.ops.convert_to_numpy(model.step.value))
    assert steps == int(keras.ops.convert_to_numpy(model.optimizer.iterations.value)) > at
    if steps < len(undisturbed):  # JAX may have begun another one meanwhile
        assert_state(model, undisturbed[steps])
    model.predict(X, verbose=0)


if BACKEND == "torch":

    @pytest.mark.parametrize("operation", ["_fused_adam_", "copy_"])
    def test_ctrl_c_within_a_recorded_step(operation, model, undisturbed):
        import torch
        from torch.utils._python_dispatch import TorchDispatchMode

        class Interrupts(TorchDispatchMode):
            seen = 0

            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                outputs = function(*args, **(kwargs or {}))
                if function._opname == operation:
                    self.seen += 1
                    if self.seen == 1:
                        ctrl_c()
                return outputs

        class From(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                if batch == 3:
                    mode.__enter__()

        model.fit(Batches(), shuffle=False, verbose=0)  # recorded here
        set_state(model, undisturbed[0])
        mode = Interrupts()
        try:
            with pytest.raises(KeyboardInterrupt):
                model.fit(Batches(), shuffle=False, verbose=0, callbacks=[From()])
        finally:
            mode.__exit__(None, None, None)
        assert mode.seen
        assert_state(model, undisturbed[4])
        assert isinstance(model.variables[0].value, torch.Tensor)


if BACKEND == "jax":

    def test_a_callback_may_use_the_model(model, undisturbed):
        codes = []

        class Asks(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                codes.append(self.model.encode(X))
                codes.append(self.model.predict(X, verbose=0)["z_mean"])

        model.fit(Batches(), shuffle=False, verbose=0, callbacks=[Asks()])
        np.testing.assert_allclose(codes[-1], model.encode(X), atol=1e-5)
        np.testing.assert_allclose(codes[-2], model.encode(X), atol=1e-5)


def test_a_second_ctrl_c_does_not_wait():
    interrupts, before = Interrupts(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.between_steps(), interrupts.step():
        ctrl_c()
        reached = True
        ctrl_c()
        pytest.fail("it waited")
    assert reached and signal.getsignal(signal.SIGINT) is before
    with interrupts.between_steps(), interrupts.step():
        pass  # nothing is left waiting


def test_training_in_another_thread(model, undisturbed):
    """Where Python lets nobody handle signals."""
    thread = threading.Thread(
        target=lambda: model.fit(Batches(), shuffle=False, verbose=0), daemon=True
    )
    thread.start()
    thread.join()
    assert_state(model, undisturbed[STEPS])
