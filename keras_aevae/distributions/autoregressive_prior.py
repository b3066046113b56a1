"""A prior over the indices of discrete codes, trained after the codes.

van den Oord et al. 2017, https://arxiv.org/abs/1711.00937, section 3.3, with a transformer (Vaswani
et al. 2017, https://arxiv.org/abs/1706.03762) instead of the PixelCNN.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_number, check_positive_integer, check_seed, check_shape
from keras_aevae.distributions.base import Distribution
from keras_aevae.distributions.prior import Prior
from keras_aevae.engine import private, replicas
from keras_aevae.engine.inference import as_numpy, is_array, run_in_batches
from keras_aevae.engine.noise import seeds_from
from keras_aevae.engine.own_loss import OwnLoss, weighted_mean


@keras.saving.register_keras_serializable(package="keras_aevae")
class AutoregressivePrior(Prior, OwnLoss):
    """The distribution of a grid of codes: each code depends on those before it, row by row.

        log p(codes) = sum_i log p(code_i | code_1, ..., code_i-1)

    Good for: generating from a model with discrete codes, and the exact probability of a grid of
    them, in nats. It is trained on the indices of a model that is already trained, and belongs to
    that model's codebook. Misleads as an anomaly score by itself: smooth inputs get likely codes
    whatever they show. Sampling takes one pass for each position, so keep the grid small (7x7, not
    32x32).

    Args:
        num_codes: number of codes in the codebook.
        grid: shape of one example's indices, such as (7, 7).
        width: width of the transformer; a multiple of `num_heads`.
        depth: number of blocks of the transformer.
        num_heads: number of attention heads.
        dropout: rate in [0, 1), after attention and feed-forward layers.
        seed: integer seed of the dropout, or None for a random one.

    Call arguments:
        indices: integers, shape (batch, *grid).

    Returns:
        Logits of each code's distribution, given the codes before it: float32, shape (batch,
        prod(grid), num_codes).

    `fit` takes arrays of indices, which are checked in full, or datasets of them, which aren't. The
    loss is -log p in nats per example. A weighted mean is divided by the sum of the weights.

    Example:

    ```python
    import numpy as np
    from keras_aevae import AutoregressivePrior
    stripes = np.indices((64, 4, 4)).sum(axis=0) % 2  # (64, 4, 4), of two kinds
    prior = AutoregressivePrior(num_codes=2, grid=(4, 4), width=16)
    prior.compile()
    prior.fit(stripes, epochs=2)
    nats = prior.log_prob(stripes)
    codes = prior.sample(3, seed=0)  # (3, 4, 4)
    ```
    """

    over = "indices"
    # Constructor arguments that don't follow from the codebook.
    settings = ("width", "depth", "num_heads", "dropout", "seed")
    about_loss = "The loss is -log p, the model's own: leave it out."

    def __init__(
        self, num_codes, grid, width=64, depth=2, num_heads=4, dropout=0.0, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.num_codes = check_positive_integer("num_codes", num_codes)
        self.grid = check_shape("grid", grid)
        self.width = check_positive_integer("width", width)
        self.depth = check_positive_integer("depth", depth)
        self.num_heads = check_positive_integer("num_heads", num_heads)
        if self.width % self.num_heads:
            raise ValueError(
                "`width` must be a multiple of `num_heads`. "
                f"Received: width={width}, num_heads={num_heads}."
            )
        self.dropout = check_number("dropout", dropout, minimum=0)
        if self.dropout >= 1:
            raise ValueError(f"`dropout` must be below 1. Received: dropout={dropout!r}.")
        self.seed = None if seed is None else check_seed(seed)
        self.length = math.prod(self.grid)
        # One index more than the codes stands for the beginning.
        self.embedding = keras.layers.Embedding(
            self.num_codes + 1, self.width, dtype=self.dtype_policy
        )
        self.positions = keras.layers.Embedding(self.length, self.width, dtype=self.dtype_policy)
        self.embedding.build((None, self.length))
        self.positions.build((self.length,))
        self.transformer = self.make_transformer()
        self.built = True

    def make_transformer(self):
        """Make the transformer from embeddings, shape (batch, length, width), to logits."""
        layers = keras.layers
        policy = {"dtype": self.dtype_policy}
        next_seed = seeds_from(self.seed)

        def dropout(x):
            return layers.Dropout(self.dropout, seed=next_seed(), **policy)(x)

        inputs = x = keras.Input((self.length, self.width))
        for _ in range(self.depth):
            h = layers.LayerNormalization(**policy)(x)
            attention = layers.MultiHeadAttention(
                self.num_heads, self.width // self.num_heads, **policy
            )
            x = layers.add([x, dropout(attention(h, h, use_causal_mask=True))], **policy)
            h = layers.LayerNormalization(**policy)(x)
            h = layers.Dense(4 * self.width, activation="gelu", **policy)(h)
            x = layers.add([x, dropout(layers.Dense(self.width, **policy)(h))], **policy)
        x = layers.LayerNormalization(dtype="float32")(x)
        logits = layers.Dense(self.num_codes, dtype="float32", name="logits")(x)
        return keras.Model(inputs, logits, name="transformer")

    def call(self, indices, training=None):
        tokens = ops.reshape(ops.cast(indices, "int32"), (-1, self.length))
        beginning = ops.full_like(tokens[:, :1], self.num_codes)
        before = ops.concatenate([beginning, tokens[:, :-1]], axis=1)
        x = self.embedding(before) + self.positions(ops.arange(self.length))
        return self.transformer(x, training=training)

    def negative_log_prob(self, indices, logits):
        """Return -log p of each example, in nats: shape (batch,)."""
        tokens = ops.reshape(ops.cast(indices, "int32"), (-1, self.length))
        nats = keras.losses.sparse_categorical_crossentropy(tokens, logits, from_logits=True)
        return ops.sum(nats, axis=-1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        nats = self.negative_log_prob(x, y_pred)
        return replicas.part_of_loss(weighted_mean(nats, sample_weight) + sum(self.losses))

    def fit(self, x=None, y=None, **kwargs):
        """Train the prior as Keras's `fit` does, without a target `y`; arrays are checked first."""
        validation = kwargs.get("validation_data")
        if isinstance(validation, (tuple, list)):
            x_val, y_val, weight = (*validation, None, None)[:3]
            kwargs["validation_data"] = (*self.check_fit(x_val, y_val, weight), weight)
        elif is_array(validation):
            kwargs["validation_data"] = (self.check_fit(validation, None, None)[0],)
        return super().fit(*self.check_fit(x, y, kwargs.get("sample_weight")), **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        """Evaluate the prior as Keras's `evaluate` does; arrays are checked first."""
        if not private.called_by_fit(kwargs):
            x, y = self.check_fit(x, y, kwargs.get("sample_weight"))
        return super().evaluate(x, y, **kwargs)

    def check_fit(self, x, y, sample_weight):
        """Check the training data; return `x` and `y` as Keras takes them."""
        if y is not None and y is not x:
            raise ValueError(
                "AutoregressivePrior takes indices alone, without a target: leave `y` out. "
                f"Received: y of type {type(y).__name__}."
            )
        if is_array(x):
            x = self.check_indices("x", x)
        elif x is None:
            raise ValueError("`x` must be indices: an array or a dataset. Received: x=None.")
        # Keras drops the weights of arrays that come without a target.
        return x, (None if sample_weight is None else x)

    def check_indices(self, name, indices):
        """Return the array `indices` as int32 if it fits `grid` and `num_codes`, else raise."""
        indices = as_numpy(indices)
        if indices.shape[1:] != self.grid or not len(indices):
            raise ValueError(
                f"`{name}` must have shape (n, {', '.join(map(str, self.grid))}), with n of 1 or "
                f"more: indices on the grid {self.grid}. Received: {name}.shape={indices.shape}."
            )
        if indices.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must hold integers, the indices of codes, not the codes or the data "
                f"themselves. Received: dtype {indices.dtype}."
            )
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= self.num_codes:
            raise ValueError(
                f"`{name}` must lie within 0 to {self.num_codes - 1}. Received: values from {low} "
                f"to {high}. Build the prior with the quantizer's num_codes."
            )
        return indices.astype("int32")

    # Methods of a model's prior

    def tensors(self, posterior_at=None):
        return []

    def made_of(self, tensors, q=None):
        return Autoregressive(self)

    # Methods that take arrays and return NumPy arrays

    def log_prob(self, indices, *, batch_size=128, verbose=0):
        """Return log p, in nats, of each of n grids of indices (n, *grid): array of shape (n,)."""
        indices = self.check_indices("indices", indices)
        return run_in_batches(
            lambda batch: self.call_compiled(self._log_prob, batch), indices, batch_size, verbose
        )

    def _log_prob(self, indices):
        return -self.negative_log_prob(indices, self(indices, training=False))

    def sample(self, num_samples=1, *, temperature=1.0, seed=None, batch_size=128, verbose=0):
        """Draw new indices, position by position.

        Args:
            num_samples: number of samples.
            temperature: divides the logits. Values below 1 give likelier and less varied samples,
                which are then no longer draws from p.
            seed: integer; the same seed gives the same samples, whatever the batch size and (up to
                rounding) the backend.
            batch_size: number of examples per batch.
            verbose: 1 for a progress bar.

        Returns:
            int32 array of shape (num_samples, *grid).
        """
        num_samples = check_positive_integer("num_samples", num_samples)
        temperature = check_number("temperature", temperature, minimum=0, exclusive=True)
        seed = None if seed is None else check_seed(seed)
        uniform = np.random.default_rng(seed).random((num_samples, self.length), "float32")

        def draw(uniform):
            indices = np.zeros(uniform.shape, "int32")
            for i in range(self.length):
                logits = self.call_compiled(self._logits_at, indices, np.asarray(i, "int32"))
                logits = ops.convert_to_numpy(logits).astype("float64") / temperature
                # The inverse of the cumulative distribution at a uniform number.
                total = np.cumsum(np.exp(logits - logits.max(-1, keepdims=True)), axis=-1)
                drawn = (total <= uniform[:, i : i + 1] * total[:, -1:]).sum(axis=-1)
                indices[:, i] = np.minimum(drawn, self.num_codes - 1)
            return indices

        drawn = run_in_batches(draw, uniform, batch_size, verbose)
        return drawn.reshape(num_samples, *self.grid)

    def _logits_at(self, indices, position):
        return ops.take(self(indices, training=False), position, axis=1)

    def get_config(self):
        return {
            **super().get_config(),
            "num_codes": self.num_codes,
            "grid": list(self.grid),
            "width": self.width,
            "depth": self.depth,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "seed": self.seed,
        }


class Autoregressive(Distribution):
    """The current distribution over indices of an `AutoregressivePrior`."""

    def __init__(self, prior):
        self.prior = prior

    def log_prob(self, indices):
        """Return log p of indices, shape (..., *grid), as a tensor of shape (...)."""
        grid = self.prior.grid
        leading = ops.shape(indices)[: len(indices.shape) - len(grid)]
        rows = ops.reshape(indices, (-1, *grid))
        nats = self.prior.negative_log_prob(rows, self.prior(rows, training=False))
        return -ops.reshape(nats, leading)

    def sample(self, sample_shape=(), seed=None, temperature=1.0):
        count = math.prod(sample_shape)
        indices = self.prior.sample(count, temperature=temperature, seed=seed)
        return indices.reshape(*sample_shape, *self.prior.grid)
