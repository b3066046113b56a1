"""What a model's config holds: its seed, and objects and plain values at any depth."""

import json

import keras
import numpy as np
import pytest
from zoo import SHAPE, causal

import keras_aevae as ka
from keras_aevae.codes import GaussianCode, PointCode
from keras_aevae.models.autoencoder import deserialized

LATENT = 3


def make(cls=ka.VAE, network=ka.networks.mlp, **settings):
    keras.utils.set_random_seed(1)
    return cls(*network(SHAPE, LATENT), **settings)


@pytest.fixture(scope="module")
def x():
    return ka.datasets.load("digits")[0][0][:64]


def again(model):
    return type(model).from_config(json.loads(json.dumps(model.get_config())))


# Seeds


def test_a_seed_holds_for_every_code(x):
    first = make(seed=7).encode(x, sample=True)
    for posterior, seed in (
        (GaussianCode(), 7),
        (GaussianCode(seed=7), None),
        (GaussianCode(seed=7), 8),  # its own
    ):
        model = make(posterior=posterior, seed=seed)
        other = again(model)
        other.set_weights(make(seed=7).get_weights())
        drawn = [one.encode(x, sample=True) for one in (model, other)]
        np.testing.assert_array_equal(drawn[0], first)
        assert np.abs(drawn[0] - make(seed=9).encode(x, sample=True)).max() > 0.1
        assert other.seed == model.seed == (7 if seed is None else seed)
        assert other.get_config()["seed"] == model.seed


def test_a_code_of_several_noises_has_different_ones():
    class Two(GaussianCode):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.second = ka.engine.replicas.SeedGenerator(None)

        @property
        def noise(self):
            return [*super().noise, self.second]

    first, second = (
        keras.ops.convert_to_numpy(keras.random.uniform((100,), seed=generator))
        for generator in make(posterior=Two(), seed=7).code.noise
    )
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("posterior", ["point", PointCode])
def test_a_point_code_keeps_its_seed_for_the_masks(posterior, x):
    def masks(seed):
        given = posterior if isinstance(posterior, str) else posterior()
        settings = {"decoder_sees_x": True, "x_dropout": 0.5, "posterior": given, "seed": seed}
        model = make(ka.Autoencoder, causal, **settings)
        assert model.seed == model.get_config()["seed"] == seed
        for one in (model, again(model)):
            yield keras.ops.convert_to_numpy(one(x, training=True)["x_before"])

    (a, b), (c, _) = masks(7), masks(8)
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.1


def test_the_masks_of_a_seed_are_those_of_before(x):
    """Of a seed 2^30 from the posterior's."""
    settings = {"decoder_sees_x": True, "x_dropout": 0.5, "seed": 7}
    model = make(ka.VAE, causal, **settings)
    past = ka.layers.past.Past(7 + 2**30)
    expected = keras.ops.convert_to_numpy(past(x, dropout=0.5))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model(x, training=True)["x_before"]), expected
    )


def test_a_seed_is_checked_for_a_point_too():
    with pytest.raises(ValueError, match="`seed` must be an integer.*Received: seed=1.5"):
        make(ka.Autoencoder, seed=1.5)


# Objects at any depth


@keras.saving.register_keras_serializable(package="tests")
class Nested(ka.VAE):
    """A model with lists and dicts of layers, and with plain values that look like them."""

    def __init__(self, *args, heads=(), towers=None, plain=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.heads, self.towers = list(heads), dict(towers or {})
        self.plain = plain

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "heads": [serialize(head) for head in self.heads],
            "towers": {k: [serialize(one) for one in v] for k, v in self.towers.items()},
            "plain": json.loads(json.dumps(self.plain)),
        }


PLAIN = {
    "class_name": "Dense",
    "config": {"units": 3},
    "sizes": [1, [2, 3]],
    "names": ["relu", "tests>Nested", None],
    "module": "keras.layers",
    "inner": {"class_name": "cat", "config": 7},
}


def test_layers_in_lists_and_dicts_are_reloaded_as_layers(x, tmp_path):
    def dense(units):
        layer = keras.layers.Dense(units)
        layer.build((None, LATENT))
        return layer

    towers = {"a": [dense(3)], "b": [ka.networks.mlp(SHAPE, LATENT)[0]]}
    model = make(Nested, heads=(dense(2), dense(4)), towers=towers, plain={"sizes": [1, [2]]})
    model.save(tmp_path / "m.keras")
    model.save_to_preset(tmp_path / "preset")
    for other in (
        again(model),
        keras.saving.load_model(tmp_path / "m.keras"),
        Nested.from_preset(tmp_path / "preset"),
    ):
        assert [type(head) for head in other.heads] == 2 * [keras.layers.Dense]
        assert [head.units for head in other.heads] == [2, 4]
        assert isinstance(other.towers["b"][0], keras.Model)
        assert other.plain == {"sizes": [1, [2]]}
        assert len(other.weights) == len(model.weights)


def test_plain_values_stay_what_they_are():
    assert again(make(Nested, plain=PLAIN)).plain == PLAIN
    layer = keras.layers.Dense(3)
    value = {"a": (layer, 1), "b": [PLAIN]}  # as in a config that was never written

    def nothing(config):
        raise AssertionError(config)

    assert deserialized(value, nothing) == value
