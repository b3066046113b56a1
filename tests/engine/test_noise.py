import keras
import numpy as np
import pytest
from scipy import stats

import keras_aevae as ka
from keras_aevae.engine.noise import noise_states, normal, start_noise, uniform


@pytest.mark.parametrize("draw", [normal, uniform])
def test_the_numbers_are_those_of_keras(draw):
    ours, theirs = keras.random.SeedGenerator(5), keras.random.SeedGenerator(5)
    function = getattr(keras.random, draw.__name__)
    for _ in range(3):  # the state of the generator moves on alike
        expected = keras.ops.convert_to_numpy(function((4, 3), seed=theirs))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(draw((4, 3), ours)), expected)
    expected = keras.ops.convert_to_numpy(function((4, 3), seed=7))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(draw((4, 3), 7)), expected)


@pytest.mark.parametrize("draw, family", [(normal, stats.norm), (uniform, stats.uniform)])
def test_distribution(draw, family):
    x = keras.ops.convert_to_numpy(draw((20_000,), keras.random.SeedGenerator(3)))
    assert x.dtype == "float32"
    assert stats.kstest(x, family.cdf).pvalue > 0.01


def test_all_generators_of_a_model_are_found():
    """Those of its code, of its own, of its networks and of the masks of x."""
    encoder = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(8)]
    )
    decoder = ka.networks.mlp((6,), 2, hidden=(8,))[1]
    model = ka.FactorVAE(encoder, decoder, discriminator=(8,), seed=3)
    dropout = encoder.layers[0].seed_generator
    generators = (model.code.sampling.seed_generator, model.permutations, dropout)
    assert {id(g.state) for g in generators} == {id(v) for v in noise_states(model)}
    assert len({tuple(keras.ops.convert_to_numpy(g.state)) for g in generators}) == 3
    start_noise(noise_states(model), 5)
    starts = [tuple(keras.ops.convert_to_numpy(v)) for v in noise_states(model)]
    assert starts[0] == (5, 0) and len(set(starts)) == 3
