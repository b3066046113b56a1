"""A model as a part of another Keras model, and parts of a model frozen."""

import keras
import numpy as np
import pytest
from zoo import ONE_EACH, SHAPE, ZOO, build, given, inputs

import keras_aevae as ka
from keras_aevae.codes import PointCode


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((16, *SHAPE), "float32")


@pytest.mark.parametrize("row", ONE_EACH)
def test_outputs_of_a_call_are_what_they_are_called(row, x):
    """Keras matches the outputs of a part by their places: they must be the same in training."""
    model = build(row)
    given = inputs(row, x)
    if ZOO[row].condition is None:
        place = keras.Input(SHAPE)
    else:
        condition = given[1]
        place = (keras.Input(SHAPE), keras.Input(condition.shape[1:], dtype=condition.dtype))
    outputs = model(place)
    own = model(given, training=False)
    assert set(outputs) == set(own) == set(model(given, training=True))
    for name in ("z_mean", "reconstruction", "decoder_output", "z"):
        whole = keras.Model(place, outputs[name])
        assert whole.output_shape[1:] == tuple(own[name].shape[1:])
        for training in (False, True):
            got = whole(given, training=training)
            assert tuple(got.shape) == tuple(own[name].shape)
            if name == "z_mean":  # which no noise is in
                np.testing.assert_allclose(
                    keras.ops.convert_to_numpy(got),
                    keras.ops.convert_to_numpy(own[name]),
                    atol=1e-6,
                )


def test_a_classifier_on_the_codes_of_a_vae_trains_on_the_codes():
    """Of data whose label is the sign of one number, which the codes hold."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    vae = ka.VAE(encoder, ka.networks.mlp((2,), 2, hidden=(4,))[1], likelihood="gaussian", seed=1)
    vae.code.head.set_weights([np.eye(2, 4), np.array([0, 0, -8, -8])])  # z is x, nearly
    vae.trainable = False
    x = np.random.default_rng(1).normal(size=(512, 2)).astype("float32")
    place = keras.Input((2,))
    classifier = keras.Model(place, keras.layers.Dense(1, "sigmoid")(vae(place)["z"]))
    classifier.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    classifier.fit(x, x[:, :1] > 0, epochs=5, verbose=0)
    assert classifier.evaluate(x, x[:, :1] > 0, verbose=0)[1] > 0.9


def test_a_frozen_encoder_freezes_all_that_encodes(x):
    model = build("VAE")

    def move():
        """Which parts a step moves."""
        before = [v.copy() for part in (model.encoder, model.code.head) for v in part.get_weights()]
        decoder = model.decoder.get_weights()
        model.fit(x, verbose=0)
        after = [v for part in (model.encoder, model.code.head) for v in part.get_weights()]
        moved = [bool((a != b).any()) for a, b in zip(before, after)]
        assert any((a != b).any() for a, b in zip(decoder, model.decoder.get_weights()))
        return moved

    model.compile(keras.optimizers.SGD(0.1))
    assert all(move())
    model.encoder.trainable = False
    model.compile(keras.optimizers.SGD(0.1))
    assert not any(move())
    model.encoder.trainable = True
    model.compile(keras.optimizers.SGD(0.1))
    assert all(move())


def test_a_head_that_was_frozen_by_itself_stays_frozen(x):
    model = build("VAE")
    model.code.head.trainable = False
    for trainable in (True, False, True):
        model.encoder.trainable = trainable
        model.compile()
        assert not model.code.head.trainable


def test_a_frozen_encoder_stays_so_when_reloaded(x, tmp_path):
    model = build("VAE")
    model.encoder.trainable = False
    model.compile()
    model.fit(x, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert not again.code.head.trainable
    head = again.code.head.get_weights()
    again.fit(x, verbose=0)
    for a, b in zip(head, again.code.head.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("row", ZOO)
@pytest.mark.parametrize("steps", [0, 1])
def test_a_frozen_encoder_encodes_as_before(row, steps, x):
    """Whether it was frozen from the beginning or after some training."""
    model, c = build(row), given(row, len(x))
    if steps:
        model.compile()
        model.fit(inputs(row, x), verbose=0)
    before = model.encode(x, **c)
    decoder = model.decoder.get_weights()
    model.encoder.trainable = False
    model.compile(keras.optimizers.SGD(0.01))
    model.fit(inputs(row, x), epochs=2, batch_size=4, verbose=0)
    np.testing.assert_array_equal(model.encode(x, **c), before)
    assert any((a != b).any() for a, b in zip(decoder, model.decoder.get_weights()))


def test_a_codebook_moves_again_with_its_encoder(x, tmp_path):
    """Also after it was saved frozen."""
    model = build("VQVAE")
    model.encoder.trainable = False
    model.compile()
    model.fit(x, verbose=0)
    assert model.start_size == 0
    model.save(tmp_path / "m.keras")
    model.save_to_preset(tmp_path / "preset")
    reloaded = keras.saving.load_model(tmp_path / "m.keras")
    for again in (model, reloaded, ka.VQVAE.from_preset(tmp_path / "preset")):
        for trainable in (False, True):
            again.encoder.trainable = trainable
            again.compile()
            before = keras.ops.convert_to_numpy(again.quantizer.codebook).copy()
            again.fit(x, verbose=0)
            moved = (keras.ops.convert_to_numpy(again.quantizer.codebook) != before).any()
            assert moved == trainable
            assert again.quantizer.trainable == trainable


def test_a_codebook_that_was_frozen_by_itself_stays_so(x):
    model = build("VQVAE")
    model.quantizer.trainable = False
    before = keras.ops.convert_to_numpy(model.quantizer.codebook).copy()
    for trainable in (True, False, True):
        model.encoder.trainable = trainable
        model.compile()
        model.fit(x, verbose=0)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.quantizer.codebook), before)
    model.start_from(x)  # which is asked for
    assert (keras.ops.convert_to_numpy(model.quantizer.codebook) != before).any()


class TwoHeads(PointCode):
    """A code without a layer of the name `head`: two in a list, and a weight of its own."""

    def make(self):
        self.heads = [keras.layers.Dense(self.latent_dim) for _ in range(2)]
        for head in self.heads:
            head.build((None, *self.features_shape))
        self.shift = self.add_weight(shape=(self.latent_dim,), initializer="zeros", name="shift")

    def infer(self, features):
        features = keras.ops.reshape(features, (-1, *self.features_shape))
        one, other = (head(features) for head in self.heads)
        return {"z_mean": one + keras.ops.tanh(other) + self.shift}


class Same(PointCode):
    """A code that has no weights at all."""

    def make(self):
        pass

    def infer(self, features):
        return {"z_mean": keras.ops.reshape(features, (-1, self.latent_dim))}


@pytest.mark.parametrize("code", [TwoHeads, Same])
def test_a_code_of_other_layers_is_frozen_whole(code, x):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, name="last")]
    )
    decoder = ka.networks.mlp(SHAPE, 3, hidden=(8,))[1]
    model = ka.Autoencoder(encoder, decoder, posterior=code())
    for trainable in (True, False, True, False):
        model.encoder.trainable = trainable
        model.compile(keras.optimizers.SGD(0.1))
        before = [keras.ops.convert_to_numpy(w).copy() for w in model.code.weights]
        z = model.encode(x)
        model.fit(x, verbose=0)
        after = [keras.ops.convert_to_numpy(w) for w in model.code.weights]
        assert len(after) == (5 if code is TwoHeads else 0)
        assert all((a != b).any() == trainable for a, b in zip(before, after))
        assert (model.encode(x) != z).any() == trainable


def test_a_learned_prior_is_trained_beside_a_frozen_encoder(x):
    model = build("VAE, mixture prior")
    model.encoder.trainable = False
    model.compile()
    before = model.prior.get_weights()
    model.fit(x, verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.prior.get_weights()))
