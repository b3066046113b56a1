import keras
import pytest

# Of what one backend alone has.
OF_ONE = {"torch": "models/test_recorded.py", "tensorflow": "models/test_tensorflow_graph.py"}
collect_ignore = [path for name, path in OF_ONE.items() if name != keras.backend.backend()]


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
