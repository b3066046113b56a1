"""The adversary: its losses against closed forms, and where its gradients go, against central
differences in float64."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

import keras_aevae as ka
from keras_aevae.objectives import Adversary, discriminator_loss, generator_loss
from keras_aevae.objectives.adversarial import check_discriminator

RNG = np.random.default_rng(0)


def number(tensor):
    return ops.convert_to_numpy(tensor)


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array, "float32"))


# Values

LOGITS = np.array([-1e4, -30.0, -1.5, -1.0, 0.0, 0.4, 1.0, 2.0, 30.0, 1e4])


def test_the_logistic_losses():
    """Also where D is 0 or 1 in float32."""
    real, fake = LOGITS, LOGITS[::-1]
    got = number(discriminator_loss(tensor(real), tensor(fake)))
    log_d, log_not_d = scipy.special.log_expit(real), scipy.special.log_expit(-fake)
    assert_allclose(got, -0.5 * (log_d + log_not_d), rtol=1e-6)
    assert_allclose(number(generator_loss(tensor(fake))), -scipy.special.log_expit(fake), rtol=1e-6)


def test_the_hinge_losses():
    got = number(
        discriminator_loss(tensor([-0.5, 0.0, 2.0, 1.0]), tensor([0.5, 0, -2, 3]), "hinge")
    )
    assert_array_equal(got, [1.5, 1.0, 0.0, 2.0])
    assert_array_equal(number(generator_loss(tensor(LOGITS), "hinge")), -LOGITS.astype("float32"))


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3, 1)])
def test_of_any_shape_the_mean_of_each_example(shape, loss):
    real, fake = RNG.normal(size=(2, 4, *shape))
    for got, terms in (
        (discriminator_loss(tensor(real), tensor(fake), loss), (real, fake)),
        (generator_loss(tensor(fake), loss), (fake,)),
    ):
        function = discriminator_loss if len(terms) == 2 else generator_loss
        each = number(function(*[tensor(t.reshape(-1)) for t in terms], loss))
        assert got.shape == (4,)
        assert_allclose(number(got), each.reshape(4, -1).mean(axis=1), rtol=1e-5, atol=1e-6)


def test_of_16_bits_in_32():
    logits = ops.cast(tensor([[0.5], [-3.0]]), "bfloat16")
    for term in (discriminator_loss(logits, logits), generator_loss(logits)):
        assert keras.backend.standardize_dtype(term.dtype) == "float32"


MEANS, SCALE = (np.array([0.5, -1.0]), np.array([-0.3, 0.2])), 0.8


def best_discriminator():
    """Between N(m, s^2) and N(n, s^2) the log of the ratio of the densities is linear:
    (m - n)'x / s^2 + (n^2 - m^2) / 2 s^2."""
    real, fake = MEANS
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    kernel = ((real - fake) / SCALE**2)[:, None]
    network.set_weights([kernel, np.array([(fake @ fake - real @ real) / (2 * SCALE**2)])])
    return network


def densities(x):
    return [scipy.stats.multivariate_normal(m, SCALE**2 * np.eye(2)).pdf(x) for m in MEANS]


def test_the_best_discriminators_logit_is_the_log_density_ratio():
    x = RNG.normal(size=(50, 2))
    p, q = densities(x)
    adversary = Adversary(best_discriminator())
    assert_allclose(number(adversary.log_ratio(tensor(x))), np.log(p / q), rtol=1e-5, atol=1e-5)


def test_it_pays_log_2_minus_the_jensen_shannon_divergence():
    """By quadrature; and any other discriminator pays more."""
    axis, step = np.linspace(-6, 6, 241, retstep=True)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    p, q = densities(x)
    assert np.sum(p) * step**2 == pytest.approx(1, abs=1e-6)
    network, certain = best_discriminator(), tensor(np.full(len(x), 1e4))

    def paid():
        logits = network(tensor(x))[:, 0]
        if_real, if_fake = discriminator_loss(logits, -certain), discriminator_loss(certain, logits)
        return np.sum(p * number(if_real) + q * number(if_fake)) * step**2

    m = (p + q) / 2
    divergence = 0.5 * np.sum(p * np.log(p / m) + q * np.log(q / m)) * step**2
    assert divergence > 0.1
    best = paid()
    assert best == pytest.approx(np.log(2) - divergence, rel=1e-5)
    weights = network.get_weights()
    for factor in (0.8, 1.2):
        network.set_weights([factor * w for w in weights])
        assert paid() > best + 1e-3


# Gradients

D, UNITS = 3, 4
REAL, FAKE = RNG.normal(size=(2, 5, D))
WEIGHTS = [RNG.normal(size=s) for s in ((D, UNITS), (UNITS,), (UNITS, 2), (2,))]


def network():
    """Two logits for each example."""
    layers = [keras.layers.Dense(UNITS, "tanh"), keras.layers.Dense(2)]
    return keras.Sequential([keras.Input((D,)), *layers])


def in_float64(term, loss):
    """The same in NumPy: `f(real, fake, *weights)`, summed over the examples."""

    def f(real, fake, w1, b1, w2, b2):
        real, fake = (np.tanh(x @ w1 + b1) @ w2 + b2 for x in (real, fake))
        hinge = loss == "hinge"
        if term == "log_ratio":
            values = fake
        elif term == "generator":
            values = -fake if hinge else -scipy.special.log_expit(fake)
        elif hinge:
            values = 0.5 * (np.maximum(0, 1 - real) + np.maximum(0, 1 + fake))
        else:
            values = -0.5 * (scipy.special.log_expit(real) + scipy.special.log_expit(-fake))
        return values.mean(axis=1).sum()

    return f


def differences(f, arrays, i, h=1e-6):
    result = np.zeros_like(arrays[i])
    for index in np.ndindex(*result.shape):
        ends = []
        for sign in (1, -1):
            moved = arrays[i].copy()
            moved[index] += sign * h
            ends.append(f(*arrays[:i], moved, *arrays[i + 1 :]))
        result[index] = (ends[0] - ends[1]) / (2 * h)
    return result


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("term", ["discriminator", "generator", "log_ratio"])
def test_each_gradient_is_where_it_belongs(term, loss, gradient):
    """The discriminator's own: in its weights, and not in the examples. The others': in the fake
    examples, and not in the weights."""
    adversary = Adversary(network(), loss)
    examples = ("real", "fake") if term == "discriminator" else ("fake",)

    def f(real, fake, *weights):
        given = {"real": real, "fake": fake}
        mapping = list(zip(adversary.network.trainable_variables, weights))
        with keras.StatelessScope(mapping):
            value = ops.sum(getattr(adversary, term)(*[given[name] for name in examples]))
        # So that each has a gradient, if only 0.
        return value + sum(0.0 * ops.sum(a) for a in (real, fake, *weights))

    arrays = [REAL, FAKE, *WEIGHTS]
    got = gradient(f, *[a.astype("float32") for a in arrays])
    reaches = range(2, 6) if term == "discriminator" else [1]
    for i, one in enumerate(got):
        if i not in reaches:
            assert_array_equal(one, np.zeros_like(arrays[i]))
            continue
        expected = differences(in_float64(term, loss), arrays, i)
        assert np.abs(expected).max() > 0.1
        assert_allclose(one, expected, rtol=1e-4, atol=1e-5)


# State


def test_only_the_discriminators_own_pass_changes_its_state():
    layers = [keras.layers.Dense(UNITS), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    adversary = Adversary(keras.Sequential([keras.Input((D,)), *layers]))

    def state():
        return [number(v).copy() for v in adversary.network.non_trainable_variables]

    def changes(term, *examples, **settings):
        before = state()
        getattr(adversary, term)(*examples, **settings)
        return [bool((a != b).any()) for a, b in zip(before, state())]

    real, fake = tensor(REAL), tensor(FAKE)
    start = number(adversary.log_ratio(fake))
    assert changes("discriminator", real, fake) == [False, False]
    assert changes("generator", fake, training=True) == [False, False]
    assert changes("log_ratio", fake, training=True) == [False, False]
    assert changes("discriminator", real, fake, training=True) == [True, True]
    assert (number(adversary.log_ratio(fake)) != start).all()


# In a model


class Sharp(ka.Autoencoder):
    """An autoencoder of images, whose patches an adversary judges."""

    term_names = ("reconstruction", "generator", "discriminator")
    loss_of_patches, only = "hinge", None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.discriminator = keras.Sequential(
            [
                keras.Input(self.data_shape),
                keras.layers.Conv2D(4, 3, activation="tanh"),
                keras.layers.Conv2D(1, 3),
            ]
        )

    def terms(self, x, outputs):
        adversary = Adversary(self.discriminator, self.loss_of_patches)
        fake = self.expected(outputs)
        return {
            **super().terms(x, outputs),
            "generator": adversary.generator(fake),
            "discriminator": adversary.discriminator(x, fake),
        }

    def coefficients(self):
        return {self.only: 1.0} if self.only else dict.fromkeys(self.term_names, 1.0)


IMAGES = RNG.uniform(size=(10, 6, 6, 1)).astype("float32")


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("only", ["generator", "discriminator"])
def test_patches_of_images(only, loss):
    keras.utils.set_random_seed(0)
    model = Sharp(*ka.networks.mlp((6, 6, 1), 2, hidden=(8,)), seed=0)
    assert check_discriminator(model.discriminator, (6, 6, 1)) == (2, 2, 1)
    model.loss_of_patches, model.only = loss, only
    model.compile(keras.optimizers.SGD(0.1))
    assert {term.shape for term in model.evaluate_terms(IMAGES).values()} == {(10,)}
    before = [number(v).copy() for v in model.trainable_variables]
    logs = model.fit(IMAGES, batch_size=5, epochs=3, verbose=0).history
    assert logs[only][-1] < logs[only][0]
    inside = {id(v) for v in model.discriminator.variables}
    for b, v in zip(before, model.trainable_variables):
        meant = (id(v) in inside) == (only == "discriminator")
        if v.name == "kernel" or not meant:  # within its margins, hinge moves no bias
            assert bool((b != number(v)).any()) == meant, v.path


# Mistakes


def test_mistakes():
    with pytest.raises(ValueError, match="`network` must be a Keras model.*network='mlp'"):
        Adversary("mlp")
    with pytest.raises(ValueError, match="Unknown `loss`.*'hing'. Did you mean: hinge"):
        Adversary(network(), "hing")
    with pytest.raises(ValueError, match="Unknown `loss`.*'mse'. Valid: hinge, logistic"):
        discriminator_loss([0.0], [0.0], "mse")
    with pytest.raises(ValueError, match="Unknown `loss`.*None"):
        generator_loss([0.0], None)
    two = keras.Input((D,))
    two = keras.Model(two, [keras.layers.Dense(1)(two), keras.layers.Dense(1)(two)])
    with pytest.raises(ValueError, match="`discriminator` must give one tensor.*list"):
        check_discriminator(two, (D,))
