"""What speed rests on, counted in place of timed: traces, compilations, reads of the device's
values, memory."""

import contextlib

import keras
import pytest

from keras_aevae import VAE, networks

BACKEND = keras.backend.backend()


class Counting(VAE):
    """Counts how often its loss is computed in Python: a trace each, where steps are compiled."""

    traces = 0

    def compute_loss(self, *args, **kwargs):
        Counting.traces += 1
        return super().compute_loss(*args, **kwargs)

    def infer(self, *args, **kwargs):
        Counting.traces += 1
        return super().infer(*args, **kwargs)


@pytest.fixture
def vae():
    Counting.traces = 0
    model = Counting(*networks.mlp((6,), latent_dim=2, hidden=(8,)), seed=0)
    model.compile()
    return model


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(size=(40, 6)).astype("float32")


@contextlib.contextmanager
def compilations():
    """A list that grows by one with each compilation of XLA."""
    import jax

    found = []

    def listen(event, duration, **kwargs):
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)


@contextlib.contextmanager
def reads():
    """A list that grows by one whenever a value is read from the device: a wait for it."""
    found = []
    if BACKEND == "torch":
        import torch
        from torch.utils._python_dispatch import TorchDispatchMode

        class Count(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                if function is torch.ops.aten._local_scalar_dense.default:
                    found.append(function)
                return function(*args, **(kwargs or {}))

        with Count():
            yield found
    elif BACKEND == "jax":
        from jax._src.array import ArrayImpl

        value = ArrayImpl._value

        def count(array):
            found.append(array)
            return value.fget(array)

        ArrayImpl._value = property(count)
        yield found
        ArrayImpl._value = value
    else:
        from tensorflow.python.framework.ops import EagerTensor

        numpy = EagerTensor._numpy

        def count(tensor):
            found.append(tensor)
            return numpy(tensor)

        EagerTensor._numpy = count
        yield found
        EagerTensor._numpy = numpy
