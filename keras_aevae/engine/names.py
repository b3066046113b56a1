"""The names of a model's terms, found by computing the terms once; their shapes are checked."""

import keras
from keras import ops


def names_of(model):
    """Return the names of the `example_terms` and `batch_terms` of `model`, in order, as a tuple.

    The terms are computed for one example, in a scope that changes no state: abstractly on JAX,
    which would compile each operation; with real numbers on the other backends, where that takes
    milliseconds.
    """

    def terms(*inputs):
        inputs = inputs if len(inputs) > 1 else inputs[0]
        with keras.StatelessScope():
            outputs = model.with_one_draw(model(inputs, training=False))
            x, _ = model.unpack(inputs)
            each, of_batch = model.example_terms(x, outputs), model.batch_terms(x, outputs)
        check_shapes("terms", each, (1,), "(batch,): one number for each example, not reduced")
        check_shapes("batch_terms", of_batch, (), "(): one number for the batch")
        nonlocal names
        names = (*each, *of_batch)
        return list(each.values())

    names = ()
    inputs = [ops.zeros((1, *model.example_shape))]
    if model.condition is not None:
        shape, dtype = model.condition.each
        inputs.append(ops.zeros((1, *shape), dtype))
    if keras.backend.backend() == "jax":
        import jax

        jax.eval_shape(terms, *inputs)
    else:
        terms(*inputs)
    return names


def check_shapes(method, terms, shape, wanted):
    """Raise unless all `terms` of one example, which `method` returned, have this `shape`."""
    for name, term in terms.items():
        received = tuple(ops.convert_to_tensor(term).shape)
        if received != shape:
            each = str(received).replace("1", "batch", 1) if received[:1] == (1,) else received
            raise ValueError(
                f"`{method}` must return tensors of shape {wanted}. Received: `{name}` of shape "
                f"{each}."
            )
