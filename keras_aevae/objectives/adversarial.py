"""Adversarial losses: a network tells two samples apart, and the other networks are trained by it.

Goodfellow et al. 2014, Generative Adversarial Networks, https://arxiv.org/abs/1406.2661
Lim & Ye 2017, Geometric GAN, https://arxiv.org/abs/1705.02894
Miyato et al. 2018, Spectral Normalization for GANs, https://arxiv.org/abs/1802.05957
"""

import keras
from keras import ops

from keras_aevae._checks import check_name
from keras_aevae.engine.endings import check_logits
from keras_aevae.engine.gradients import frozen

LOSSES = ("logistic", "hinge")


def discriminator_loss(real, fake, loss="logistic"):
    """Return a discriminator's loss for telling real examples from fake ones: shape (batch,).

        logistic: -1/2 [log D(real) + log(1 - D(fake))],  D = 1 / (1 + exp(-logit))
        hinge:     1/2 [max(0, 1 - logit(real)) + max(0, 1 + logit(fake))]

    The first is Goodfellow et al. 2014, equation 1, with the sign of a loss: a cross-entropy in
    nats. It is log 2 if D gives no information; for the best D, it is log 2 minus the
    Jensen-Shannon divergence of the two distributions (theorem 1), and the logit is log p_real(x) /
    p_fake(x). The second (Lim & Ye 2017; Miyato et al. 2018, equation 16) has no gradient where a
    logit is beyond 1, and no unit. Either misleads as a distance between the distributions: it
    measures how well this network tells them apart.

    Args:
        real, fake: logits, shape (batch, ...). A discriminator of patches gives many for each
            example; the result is their mean.
        loss: "logistic" or "hinge".

    Example:

    ```python
    from keras_aevae.objectives import discriminator_loss
    discriminator_loss([[0.0], [2.0]], [[0.0], [-2.0]])  # [0.6931, 0.1269] nats
    ```
    """
    check_name("loss", loss, LOSSES)
    real, fake = as_float32(real), as_float32(fake)
    if loss == "hinge":
        wrong = ops.relu(1.0 - real) + ops.relu(1.0 + fake)
    else:
        # -log D and -log(1 - D) are softplus of minus and plus the logit.
        wrong = ops.softplus(-real) + ops.softplus(fake)
    return 0.5 * mean_of_example(wrong)


def generator_loss(fake, loss="logistic"):
    """Return the loss of the network that makes the fake examples: shape (batch,).

        logistic: -log D(fake)
        hinge:    -logit(fake)

    The first is the non-saturating loss (Goodfellow et al. 2014, section 3), in nats: its gradient
    is largest where D is sure that an example is fake. The second (Lim & Ye 2017; Miyato et al.
    2018, equation 17) has no unit and no lower bound. Both mislead as a measure of quality: they
    also fall when D gets worse.

    Args:
        fake: logits, shape (batch, ...); the result is the mean over the logits of an example.
        loss: "logistic" or "hinge".

    Example:

    ```python
    from keras_aevae.objectives import generator_loss
    generator_loss([[0.0], [-2.0]])  # [0.6931, 2.1269] nats
    ```
    """
    check_name("loss", loss, LOSSES)
    fake = as_float32(fake)
    return mean_of_example(-fake if loss == "hinge" else ops.softplus(-fake))


class Adversary:
    """The terms that a discriminator adds to a loss, each with a gradient for the right networks.

    `discriminator` trains only the discriminator; `generator` and `log_ratio` train only the
    networks that made the examples. So all of them can be terms of one loss, and a model that has
    an adversary trains in one step:

        loss = ... + weight * generator(fake) + discriminator(real, fake)

    Good for: codes that follow any prior that can be sampled (Makhzani et al. 2015, Adversarial
    Autoencoders, https://arxiv.org/abs/1511.05644: real are draws from the prior, fake are codes);
    decoded data without blur (real are data, fake are decoded); a density ratio that has no closed
    form (Kim & Mnih 2018, https://arxiv.org/abs/1802.05983: `log_ratio`). Misleads in a sum: the
    two sides work against each other, so the loss says little; watch the terms.
    `keras_aevae.optimizers` gives the discriminator its own learning rate.

    It holds no weights: the network must also be an attribute of the model.

    Args:
        network: a Keras model from examples to logits, shape (batch, ...).
        loss: "logistic" or "hinge": see `discriminator_loss` and `generator_loss`.

    The methods take examples as the network does, and return float32 of shape (batch,). `training`
    is passed to the network: by default it is called in inference mode. Only `discriminator`
    changes the network's state (moving averages, spectral norms).

    Example, which makes patches of the reconstruction look like patches of the data:

    ```python
    import keras
    from keras_aevae import Autoencoder, networks
    from keras_aevae.objectives import Adversary

    class Sharp(Autoencoder):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            patches = keras.layers.Conv2D(8, 3, activation="relu"), keras.layers.Conv2D(1, 1)
            self.discriminator = keras.Sequential([keras.Input(self.data_shape), *patches])

        def terms(self, x, outputs):
            adversary = Adversary(self.discriminator, loss="hinge")
            fake = self.expected(outputs)
            return {
                **super().terms(x, outputs),
                "generator": adversary.generator(fake),
                "discriminator": adversary.discriminator(x, fake),
            }

        def coefficients(self):
            return {"reconstruction": 1.0, "generator": 0.1, "discriminator": 1.0}

    model = Sharp(*networks.mlp((8, 8, 1), latent_dim=4))
    ```
    """

    def __init__(self, network, loss="logistic"):
        if not isinstance(network, keras.Layer):
            raise ValueError(
                "`network` must be a Keras model from examples to logits, such as those of "
                f"keras_aevae.networks.discriminator. Received: network={network!r}."
            )
        self.network = network
        self.loss = check_name("loss", loss, LOSSES)

    def discriminator(self, real, fake, training=None):
        """Return the network's loss for telling `real` from `fake`, both taken as constants."""
        real, fake = (self.network(ops.stop_gradient(x), training=training) for x in (real, fake))
        return discriminator_loss(real, fake, self.loss)

    def generator(self, fake, training=None):
        """Return the loss of the network that made `fake`."""
        return generator_loss(self.fixed(fake, training), self.loss)

    def log_ratio(self, x, training=None):
        """Return the logit of `x`, an estimate of log p_real(x) / p_fake(x), in nats, for the
        logistic loss. It is only as good as the network. With several logits for each example, it
        is the mean of the log-ratios of its patches, not the log-ratio of the whole example."""
        return mean_of_example(as_float32(self.fixed(x, training)))

    def fixed(self, x, training=None):
        """Return the logits of `x`, with a gradient for `x` and none for the network."""
        with frozen(self.network):
            return self.network(x, training=training)


def check_discriminator(network, shape):
    """Raise an error unless `network` is a Keras model that gives one tensor of logits for examples
    of `shape`; return the shape of an example's logits."""
    if not isinstance(network, keras.Layer):
        raise ValueError(
            "`discriminator` must be a Keras model, or a tuple of the hidden units of one, such as "
            f"(256, 256). Received: discriminator={network!r}."
        )
    logits = network(keras.KerasTensor((None, *shape)))
    received = getattr(logits, "shape", None)
    if received is None:
        raise ValueError(
            "`discriminator` must give one tensor of logits, shape (batch, ...). Received: "
            f"{type(logits).__name__}."
        )
    check_logits(network, shape)
    return tuple(received[1:])


def as_float32(logits):
    return ops.cast(logits, "float32")


def mean_of_example(values):
    """Return the mean over all axes but the first."""
    axes = tuple(range(1, len(values.shape)))
    return ops.mean(values, axis=axes) if axes else values
