import keras
import pytest
from zoo import EACH_KIND

from keras_aevae._requirements import installed_backends

# What is made for some backends only; and what asks none, once.
ONE = {installed_backends()[0]}
ONLY = {
    "latent/test_arguments.py": ONE,
    "latent/test_claims.py": ONE,
    "latent/test_clusters_and_anomalies.py": ONE,
    "latent/test_collapse.py": ONE,
    "latent/test_disentanglement.py": ONE,
    "latent/test_invariances.py": ONE,
    "latent/test_memory.py": ONE,
    "latent/test_samples_against_data.py": ONE,
    "latent/test_structure_and_use.py": ONE,
    "distributed/test_torch_callback.py": {"torch"},
    "engine/test_fused_adam.py": {"torch", "tensorflow"},
    "engine/test_recorded.py": {"torch"},
    "engine/test_recorded_graph.py": {"torch"},
    "engine/test_tensorflow_graph.py": {"tensorflow"},
}
collect_ignore = [path for path, own in ONLY.items() if keras.backend.backend() not in own]


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="with all variants: hours, not minutes")


def pytest_collection_modifyitems(config, items):
    """Leave out variants of a kind in the tests that are marked `each_kind`, without `--long`."""
    if config.getoption("--long"):
        return
    left = [
        item
        for item in items
        if item.get_closest_marker("each_kind") and item.callspec.params["row"] not in EACH_KIND
    ]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


def jax_gradient(f, arrays):
    import jax

    return jax.jit(jax.grad(f, argnums=tuple(range(len(arrays)))))(*arrays)


def tensorflow_gradient(f, arrays):
    import tensorflow as tf

    tensors = [tf.convert_to_tensor(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = f(*tensors)
    return tape.gradient(value, tensors)


def torch_gradient(f, arrays):
    import torch

    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    return torch.autograd.grad(f(*tensors), tensors)


GRADIENTS = {"jax": jax_gradient, "tensorflow": tensorflow_gradient, "torch": torch_gradient}


@pytest.fixture
def gradient():
    """`gradient(f, *arrays)`: the gradients of the scalar `f(*tensors)` at NumPy float arrays, as
    NumPy arrays, by the backend's own differentiation; one array for one."""

    def compute(f, *arrays):
        gradients = GRADIENTS[keras.backend.backend()](f, arrays)
        gradients = [keras.ops.convert_to_numpy(g) for g in gradients]
        return gradients[0] if len(arrays) == 1 else gradients

    return compute
