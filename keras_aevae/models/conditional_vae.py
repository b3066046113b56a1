"""The conditional VAE.

Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional Generative
Models, https://papers.nips.cc/paper/5775
"""

import keras

from keras_aevae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_aevae")
class ConditionalVAE(VAE):
    """A VAE whose encoder and decoder both take a condition c: a label or a vector.

        loss = -E_q(z|x,c)[log p(x|z,c)] + KL(q(z|x,c) || p(z))

    The prior doesn't depend on c, as in Kingma et al. 2014 (https://arxiv.org/abs/1406.5298), so z
    holds what the condition doesn't determine: style. Good for: samples of a chosen class, and
    changing the condition while z stays the same. Misleads when the decoder ignores c, since z may
    contain it too: compare samples of one z under several conditions.

    Args:
        encoder: takes [x, c] and gives features.
        decoder: takes [z, c] and gives the likelihood's parameters. `networks.mlp` and
            `networks.conv` make both networks with `condition_dim=`, the length of c.
        classes: the labels, if conditions are labels: their number n, for 0..n-1, or a list of
            integers or strings. c is then one-hot. (Keras takes no strings from datasets: give the
            strings' positions in the list there.)
        condition_dim: the length of the vectors, if conditions are vectors. Give this or `classes`.
        other arguments: as for `VAE`; the prior can't be a VampPrior.

    It is a `VAE` that requires a condition. Any other model also takes a condition, by the same
    arguments.

    `fit`, `evaluate` and `predict` take the pair `(x, condition)` as x: `fit((x, labels))`, or
    datasets of batches `((x, labels),)`. Methods such as `encode` take `condition=`: one for each x
    or z, or a single one for all.

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
