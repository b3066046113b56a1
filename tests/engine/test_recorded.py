"""What PyTorch's recorded steps must be: the same as Keras's own, for every model of the zoo."""

import logging

import keras
import numpy as np
import pytest
import torch
import zoo
from keras import ops

import keras_aevae as ka
from keras_aevae import networks
from keras_aevae.engine import denormals, private
from keras_aevae.engine.gradients import gradient_of
from keras_aevae.engine.recorded import (
    MOST_SHAPES,
    Recorded,
    Scope,
    both_branches,
    write,
)

SHAPE, LATENT = (6,), 2


def networks_of(**settings):
    return networks.mlp(SHAPE, LATENT, hidden=(8,), **settings)


def with_encoder(*layers):
    return ka.VAE(keras.Sequential([keras.Input(SHAPE), *layers]), networks_of()[1], seed=1)


class Smooth(ka.VAE):
    def terms(self, x, outputs):
        slope = gradient_of(self.decoder, outputs["z_mean"])
        return {**super().terms(x, outputs), "penalty": keras.ops.sum(slope**2, axis=-1)}

    def coefficients(self):
        return {**super().coefficients(), "penalty": 1.0}


MODELS = {
    "VAE": lambda: ka.VAE(*networks_of(), seed=1),
    "revival of codes": lambda: ka.VQVAE(
        *networks_of(), quantizer=ka.layers.VectorQuantizer(8, revive_below=1.0, seed=2), seed=1
    ),
    "batch normalisation, penalties": lambda: with_encoder(
        keras.layers.Dense(8, use_bias=False, kernel_regularizer="l2"),
        keras.layers.BatchNormalization(),
        keras.layers.ActivityRegularization(l2=0.01),
    ),
    "gradient penalty": lambda: Smooth(*networks_of(), seed=1),
    "dropout": lambda: with_encoder(keras.layers.Dense(8), keras.layers.Dropout(0.5)),
}


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(0.1, 0.9, size=(40, *SHAPE)).astype("float32")


def trained(build, x, optimizer="adam", **settings):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(optimizer if isinstance(optimizer, str) else optimizer(), **settings)
    history = model.fit(x, batch_size=8, epochs=4, shuffle=False, validation_data=(x,), verbose=0)
    return model, history.history


def check_equal(build, x, optimizer="adam"):
    recorded, history = trained(build, x, optimizer)
    eager, expected = trained(build, x, optimizer, run_eagerly=True)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for ours, theirs in zip(recorded.variables, eager.variables):
        np.testing.assert_allclose(
            ours.numpy(), theirs.numpy(), rtol=1e-3, atol=1e-5, err_msg=ours.path
        )
    return recorded


def graphs(function):
    return [graph for graph in function.graphs.values() if isinstance(graph, tuple)]


@pytest.mark.parametrize("name", MODELS)
def test_equals_keras_step(name, x):
    model = check_equal(MODELS[name], x)
    assert graphs(model.train_function) and graphs(model.test_function)


@pytest.mark.parametrize("row", zoo.ZOO)
def test_every_model_of_the_zoo(row):
    images = np.random.default_rng(0).uniform(0.1, 0.9, (40, *zoo.SHAPE)).astype("float32")
    model = check_equal(lambda: zoo.build(row), zoo.inputs(row, images))
    assert graphs(model.train_function) and graphs(model.test_function)


def test_noise_with_a_seed_of_its_own_runs_eagerly_and_says_so(x, caplog):
    def build():
        noise = keras.layers.Dropout(0.5, seed=1), keras.layers.GaussianNoise(0.1, seed=2)
        return with_encoder(keras.layers.Dense(8), *noise)

    with caplog.at_level(logging.WARNING):
        model = check_equal(build, x)
    assert not graphs(model.train_function)
    assert "The training step of VAE runs eagerly" in caplog.text


@pytest.mark.parametrize("shape", [(), (6,)])
def test_a_pytorch_modules_own_weights_are_trained_and_read_anew(shape, x):
    """A layer of Keras around it reads them as they are, not as its variables: eagerly."""

    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(shape))

        def forward(self, x):
            return x + self.scale * 2.0

    modules = []

    def build():
        modules.append(Scaled())
        return with_encoder(keras.layers.TorchModuleWrapper(modules[-1], output_shape=(None, 6)))

    model = check_equal(build, x)
    assert not graphs(model.train_function)
    recorded, eager = (module.scale.detach().numpy() for module in modules)
    assert (recorded != 1).all()
    np.testing.assert_allclose(recorded, eager, rtol=1e-4)
    for _ in range(3):
        before = model.encode(x)
    with torch.no_grad():
        modules[0].scale.fill_(5.0)
    np.testing.assert_allclose(model.encode(x), model.predict(x, verbose=0)["z_mean"], atol=1e-5)
    assert abs(model.encode(x) - before).max() > 0.1


def test_dropout_before_a_frozen_pass_runs_eagerly(x):
    """Two recorded passes would draw different masks."""
    decoder = keras.Sequential(
        [keras.Input((LATENT,)), keras.layers.Dropout(0.5), keras.layers.Dense(6)]
    )
    model, _ = trained(
        lambda: ka.PIWAE(networks_of()[0], decoder, num_samples=2, num_bounds=2, seed=1), x
    )
    assert not graphs(model.train_function)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 20)),
        lambda: keras.optimizers.Adam(0.01, amsgrad=True, weight_decay=0.1, global_clipnorm=0.5),
        lambda: keras.optimizers.AdamW(0.01),
        lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        lambda: keras.optimizers.Adam(0.01, use_ema=True),
        lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=3),
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3),
        lambda: keras.optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=2),
        lambda: keras.optimizers.AdamW(
            0.01,
            gradient_accumulation_steps=2,
            use_ema=True,
            ema_overwrite_frequency=2,
            global_clipnorm=0.5,
        ),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
        lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(0.01, gradient_accumulation_steps=2), dynamic_growth_steps=4
        ),
    ],
)
def test_optimizers(optimizer, x):
    model = check_equal(MODELS["VAE"], x, optimizer)
    assert graphs(model.train_function)


def denormal(variables):
    smallest = torch.finfo(torch.float32).tiny
    return sum(int(((v.value != 0) & (v.value.abs() < smallest)).sum()) for v in variables)


@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.Adam, lambda: keras.optimizers.SGD(1e-3, momentum=0.9)]
)
@pytest.mark.parametrize("every, expected", [(denormals.EVERY, False), (10**9, True)])
def test_moments_do_not_stay_denormal(every, expected, optimizer, monkeypatch):
    """Of the weights of a pixel that is dark but for the first steps."""
    monkeypatch.setattr(denormals, "EVERY", every)
    x = np.random.default_rng(0).uniform(0.1, 0.9, size=(800, *SHAPE)).astype("float32")
    model = MODELS["VAE"]()
    model.compile(optimizer())
    model.fit(x[:40], batch_size=8, verbose=0)
    x[:, 0] = 0.0
    model.fit(x, batch_size=8, epochs=11, verbose=0)
    assert bool(denormal(model.optimizer.variables)) == expected


def test_what_is_flushed():
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    optimizer.build([keras.Variable(np.zeros(6, "float32"))])
    velocity = optimizer.variables[-1]
    velocity.assign([1e-38, -1e-40, 1e-36, -2.0, 0.0, float("nan")])
    denormals.flush(optimizer)
    expected = np.array([0, 0, 1e-36, -2, 0, float("nan")], "float32")
    np.testing.assert_array_equal(velocity.numpy(), expected)
    assert float(optimizer.learning_rate.numpy()) == np.float32(1e-3)


def test_noise_is_new_in_every_step(x):
    model, _ = trained(MODELS["VAE"], x)
    codes = [model.encode(x, sample=True) for _ in range(4)]
    assert len({c.tobytes() for c in codes}) == 4
    assert graphs(model._compiled[("_encode_draw",)].recorded)


def test_the_users_own_step_runs(x):
    calls = []

    class Own(ka.VAE):
        def train_step(self, data):
            calls.append(1)
            return super().train_step(data)

    model = Own(*networks_of())
    model.compile()
    model.fit(x, batch_size=8, epochs=2, verbose=0)
    assert len(calls) == 10 and not isinstance(model.train_function, Recorded)


def test_what_cannot_be_recorded_runs_eagerly(x):
    class Branches(ka.VAE):
        def terms(self, x, outputs):
            terms = super().terms(x, outputs)
            if float(terms["kl"].sum()) > -1:  # reads the tensor's value
                return terms

    recorded, history = trained(lambda: Branches(*networks_of(), seed=1), x)
    _, expected = trained(MODELS["VAE"], x)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)
    assert not graphs(recorded.train_function)


def test_shapes():
    calls = []

    def double(a):
        calls.append(1)
        return {"b": 2 * a["y"], "a": a["x"]}

    recorded = Recorded(double, lambda mapping, a: double(a), list)
    for _ in range(5):
        for n in (1, 2, 3):
            a, b = torch.arange(float(n)), torch.ones(n)
            outputs = recorded({"y": a, "x": b})  # not in the order of the alphabet
            np.testing.assert_array_equal(outputs["b"], 2 * a)
            np.testing.assert_array_equal(outputs["a"], b)
    assert len(calls) == 2 * 3  # once eagerly, once recorded, of each shape
    for n in range(100):
        recorded({"y": torch.ones(n), "x": torch.ones(n)})
    assert len(graphs(recorded)) <= MOST_SHAPES


def test_a_change_of_the_rate_counts(x):
    model, _ = trained(MODELS["VAE"], x)
    before = [v.numpy().copy() for v in model.trainable_variables]
    model.optimizer.learning_rate = 0.0
    model.fit(x, batch_size=8, verbose=0)
    for v, old in zip(model.trainable_variables, before):
        np.testing.assert_array_equal(v.numpy(), old)


def test_metrics_and_weights_of_the_user(x):
    results = []
    for eagerly in (False, True):
        keras.utils.set_random_seed(0)
        model = MODELS["VAE"]()
        model.compile(metrics=["mse"], run_eagerly=eagerly)
        weights = np.linspace(0, 2, len(x)).astype("float32")
        settings = {"sample_weight": weights, "batch_size": 8, "shuffle": False, "verbose": 0}
        history = model.fit(x, epochs=4, **settings).history
        assert eagerly or graphs(model.train_function)
        results.append({**history, **model.evaluate(x, return_dict=True, verbose=0)})
    assert "mse" in results[0] and results[0].keys() == results[1].keys()
    for name in results[0]:
        np.testing.assert_allclose(results[0][name], results[1][name], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy, x):
    keras.config.set_dtype_policy(policy)
    try:
        recorded, history = trained(MODELS["VAE"], x)
        eager, expected = trained(MODELS["VAE"], x, run_eagerly=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert graphs(recorded.train_function)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-3)
    if policy == "mixed_float16":
        for ours, theirs in zip(recorded.optimizer.variables[:4], eager.optimizer.variables):
            assert float(ours.numpy()) == float(theirs.numpy()), ours.path


def test_steps_that_overflow_are_left_out_and_lower_the_scale(x):
    """The gradients are infinite until the scale is low enough, as in a step of Keras's."""

    def optimizer():
        adam = keras.optimizers.Adam(0.01)
        return keras.optimizers.LossScaleOptimizer(adam, initial_scale=2.0**126)

    def build():
        sharp = ka.distributions.Gaussian(0.01)  # whose gradients are large
        return ka.VAE(*networks_of(), likelihood=sharp, seed=1)

    model = check_equal(build, x, optimizer)
    assert graphs(model.train_function)
    steps, made = int(model.step.numpy()), int(model.optimizer.iterations.numpy())
    assert 0 < made < steps == 20
    assert float(model.optimizer.dynamic_scale.numpy()) == 2.0 ** (126 - (steps - made))


def test_a_branch_that_writes_in_place_leaves_the_other_as_it_was():
    a, b = keras.Variable([1.0]), keras.Variable([5.0])

    def choose(x):
        def add():
            a.value.add_(x)
            b.assign(a.value * 2.0)
            return a.value + 0.0

        return keras.ops.cond(ops.sum(x) > 0, add, lambda: b.value + 0.0)

    def step(mapping, x):
        with torch.no_grad(), Scope(mapping) as scope, private.cond_replaced(both_branches):
            outputs = choose(x)
        write(scope, mapping)
        return outputs

    with torch.no_grad():
        recorded = Recorded(choose, step, lambda: [a, b])
        seen = []
        for x in (1.0, -1.0, 2.0, 3.0, -1.0):
            output = recorded(torch.tensor([x]))
            seen.append([float(output), float(a.value), float(b.value)])
    assert graphs(recorded)
    assert seen == [[2, 2, 4], [4, 2, 4], [4, 4, 8], [7, 7, 14], [14, 7, 14]]
    assert keras.ops.cond(torch.tensor(True), lambda: 1, lambda: 2) == 1


@pytest.mark.parametrize(
    "kind, cause",
    [
        ("if", "it asks for the value of a tensor"),
        ("seed", "a layer has noise with a seed of its own"),
        ("module", "it reads a tensor that is no Keras variable"),
    ],
)
def test_the_cause_is_named_once(kind, cause, x, caplog):
    weight = torch.ones(3, requires_grad=True)[0]

    class Asks(ka.VAE):
        def terms(self, x, outputs):
            terms = super().terms(x, outputs)
            if kind == "if" and terms["kl"].sum() > 1e9:
                terms["kl"] = 0.0 * terms["kl"]
            if kind == "module":
                terms["kl"] = terms["kl"] * weight
            return terms

    encoder = networks_of()[0]
    if kind == "seed":
        layers = keras.layers.Dense(8), keras.layers.Dropout(0.5, seed=1)
        encoder = keras.Sequential([keras.Input(SHAPE), *layers])
    model = Asks(encoder, networks_of()[1], seed=1)
    model.compile()
    with caplog.at_level(logging.WARNING):
        model.fit(x, batch_size=8, epochs=3, verbose=0)
    told = [r.message for r in caplog.records if "training step" in r.message]
    assert len(told) == 1 and cause in told[0]


def test_no_gradient_through_what_is_assigned(x):
    class Moving(keras.layers.Layer):
        def build(self, input_shape):
            self.mean = self.add_weight(shape=input_shape[1:], initializer="zeros", trainable=False)
            self.built = True

        def call(self, h):
            self.mean.assign(0.9 * self.mean.value + 0.1 * keras.ops.mean(h, axis=0))
            return h * (1 + self.mean.value)

    def build():
        hidden = [keras.layers.Dense(8), Moving()]
        return ka.VAE(keras.Sequential([keras.Input(SHAPE), *hidden]), networks_of()[1], seed=1)

    assert graphs(check_equal(build, x).train_function)


def test_convolutions():
    def build():
        return ka.VAE(*networks.conv((8, 8, 1), LATENT, filters=(4, 8), hidden=8), seed=1)

    images = np.random.default_rng(0).uniform(0.1, 0.9, size=(40, 8, 8, 1)).astype("float32")
    assert graphs(check_equal(build, images).train_function)


def test_one_optimizer_for_each_network(x):
    def optimizer():
        rates = keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.01))
        rates["dense.*"] = keras.optimizers.SGD(0.01)
        return keras.optimizers.MultiOptimizer(rates)

    assert graphs(check_equal(MODELS["VAE"], x, optimizer).train_function)


def test_one_variable_takes_anothers_value():
    a, b = keras.Variable([1.0]), keras.Variable([2.0])

    def swap(x):
        old = a.value * 1.0
        a.assign(b.value)
        b.assign(old)
        return x + a.value

    def step(mapping, x):
        with keras.StatelessScope(mapping) as scope:
            outputs = swap(x)
        write(scope, mapping)
        return outputs

    recorded = Recorded(swap, step, lambda: [a, b])
    for expected in (2.0, 1.0, 2.0, 1.0):
        assert float(recorded(torch.zeros(1))) == expected
        assert [float(a.value), float(b.value)] == [expected, 3.0 - expected]
