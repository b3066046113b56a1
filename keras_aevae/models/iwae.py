"""The importance weighted autoencoder.

Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders,
https://arxiv.org/abs/1509.00519
Tucker et al. 2019, Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives,
https://arxiv.org/abs/1810.04152
"""

import functools

import keras
from keras import ops

from keras_aevae._checks import check_name
from keras_aevae.engine.gradients import frozen
from keras_aevae.engine.numbers import Refused, Setting
from keras_aevae.models.vae import VAE
from keras_aevae.objectives import importance_weighted_bound

GRADIENTS = ("reparameterized", "doubly_reparameterized")


class Routed:
    """A mixin of models whose encoder and decoder are trained on separate log-weights.

    The two are equal in value. If `routed`, the decoder runs twice in training and gives both: the
    gradients of the first reach the decoder and the prior, those of the second the encoder. (A
    compiler that sees that the values are the same runs it once.)
    """

    # Whether there are two passes; else one pass gives all gradients.
    routed = True

    @property
    def generated(self):
        return ("decoder_output", *(("frozen_decoder_output",) if self.routed else ()))

    def generate(self, outputs, training=None):
        if not self.routed:
            return super().generate(outputs, training)
        if not training:
            generated = super().generate(outputs, training)
            return {**generated, "frozen_decoder_output": generated["decoder_output"]}
        # The frozen pass comes first: it leaves the state as it was, so both have the same dropout.
        with frozen(self):
            to_encoder = super().generate(outputs, training)
        to_decoder = super().generate({**outputs, "z": ops.stop_gradient(outputs["z"])}, training)
        return {**to_decoder, "frozen_decoder_output": to_encoder["decoder_output"]}

    def route(self, outputs):
        """Return `(to_decoder, to_encoder)`: `outputs` whose gradients go to one of them only. Use
        the second within `frozen(self)`. Without routing, return `(outputs, None)`."""
        if not self.routed:
            return outputs, None
        outputs = dict(outputs)
        to_encoder = {**outputs, "decoder_output": outputs.pop("frozen_decoder_output")}
        stopped = {name: ops.stop_gradient(value) for name, value in outputs.items()}
        return {**stopped, "decoder_output": outputs["decoder_output"]}, to_encoder


@keras.saving.register_keras_serializable(package="keras_aevae")
class IWAE(Routed, VAE):
    """A VAE trained on a tighter bound, from K importance-weighted samples of each posterior.

        loss = -log 1/K sum_k w_k,   w_k = p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)  (equation 8)

    With K = 1 it is the VAE, with its KL estimated at the sample; as K grows, the bound approaches
    log p(x). Good for: likelihood, more active latent dimensions, true posteriors that the
    encoder's family can't match. Misleads as a source of codes: the noise in the encoder's gradient
    grows relative to it as K grows (Rainforth et al. 2018, https://arxiv.org/abs/1802.04537), which
    `gradient="doubly_reparameterized"`, `MIWAE`, `PIWAE` and `CIWAE` mend, and q(z|x) itself is no
    longer close to p(z|x). A step costs K decodings.

    Beside `nll_bound` (the loss), it shows the mean `reconstruction` and `kl` of the samples.

    Args:
        num_samples: K.
        gradient: "reparameterized"; or "doubly_reparameterized", an estimator of the encoder's
            gradient with less noise, which decodes the same samples a second time.
        other arguments: as for `VAE`, without `free_bits`. `beta` is the power of p(z)/q(z|x) in
            the weights, for warm-up; the loss is a bound on log p(x) at 1.

    Example:

    ```python
    from keras_aevae import IWAE, datasets, networks
    (x_train, _), (x_test, _) = datasets.load("digits")
    encoder, decoder = networks.mlp(x_train.shape[1:], latent_dim=8)
    iwae = IWAE(encoder, decoder, num_samples=5)
    iwae.compile()
    iwae.fit(x_train, epochs=2)
    nats = iwae.log_likelihood(x_test[:10], num_samples=100)
    ```
    """

    gradient = Setting(functools.partial(check_name, valid=GRADIENTS))
    free_bits = Refused("an importance weighted bound has no KL term that could be free")
    # Whether the encoder's gradient passes through z alone, not through the density q(z|x).
    along_path = True

    def __init__(self, *args, num_samples=5, gradient="reparameterized", **kwargs):
        super().__init__(*args, num_samples=num_samples, **kwargs)
        self.gradient = gradient

    def check_number(self, name, value):
        super().check_number(name, value)
        doubly = name == "gradient" and value == "doubly_reparameterized"
        if doubly and not self.code.has_path_gradient:
            raise ValueError(
                "`gradient` must be 'reparameterized' with this posterior, whose log q(z|x) can't "
                "have a gradient through z alone. Received: "
                f"gradient={value!r}, {type(self.code).__name__}. 'real_nvp' and all families with "
                "a density can; a code of your own says so by `has_path_gradient`."
            )

    def terms(self, x, outputs):
        outputs, encoder_outputs = self.route(outputs)
        log_conditional = self.log_conditional(x, outputs)
        log_ratio = self.code.log_ratio(outputs, self.p())
        log_weights = log_conditional + self.number("beta") * log_ratio  # (draws, batch)
        to_encoder = None
        if encoder_outputs is not None:
            with frozen(self):
                if self.along_path:
                    encoder_outputs = self.code.along_path(encoder_outputs)
                to_encoder = self.log_weights(x, encoder_outputs)
        return {
            "nll_bound": -self.bound(log_weights, to_encoder),
            "reconstruction": -ops.mean(log_conditional, axis=0),
            "kl": -ops.mean(log_ratio, axis=0),
        }

    def log_weights(self, x, outputs):
        """Return log p(x|z_k) + beta (log p(z_k) - log q(z_k|x)), shape (draws, batch)."""
        log_ratio = self.code.log_ratio(outputs, self.p())
        return self.log_conditional(x, outputs) + self.number("beta") * log_ratio

    def coefficients(self):
        return {"nll_bound": 1.0}

    def bound(self, log_weights, to_encoder=None):
        """Return the bound of each example, in nats, shape (batch,).

        `to_encoder` holds the second log-weights, if there are two: those whose gradient reaches
        the encoder alone.
        """
        return self.importance_weighted(log_weights, to_encoder)

    def importance_weighted(self, log_weights, to_encoder=None, axis=0, power=1.0):
        """Return the bound of the samples along `axis`, from which subclasses build theirs. If both
        log-weights were multiplied by a number, that number is the `power`."""
        beta = power * self.number("beta")
        return importance_weighted_bound(log_weights, axis, to_encoder, beta)

    @property
    def routed(self):
        return self.gradient == "doubly_reparameterized"
