"""The conditional VAE.

Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional Generative
Models, https://papers.nips.cc/paper/5775
"""

import keras
from keras import ops

from keras_aevae.engine.checks import check_values
from keras_aevae.engine.inference import is_pair
from keras_aevae.models.condition import Classes, Vectors
from keras_aevae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_aevae")
class ConditionalVAE(VAE):
    """A VAE whose encoder and decoder are both told a condition c: a label or a vector.

        loss = -E_q(z|x,c)[log p(x|z,c)] + KL(q(z|x,c) || p(z))

    The prior doesn't depend on c, as in Kingma et al. 2014 (https://arxiv.org/abs/1406.5298), so z
    holds what the condition doesn't say: style. Good for: samples of a chosen class, and changing
    the condition while keeping z. Misleads when the decoder ignores c, since z may say the same:
    compare samples of one z under several conditions.

    Args:
        encoder: takes [x, c] and gives features.
        decoder: takes [z, c] and gives the likelihood's parameters. `networks.mlp` and `conv` make
            both with `condition_dim=`, the length of c.
        classes: where conditions are labels: their number n, for 0..n-1, or a list of them,
            integers or strings. c is then one-hot, of their number. (Keras takes no strings from
            datasets: there, give the strings' places in the list.)
        condition_dim: where they are vectors: their length. Give this or `classes`.
        other arguments: as for `VAE`; its prior can't be a VampPrior.

    `fit`, `evaluate` and `predict` take the pair `(x, condition)` as x: `fit((x, labels))`, and
    datasets of batches `((x, labels),)`. The verbs take `condition=`: one for each x or z, or
    one for all.

    Example:

    ```python
    from keras_aevae import ConditionalVAE, datasets, networks
    (x_train, y_train), (x_test, y_test) = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=4, condition_dim=10)
    model = ConditionalVAE(encoder, decoder, classes=10)
    model.compile()
    model.fit((x_train, y_train), epochs=2)
    threes = model.sample(16, condition=3)
    codes = model.encode(x_test, condition=y_test)
    ```
    """

    def __init__(self, *args, classes=None, condition_dim=None, **kwargs):
        if (classes is None) == (condition_dim is None):
            raise ValueError(
                "Give either `classes`, for labels, or `condition_dim`, for vectors. Received: "
                f"classes={classes!r}, condition_dim={condition_dim!r}."
            )
        self.condition = Classes(classes) if condition_dim is None else Vectors(condition_dim)
        super().__init__(*args, **kwargs)

    @property
    def condition_dim(self):
        return self.condition.length

    def unpack(self, inputs):
        """`(x, c)` from `(x, condition)`: c is a float vector for each example."""
        x, condition = inputs
        return x, self.condition.encode(condition)

    def terms(self, x, outputs):
        # NaN for an unknown label, since a network may swallow it (a ReLU does, on TensorFlow).
        unknown = 0.0 * ops.sum(outputs["condition"], axis=-1)
        return {name: term + unknown for name, term in super().terms(x, outputs).items()}

    def check_arrays(self, x, condition=None, *, name, shape, support):
        if condition is None and is_pair(x):
            x, condition = x
        if condition is None:
            raise ValueError(
                f"{type(self).__name__} needs a condition for each {name}: condition= in the "
                "verbs; fit((x, condition)), validation_data=((x, condition),) and datasets of "
                f"batches ((x, condition),). Received: `{name}` alone."
            )
        check_values(name, x, shape, support)
        return x, self.condition.check(condition, len(x))

    def get_config(self):
        labels = isinstance(self.condition, Classes)
        own = {
            "classes": self.condition.labels if labels else None,
            "condition_dim": None if labels else self.condition_dim,
        }
        return {**super().get_config(), **own}
