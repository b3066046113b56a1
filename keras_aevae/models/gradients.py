"""Where gradients go: through a part of a model without reaching its weights."""

import keras
from keras import ops


def frozen(layer):
    """A scope in which the weights of `layer` are constants.

    Gradients pass through what is computed in it, and not into those weights; and nothing that it
    does to the layer's state (moving averages, seeds) stays.

    ```python
    with frozen(discriminator):
        logits = discriminator(z)  # a gradient for z, none for the discriminator
    ```
    """
    trainable = {id(v) for v in layer.trainable_variables}
    # All of the layer's variables: within the scope, one that isn't named would be read as it was
    # before the training step began.
    return keras.StatelessScope(
        [
            (v, ops.stop_gradient(v.value) if id(v) in trainable else v.value)
            for v in layer.variables
        ]
    )
