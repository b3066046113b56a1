"""Each part of a model is trained by the optimizer that it was given, and no other."""

import dataclasses

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam
from keras.optimizers.schedules import CosineDecay, ExponentialDecay
from numpy.testing import assert_allclose, assert_array_equal

import keras_aevae as ka
from keras_aevae import optimizers

D, LATENT = 5, 3
X = np.random.default_rng(0).uniform(0.1, 0.9, size=(12, D)).astype("float32")


def value(variable):
    return keras.ops.convert_to_numpy(variable).copy()


@keras.saving.register_keras_serializable(package="test_optimizers")
class Critic(keras.Model):
    """Whose layers have names that a reload changes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.logit = keras.layers.Dense(4, "relu"), keras.layers.Dense(1)

    def build(self, input_shape):
        self.hidden.build(input_shape)
        self.logit.build((None, 4))

    def call(self, z):
        return self.logit(self.hidden(z))


def sequential(*units, data_dim=LATENT, **settings):
    layers = [keras.layers.Dense(n, name=f"layer_{i}") for i, n in enumerate(units)]
    return keras.Sequential([keras.Input((data_dim,)), *layers], **settings)


# The last has the paths of the encoder: net/layer_0/kernel, ...
DISCRIMINATORS = {
    "built in": lambda: (4,),
    "a user's": lambda: keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1)]),
    "a user's class": Critic,
    "the same paths": lambda: sequential(4, 1, name="net"),
}


def factor_vae(discriminator="built in"):
    keras.utils.set_random_seed(0)
    encoder = sequential(4, 4, data_dim=D, name="net")
    discriminator = DISCRIMINATORS[discriminator]()
    model = ka.FactorVAE(
        encoder, sequential(D, name="decoder"), discriminator=discriminator, gamma=2.0, seed=1
    )
    return model


def steps_of(model, x=X):
    """What one training step takes from each trainable variable, in the model's order."""
    before = [value(v) for v in model.trainable_variables]
    model.fit(x, batch_size=len(x), shuffle=False, verbose=0)
    return [b - value(v) for b, v in zip(before, model.trainable_variables)]


def of_discriminator(model):
    own = {id(v) for v in model.discriminator.variables}
    return [id(v) in own for v in model.trainable_variables]


def reloaded(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras")


# Rates


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_each_part_steps_by_its_own_rate(kind):
    """Along the same gradient, 0.25 times as far as the others."""
    plain, model = factor_vae(kind), factor_vae(kind)
    plain.compile(SGD(0.5))
    model.compile(optimizers(model, SGD(0.5), discriminator=SGD(0.125)))
    expected, got = steps_of(plain), steps_of(model)
    inside = of_discriminator(model)
    assert sum(inside) == 4 and len(inside) == 12
    for a, b, own in zip(expected, got, inside):
        assert np.abs(a).max() > 1e-4
        assert_allclose(b, a * (0.25 if own else 1.0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("trained", [False, True], ids=["saved at once", "saved after training"])
@pytest.mark.parametrize("kind", ["built in", "a user's class", "the same paths"])
def test_after_a_reload(kind, trained, tmp_path):
    """A rate of 0 tells which optimizer a variable has."""
    model = factor_vae(kind)
    model.compile(optimizers(model, SGD(0.1), discriminator=SGD(0.0)))
    if trained:
        model.fit(X, verbose=0)
    again = reloaded(model, tmp_path)
    assert len(again.optimizer.optimizers) == 2
    moved = [bool(step.any()) for step in steps_of(again)]
    assert moved == [not inside for inside in of_discriminator(again)]
    assert again.optimizer.get_config() == model.optimizer.get_config()


def test_training_goes_on_after_a_reload_as_if_without(tmp_path):
    """With Adam's moments and the steps of both; an autoencoder, which has no noise."""

    def compiled():
        model = autoencoder()
        model.compile(optimizers(model, Adam(0.01), decoder=Adam(CosineDecay(0.03, 20))))
        return model

    whole, part = compiled(), compiled()
    whole.fit(X, batch_size=4, epochs=5, shuffle=False, verbose=0)
    part.fit(X, batch_size=4, epochs=2, shuffle=False, verbose=0)
    part = reloaded(part, tmp_path)
    part.fit(X, batch_size=4, epochs=3, shuffle=False, verbose=0)
    assert int(value(part.optimizer.iterations)) == 15
    for a, b in zip(part.variables, whole.variables):
        assert_allclose(value(a), value(b), rtol=1e-5, atol=1e-6, err_msg=a.path)


def autoencoder():
    keras.utils.set_random_seed(0)
    return ka.Autoencoder(*ka.networks.mlp((D,), LATENT, hidden=(8,)), seed=1)


@pytest.mark.parametrize("rate", [0.125, ExponentialDecay(0.125, 1, 0.5)])
def test_a_rate_is_the_default_with_that_rate(rate):
    model = autoencoder()
    default = SGD(0.5, momentum=0.9, nesterov=True)
    optimizer = optimizers(model, default, decoder=rate)
    own, other = optimizer.optimizers
    assert other is default and own.name == "decoder"
    assert {**own.get_config(), "learning_rate": 0, "name": ""} == {
        **default.get_config(),
        "learning_rate": 0,
        "name": "",
    }
    model.compile(optimizer)
    model.fit(X, batch_size=12, verbose=0)
    after = 0.125 if isinstance(rate, float) else 0.0625
    assert float(value(own.learning_rate)) == pytest.approx(after)
    assert float(value(default.learning_rate)) == 0.5


def test_without_parts_it_is_the_default():
    default = SGD(0.5)
    assert optimizers(autoencoder(), default) is default


def test_several_parts():
    model = autoencoder()
    model.compile(optimizers(model, SGD(0.0), encoder=SGD(0.1), decoder=SGD(0.2)))
    moved = {id(v) for v, s in zip(model.trainable_variables, steps_of(model)) if s.any()}
    parts = model.encoder, model.code.head, model.decoder  # the head encodes too
    assert moved == {id(v) for part in parts for v in part.trainable_variables}


def test_what_is_frozen_stays_and_the_rest_of_the_part_moves():
    model = factor_vae("a user's class")
    model.discriminator.hidden.trainable = False
    model.compile(optimizers(model, SGD(0.0), discriminator=SGD(0.1)))
    before = [value(v) for v in model.discriminator.hidden.variables]
    moved = [v.shape for v, s in zip(model.trainable_variables, steps_of(model)) if s.any()]
    assert moved == [v.shape for v in model.discriminator.logit.variables]
    for b, v in zip(before, model.discriminator.hidden.variables):
        assert_array_equal(value(v), b)


def test_any_keras_model():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = keras.layers.Dense(4), keras.layers.Dense(1)

        def call(self, x):
            return self.second(self.first(x))

    model = Own()
    with pytest.raises(ValueError, match="`second` has no variables.*call the model on a batch"):
        optimizers(model, SGD(0.1), second=SGD(0.0))
    model(X)
    model.compile(optimizers(model, SGD(0.1), second=SGD(0.0)), loss="mse")
    before = [value(v) for v in model.trainable_variables]
    model.fit(X, X[:, :1], verbose=0)
    moved = [(b != value(v)).any() for b, v in zip(before, model.trainable_variables)]
    assert moved == [True, True, False, False]


# What Keras does with optimizers


def test_callbacks_that_change_the_rate():
    model = autoencoder()
    optimizer = optimizers(model, SGD(0.1), decoder=SGD(0.02, name="slow"))
    model.compile(optimizer)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    history = model.fit(X, epochs=3, callbacks=[plateau], verbose=0).history
    rates = [float(value(each.learning_rate)) for each in optimizer.optimizers]
    assert rates == pytest.approx([0.02 / 4, 0.1 / 4])
    assert history["learning_rate_slow"] == pytest.approx([0.02, 0.02, 0.01])
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.3)
    model.fit(X, callbacks=[scheduler], verbose=0)
    assert [float(value(each.learning_rate)) for each in optimizer.optimizers] == pytest.approx(
        [0.3, 0.3]
    )


def test_mixed_precision_scales_the_loss(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = autoencoder()
        model.compile(optimizers(model, SGD(0.1), decoder=SGD(0.0)))
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        for each in (model, reloaded(model, tmp_path)):
            each.fit(X, epochs=4, verbose=0)
            moved = [s.any() for s in steps_of(each)]
            own = {id(v) for v in each.decoder.variables}
            assert moved == [id(v) not in own for v in each.trainable_variables]
    finally:
        keras.config.set_dtype_policy("float32")


def test_an_interrupted_fit_goes_on(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def fit(*callbacks):
        model = autoencoder()
        model.compile(optimizers(model, Adam(0.01), decoder=Adam(0.03)))
        settings = {"batch_size": 4, "epochs": 4, "shuffle": False, "verbose": 0}
        model.fit(X, callbacks=list(callbacks), **settings)
        return model

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        fit(backup(), Interrupt())
    again, whole = fit(backup()), fit()
    assert int(value(again.optimizer.iterations)) == 12
    for a, b in zip(again.variables, whole.variables):
        assert_allclose(value(a), value(b), rtol=1e-5, atol=1e-6, err_msg=a.path)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's steps are recorded")
def test_pytorchs_recorded_step_has_one_kernel_for_each_part():
    model = factor_vae("a user's")
    model.compile(optimizers(model, Adam(0.01), discriminator=Adam(0.0)))
    before = [value(v) for v in model.trainable_variables]
    model.fit(X, batch_size=4, epochs=2, verbose=0)
    [(operations, *_)] = model.train_function.graphs.values()
    assert operations.code.count("torch.ops.aten._fused_adam_.") == 2
    moved = [(b != value(v)).any() for b, v in zip(before, model.trainable_variables)]
    assert moved == [not inside for inside in of_discriminator(model)]


# Mistakes


def shared():
    model = autoencoder()
    model.also = model.encoder.layers[-1]
    return model


def frozen():
    model = autoencoder()
    model.decoder.trainable = False
    return model


ADAM = Adam(0.1)


@pytest.mark.parametrize(
    "model, default, parts, message",
    [
        (autoencoder, SGD, {"decodr": 0.1}, "`decodr` must name.*is missing. Did you mean: dec"),
        (autoencoder, SGD, {"data_shape": 0.1}, r"`data_shape` must.*which is \(5,\)"),
        (frozen, SGD, {"decoder": 0.1}, "`decoder` has no trainable variables.*`trainable`"),
        (shared, SGD, {"encoder": 0.1, "also": 0.2}, "`encoder` and `also` must not share.*2 var"),
        (autoencoder, lambda: ADAM, {"decoder": ADAM}, "`default` and `decoder` must be two.*Adam"),
        (autoencoder, SGD, {"encoder": ADAM, "decoder": ADAM}, "`encoder` and `decoder` must be"),
        (autoencoder, lambda: "adam", {"decoder": 0.1}, "`default` must be one Keras.*'adam'"),
        (autoencoder, SGD, {"decoder": "sgd"}, "`decoder` must be one Keras optimizer.*'sgd'"),
        (autoencoder, SGD, {"decoder": True}, "`decoder` must be one Keras optimizer.*=True"),
        (autoencoder, SGD, {"decoder": -0.1}, "`decoder` must be a finite number.*decoder=-0.1"),
    ],
)
def test_mistakes(model, default, parts, message):
    with pytest.raises(ValueError, match=message):
        optimizers(model(), default(), **parts)


def test_an_optimizer_that_was_used_already():
    used = Adam(0.1)
    model = autoencoder()
    model.compile(used)
    model.fit(X, verbose=0)
    with pytest.raises(ValueError, match="`decoder` must be an optimizer that no model has used"):
        optimizers(model, SGD(), decoder=used)
    nested = optimizers(model, SGD(), decoder=0.1)
    with pytest.raises(ValueError, match="`default` must be one Keras optimizer.*PartOptimizer"):
        optimizers(model, nested, encoder=0.1)


def test_a_recipe_says_it_as_data():
    changes = {"settings": {"discriminator": (4,)}, "network_settings": {"hidden": (4,)}}
    recipe = ka.recipes.recipe("factor_vae", "digits", epochs=1, num_train=256, **changes)
    keras.utils.set_random_seed(recipe.seed)
    start = recipe.build((8, 8, 1)).discriminator.get_weights()
    for rate, moves in ((0.0, False), (1e-3, True)):
        model = dataclasses.replace(recipe, rates={"discriminator": rate}).train(verbose=0)
        pairs = zip(start, model.discriminator.get_weights())
        assert [bool((a != b).any()) for a, b in pairs] == [moves] * 4
    assert isinstance(recipe.train(verbose=0).optimizer, Adam)


def test_what_is_frozen_afterwards_is_noticed():
    model = autoencoder()
    optimizer = optimizers(model, SGD(), decoder=0.1)
    model.encoder.trainable = False
    model.compile(optimizer)
    with pytest.raises(ValueError, match="Received: . variables, in place of 8. .*compile anew"):
        model.fit(X, verbose=0)
