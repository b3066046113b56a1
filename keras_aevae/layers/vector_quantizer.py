"""Vector quantisation with a learned codebook.

van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
https://arxiv.org/abs/1711.00937
"""

import math

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_name, check_number, check_positive_integer, check_seed
from keras_aevae.engine import replicas
from keras_aevae.engine.argmax import argmax
from keras_aevae.engine.noise import uniform

TERMS = {"ema": ("commitment",), "gradient": ("codebook", "commitment")}
# The most inputs that `start_from` clusters: enough for some dozens per code, in seconds.
LARGEST_START = 20_000
# An average usage below this counts as 0: sum / size would divide by 0.
SMALLEST_SIZE = 1e-10


@keras.saving.register_keras_serializable(package="keras_aevae")
class VectorQuantizer(keras.layers.Layer):
    """Replaces each vector by the nearest of `num_codes` learned codes, and gives its index.

        index = argmin_k |z - e_k|,   quantized = e_index

    The gradient passes straight through, as if `quantized` were `z`. Good for: discrete codes, on
    which a powerful prior can be learned afterwards. Misleads when the codebook collapses: most
    codes are then never used, which the loss doesn't show. Watch the perplexity of the indices,
    which is the number of codes in effective use: a collapsed codebook reconstructs like a far
    smaller one.

    Args:
        num_codes: number of codes, 2 or more.
        update: how the codes follow the data. "ema": each is the moving average of the vectors
            assigned to it (appendix A.1 of the paper), faster and without a learning rate;
            "gradient": it is a weight of the model, trained by the term "codebook".
        decay: decay of the moving averages. The first 1 / (1 - decay) batches have equal weights,
            so the averages aren't biased towards their starting values and need no smoothing: a
            code without inputs stays where it is.
        revive_below: with "ema", a code that gets fewer inputs per batch than this, on average, is
            moved to a random input of the batch (Jukebox, Dhariwal et al. 2020,
            https://arxiv.org/abs/2005.00341, section 3.1, restarts below 1, with thousands of
            inputs per code). Keep it well below the inputs per batch divided by `num_codes`; 0
            turns it off.
        seed: integer seed of the first codes and of the restarts, or None for a random one.

    Call arguments:
        z: vectors, shape (batch, ..., code_dim).
        training: True to move the codes under "ema". They stay where they are if the layer is
            frozen (`trainable = False`).

    Returns:
        quantized: codes, shape (batch, ..., code_dim), float32 whatever the policy.
        indices: int32, shape (batch, ...).

    Example:

    ```python
    import numpy as np
    from keras_aevae.layers import VectorQuantizer
    z = np.random.default_rng(0).normal(size=(8, 7, 7, 4)).astype("float32")
    quantizer = VectorQuantizer(num_codes=16, seed=0)
    quantizer.start_from(z)
    quantized, indices = quantizer(z)  # (8, 7, 7, 4) and (8, 7, 7)
    loss = quantizer.terms(z, quantized, indices)["commitment"]  # (8,)
    ```
    """

    def __init__(
        self, num_codes=512, update="ema", decay=0.99, revive_below=0.1, seed=None, **kwargs
    ):
        # No autocast: distances and averages keep their 32 bits.
        super().__init__(autocast=False, **kwargs)
        self.num_codes = check_positive_integer("num_codes", num_codes)
        if self.num_codes < 2:
            raise ValueError(
                "`num_codes` must be at least 2: a codebook of 1 says nothing about its input. "
                f"Received: num_codes={num_codes}. The usual is 64 to 1024."
            )
        self.update = check_name("update", update, TERMS)
        self.decay = check_number("decay", decay, minimum=0, exclusive=True)
        if self.decay >= 1:
            raise ValueError(
                "`decay` must be below 1, or the codes never move; the usual is 0.99. "
                f"Received: decay={decay!r}."
            )
        self.revive_below = check_number("revive_below", revive_below, minimum=0)
        self.seed = None if seed is None else check_seed(seed)
        self.seed_generator = replicas.SeedGenerator(self.seed)

    def build(self, input_shape):
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(
                "VectorQuantizer takes vectors of known length, shape (batch, ..., code_dim). "
                f"Received: shape {tuple(input_shape)}."
            )
        self.code_dim = input_shape[-1]
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: self.code_dim})
        # The layer's `autocast=False` holds for its inputs only.
        wide = {"dtype": "float32", "autocast": False}
        bound = 1.0 / self.num_codes
        self.codebook = self.add_weight(
            name="codebook",
            shape=(self.num_codes, self.code_dim),
            initializer=keras.initializers.RandomUniform(-bound, bound, seed=self.seed),
            trainable=self.update == "gradient",
            **wide,
        )
        if self.update == "ema":
            state = {"initializer": "zeros", "trainable": False, **wide}
            self.cluster_size = self.add_weight(
                name="cluster_size", shape=(self.num_codes,), **state
            )
            self.cluster_sum = self.add_weight(
                name="cluster_sum", shape=(self.num_codes, self.code_dim), **state
            )
            self.num_batches = self.add_weight(name="num_batches", shape=(), **state)

    def call(self, z, training=None):
        z = ops.cast(z, "float32")
        # The gradient is stopped here, so that none reaches the state that is computed from it.
        vectors = ops.stop_gradient(z)
        indices = self.nearest(vectors)
        quantized = straight_through(z, self.embed(indices))
        if training and self.trainable and self.update == "ema":
            self.follow(ops.reshape(vectors, (-1, self.code_dim)), ops.reshape(indices, (-1,)))
        return quantized, indices

    def nearest(self, vectors):
        """Return the indices, shape (...), of the codes nearest to `vectors` (..., code_dim)."""
        codebook = ops.stop_gradient(ops.convert_to_tensor(self.codebook))
        # |z|^2 - |z - e|^2, as |z|^2 is the same for all codes: (..., num_codes)
        closeness = 2.0 * ops.matmul(vectors, ops.transpose(codebook)) - ops.sum(
            ops.square(codebook), axis=-1
        )
        return argmax(closeness)

    def follow(self, vectors, nearest):
        """Update the averages, and the codes with them: equations 6 to 8 of the paper."""
        ones = ops.ones_like(vectors[:, 0])
        count = ops.segment_sum(ones, nearest, num_segments=self.num_codes)
        total = ops.segment_sum(vectors, nearest, num_segments=self.num_codes)
        # Sums over the global batch keep the codebook the same on every replica.
        count, total = map(replicas.sum_over_replicas, (count, total))
        self.num_batches.assign_add(1.0)
        rate = ops.maximum(1.0 / self.num_batches, 1.0 - self.decay)
        size = self.cluster_size + rate * (count - self.cluster_size)
        sums = self.cluster_sum + rate * (total - self.cluster_sum)
        codes = ops.where(
            (size > SMALLEST_SIZE)[:, None],
            sums / ops.maximum(size, SMALLEST_SIZE)[:, None],
            self.codebook.value,
        )
        if self.revive_below:
            dead = size < self.revive_below
            size_of_batch = ops.shape(vectors)[0]
            drawn = uniform((self.num_codes,), self.seed_generator)
            drawn = ops.cast(drawn * ops.cast(size_of_batch, "float32"), "int32")
            inputs = ops.take(vectors, ops.minimum(drawn, size_of_batch - 1), axis=0)
            inputs = replicas.of_first_replica(inputs)
            # As if the code had got this input once per batch: it has time to get more.
            fresh = max(1.0, self.revive_below)
            size = ops.where(dead, fresh, size)
            sums = ops.where(dead[:, None], fresh * inputs, sums)
            codes = ops.where(dead[:, None], inputs, codes)
        self.cluster_size.assign(size)
        self.cluster_sum.assign(sums)
        self.codebook.assign(codes)

    def embed(self, indices):
        """Return the codes of `indices`, shape (...): float32, shape (..., code_dim)."""
        return ops.take(self.codebook.value, ops.cast(indices, "int32"), axis=0)

    @property
    def term_names(self):
        """Names of the terms that `terms` returns."""
        return TERMS[self.update]

    def terms(self, z, quantized, indices):
        """Return the terms of the loss by name (equation 3 of the paper), each of shape (batch,).

        `commitment`, |z - sg(e)|^2, moves the input to its code; `codebook`, |sg(z) - e|^2, moves
        the code to its inputs. Both are sums over all other axes.
        """
        z = ops.cast(z, "float32")
        code = ops.stop_gradient(ops.cast(quantized, "float32"))
        terms = {"commitment": sum_of_squares(z - code)}
        if self.update == "gradient":
            terms["codebook"] = sum_of_squares(ops.stop_gradient(z) - self.embed(indices))
        return {name: terms[name] for name in self.term_names}

    def start_from(self, z):
        """Move the codes to the centres of clusters (k-means) of the array `z`, (n, ..., code_dim).

        Call it once, before training, with the encoder's outputs for some of the data: a codebook
        that starts among its inputs seldom collapses. If `z` has no more distinct vectors than
        there are codes, the codes are these vectors, repeated with a little noise.
        """
        from sklearn.cluster import KMeans
        from sklearn.utils import check_random_state

        z = np.asarray(z, "float32")
        if not self.built:
            self.build((None, *z.shape[1:]))
        if z.size == 0 or z.shape[-1] != self.code_dim or not np.isfinite(z).all():
            raise ValueError(
                f"`z` must be a non-empty array of finite vectors of length {self.code_dim}, the "
                f"encoder's output. Received: z.shape={z.shape}."
            )
        random = check_random_state(self.seed)
        vectors = z.reshape(-1, self.code_dim)
        if len(vectors) > LARGEST_START:
            vectors = vectors[random.choice(len(vectors), LARGEST_START, replace=False)]
        distinct = np.unique(vectors, axis=0)
        if len(distinct) > self.num_codes:
            kmeans = KMeans(self.num_codes, n_init=1, random_state=random).fit(vectors)
            codes = kmeans.cluster_centers_
            share = np.bincount(kmeans.labels_, minlength=self.num_codes) / len(vectors)
        else:
            codes = np.resize(distinct, (self.num_codes, self.code_dim))
            noise = random.normal(size=codes.shape) * (1e-3 * (vectors.std() or 1.0))
            noise[: len(distinct)] = 0.0
            codes = codes + noise
            share = np.zeros(self.num_codes)
        self.codebook.assign(codes)
        if self.update == "ema":
            # The state after batches of `num_codes` inputs, of which each code got its share, or
            # one.
            size = np.maximum(self.num_codes * share, max(1.0, self.revive_below))
            self.cluster_size.assign(size)
            self.cluster_sum.assign(size[:, None] * codes)
            self.num_batches.assign(math.ceil(1.0 / (1.0 - self.decay)))

    def compute_output_spec(self, z, training=None):
        return (
            keras.KerasTensor(z.shape, dtype="float32"),
            keras.KerasTensor(z.shape[:-1], dtype="int32"),
        )

    def compute_output_shape(self, input_shape):
        return tuple(input_shape), tuple(input_shape[:-1])

    def get_config(self):
        return {
            **super().get_config(),
            "num_codes": self.num_codes,
            "update": self.update,
            "decay": self.decay,
            "revive_below": self.revive_below,
            "seed": self.seed,
        }


def straight_through(z, value):
    """Return `value` with the gradient of `z`: Bengio et al. 2013, arxiv.org/abs/1308.3432."""
    return ops.stop_gradient(value) + (z - ops.stop_gradient(z))


def sum_of_squares(x):
    """Return the sum of squares over all axes but the first."""
    return ops.sum(ops.square(x), axis=tuple(range(1, len(x.shape))))
