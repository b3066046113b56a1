"""A model's numbers may be set at any time: what is set holds from the next step on."""

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae import networks
from keras_aevae.engine.noise import noise_states
from keras_aevae.objectives import LinearWarmUp

SHAPE = (6,)


def build(cls=ka.VAE, **settings):
    keras.utils.set_random_seed(1)
    return cls(*networks.mlp(SHAPE, 2, hidden=(8,)), **{"seed": 1000, **settings})


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(0.1, 0.9, (64, *SHAPE)).astype("float32")


def beta_of(logs):
    """The beta with which a loss was weighed."""
    return (logs["loss"] - logs["reconstruction"]) / logs["kl"]


class Set(keras.callbacks.Callback):
    """Sets an attribute of the model at one of its hooks, to the value of a function of the count
    of its calls; keeps what was logged afterwards."""

    def __init__(self, hook, attribute, value, model=None):
        super().__init__()
        self.calls, self.attribute, self.value, self.own = 0, attribute, value, model
        setattr(self, hook, self.set)

    def set(self, index, logs=None):
        model = self.own or self.model
        setattr(model, self.attribute, self.value(self.calls))
        self.calls += 1


@pytest.mark.parametrize("through", ["self.model", "a closure"])
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_train_batch_begin", "on_train_batch_end"])
def test_a_callback_anneals_beta(x, hook, through):
    model = build()
    model.compile(keras.optimizers.SGD(1e-3))
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(beta_of(logs))

    own = model if through == "a closure" else None
    anneal = Set(hook, "beta", lambda calls: (calls + 1) / 8, own)
    model.fit(x, batch_size=64, epochs=4, verbose=0, callbacks=[anneal, Watch()])
    late = hook == "on_train_batch_end"  # which comes after the step
    expected = [1.0, 1 / 8, 2 / 8, 3 / 8] if late else [1 / 8, 2 / 8, 3 / 8, 4 / 8]
    np.testing.assert_allclose(seen, expected, rtol=1e-4)
    assert model.beta == model.get_config()["beta"] == 4 / 8
    logs = model.evaluate(x, batch_size=64, verbose=0, return_dict=True)
    assert beta_of(logs) == pytest.approx(4 / 8, rel=1e-4)


@pytest.mark.parametrize(
    "value, expected",
    [
        (2, 2.0),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3.0),
        (LinearWarmUp(steps=1, start=0.25, end=0.25), 0.25),
        (lambda: keras.Variable(0.75), 0.75),
    ],
    ids=["integer", "float32", "int64", "schedule", "variable"],
)
@pytest.mark.parametrize("when", ["made", "set", "set after a step"])
def test_kinds_of_numbers(x, value, expected, when):
    value = value() if callable(value) and not hasattr(value, "get_config") else value
    model = build(**({"beta": value} if when == "made" else {}))
    model.compile()
    if when == "set after a step":
        model.fit(x, verbose=0)
        model.evaluate(x, verbose=0)
    if when != "made":
        model.beta = value
    weights = len(model.trainable_variables)
    logs = model.evaluate(x, batch_size=64, verbose=0, return_dict=True)
    assert beta_of(logs) == pytest.approx(expected, rel=1e-4)
    history = model.fit(x, batch_size=64, verbose=0).history
    assert beta_of({k: v[0] for k, v in history.items()}) == pytest.approx(expected, rel=1e-4)
    assert len(model.trainable_variables) == weights  # a variable of the user's isn't trained
    again = ka.VAE.from_config(model.get_config())
    again.compile()
    assert beta_of(again.evaluate(x, verbose=0, return_dict=True)) == pytest.approx(
        expected, rel=1e-4
    )


def test_a_variable_is_read_at_every_step(x):
    beta = keras.Variable(1.0)
    model = build(beta=beta)
    model.compile()
    for value in (1.0, 0.25, 3.0):
        beta.assign(value)
        for logs in (
            model.fit(x, batch_size=64, verbose=0).history,
            {k: [v] for k, v in model.evaluate(x, verbose=0, return_dict=True).items()},
        ):
            assert beta_of({k: v[0] for k, v in logs.items()}) == pytest.approx(value, rel=1e-4)
    assert model.beta is beta


def test_numbers_need_no_new_trace(x):
    traces = []

    class Counting(ka.VAE):
        def compute_loss(self, *args, **kwargs):
            traces.append(1)
            return super().compute_loss(*args, **kwargs)

    model = build(Counting)
    model.compile()
    model.fit(x, epochs=2, batch_size=32, verbose=0)
    model.evaluate(x, verbose=0)
    before = len(traces)
    for beta in (0.5, 2, 0.0):
        model.beta = beta
        model.fit(x, batch_size=32, verbose=0)
        model.evaluate(x, verbose=0)
    assert len(traces) == before


def test_numbers_are_in_the_config_and_in_no_file(x, tmp_path):
    model = build(beta=3)
    model.compile()
    model.fit(x, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = build(beta=0.5)
    other.load_weights(tmp_path / "m.weights.h5")
    other.set_weights(model.get_weights())
    assert other.beta == 0.5
    assert float(keras.ops.convert_to_numpy(other.number("beta"))) == 0.5
    model.save_to_preset(tmp_path / "p")
    assert ka.VAE.from_preset(tmp_path / "p").beta == 3.0
    changed = ka.VAE.from_preset(tmp_path / "p", beta=4)
    assert float(keras.ops.convert_to_numpy(changed.number("beta"))) == 4.0
    model.beta = 0.1
    model.save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras").beta == 0.1


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: build(ka.FactorVAE, discriminator=(4,)), "gamma"),
        (lambda: build(ka.CIWAE), "elbo_weight"),
        (lambda: build(ka.VAE, free_bits=0.1), "free_bits"),
        (lambda: build(ka.VQVAE, seed=None, quantizer=ka.layers.VectorQuantizer(4)), "commitment"),
    ],
    ids=["gamma", "elbo_weight", "free_bits", "commitment"],
)
def test_every_number_of_the_zoo(make, name, x):
    model = make()
    model.compile(keras.optimizers.SGD(0.0))
    model.fit(x, verbose=0)

    states = noise_states(model)
    noise = [keras.ops.convert_to_numpy(state).copy() for state in states]

    def loss():
        """The loss under the same noise each time: it differs if a number does."""
        for state, before in zip(states, noise):
            state.assign(before)
        return model.evaluate(x, verbose=0, return_dict=True)["loss"]

    assert loss() == loss()
    losses = []
    for value in (0.0, 1, keras.Variable(0.5)):
        setattr(model, name, value)
        assert getattr(model, name) is value or getattr(model, name) == value
        assert name in model.get_config()
        losses.append(loss())
    assert len(set(np.round(losses, 5))) == 3  # each counts
    with pytest.raises(ValueError, match=f"`{name}` must be a finite number.*{name}=-1"):
        setattr(model, name, -1)
    with pytest.raises(ValueError, match=f"`{name}`.*'much'"):
        setattr(model, name, "much")


# Settings that a step is traced with, and numbers of another kind than before.


def test_a_number_of_draws_may_change(x):
    model = build(ka.VAE)
    model.compile()
    model.fit(x, verbose=0)
    assert model.predict(x, verbose=0)["z"].ndim == 2
    model.num_samples = 3
    assert model.predict(x, verbose=0)["z"].shape[1:] == (3, 2)
    assert model.get_config()["num_samples"] == 3
    model.fit(x, verbose=0)
    assert model.evaluate_terms(x)["kl"].shape == (len(x),)
    with pytest.raises(ValueError, match="`num_samples`.*num_samples=-2"):
        model.num_samples = -2
    assert model.num_samples == 3


@pytest.mark.parametrize(
    "cls, name, value, other, bad",
    [
        (ka.IWAE, "gradient", "reparameterized", "doubly_reparameterized", "nonsense"),
        (ka.MIWAE, "num_bounds", 2, 3, 0),
        (ka.IWAE, "num_samples", 2, 4, 1.5),
    ],
)
def test_every_setting_is_checked_and_holds(cls, name, value, other, bad, x):
    model = build(cls, **{name: value})
    model.compile()
    model.fit(x, verbose=0)
    with pytest.raises(ValueError, match=f"`{name}`"):
        setattr(model, name, bad)
    setattr(model, name, other)
    assert getattr(model, name) == model.get_config()[name] == other
    model.fit(x, verbose=0)
    assert model.predict(x, verbose=0)["z"].shape[1] == model.num_draws


@pytest.mark.parametrize("before, after", [(0.5, None), (None, 0.5)])
@pytest.mark.parametrize("moment", ["between", "within"])
def test_free_bits_come_and_go(before, after, moment, x):
    model = build(ka.VAE, free_bits=before)
    model.compile()

    class Sets(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.free_bits = after

    if moment == "between":
        model.fit(x, verbose=0)
        model.free_bits = after
        history = model.fit(x, verbose=0).history
    else:
        history = model.fit(x, epochs=2, verbose=0, callbacks=[Sets()]).history
    shown = model.evaluate(x, verbose=0, return_dict=True)
    assert ("free_bits" in shown) == (after is not None)
    assert {"loss", "kl", "reconstruction"} <= set(history) & set(shown)
    extra = shown.get("free_bits", 0.0)
    total = shown["reconstruction"] + shown["kl"] + extra
    np.testing.assert_allclose(shown["loss"], total, rtol=1e-4)


def test_what_the_constructor_refuses_is_refused_later():
    model = build(ka.VAE, prior="gaussian_mixture")
    with pytest.raises(ValueError, match="`free_bits` need a KL by dimension"):
        model.free_bits = 0.5
    with pytest.raises(ValueError, match="`x_dropout`.*decoder_sees_x=True"):
        model.x_dropout = 0.5
    assert model.free_bits is None and model.x_dropout is None


def test_a_prior_is_not_set():
    """Whatever is assigned: PyTorch would keep a layer as a part of the model; Keras tracks it."""
    model = build()
    before = len(model.variables), model.prior
    layer = ka.distributions.GaussianMixture(4, seed=0)
    for prior in (layer, "gaussian_mixture", None, keras.layers.Dense(1), keras.Variable(1.0)):
        with pytest.raises(AttributeError, match=r"`prior` is chosen.*call fit_prior\(x, ...\)"):
            model.prior = prior
    assert (len(model.variables), model.prior) == before


def test_other_properties_are_set_as_in_keras():
    class Named(ka.VAE):
        @property
        def title(self):
            return self.known["title"]

        @title.setter
        def title(self, title):
            self.known = {"title": title.upper()}

    model = build(Named)
    model.title = "one"
    assert model.title == "ONE"
