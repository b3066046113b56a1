"""The conditional VAE.

Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional Generative
Models, https://papers.nips.cc/paper/5775
"""

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_positive_integer
from keras_aevae.models.checks import check_values
from keras_aevae.models.inference import as_numpy, is_pair
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
        self.classes = None if classes is None else check_classes(classes)
        self.condition_dim = (
            check_positive_integer("condition_dim", condition_dim)
            if self.classes is None
            else len(self.classes)
        )
        super().__init__(*args, **kwargs)

    @property
    def codes_of_classes(self):
        """The integers that stand for the classes in tensors: their own, or their places."""
        return [c if isinstance(c, int) else i for i, c in enumerate(self.classes)]

    def unpack(self, inputs):
        """`(x, c)` from `(x, condition)`: c is a float vector for each example."""
        x, condition = inputs
        if self.classes is None:
            return x, ops.cast(condition, self.compute_dtype)
        known = ops.convert_to_tensor(np.array(self.codes_of_classes, "int32"))
        one_hot = ops.equal(ops.cast(ops.reshape(condition, (-1, 1)), "int32"), known)
        # Later batches of a dataset can't be checked in `fit`: an unknown label makes the loss NaN.
        known = ops.any(one_hot, axis=-1, keepdims=True)
        return x, ops.where(known, ops.cast(one_hot, self.compute_dtype), np.nan)

    def terms(self, x, outputs):
        # NaN for an unknown label, since a network may swallow it (a ReLU does, on TensorFlow).
        unknown = 0.0 * ops.cast(ops.sum(outputs["condition"], axis=-1), "float32")
        return {name: term + unknown for name, term in super().terms(x, outputs).items()}

    def check_arrays(self, x, condition=None, *, name, shape, support):
        if condition is None and is_pair(x):
            x, condition = x
        if condition is None:
            raise ValueError(
                f"ConditionalVAE needs a condition for each {name}: fit(({name}, condition)), "
                f"datasets of batches (({name}, condition),), and condition= in the verbs. "
                f"Received: `{name}` alone."
            )
        check_values(name, x, shape, support)
        return x, self.check_condition(condition, len(x))

    def check_condition(self, condition, n):
        """`condition` as an array for `n` examples: of integers, or of vectors."""
        condition = as_numpy(condition)
        each = () if self.classes is not None else (self.condition_dim,)
        if condition.shape == each:
            condition = np.broadcast_to(condition, (n, *each))
        if condition.shape != (n, *each):
            raise ValueError(
                f"`condition` must have shape {(n, *each)}, or {each} for the same one everywhere. "
                f"Received: condition.shape={condition.shape}."
            )
        if self.classes is None:
            check_values("condition", condition, each, None)
            return condition.astype("float32")
        labels = condition.tolist()
        codes = dict(zip(self.classes, self.codes_of_classes))
        unknown = sorted({label for label in labels if label not in codes}, key=str)
        if unknown:
            raise ValueError(
                f"`condition` must hold labels of the model's `classes`: {self.classes}. Received: "
                f"{unknown[:5]}."
            )
        return np.array([codes[label] for label in labels], "int32")

    def get_config(self):
        own = {
            "classes": self.classes,
            "condition_dim": self.condition_dim if self.classes is None else None,
        }
        return {**super().get_config(), **own}


def check_classes(classes):
    """The labels as a list: from their number, or from themselves."""
    if isinstance(classes, (int, np.integer)) and not isinstance(classes, bool):
        return list(range(check_positive_integer("classes", classes)))
    labels = list(classes) if isinstance(classes, (list, tuple, np.ndarray, range)) else []
    labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
    if {type(label) for label in labels} not in ({int}, {str}) or len(set(labels)) < len(labels):
        raise ValueError(
            "`classes` must be the number of classes, or a list of different integers or strings. "
            f"Received: classes={classes!r}."
        )
    return labels
