"""Writing a function of tensors as a file that runs without this library."""

import importlib.util
import warnings

import keras
from keras import ops

from keras_aevae._checks import check_name

# The formats that each backend can write, and the packages that they need.
FORMATS = {
    "tensorflow": {
        "tf_saved_model": [],
        "litert": [],
        "onnx": ["tf2onnx"],
        "openvino": ["openvino"],
    },
    "jax": {"tf_saved_model": ["tensorflow"], "onnx": ["jax2onnx"]},
    "torch": {"torch": [], "onnx": ["onnx", "onnxscript"]},
}
ENDINGS = {"litert": ".tflite", "onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}


def export_function(function, signature, filepath, format, verbose=None, **kwargs):
    """Write `function` to `filepath`.

    Args:
        function: a pure function of tensors, one for each spec in `signature`, that returns a dict
            of tensors. Variables that it reads become constants or variables of the file.
        signature: list of `keras.InputSpec` with names; None in a shape stands for any size.
        filepath: where to write.
        format: "tf_saved_model", "litert", "onnx", "openvino" or "torch".
        verbose: False to print nothing.
        **kwargs: other arguments of Keras's writer of that format.

    Raises:
        ValueError: if the format is unknown, the backend in use can't write it, or `filepath` has
            another extension.
        ImportError: if a package that the format needs isn't installed.
    """
    filepath = str(filepath)
    check_format(format, filepath)
    backend = keras.backend.backend()
    write = WRITERS.get((backend, format), write_by_keras)
    write(function, list(signature), filepath, format=format, verbose=verbose, **kwargs)
    if format in CHECKS:
        CHECKS[format](filepath)


def check_format(format, filepath):
    check_name("format", format, set().union(*FORMATS.values()))
    backend = keras.backend.backend()
    if format not in FORMATS[backend]:
        able = [name for name, formats in FORMATS.items() if format in formats]
        raise ValueError(
            f"The backend {backend!r} can't write format={format!r}, only "
            f"{', '.join(map(repr, FORMATS[backend]))}. Choose one of these, or save the model, "
            f"load it under KERAS_BACKEND={' or '.join(able)}, and export it there."
        )
    if not filepath.endswith(ENDINGS.get(format, "")):
        raise ValueError(
            f"`filepath` must end with {ENDINGS[format]!r} for format={format!r}. Received: "
            f"filepath={filepath!r}."
        )
    missing = [name for name in FORMATS[backend][format] if not importlib.util.find_spec(name)]
    if missing:
        raise ImportError(
            f"format={format!r} on the backend {backend!r} needs {', '.join(missing)}. Run: "
            f"pip install {' '.join(missing)}"
        )


class Graph(keras.Model):
    """A function of one or two tensors as a Keras model, which owns none of its variables."""

    def __init__(self, function, variables=()):
        # No autocast: the function gets its inputs as they are, whatever the policy.
        super().__init__(dtype="float32", autocast=False)
        self.function = function
        self.variables_read = list(variables)
        self.built = True

    def call(self, first, second=None):
        return self.function(first) if second is None else self.function(first, second)


class Reads(keras.StatelessScope):
    """A scope that lists in `read` the variables that are read."""

    def __init__(self):
        super().__init__()
        self.read = {}

    def get_current_value(self, variable):
        self.read[id(variable)] = variable
        return super().get_current_value(variable)


def samples(signature):
    """Return tensors of these shapes, with 2 in place of any size."""
    return [ops.ones([size or 2 for size in spec.shape], spec.dtype) for spec in signature]


def write_by_keras(function, signature, filepath, **settings):
    Graph(function).export(filepath, input_signature=signature, **settings)


def write_saved_model(function, signature, filepath, **settings):
    with Reads() as scope:
        function(*samples(signature))
    graph = Graph(function, scope.read.values())
    graph.export(filepath, input_signature=signature, **settings)


def write_jax_onnx(
    function, signature, filepath, *, format, verbose=None, opset_version=None, **kwargs
):
    """Write ONNX as Keras does on JAX, but with names for the outputs."""
    import jax
    import jax2onnx

    def outputs(*tensors):
        # Times 1: jax2onnx loses an output that is computed from another.
        return [value * 1 for _, value in sorted(function(*tensors).items())]

    if opset_version is not None:
        kwargs["opset"] = opset_version
    jax2onnx.to_onnx(
        outputs,
        [
            jax.ShapeDtypeStruct([size or "batch" for size in spec.shape], spec.dtype)
            for spec in signature
        ],
        input_names=[spec.name for spec in signature],
        output_names=sorted(jax.eval_shape(function, *samples(signature))),
        return_mode="file",
        output_path=filepath,
        **kwargs,
    )
    say_saved(filepath, verbose)


def write_torch(function, signature, filepath, **settings):
    import torch

    settings.setdefault("dynamic_shapes", torch_dynamic_shapes(signature))
    with torch.no_grad():
        write_by_keras(function, signature, filepath, **settings)


def write_torch_onnx(function, signature, filepath, *, format, verbose=None, **kwargs):
    """Write ONNX by PyTorch's newer exporter: Keras's choice, the older one, fails on constants."""
    import torch

    arguments = samples(signature)
    with torch.no_grad():
        torch.onnx.export(
            Graph(function),
            tuple(arguments),
            filepath,
            dynamo=True,
            dynamic_shapes=torch_dynamic_shapes(signature),
            input_names=[spec.name for spec in signature],
            output_names=list(function(*arguments)),
            verbose=False,
            **{"external_data": False, **kwargs},
        )
    say_saved(filepath, verbose)


def torch_dynamic_shapes(signature):
    """Return which sizes of the inputs are dynamic, as `torch.export` takes it for
    `forward(*args)`."""
    import torch

    batch = torch.export.Dim("batch", min=1)
    return [tuple({} if spec.shape[0] else {0: batch} for spec in signature)]


def say_saved(filepath, verbose):
    if verbose is not False:
        print(f"Saved artifact at '{filepath}'.")


def check_onnx(filepath):
    """Raise an error if the file has operations that ONNX doesn't have, as tf2onnx may write."""
    import onnx

    onnx.checker.check_model(filepath, full_check=True)


def check_litert(filepath):
    """Warn if the file has operations of TensorFlow, which LiteRT alone can't run."""
    with open(filepath, "rb") as file:
        content = file.read()
    if b"Flex" in content:
        warnings.warn(
            f"'{filepath}' has operations that LiteRT runs only together with TensorFlow's own "
            "('Select TensorFlow ops'): those of 16 bits, if the model has a mixed dtype policy.",
            stacklevel=4,
        )


CHECKS = {"onnx": check_onnx, "litert": check_litert}

WRITERS = {
    ("tensorflow", "tf_saved_model"): write_saved_model,
    ("jax", "tf_saved_model"): write_saved_model,
    ("jax", "onnx"): write_jax_onnx,
    ("torch", "torch"): write_torch,
    ("torch", "onnx"): write_torch_onnx,
}
