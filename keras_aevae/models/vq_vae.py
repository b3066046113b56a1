"""The vector-quantised VAE.

van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
https://arxiv.org/abs/1711.00937
"""

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_number, check_positive_integer
from keras_aevae.codes.perplexity import CodebookPerplexity
from keras_aevae.engine import private
from keras_aevae.layers import VectorQuantizer
from keras_aevae.models.autoencoder import Autoencoder


@keras.saving.register_keras_serializable(package="keras_aevae")
class VQVAE(Autoencoder):
    """Stores an input as a grid of codes from a finite codebook.

        loss = -log p(x|z) + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2                  (equation 3)

    z_e is the encoder's output, e the nearest code of each of its vectors, sg a stopped gradient,
    and z has the value e and passes its gradient on to z_e. The second term moves the codebook;
    with `VectorQuantizer(update="ema")`, the default, averages do (appendix A.1), and with a
    `FiniteScalarQuantizer` there is neither codebook nor term.

    Good for: sharp reconstructions, tokens for a second model, no posterior collapse. It has no KL:
    every input costs the same nats. Misleads as a generator of its own: codes drawn at random
    decode to nothing, so `sample` needs a second model, the `prior`. Watch `perplexity`, the
    number of codes in effective use: far below the codebook's size, it has collapsed. `codebook`
    and `commitment` are squared distances, not nats. `interpolate` decodes averages of codes, which
    are no codes themselves.

    Args:
        encoder, decoder: from data to a grid of features, and from a grid of codes (batch, height,
            width, code_dim) to the likelihood's parameters: `networks.conv(..., hidden=None)`. Or
            a vector of features and of codes: one code for each input.
        quantizer: a `keras_aevae.layers.VectorQuantizer` (by default of 512 codes) or
            `FiniteScalarQuantizer`.
        commitment: beta.
        prior: an `AutoregressivePrior` of the codes' indices, or None for no samples. It may be
            set later, `model.prior = prior`; the model keeps a copy, which it doesn't train.
        latent_dim, likelihood, seed: as for `Autoencoder`.

    `encode` gives the quantised vectors, flattened, as every model's does; `encode_indices` and
    `decode_indices` speak the language of the prior.

    Example:

    ```python
    from keras_aevae import VQVAE, AutoregressivePrior, datasets, networks
    from keras_aevae.layers import VectorQuantizer
    (x_train, _), _ = datasets.load("digits")
    encoder, decoder = networks.conv((8, 8, 1), latent_dim=4, filters=(16,), hidden=None)
    vq = VQVAE(encoder, decoder, quantizer=VectorQuantizer(32))
    vq.compile()
    vq.fit(x_train, epochs=2)
    indices = vq.encode_indices(x_train)  # (1437, 4, 4)
    prior = AutoregressivePrior(num_codes=32, grid=(4, 4))
    prior.compile()
    prior.fit(indices, epochs=1)
    vq.prior = prior
    images = vq.sample(4)
    ```
    """

    def __init__(self, *args, quantizer=None, commitment=0.25, prior=None, **kwargs):
        super().__init__(*args, posterior="point", prior=None, **kwargs)
        self.quantizer = quantizer or VectorQuantizer()
        if not hasattr(self.quantizer, "embed"):
            raise ValueError(
                "`quantizer` must be a VectorQuantizer or a FiniteScalarQuantizer of "
                f"keras_aevae.layers. Received: quantizer={quantizer!r}."
            )
        if not self.quantizer.built:
            self.quantizer.build((None, *self.latent_shape))
        self.commitment = check_number(
            "commitment", commitment, minimum=0, remedy="The paper's is 0.25."
        )
        self.perplexity = CodebookPerplexity(self.quantizer.num_codes)
        self.prior = prior

    # No property: on torch, a layer that is assigned goes past its setter.
    def __setattr__(self, name, value):
        if name == "prior":
            if (old := getattr(self, "prior", None)) is not None:
                private.untrack(self, old)  # else it would be saved beside the new one
            value = None if value is None else self.frozen_copy(value)
        super().__setattr__(name, value)

    def frozen_copy(self, prior):
        """A copy of `prior`, which is checked, that isn't trained by this model."""
        check_prior(prior, self.quantizer.num_codes, self.latent_shape[:-1])
        copy = type(prior).from_config(prior.get_config())
        copy.set_weights(prior.get_weights())
        copy.trainable = False
        return copy

    @property
    def term_names(self):
        return ("reconstruction", *self.quantizer.term_names)

    def draw(self, outputs, training=None):
        z_e = ops.reshape(outputs["z_mean"], (-1, *self.latent_shape))
        z, indices = self.quantizer(z_e, training=training)
        return {"z": ops.reshape(z, (-1, self.latent_dim)), "indices": indices}

    def terms(self, x, outputs):
        z_e, z = (ops.reshape(outputs[n], (-1, *self.latent_shape)) for n in ("z_mean", "z"))
        return super().terms(x, outputs) | self.quantizer.terms(z_e, z, outputs["indices"])

    def coefficients(self):
        weights = dict.fromkeys(self.term_names, 1.0)
        return weights | ({"commitment": self.commitment} if "commitment" in weights else {})

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.perplexity.update_state(y_pred["indices"], sample_weight)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    # The codebook starts at the centres of what the encoder gives, by k-means.
    start_size = 1024

    def start_from(self, x):
        z_e = self.run(self._encode_continuous, x, batch_size=128, verbose=0)
        self.quantizer.start_from(z_e.reshape(-1, *self.latent_shape))

    def _encode_continuous(self, inputs):
        return self.infer(inputs, training=False)["z_mean"]

    def _encode(self, inputs, sample=False):
        return self.draw(self.infer(inputs, training=False), training=False)["z"]

    def encode_indices(self, x, *, batch_size=128, verbose=0):
        """The codes' indices, int32 of shape (n, *grid), of data `x` (n, *data_shape)."""
        inputs = self.check_inputs(x)
        return self.run(self._encode_indices, inputs, batch_size=batch_size, verbose=verbose)

    def _encode_indices(self, inputs):
        return self.draw(self.infer(inputs, training=False), training=False)["indices"]

    def decode_indices(self, indices, *, batch_size=128, verbose=0):
        """E[x|z] of the codes with these indices, shape (n, *grid): array (n, *data_shape)."""
        indices = np.asarray(indices)
        n, grid = self.quantizer.num_codes, self.latent_shape[:-1]
        whole = indices.dtype.kind in "iu" and indices.shape[1:] == grid and len(indices)
        if not whole or indices.min() < 0 or indices.max() >= n:
            raise ValueError(
                f"`indices` must be integers from 0 to {n - 1}, of shape (n, "
                f"{', '.join(map(str, grid))}). Received: {indices.dtype}, shape {indices.shape}."
            )
        return self.run(self._decode_indices, indices, batch_size=batch_size, verbose=verbose)

    def _decode_indices(self, indices):
        return self._decode(ops.reshape(self.quantizer.embed(indices), (-1, self.latent_dim)))

    def sample(self, num_samples=1, *, temperature=1.0, seed=None, batch_size=128, verbose=0):
        """New data: codes drawn from the autoregressive `prior`, decoded.

        Args:
            num_samples: how many.
            temperature: below 1 for likelier, less diverse codes.
            seed: integer, for the same samples again.
            batch_size, verbose: as for the other verbs.

        Returns:
            Array of shape (num_samples, *data_shape).
        """
        check_positive_integer("num_samples", num_samples)
        indices = self.need_prior("sample").sample(
            num_samples, temperature=temperature, seed=seed, batch_size=batch_size
        )
        return self.decode_indices(indices, batch_size=batch_size, verbose=verbose)

    def elbo(self, x, *, batch_size=128, verbose=0):
        """A lower bound of log p(x), nats: log p(x|z) + log prior(z) at the one code z of each x,
        shape (n,). Needs the `prior`."""
        prior = self.need_prior("elbo")
        inputs = self.check_inputs(x, support=self.likelihood.support)
        parts = self.run(self._elbo_parts, inputs, batch_size=batch_size, verbose=verbose)
        return prior.log_prob(parts["indices"], batch_size=batch_size) - parts["reconstruction"]

    def _elbo_parts(self, inputs):
        outputs = self(inputs, training=False)
        terms = self.terms(self.unpack(inputs)[0], outputs)
        return {"indices": outputs["indices"], "reconstruction": terms["reconstruction"]}

    def need_prior(self, verb):
        if self.prior is None:
            raise ValueError(
                f"`{verb}` needs a prior of the codes, learned after the model's own training: "
                f"prior = AutoregressivePrior({self.quantizer.num_codes}, "
                f"grid={self.latent_shape[:-1]}); prior.compile(); "
                "prior.fit(model.encode_indices(x)); model.prior = prior. Received: prior=None."
            )
        return self.prior

    def get_config(self):
        config = {
            **super().get_config(),
            "quantizer": keras.saving.serialize_keras_object(self.quantizer),
            "commitment": self.commitment,
            "prior": self.prior and keras.saving.serialize_keras_object(self.prior),
        }
        del config["posterior"]
        return config


def check_prior(prior, num_codes, grid):
    if (getattr(prior, "num_codes", None), tuple(getattr(prior, "grid", ()))) != (num_codes, grid):
        raise ValueError(
            f"`prior` must be one of {num_codes} codes on the grid {grid}: "
            f"AutoregressivePrior({num_codes}, grid={grid}). Received: prior={prior!r}."
        )
