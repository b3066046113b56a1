"""The conditional VAE.

Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional Generative
Models, https://papers.nips.cc/paper/5775
"""

import keras

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

    It is a `VAE` that insists on a condition: any other model takes one, too, by the same
    arguments.

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
        if classes is None and condition_dim is None:
            raise ValueError(
                "Give either `classes`, for labels, or `condition_dim`, for vectors. Received: "
                "neither. Without a condition the model is a `VAE`."
            )
        super().__init__(*args, classes=classes, condition_dim=condition_dim, **kwargs)
