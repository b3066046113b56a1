import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from keras_aevae.layers import VectorQuantizer

rng = np.random.default_rng(0)
K, D = 6, 3
Z = rng.normal(size=(4, 5, 2, D)).astype("float32")
CODES = rng.normal(size=(K, D)).astype("float32")


def make(codes=CODES, **settings):
    layer = VectorQuantizer(len(codes), **{"seed": 0, **settings})
    layer.build((None, codes.shape[-1]))
    layer.codebook.assign(codes)
    return layer


def call(layer, z, **kwargs):
    return [ops.convert_to_numpy(a) for a in layer(z, **kwargs)]


def state(layer):
    return [ops.convert_to_numpy(v) for v in layer.variables]


def nearest(z, codes):
    return cdist(z.reshape(-1, D), codes).argmin(axis=-1).reshape(z.shape[:-1])


# The nearest code


@pytest.mark.parametrize("update", ["ema", "gradient"])
@pytest.mark.parametrize("shape", [(7,), (4, 5), (4, 5, 2)])
def test_each_vector_becomes_the_nearest_code(update, shape):
    z = rng.normal(size=(*shape, D)).astype("float32")
    quantized, indices = call(make(update=update), z)
    assert indices.dtype == "int32"
    assert_array_equal(indices, nearest(z, CODES))
    assert_array_equal(quantized, CODES[indices])


def test_embed_is_the_codebook():
    layer = make()
    quantized, indices = call(layer, Z)
    assert_array_equal(ops.convert_to_numpy(layer.embed(indices)), quantized)


def test_first_codes_are_small_and_follow_the_seed():
    one, two, three = (make_new(seed) for seed in (1, 1, 2000))
    assert_array_equal(one, two)
    assert np.all(one != three)
    assert 0.8 / 64 < np.abs(one).max() <= 1 / 64


def make_new(seed):
    layer = VectorQuantizer(64, seed=seed)
    layer.build((None, D))
    return ops.convert_to_numpy(layer.codebook)


# Gradients


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_gradient_passes_straight_through(gradient, update):
    layer, weight = make(update=update), rng.normal(size=Z.shape).astype("float32")
    assert_array_equal(gradient(lambda z: ops.sum(ops.multiply(layer(z)[0], weight)), Z), weight)


def at(layer, function):
    """`function(z)` with the codebook as a second argument to differentiate by."""

    def of(z, codebook):
        with keras.StatelessScope(state_mapping=[(layer.codebook, codebook)]):
            return function(z) + 0.0 * ops.sum(codebook) + 0.0 * ops.sum(z)

    return of


@pytest.mark.parametrize("name", ["codebook", "commitment"])
def test_gradients_of_the_terms(gradient, name):
    layer = make(update="gradient")
    by_z, by_codes = gradient(
        at(layer, lambda z: ops.sum(layer.terms(z, *layer(z))[name])), Z, CODES
    )
    indices = nearest(Z, CODES)
    difference = Z.astype("float64") - CODES[indices]
    expected = np.zeros((K, D))
    np.add.at(expected, indices.ravel(), -2 * difference.reshape(-1, D))
    # Sums of float32 numbers of order 1.
    if name == "codebook":
        assert_allclose(by_codes, expected, rtol=1e-5, atol=1e-5)
        assert not by_z.any()
    else:
        assert_allclose(by_z, 2 * difference, rtol=1e-5, atol=1e-6)
        assert not by_codes.any()


def test_no_gradient_into_the_codebook_through_the_output(gradient):
    layer = make(update="gradient")
    by_z, by_codes = gradient(at(layer, lambda z: ops.sum(layer(z)[0])), Z, CODES)
    assert_array_equal(by_z, np.ones_like(Z))
    assert not by_codes.any()


def test_no_gradient_through_the_state_that_training_moves(gradient):
    layer = make()

    def f(z):
        with keras.StatelessScope():
            layer(z, training=True)
            moved = ops.sum(layer.codebook) + ops.sum(layer.cluster_sum)
        return moved + ops.sum(z)

    assert_array_equal(gradient(f, Z), np.ones_like(Z))


def test_only_the_trained_codebook_is_trainable():
    assert [v.name for v in make(update="gradient").trainable_variables] == ["codebook"]
    assert not make(update="ema").trainable_variables


# Terms


@pytest.mark.parametrize(
    "update, names", [("ema", ("commitment",)), ("gradient", ("codebook", "commitment"))]
)
def test_terms_are_sums_per_example(update, names):
    layer = make(update=update)
    terms = layer.terms(Z, *layer(Z))
    assert tuple(terms) == layer.term_names == names
    expected = np.square(Z - CODES[nearest(Z, CODES)]).sum(axis=(1, 2, 3))
    for term in terms.values():
        assert_allclose(ops.convert_to_numpy(term), expected, rtol=1e-5)


def test_terms_do_not_depend_on_the_batch():
    layer = make(update="gradient")
    whole = layer.terms(Z, *layer(Z))
    for name, term in layer.terms(Z[1:2], *layer(Z[1:2])).items():
        assert_allclose(ops.convert_to_numpy(term)[0], ops.convert_to_numpy(whole[name])[1])


# The moving averages


class Autoencoder(keras.Model):
    """The quantizer on the inputs themselves, before a decoder to train."""

    def __init__(self, quantizer):
        super().__init__()
        self.quantizer = quantizer
        self.decoder = keras.layers.Dense(D)

    def call(self, x, training=None):
        quantized, indices = self.quantizer(x, training=training)
        return {"x": self.decoder(quantized), "quantized": quantized, "indices": indices}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        terms = self.quantizer.terms(x, y_pred["quantized"], y_pred["indices"])
        return ops.mean(ops.square(x - y_pred["x"])) + ops.mean(sum(terms.values()))


def reference(batches, codes, decay):
    """Equations 6 to 8 of van den Oord et al. 2017, from averages of equal weights."""
    codes = codes.astype("float64")
    size, sums = np.zeros(len(codes)), np.zeros_like(codes)
    for t, batch in enumerate(batches, start=1):
        chosen = np.eye(len(codes))[cdist(batch, codes).argmin(axis=-1)]
        rate = max(1 / t, 1 - decay)
        size = (1 - rate) * size + rate * chosen.sum(axis=0)
        sums = (1 - rate) * sums + rate * chosen.T @ batch.astype("float64")
        used = size > 0
        codes[used] = sums[used] / size[used, None]
    return codes, size, sums


# The last code is too far off to win anything.
FAR = np.concatenate([CODES, [[100.0] * D]]).astype("float32")


def test_averages_in_fit_agree_with_numpy():
    x = rng.normal(size=(20 * 16, D)).astype("float32")
    model = Autoencoder(make(FAR, decay=0.9, revive_below=0))
    model.compile(keras.optimizers.SGD(0.01))
    model.fit(x, batch_size=16, epochs=1, shuffle=False, verbose=0)
    codes, size, sums = reference(x.reshape(20, 16, D), FAR, decay=0.9)
    layer = model.quantizer
    # 20 steps of float32.
    assert_allclose(ops.convert_to_numpy(layer.codebook), codes, rtol=1e-5, atol=1e-5)
    assert_allclose(ops.convert_to_numpy(layer.cluster_size), size, rtol=1e-5, atol=1e-5)
    assert_allclose(ops.convert_to_numpy(layer.cluster_sum), sums, rtol=1e-5, atol=1e-5)
    assert_array_equal(ops.convert_to_numpy(layer.codebook)[-1], FAR[-1])


def test_averages_of_one_batch_are_its_cluster_means():
    layer = make(revive_below=0)
    layer(Z, training=True)
    indices = nearest(Z, CODES)
    for k in np.unique(indices):
        assert_allclose(
            ops.convert_to_numpy(layer.codebook)[k], Z[indices == k].mean(axis=0), rtol=1e-5
        )


def test_a_code_without_inputs_stays_where_it_is():
    layer = make(FAR, decay=0.5, revive_below=0)
    layer(FAR[-1:], training=True)
    for _ in range(300):  # 0.5^300 is 0 in float32
        layer(Z[:1, 0], training=True)
    assert_allclose(ops.convert_to_numpy(layer.codebook)[-1], FAR[-1], rtol=1e-5)


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_nothing_moves_outside_training(update):
    model = Autoencoder(make(update=update))
    model.compile("sgd")
    x = Z.reshape(-1, D)
    model.evaluate(x, verbose=0)
    model.predict(x, verbose=0)
    before = state(model.quantizer)
    model.evaluate(x, verbose=0)
    model.predict(x, verbose=0)
    model.quantizer(x)
    model.quantizer(x, training=False)
    for a, b in zip(state(model.quantizer), before):
        assert_array_equal(a, b)
    assert_array_equal(ops.convert_to_numpy(model.quantizer.codebook), CODES)


def test_a_frozen_layer_does_not_move():
    layer = make()
    layer.trainable = False
    layer(Z, training=True)
    assert_array_equal(ops.convert_to_numpy(layer.codebook), CODES)


def test_a_trained_codebook_moves_by_its_gradient_alone():
    model = Autoencoder(make(update="gradient"))
    model.compile(keras.optimizers.SGD(0.1))
    x = Z.reshape(-1, D)
    model.fit(x, batch_size=len(x), epochs=1, verbose=0)
    indices = nearest(x, CODES)
    step = np.zeros((K, D))
    np.add.at(step, indices, 0.1 * 2 * (x.astype("float64") - CODES[indices]) / len(x))
    assert_allclose(ops.convert_to_numpy(model.quantizer.codebook), CODES + step, rtol=1e-5)


# Dead codes


def test_dead_codes_restart_at_inputs_and_live_ones_do_not():
    codes = np.concatenate([CODES[:2], CODES[:1] + 1000, CODES[:1] - 1000]).astype("float32")
    x = Z.reshape(-1, D)
    layer, without = make(codes), make(codes, revive_below=0)
    layer(x, training=True), without(x, training=True)
    got, expected = (ops.convert_to_numpy(q.codebook) for q in (layer, without))
    assert_array_equal(got[:2], expected[:2])
    assert_array_equal(expected[2:], codes[2:])
    for code in got[2:]:
        assert np.any(np.all(code == x, axis=-1))
    size = ops.convert_to_numpy(layer.cluster_size)
    assert_array_equal(size[2:], 1.0)
    assert_allclose(ops.convert_to_numpy(layer.cluster_sum)[2:], size[2:, None] * got[2:])


def test_a_collapsed_codebook_spreads_in_fit():
    x = rng.normal(size=(512, D)).astype("float32") + 20  # far from the first codes
    used = {}
    for revive_below in (0.0, 0.1):
        model = Autoencoder(VectorQuantizer(16, revive_below=revive_below, seed=0))
        model.compile("sgd")
        model.fit(x, batch_size=64, epochs=2, verbose=0)
        used[revive_below] = len(np.unique(model.predict(x, verbose=0)["indices"]))
    assert used[0.0] < 8 and used[0.1] == 16


def test_a_high_threshold_does_not_kill_what_it_restarts():
    layer = make(revive_below=5.0)
    layer(Z[:1, :1], training=True)
    assert np.all(ops.convert_to_numpy(layer.cluster_size) >= 5.0)


# A start at k-means


def test_start_finds_separated_clusters():
    centres = 10 * np.eye(K, 8)
    z = (centres[rng.integers(K, size=(50, 4))] + rng.normal(0, 0.1, (50, 4, 8))).astype("float32")
    layer = VectorQuantizer(K, seed=3)
    layer.start_from(z)
    assert cdist(centres, ops.convert_to_numpy(layer.codebook)).min(axis=1).max() < 0.2


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_start_lowers_the_error_and_training_goes_on_from_there(update):
    z = rng.normal(size=(64, 4, D)).astype("float32")

    def error():
        return np.square(call(layer, z)[0] - z).sum(-1).mean()

    layer = VectorQuantizer(16, update=update, seed=1)
    layer.build(z.shape)
    before = error()
    layer.start_from(z)
    after = error()
    # 16 codes for a 3-dimensional Gaussian of mean square 3.
    assert after < 0.4 * before
    codes = ops.convert_to_numpy(layer.codebook)
    for _ in range(3):
        layer(z, training=True)
    # Lloyd's algorithm never raises the error, and has converged: the codes hardly move.
    assert error() < 1.01 * after
    assert np.abs(ops.convert_to_numpy(layer.codebook) - codes).max() < 0.1


def test_start_revives_nothing_at_once():
    z = np.concatenate([rng.normal(size=(500, D)), [[50.0] * D]]).astype("float32")
    layer = VectorQuantizer(4, seed=0)
    layer.start_from(z)
    assert np.all(ops.convert_to_numpy(layer.cluster_size) >= 1)
    layer(z[:32], training=True)
    assert cdist([[50.0] * D], ops.convert_to_numpy(layer.codebook)).min() < 1e-3


def test_start_from_fewer_vectors_than_codes_fills_up():
    z = np.repeat(rng.normal(size=(3, D)), 4, axis=0).astype("float32")
    layer = VectorQuantizer(8, seed=0)
    layer.start_from(z)
    codes = ops.convert_to_numpy(layer.codebook)
    assert len(np.unique(codes, axis=0)) == 8
    assert_array_equal(call(layer, z)[0], z)
    assert cdist(codes, z).min(axis=1).max() < 0.02


def test_start_follows_the_seed():
    z = rng.normal(size=(200, D)).astype("float32")
    codes = []
    for seed in (1, 1, None, None):
        keras.utils.set_random_seed(5)
        layer = VectorQuantizer(8, seed=seed)
        layer.start_from(z)
        codes.append(ops.convert_to_numpy(layer.codebook))
    assert_array_equal(*codes[:2])
    assert_array_equal(*codes[2:])


@pytest.mark.parametrize(
    "z", [np.zeros((0, D)), np.zeros((4, D + 1)), np.full((4, D), np.nan)], ids=str
)
def test_start_checks_the_vectors(z):
    with pytest.raises(ValueError, match=f"`z` must be .* vectors of length {D}"):
        make().start_from(z)


# In models


def test_it_works_in_a_functional_model_and_reloads(tmp_path):
    inputs = keras.Input((None, 5, D))
    quantized, indices = VectorQuantizer(K, seed=0)(inputs)
    assert quantized.shape == (None, None, 5, D) and indices.shape == (None, None, 5)
    assert indices.dtype == "int32"
    model = keras.Model(inputs, [quantized, indices])
    x = rng.normal(size=(3, 4, 5, D)).astype("float32")
    outputs = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    for got, expected in zip(copy.predict(x, verbose=0), outputs):
        assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_keeps_distances_and_state_in_float32(dtype):
    layer, wide = make(dtype=f"mixed_{dtype}"), make()
    z = np.round(8 * Z) / 8  # exact in 16 bits, which is how a policy hands inputs on
    quantized, indices = layer(z, training=True)
    wide(z, training=True)
    for a, b in zip(state(layer), state(wide)):
        assert_array_equal(a, b)
    assert keras.backend.standardize_dtype(quantized.dtype) == "float32"
    assert_array_equal(ops.convert_to_numpy(indices), nearest(z, CODES))
    terms = layer.terms(z, quantized, indices)
    for value in [*layer.variables, *terms.values(), layer.embed(indices)]:
        if "seed" not in getattr(value, "path", ""):
            assert keras.backend.standardize_dtype(value.dtype) == "float32"


def test_config():
    layer = VectorQuantizer(7, update="gradient", decay=0.5, revive_below=2, seed=3, name="q")
    copy = VectorQuantizer.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.num_codes, copy.update, copy.decay) == (7, "gradient", 0.5)
    assert (copy.revive_below, copy.seed) == (2.0, 3)
    assert layer.compute_output_shape((None, 7, 3)) == ((None, 7, 3), (None, 7))


# Bad input


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_codes": 1}, "`num_codes` must be at least 2: .*Received: num_codes=1.*usual"),
        ({"num_codes": 2.5}, "`num_codes` must be a positive integer. Received: num_codes=2.5"),
        ({"update": "emma"}, "Unknown `update`. Received: update='emma'. Did you mean: ema?"),
        ({"decay": 0}, "`decay` must be a finite number greater than 0. Received: decay=0"),
        ({"decay": 1}, "`decay` must be below 1.*Received: decay=1"),
        ({"revive_below": -1}, "`revive_below` must be .* Received: revive_below=-1"),
        ({"seed": -1}, "`seed` must be an integer .* Received: seed=-1"),
    ],
)
def test_arguments_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        VectorQuantizer(**settings)


def test_the_length_of_vectors_is_checked():
    with pytest.raises(
        ValueError, match=r"vectors of known length.*Received: shape \(None, None\)"
    ):
        VectorQuantizer(4)(keras.Input((None,)))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        make()(np.zeros((2, 4), "float32"))
