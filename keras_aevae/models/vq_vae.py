"""The vector-quantised VAE.

van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
https://arxiv.org/abs/1711.00937
"""

import keras

from keras_aevae.codes import CodebookCode
from keras_aevae.codes.perplexity import CodebookPerplexity
from keras_aevae.engine.inference import as_numpy, first_of, run_in_batches
from keras_aevae.engine.numbers import Number, Refused
from keras_aevae.layers import FiniteScalarQuantizer, VectorQuantizer
from keras_aevae.models.autoencoder import Autoencoder

QUANTIZERS = (type(None), VectorQuantizer, FiniteScalarQuantizer)


@keras.saving.register_keras_serializable(package="keras_aevae")
class VQVAE(Autoencoder):
    """Stores an input as a grid of codes from a finite codebook.

        loss = -log p(x|z) + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2                  (equation 3)

    z_e is the encoder's output, e the nearest code of each of its vectors, and sg stops the
    gradient. z has the value of e and passes its gradient on to z_e. The second term moves the
    codebook. With `VectorQuantizer(update="ema")`, the default, moving averages do this instead
    (appendix A.1); a `FiniteScalarQuantizer` has no codebook and no such term.

    Good for: sharp reconstructions, tokens for a second model, no posterior collapse. It has no KL:
    every input costs the same nats. Misleads as a generator by itself: codes drawn at random decode
    to nothing, so `sample` needs a prior that `fit_prior` learns: its settings, such as
    `temperature`, are then arguments of `sample`. Watch `perplexity`, the number of
    codes in effective use: the codebook has collapsed if it is far below the codebook's size.
    `codebook` and `commitment` are squared distances, not nats. `interpolate` decodes averages of
    codes, which aren't codes themselves.

    Args:
        encoder, decoder: networks from data to a grid of features, and from a grid of codes
            (batch, height, width, code_dim) to the likelihood's parameters:
            `networks.conv(..., hidden=None)`. They may also give and take a vector: then each input
            has one code.
        quantizer: a `keras_aevae.layers.VectorQuantizer` (by default of 512 codes) or
            `FiniteScalarQuantizer`.
        commitment: beta.
        prior: the distribution of the codes' indices: "uniform", as in the paper's training.
        latent_dim, likelihood, classes, condition_dim: as for `Autoencoder`.

    The quantizer is a part of what encodes: `encoder.trainable = False` freezes it, too, and a
    codebook that is frozen when training begins isn't started by k-means (`start_from(x)` does it).
    For the same reason `optimizers(model, ..., encoder=...)` includes a codebook that is trained by
    gradient.

    `encode` gives the quantised vectors, flattened, as in every model; `encode_indices` and
    `decode_indices` work with indices, as the prior does.

    Example:

    ```python
    from keras_aevae import VQVAE, datasets, networks
    from keras_aevae.layers import VectorQuantizer
    (x_train, _), _ = datasets.load("digits")
    encoder, decoder = networks.conv((8, 8, 1), latent_dim=4, filters=(16,), hidden=None)
    vq = VQVAE(encoder, decoder, quantizer=VectorQuantizer(32))
    vq.compile()
    vq.fit(x_train, epochs=2)
    indices = vq.encode_indices(x_train)  # (1437, 4, 4)
    vq.fit_prior(x_train, "autoregressive", epochs=1)
    images = vq.sample(4)
    ```
    """

    commitment = Number(minimum=0, remedy="The paper's is 0.25.")

    posterior = Refused("its codes are those of a codebook, which `quantizer` is")

    def __init__(
        self, *args, quantizer=None, commitment=0.25, prior="uniform", posterior=None, **kwargs
    ):
        self.posterior = posterior
        if not isinstance(quantizer, QUANTIZERS):
            raise ValueError(
                "`quantizer` must be a VectorQuantizer or a FiniteScalarQuantizer of "
                f"keras_aevae.layers. Received: quantizer={quantizer!r}."
            )
        super().__init__(*args, posterior=CodebookCode(quantizer), prior=prior, **kwargs)
        self.commitment = commitment
        self.perplexity = CodebookPerplexity(self.quantizer.num_codes)

    @property
    def quantizer(self):
        """The layer that replaces the encoder's vectors by codes."""
        return self.code.quantizer

    def terms(self, x, outputs):
        return super().terms(x, outputs) | self.code.terms(outputs)

    def coefficients(self):
        own = {"codebook": 1.0, "commitment": self.number("commitment")}
        names = self.quantizer.term_names
        return {"reconstruction": 1.0, **{name: own[name] for name in names}}

    def mode_of(self, name):
        return "max" if name == self.perplexity.name else super().mode_of(name)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.perplexity.update_state(y_pred["indices"], sample_weight)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def encode_indices(self, x, *, condition=None, batch_size=128, steps=None, verbose=0):
        """Encode data `x` as indices.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            condition: the condition of each x, for a conditional model.
            batch_size: number of examples per batch.
            steps: number of batches to read, by default all: needed for data without an end.
            verbose: 1 for a progress bar.

        Returns:
            int32 array of shape (n, *grid).
        """
        inputs = self.check_inputs(x, condition, steps=steps)
        settings = {"batch_size": batch_size, "steps": steps, "verbose": verbose}
        return self.run(self._encode_indices, inputs, **settings)

    def _encode_indices(self, inputs):
        return self.draw(self.infer(inputs, training=False), 1)["indices"][:, 0]

    def decode_indices(
        self, indices, *, condition=None, length=None, batch_size=128, steps=None, verbose=0
    ):
        """Decode the codes with these indices: return E[x|z].

        Args:
            indices: integers from 0 to num_codes - 1, shape (n, *grid), or a dataset of batches of
                them.
            condition: the condition of each example, for a conditional model.
            length: the length of the new data, if the model's data may be of any length.
            batch_size: number of examples per batch.
            steps: number of batches to read, by default all: needed for data without an end.
            verbose: 1 for a progress bar.

        Returns:
            Array of shape (n, *data_shape).
        """
        settings = {"check": self.check_indices, "shape": self.latent_shape[:-1], "steps": steps}
        inputs = self.check_inputs(indices, condition, name="indices", **settings)
        shape = self.shape_of_length(length)

        def decode(batch):
            z = self.call_compiled(self._embed, first_of(batch))
            return self.decode_batch(self.with_condition(z, batch), shape)

        return run_in_batches(decode, inputs, batch_size, verbose, steps)

    def check_indices(self, indices):
        """Return the array `indices`, or raise an error unless it holds those of codes."""
        indices = as_numpy(indices)
        n, grid = self.quantizer.num_codes, self.latent_shape[:-1]
        whole = indices.dtype.kind in "iu" and indices.shape[1:] == grid and len(indices)
        if not whole or indices.min() < 0 or indices.max() >= n:
            raise ValueError(
                f"`indices` must be integers from 0 to {n - 1}, of shape (n, "
                f"{', '.join(map(str, grid))}). Received: {indices.dtype}, shape {indices.shape}."
            )
        return indices

    def _embed(self, indices):
        return self.code.embed(indices)

    def get_config(self):
        config = super().get_config()
        del config["posterior"]  # the quantizer determines it
        return {**config, "quantizer": keras.saving.serialize_keras_object(self.quantizer)}
