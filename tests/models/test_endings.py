"""Networks as people bring them: decoders that end in an activation, encoders that draw z."""

import keras
import numpy as np
import pytest
from keras import activations, layers, ops

import keras_aevae as ka
from keras_aevae.distributions import Categorical, Column, Columns, DiscretizedLogistic, Gaussian

SHAPE, LATENT = (4, 4, 1), 2
BACKEND = keras.backend.backend()


def functional(end):
    """A decoder whose last operations are the function `end` of (batch, 16)."""
    z = keras.Input((LATENT,))
    return keras.Model(z, layers.Reshape(SHAPE)(end(layers.Dense(16)(layers.Dense(3)(z)))))


def sequential(*end):
    return keras.Sequential([keras.Input((LATENT,)), layers.Dense(3, "relu"), *end])


class Subclassed(keras.Model):
    def __init__(self, activation):
        super().__init__()
        self.dense, self.reshape = layers.Dense(16, activation), layers.Reshape(SHAPE)

    def call(self, z):
        return self.reshape(self.dense(z))


class Probabilities(layers.Layer):
    """A user's own layer, with weights and a sigmoid in it."""

    def __init__(self, ending=ops.sigmoid):
        super().__init__()
        self.dense, self.ending = layers.Dense(16), ending

    def build(self, shape):
        self.dense.build(shape)

    def call(self, h):
        return self.ending(self.dense(h))


class DenseOfMine(layers.Dense):
    """A subclass that changes nothing of what Keras's layer does."""


class Squashed(layers.Dense):
    """A subclass whose activation isn't at the end."""

    def call(self, h):
        return super().call(h) * 20.0


def of_backend(name):
    """The function of that name as PyTorch, JAX or TensorFlow have it."""
    if BACKEND == "torch":
        import torch

        return getattr(torch, name)
    if BACKEND == "jax":
        import jax

        return getattr(jax.nn, name)
    import tensorflow as tf

    return getattr(tf.nn, name)


def two_heads(activation):
    z = keras.Input((LATENT,))
    h = layers.Dense(3)(z)
    halves = [layers.Dense(8, activation)(h) for _ in range(2)]
    return keras.Model(z, layers.Reshape(SHAPE)(layers.Concatenate()(halves)))


def convolved(*end):
    z = keras.Input((LATENT,))
    h = layers.Reshape((2, 2, 1))(layers.Dense(4)(z))
    h = layers.Conv2DTranspose(1, 3, strides=2, padding="same")(h)
    return keras.Model(z, keras.Sequential(end)(h))


# Decoders whose outputs can't be logits.
BOUNDED = {
    "a layer's activation": lambda: functional(layers.Dense(16, "sigmoid")),
    "softmax": lambda: functional(layers.Dense(16, activation="softmax")),
    "tanh": lambda: functional(layers.Dense(16, "tanh")),
    "relu": lambda: functional(layers.Dense(16, "relu")),
    "a limited relu": lambda: functional(layers.ReLU(max_value=1.0)),
    "softplus": lambda: functional(layers.Dense(16, "softplus")),
    "Activation": lambda: functional(layers.Activation("sigmoid")),
    "Softmax": lambda: functional(layers.Softmax()),
    "keras.activations": lambda: functional(activations.sigmoid),
    "keras.ops": lambda: functional(ops.sigmoid),
    "clipped to [0, 1]": lambda: functional(lambda h: ops.clip(h, 0.0, 1.0)),
    "tanh moved to [0, 1]": lambda: functional(lambda h: (ops.tanh(h) + 1.0) / 2.0),
    "Lambda": lambda: functional(layers.Lambda(lambda h: ops.sigmoid(h))),
    "Lambda of the backend's": lambda: functional(
        layers.Lambda(lambda h: of_backend("sigmoid")(h))
    ),
    "the backend's function": lambda: functional(layers.Dense(16, of_backend("sigmoid"))),
    "a user's function": lambda: functional(layers.Dense(16, lambda h: 1 / (1 + ops.exp(-h)))),
    "a layer as activation": lambda: functional(layers.Dense(16, layers.Softmax())),
    "a user's layer": lambda: functional(Probabilities()),
    "a subclass of Keras's layer": lambda: functional(DenseOfMine(16, "sigmoid")),
    "Reshape after it": lambda: sequential(layers.Dense(16, "sigmoid"), layers.Reshape(SHAPE)),
    "Dropout, Identity after it": lambda: sequential(
        layers.Dense(16, "sigmoid"), layers.Dropout(0.1), layers.Identity(), layers.Reshape(SHAPE)
    ),
    "cropped": lambda: sequential(
        layers.Dense(36, "sigmoid"), layers.Reshape((6, 6, 1)), layers.Cropping2D(1)
    ),
    "two heads": lambda: two_heads("sigmoid"),
    "a nested network": lambda: convolved(layers.Conv2D(1, 1), layers.Activation("sigmoid")),
    "a nested activation": lambda: convolved(layers.Activation("sigmoid")),
    "nested twice": lambda: convolved(keras.Sequential([layers.Conv2D(1, 1, activation="tanh")])),
    "a convolution": lambda: convolved(layers.Conv2D(1, 3, padding="same", activation="sigmoid")),
    "each step": lambda: sequential(
        layers.RepeatVector(4), layers.GRU(5, return_sequences=True),
        layers.TimeDistributed(layers.Dense(4, "sigmoid")), layers.Reshape(SHAPE),
    ),
    "recurrent": lambda: sequential(
        layers.RepeatVector(4), layers.LSTM(4, return_sequences=True), layers.Reshape(SHAPE)
    ),
    "a subclassed model": lambda: Subclassed("sigmoid"),
    "16 bits": lambda: functional(layers.Dense(16, "sigmoid", dtype="mixed_float16")),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDED)
def test_a_decoder_of_probabilities_is_refused_with_the_remedy(name):
    encoder, _ = ka.networks.mlp(SHAPE, LATENT, hidden=(4,))
    with pytest.raises(ValueError, match="must give logits.*Remove that activation"):
        ka.VAE(encoder, BOUNDED[name](), LATENT)


# Decoders whose outputs may be any number, or nearly.
FREE = {
    "linear": lambda: functional(layers.Dense(16)),
    "linear by name": lambda: functional(layers.Dense(16, "linear")),
    "leaky": lambda: functional(layers.LeakyReLU()),
    "leaky by its slope": lambda: functional(layers.ReLU(negative_slope=0.1)),
    "kept from overflow": lambda: functional(lambda h: ops.clip(h, -15.0, 15.0)),
    "softly": lambda: functional(lambda h: 10.0 * ops.tanh(h / 10.0)),
    "an activation before": lambda: functional(lambda h: layers.Dense(16)(ops.sigmoid(h))),
    "normalised": lambda: functional(lambda h: layers.BatchNormalization()(ops.sigmoid(h))),
    "a gate": lambda: functional(lambda h: layers.Multiply()([h, layers.Dense(16, "sigmoid")(h)])),
    "a residual": lambda: functional(lambda h: h + layers.Dense(16, "sigmoid")(h)),
    "zero at first": lambda: functional(layers.Dense(16, kernel_initializer="zeros")),
    "a user's layer": lambda: functional(Probabilities(lambda h: h * 1.0)),
    "a user's layer, zero at first": lambda: functional(Probabilities(lambda h: h * 0.0)),
    "an activation that isn't the end": lambda: functional(Squashed(16, "tanh")),
    "a scaled tanh": lambda: functional(lambda h: layers.Rescaling(20.0)(ops.tanh(h))),
    "a subclassed model": lambda: Subclassed(None),
    "one of two heads": lambda: functional(
        lambda h: layers.Concatenate()([layers.Dense(8, "sigmoid")(h), layers.Dense(8)(h)])
    ),
}


@pytest.mark.parametrize("name", FREE)
def test_a_decoder_of_logits_is_taken(name):
    encoder, _ = ka.networks.mlp(SHAPE, LATENT, hidden=(4,))
    ka.VAE(encoder, FREE[name](), LATENT)


def decoder_to(outputs, activation, shape=None):
    shape = [layers.Reshape(shape)] if shape else []
    return sequential(layers.Dense(outputs, activation), *shape)


TABLE = Columns([Column("n", "gaussian"), Column("k", "categorical", ("a", "b", "c"))])


@pytest.mark.parametrize(
    "likelihood, outputs, activation, taken",
    [
        (lambda: "mse", 4, "sigmoid", True),
        (lambda: "gaussian", 4, "tanh", True),
        (lambda: "gaussian", 4, "relu", True),
        (lambda: Gaussian("learned"), 4, "sigmoid", True),  # its scale is a weight of its own
        (lambda: "binary_crossentropy", 4, "sigmoid", False),
        (lambda: Categorical(3), 12, "softmax", False),
        (lambda: Categorical(3), 12, "sigmoid", False),
        (lambda: Categorical(3), 12, "log_softmax", True),
        (lambda: Categorical(3), 12, "relu", True),  # only differences of its logits count
        (lambda: Categorical(3), 12, None, True),
        (lambda: DiscretizedLogistic(4), 8, "sigmoid", False),
        (lambda: DiscretizedLogistic(4), 8, "tanh", False),
        (lambda: DiscretizedLogistic(4), 8, None, True),
    ],
)
def test_each_likelihood_has_its_own_endings(likelihood, outputs, activation, taken):
    encoder, _ = ka.networks.mlp((4,), LATENT, hidden=(4,))

    def build():
        return ka.VAE(encoder, decoder_to(outputs, activation), LATENT, likelihood())

    if taken:
        build()
    else:
        with pytest.raises(ValueError, match="Remove that activation"):
            build()


def test_a_table_has_no_activation_at_its_end():
    with pytest.raises(ValueError, match="must give parameters.*ends in sigmoid"):
        ka.TabularVAE(
            ka.networks.mlp(TABLE.encoder_shape(), LATENT, hidden=(4,))[0],
            decoder_to(TABLE.params_shape()[0], "sigmoid"),
            likelihood=TABLE,
        )


@pytest.mark.parametrize("model", [ka.AdversarialAutoencoder, ka.FactorVAE])
def test_a_discriminator_of_probabilities_is_refused(model):
    networks = ka.networks.mlp(SHAPE, LATENT, hidden=(4,))
    with pytest.raises(ValueError, match="`discriminator` must give logits.*ends in sigmoid"):
        model(*networks, discriminator=sequential(layers.Dense(1, "sigmoid")))


def test_the_message_names_the_ending():
    decoder = sequential(layers.Dense(4, "sigmoid", name="pixels"))
    with pytest.raises(ValueError, match=r"sigmoid \(the layer 'pixels'\), with outputs from 0 to"):
        ka.Autoencoder(ka.networks.mlp((4,), LATENT, hidden=(4,))[0], decoder)


def test_a_decoder_that_sees_x_is_looked_at_too():
    z, before = keras.Input((LATENT,)), keras.Input((5, 3))
    h = layers.Concatenate()([layers.RepeatVector(5)(z), before])
    h = layers.GRU(4, return_sequences=True)(h)
    encoder, _ = ka.networks.mlp((5, 3), LATENT, hidden=(4,))
    decoder = keras.Model([z, before], layers.Dense(3, "sigmoid")(h))
    with pytest.raises(ValueError, match="Remove that activation"):
        ka.VAE(encoder, decoder, decoder_sees_x=True)
    ka.VAE(encoder, keras.Model([z, before], layers.Dense(3)(h)), decoder_sees_x=True)


# Encoders that end in what the model adds itself.


class Draw(layers.Layer):
    """The layer that every tutorial has."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs):
        mean, log_var = inputs
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(0.5 * log_var) * noise


class Gated(layers.Layer):
    """A layer of two tensors that draws nothing."""

    def call(self, inputs):
        return inputs[0] * ops.sigmoid(inputs[1])


def drawn(inputs):
    mean, log_var = inputs
    return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean))


def encoder_to(end, wrap=None):
    x = keras.Input(SHAPE)
    h = layers.Dense(4)(layers.Flatten()(x))
    outputs = end(layers.Dense(LATENT)(h), layers.Dense(LATENT)(h))
    encoder = keras.Model(x, outputs)
    return keras.Sequential([keras.Input(SHAPE), encoder]) if wrap else encoder


class SubclassedEncoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.mean, self.log_var = layers.Flatten(), layers.Dense(2), layers.Dense(2)

    def call(self, x):
        h = self.flat(x)
        return self.mean(h), self.log_var(h)


TUTORIALS = {
    "two outputs": lambda: encoder_to(lambda mean, log_var: [mean, log_var]),
    "three outputs": lambda: encoder_to(lambda m, v: [m, v, Draw()([m, v])]),
    "outputs by name": lambda: encoder_to(lambda m, v: {"z_mean": m, "z_log_var": v}),
    "a subclassed model": SubclassedEncoder,
    "z alone": lambda: encoder_to(lambda m, v: Draw()([m, v])),
    "z of a Lambda": lambda: encoder_to(
        lambda m, v: layers.Lambda(drawn, output_shape=(LATENT,))([m, v])
    ),
    "z of a nested network": lambda: encoder_to(lambda m, v: Draw()([m, v]), wrap=True),
    "z with an Identity after it": lambda: encoder_to(
        lambda m, v: layers.Identity()(Draw()([m, v]))
    ),
}


@pytest.mark.parametrize("name", TUTORIALS)
def test_an_encoder_with_a_head_is_refused_with_the_remedy(name):
    _, decoder = ka.networks.mlp(SHAPE, LATENT, hidden=(4,))
    with pytest.raises(ValueError, match="must give features alone.*End the encoder before these"):
        ka.VAE(TUTORIALS[name](), decoder)


@pytest.mark.parametrize("end", [Gated(), layers.Add(), layers.Concatenate()])
def test_an_encoder_that_joins_two_branches_is_taken(end):
    _, decoder = ka.networks.mlp(SHAPE, LATENT, hidden=(4,))
    ka.VAE(encoder_to(lambda a, b: end([a, b])), decoder)


def test_looking_at_an_encoder_changes_no_seed():
    layer = Draw()
    encoder = encoder_to(lambda m, v: layer([m, v]))
    before = ops.convert_to_numpy(layer.seeds.state)
    with pytest.raises(ValueError, match="draws z"):
        ka.VAE(encoder, ka.networks.mlp(SHAPE, LATENT, hidden=(4,))[1])
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.seeds.state), before)


def test_a_ladder_takes_several_features():
    encoder = encoder_to(lambda a, b: [a, b])
    ka.HierarchicalVAE(encoder, ka.networks.mlp(SHAPE, 4, hidden=(4,))[1], groups=2)
