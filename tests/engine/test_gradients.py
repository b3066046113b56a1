"""Gradients within a loss: their values, and the training step's own gradient through them, against
closed forms and central differences in float64."""

import contextlib
import inspect
import re

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal
from snippets import run

import keras_aevae as ka
from keras_aevae.engine.gradients import frozen, gradient_of

BATCH, D, UNITS, LATENT, SCALE = 6, 4, 5, 2, 0.7
RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(BATCH, D)), RNG.normal(size=(D, UNITS))


def as_float32(*arrays):
    return [ops.convert_to_tensor(a.astype("float32")) for a in arrays]


def number(tensor):
    return ops.convert_to_numpy(tensor)


# Values and second derivatives, of f = sum sin(x W)


def test_the_gradient():
    x, w = as_float32(X, W)
    got = gradient_of(lambda x: ops.sin(x @ w), x)
    assert got.shape == (BATCH, D)
    assert_allclose(number(got), np.cos(X @ W) @ W.T, rtol=1e-5, atol=1e-5)


def penalties(x, w):
    """|d f / dx|^2 of each example."""
    module = np if isinstance(x, np.ndarray) else ops
    if module is np:
        slope = np.cos(x @ w) @ w.T
    else:
        slope = gradient_of(lambda x: ops.sin(x @ w), x)
    return module.sum(slope**2, axis=-1)


def test_the_gradient_of_a_penalty_in_the_weights_and_in_x(gradient):
    """With g = cos(x W) W', the penalty |g|^2 has, in x, the gradient -2 [(g W) sin(x W)] W'; in W
    another, that of x' and that of W' itself."""
    of_x, of_w = gradient(
        lambda x, w: ops.sum(penalties(x, w)), X.astype("float32"), W.astype("float32")
    )
    g, s = np.cos(X @ W) @ W.T, np.sin(X @ W)
    inner = -2 * (g @ W) * s
    assert_allclose(of_x, inner @ W.T, rtol=1e-5, atol=1e-4)
    assert_allclose(of_w, X.T @ inner + 2 * g.T @ np.cos(X @ W), rtol=1e-5, atol=1e-4)
    # Not the closed form's own mistake:
    assert_allclose(of_w, differences(lambda w: penalties(X, w).sum(), W), rtol=1e-4, atol=1e-3)


def differences(f, x, h=1e-6):
    result = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        result[i] = (f(up) - f(down)) / (2 * h)
    return result


def slope_of(f, arrays, i):
    """The gradient of `f(*arrays)` in the i-th of them."""
    return differences(lambda a: f(*arrays[:i], a, *arrays[i + 1 :]), arrays[i])


def test_what_x_was_computed_from_has_a_gradient_through_it(gradient):
    """x = u^2: the chain goes on through x."""
    u, w = X.astype("float32"), W.astype("float32")
    got = gradient(lambda u: ops.sum(penalties(u**2, ops.convert_to_tensor(w))), u)
    expected = differences(lambda u: penalties(u**2, W).sum(), X)
    assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


def test_what_else_f_uses_is_constant():
    """Also x itself, where it is not the argument, on every backend."""
    [x] = as_float32(X)
    assert_allclose(number(gradient_of(lambda y: y * x, x)), X, rtol=1e-6)
    assert_array_equal(number(gradient_of(lambda y: x**2, x)), np.zeros_like(X))


def test_of_a_part_of_x():
    [x] = as_float32(X)
    got = number(gradient_of(lambda y: ops.take(y, [0, 0, 2], axis=1), x))
    assert_array_equal(got, np.tile([2.0, 0.0, 1.0, 0.0], (BATCH, 1)))


@pytest.mark.parametrize("order", [2, 3])
def test_gradients_of_gradients(order):
    """d^n sin: cos, -sin, -cos."""
    [x] = as_float32(X)
    f = ops.sin
    for _ in range(order):
        f = (lambda g: lambda x: gradient_of(g, x))(f)
    assert_allclose(number(f(x)), -np.sin(X) if order == 2 else -np.cos(X), atol=1e-6)


def test_a_jacobian_by_random_signs():
    """Hutchinson's estimate: |J' v|^2 has the mean |J|^2 over signs v. Over all of them, exact."""
    x, w = as_float32(X, W)
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * UNITS), axis=-1).reshape(-1, UNITS)

    def estimate(v):
        return number(ops.sum(gradient_of(lambda x: ops.sin(x @ w) * v, x) ** 2, axis=-1))

    estimates = [estimate(v) for v in as_float32(*signs)]
    jacobians = np.cos(X @ W)[:, None, :] * W  # (batch, D, units)
    assert_allclose(np.mean(estimates, axis=0), np.sum(jacobians**2, axis=(1, 2)), rtol=1e-5)


def test_integers_have_no_gradient():
    with pytest.raises(ValueError, match=r"`x` must hold floating.*int32.*ops.cast"):
        gradient_of(ops.sum, ops.ones((2, 3), dtype="int32"))


def test_the_example_of_its_docstring():
    [example] = re.findall(r"```python\n(.*?)```", inspect.getdoc(gradient_of), flags=re.DOTALL)
    names = run(example, "gradient_of")
    terms = names["model"].evaluate_terms(np.full((3, 8, 8, 1), 0.5, "float32"))
    assert terms["penalty"].shape == (3,) and (terms["penalty"] > 0).all()


# Through networks


def network(*units, data_dim=D):
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(n, "tanh") for n in units[:-1]]
    return keras.Sequential([keras.Input((data_dim,)), *layers, keras.layers.Dense(units[-1])])


def test_the_weight_of_an_adversary():
    """VQGAN's: the ratio of two gradients with respect to the last layer's kernel."""
    h, kernel, direction = as_float32(X, W, RNG.normal(size=UNITS))
    last = keras.layers.Dense(UNITS)
    last.build((None, D))
    last.kernel.assign(kernel)

    def output(kernel):
        return last.stateless_call([kernel, last.bias.value], [], h)[0]

    slope = gradient_of(lambda kernel: ops.square(output(kernel)), last.kernel)
    adversary = gradient_of(lambda kernel: ops.matmul(output(kernel), direction), last.kernel)
    assert_allclose(number(slope), 2 * X.T @ (X @ W), rtol=1e-4, atol=1e-4)
    expected = X.sum(0)[:, None] * number(direction)
    assert_allclose(number(adversary), expected, rtol=1e-4, atol=1e-5)


# In training


SIGNS = np.array([1.0, -1.0, -1.0, 1.0, 1.0])


class Smooth(ka.Autoencoder):
    """With a gradient penalty of the decoder at z, and a contractive one of the encoder at x."""

    term_names = ("reconstruction", "penalty", "contraction")
    weights_of_terms = {"reconstruction": 1.0, "penalty": 0.3, "contraction": 0.2}
    freeze = False

    def terms(self, x, outputs):
        signs = ops.convert_to_tensor(SIGNS.astype("float32"))
        slope = self.slope(ops.reshape(outputs["z"], (-1, LATENT)))
        across = gradient_of(lambda x: ops.cast(self.encoder(x), "float32") * signs, x)
        return {
            **super().terms(x, outputs),
            "penalty": ops.sum(slope**2, axis=-1),
            "contraction": ops.sum(across**2, axis=-1),
        }

    def slope(self, z):
        if not self.freeze:
            return gradient_of(self.decoder, z)
        with frozen(self.decoder):
            return gradient_of(self.decoder, z)

    def coefficients(self):
        return self.weights_of_terms


def smooth(cls=Smooth):
    encoder, decoder = network(UNITS, UNITS), network(UNITS, D, data_dim=LATENT)
    return cls(encoder, decoder, likelihood=ka.distributions.Gaussian(SCALE), seed=0)


def parts(model):
    """The trainable variables of the encoder, of what makes the code, and of the decoder."""
    networks = [*model.encoder.trainable_variables, *model.decoder.trainable_variables]
    known = {id(v) for v in networks}
    head = [v for v in model.trainable_variables if id(v) not in known]
    return [*model.encoder.trainable_variables, *head, *model.decoder.trainable_variables]


def reference(x, weights):
    """The terms in float64; the derivatives of tanh networks are written out."""
    w1, b1, w2, b2, wh, bh, v1, c1, v2, c2 = weights
    h = np.tanh(x @ w1 + b1)
    z = (h @ w2 + b2) @ wh + bh
    g = np.tanh(z @ v1 + c1)
    squares = np.sum((x - (g @ v2 + c2)) ** 2, axis=-1)
    slope = ((1 - g**2) * v2.sum(1)) @ v1.T
    across = ((1 - h**2) * (w2 @ SIGNS)) @ w1.T
    return {
        "reconstruction": squares / (2 * SCALE**2) + D * np.log(SCALE * np.sqrt(2 * np.pi)),
        "penalty": np.sum(slope**2, axis=-1),
        "contraction": np.sum(across**2, axis=-1),
    }


def steps_in_float64(weights, rate, steps):
    """Descent along central differences: the means of the terms before each step, and the last."""
    weights, history = [w.astype("float64") for w in weights], []

    def loss(*weights):
        terms = reference(X, weights)
        return sum(k * terms[name].mean() for name, k in Smooth.weights_of_terms.items())

    for _ in range(steps):
        terms = reference(X, weights)
        history.append({name: term.mean() for name, term in terms.items()})
        slopes = [slope_of(loss, weights, i) for i in range(len(weights))]
        weights = [w - rate * g for w, g in zip(weights, slopes)]
    return history, weights


@pytest.mark.parametrize("settings", [{}, {"run_eagerly": True}], ids=["compiled", "eagerly"])
def test_fit_descends_as_float64_does(settings):
    """Equal weights give equal losses, and steps along both penalties, on every backend."""
    model = smooth()
    rng = np.random.default_rng(1)
    for v in parts(model):
        v.assign(rng.normal(size=v.shape) * 0.8)
    expected, weights = steps_in_float64([number(v) for v in parts(model)], 0.05, 4)
    assert expected[0]["penalty"] > 0.1 and expected[0]["contraction"] > 0.1
    model.compile(keras.optimizers.SGD(0.05), **settings)
    x = X.astype("float32")
    for name, term in model.evaluate_terms(x).items():
        start = reference(X, [number(v).astype("float64") for v in parts(model)])
        assert_allclose(term, start[name], rtol=1e-5, err_msg=name)
    history = model.fit(x, batch_size=BATCH, epochs=4, verbose=0).history
    for name in Smooth.term_names:
        got = [terms[name] for terms in expected]
        assert_allclose(history[name], got, rtol=2e-5, err_msg=name)
    for v, w in zip(parts(model), weights):
        assert_allclose(number(v), w, rtol=1e-4, atol=1e-5, err_msg=v.path)
    for _ in range(2):  # on PyTorch the second is recorded
        evaluated = model.evaluate(x, batch_size=BATCH, verbose=0, return_dict=True)
        for name, term in reference(X, weights).items():
            assert evaluated[name] == pytest.approx(term.mean(), rel=1e-4)
    if keras.backend.backend() == "torch" and not settings:
        for function in (model.train_function, model.test_function):
            assert [type(graph) for graph in function.graphs.values()] == [tuple]


def moved(model, optimizer=None):
    before = [number(v).copy() for v in parts(model)]
    model.compile(optimizer or keras.optimizers.SGD(0.1))
    model.fit(X.astype("float32"), batch_size=BATCH, epochs=4, verbose=0)
    return [np.abs(number(v) - b).max() for v, b in zip(parts(model), before)]


@pytest.mark.parametrize("freeze", [False, True])
def test_within_frozen_the_penalty_does_not_reach_the_networks_weights(freeze):
    class Only(Smooth):
        weights_of_terms = {"penalty": 1.0}

    Only.freeze = freeze
    changes = moved(smooth(Only))
    decoder, last_bias = changes[6:9], changes[9]
    assert min(changes[:6]) > 1e-4  # through z
    assert last_bias == 0  # which no slope depends on
    assert (max(decoder) == 0) if freeze else (min(decoder) > 1e-4)


def test_mixed_precision():
    """The penalties are near those of float32, in float32, and a scaled loss trains on them."""
    exact = smooth()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = smooth()
    finally:
        keras.config.set_dtype_policy("float32")
    for a, b in zip(parts(model), parts(exact)):
        a.assign(number(b))
    x = X.astype("float32")
    expected = exact.evaluate_terms(x)
    for name, term in model.evaluate_terms(x).items():
        assert term.dtype == "float32"
        assert_allclose(term, expected[name], rtol=0.02, atol=0.01)
    # From a scale at which nothing overflows, so that no step is left out.
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=64.0)
    assert_allclose(moved(model, scaled), moved(exact), rtol=0.05, atol=2e-3)


class Fixed(ka.VAE):
    """A penalty of the codes, computed in `scope(model)`, beside the means outside of it."""

    def terms(self, x, outputs):
        with self.scope():
            z_mean = self.infer(x, training=False)["z_mean"]
        distance = ops.sum(ops.abs(z_mean - outputs["z_mean"]), axis=-1)
        return {"penalty": ops.sum(ops.square(z_mean - 3.0), axis=-1), "distance": distance}

    def coefficients(self):
        return {"penalty": 1.0}


@contextlib.contextmanager
def nested(model):
    with frozen(model.encoder), frozen(model.decoder):
        yield


SCOPES = {
    "one": lambda model: frozen(model.encoder),
    "two": lambda model: frozen(model.encoder, model.decoder),
    "nested": nested,
}


@pytest.mark.parametrize("scope", SCOPES)
def test_layers_beside_frozen_ones_are_as_they_were(scope):
    """They have the newest weights and a gradient; those of all scopes around have none."""
    x = np.random.default_rng(0).random((64, 8, 8, 1), "float32")
    model = Fixed(*ka.networks.mlp((8, 8, 1), latent_dim=2, hidden=(16,)))
    model.scope = lambda: SCOPES[scope](model)
    model.compile(keras.optimizers.SGD(0.01))
    parts = {"encoder": model.encoder, "decoder": model.decoder, "head": model.code.head}
    before = {name: part.get_weights() for name, part in parts.items()}
    history = model.fit(x, epochs=3, verbose=0).history
    np.testing.assert_allclose(history["distance"], 0.0, atol=1e-6)
    for name, part in parts.items():
        moved = any((a != b).any() for a, b in zip(part.get_weights(), before[name]))
        assert moved == (name == "head")
