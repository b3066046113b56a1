"""What speed rests on, counted in place of timed: traces, compilations, reads of the device's
values, memory."""

import contextlib
import subprocess
import sys
import threading

import keras
import numpy as np
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
def reads():
    """A list that grows by one whenever this thread reads a value from the device, and waits."""
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
        return
    if BACKEND == "jax":
        from jax._src.array import ArrayImpl as Array

        name, read = "_value", Array._value
    else:
        from tensorflow.python.framework.ops import EagerTensor as Array

        name, read = "_numpy", Array._numpy
    thread = threading.get_ident()

    def count(array):
        if threading.get_ident() == thread:
            found.append(array)
        return read.fget(array) if isinstance(read, property) else read(array)

    setattr(Array, name, property(count) if isinstance(read, property) else count)
    try:
        yield found
    finally:
        setattr(Array, name, read)


def test_training_is_traced_once(vae, x):
    vae.fit(x, batch_size=16, epochs=3, validation_data=(x,), verbose=0)  # a last batch of 8
    assert 0 < Counting.traces < 20
    Counting.traces = 0
    vae.fit(x, batch_size=16, epochs=4, validation_data=(x,), verbose=0)
    assert Counting.traces == 0


def test_verbs_are_traced_once_for_a_few_sizes(vae, x):
    def ask():
        for n in range(1, 41):
            vae.encode(x[:n], batch_size=16)
            vae.reconstruct(x[:n], batch_size=16)
            vae.log_likelihood(x[:n], num_samples=8, batch_size=16)

    ask()
    Counting.traces = 0
    ask()
    assert Counting.traces == 0


def test_reads_of_the_device(vae, x):
    with reads() as found:
        float(keras.ops.sum(keras.ops.ones((2,))))
    assert len(found) == 1
    vae.fit(x, batch_size=4, epochs=3, verbose=0)
    with reads() as found:
        vae.fit(x, batch_size=4, epochs=5, verbose=0)
    # PyTorch reads the seed of its noise, Keras on TensorFlow whether there is a batch.
    per_step = 0 if BACKEND == "jax" else 1
    assert len(found) <= 50 * per_step + 5 * 3  # and the three logs once an epoch


MEMORY = """
import resource
import numpy as np
from keras_aevae import VAE, networks
vae = VAE(*networks.mlp((28, 28, 1), latent_dim=4, hidden=(16,)))
x = np.zeros((64, 28, 28, 1), "float32")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for num_samples in (64, 64):
    vae.log_likelihood(x, num_samples=num_samples)
before = peak()
vae.log_likelihood(x, num_samples=2048)
print(peak() - before)
"""


def test_log_likelihood_needs_no_more_memory_for_more_samples():
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 40  # MiB; all samples at once would be 400


if BACKEND == "jax":

    def test_nothing_is_compiled_twice(vae, x):
        import jax

        compiled = []

        def listen(event, duration, **kwargs):
            if event == "/jax/core/compile/backend_compile_duration":
                compiled.append(event)

        vae.fit(x, batch_size=16, epochs=2, verbose=0)
        vae.encode(x)
        jax.monitoring.register_event_duration_secs_listener(listen)
        vae.fit(x, batch_size=16, epochs=2, verbose=0)
        vae.encode(x)
        vae.encode(x[:33])
        assert not compiled
        vae.encode(x[:1])
        assert compiled  # the listener listens
