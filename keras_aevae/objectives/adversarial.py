"""An adversary: a network that tells two samples apart, and what the others pay for it.

Goodfellow et al. 2014, Generative Adversarial Networks, https://arxiv.org/abs/1406.2661
Lim & Ye 2017, Geometric GAN, https://arxiv.org/abs/1705.02894
Miyato et al. 2018, Spectral Normalization for GANs, https://arxiv.org/abs/1802.05957
"""

import keras
from keras import ops

from keras_aevae._checks import check_name
from keras_aevae.engine.gradients import frozen

LOSSES = ("logistic", "hinge")


def discriminator_loss(real, fake, loss="logistic"):
    """What a discriminator pays for telling real examples from fake ones: shape (batch,).

        logistic: -1/2 [log D(real) + log(1 - D(fake))],  D = 1 / (1 + exp(-logit))
        hinge:     1/2 [max(0, 1 - logit(real)) + max(0, 1 + logit(fake))]

    The first is Goodfellow et al. 2014, equation 1, with the sign of a loss: a cross-entropy in
    nats, log 2 where D says nothing; the best D has log 2 minus the Jensen-Shannon divergence of
    the two distributions (theorem 1), and the logit log p_real(x) / p_fake(x). The second (Lim &
    Ye 2017; Miyato et al. 2018, equation 16) stops pushing where a logit is beyond 1; it has no
    unit. Either misleads as a measure of how near the distributions are: it says how well this
    network tells them apart.

    Args:
        real, fake: logits, shape (batch, ...). A discriminator of patches gives many for each
            example: the result is the mean over them.
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
    """What the maker of fake examples pays until they pass for real: shape (batch,).

        logistic: -log D(fake)
        hinge:    -logit(fake)

    The first is the non-saturating loss (Goodfellow et al. 2014, section 3), in nats: its gradient
    is largest where D is sure. The second (Lim & Ye 2017; Miyato et al. 2018, equation 17) has no
    unit and no bound below. Both mislead as a measure of quality: they fall when D gets worse, too.

    Args:
        fake: logits, shape (batch, ...): the result is the mean over those of an example.
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
    """A discriminator's part in a loss, with each gradient where it belongs.

    `discriminator` trains the network and nothing else, `generator` and `log_ratio` train what
    made the examples and not the network. So all of them are terms of one loss, and a model that
    has an adversary trains in one step:

        loss = ... + weight * generator(fake) + discriminator(real, fake)

    Good for: codes that follow any prior from which one can draw (Makhzani et al. 2015, Adversarial
    Autoencoders, https://arxiv.org/abs/1511.05644: real are draws from the prior, fake are codes);
    decoded data without blur (real are data, fake are decoded); a density ratio that has no closed
    form (Kim & Mnih 2018, https://arxiv.org/abs/1802.05983: `log_ratio`). Misleads in a sum: the
    two sides work against each other, so the loss says little; follow the terms. Give the network a
    rate of its own with `keras_aevae.optimizers`.

    It holds no weights: the network is to be an attribute of the model, too.

    Args:
        network: a Keras model from examples to logits, shape (batch, ...).
        loss: "logistic" or "hinge": see `discriminator_loss` and `generator_loss`.

    Methods take examples as the network does, and return shape (batch,), float32. `training` is
    handed to the network: by default it is called as in inference. What a pass through it changes
    in its state (moving averages, spectral norms) stays after `discriminator` only.

    Example, where patches of the reconstruction are to look like patches of data:

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
        """What the network pays for telling `real` from `fake`, both taken as they are."""
        real, fake = (self.network(ops.stop_gradient(x), training=training) for x in (real, fake))
        return discriminator_loss(real, fake, self.loss)

    def generator(self, fake, training=None):
        """What the maker of `fake` pays until they pass for real."""
        return generator_loss(self.fixed(fake, training), self.loss)

    def log_ratio(self, x, training=None):
        """The logit of `x`, of which log p_real(x) / p_fake(x) is the best: nats, for the logistic
        loss. As good as the network, which it is bounded by; with several logits for each example,
        the mean of the ratios of its patches, and not the ratio of all of it."""
        return mean_of_example(as_float32(self.fixed(x, training)))

    def fixed(self, x, training=None):
        """The logits of `x`, with a gradient for `x` and none for the network."""
        with frozen(self.network):
            return self.network(x, training=training)


def check_discriminator(network, shape):
    """Raise unless `network` gives one tensor of logits for examples of `shape`; return the shape
    of an example's logits."""
    logits = network(keras.KerasTensor((None, *shape)))
    received = getattr(logits, "shape", None)
    if received is None:
        raise ValueError(
            "`discriminator` must give one tensor of logits, shape (batch, ...). Received: "
            f"{type(logits).__name__}."
        )
    return tuple(received[1:])


def as_float32(logits):
    return ops.cast(logits, "float32")


def mean_of_example(values):
    """The mean over all axes but the first."""
    axes = tuple(range(1, len(values.shape)))
    return ops.mean(values, axis=axes) if axes else values
