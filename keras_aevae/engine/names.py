"""What a model's terms are called: asked once, of the terms themselves."""

import keras
from keras import ops


def names_of(model):
    """Names of the `example_terms` and `batch_terms` of `model`, in their order: a tuple.

    They are computed for one example, in a scope that leaves no trace: abstractly on JAX, which
    would compile each operation; really on the other backends, where that takes milliseconds.
    """

    def terms(*inputs):
        inputs = inputs if len(inputs) > 1 else inputs[0]
        with keras.StatelessScope():
            outputs = model.with_one_draw(model(inputs, training=False))
            x, _ = model.unpack(inputs)
            each, of_batch = model.example_terms(x, outputs), model.batch_terms(x, outputs)
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
