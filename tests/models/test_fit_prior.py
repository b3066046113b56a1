"""Priors that are fitted afterwards: the settings of each, and how they are kept."""

import keras
import numpy as np
import pytest
from zoo import build, given

import keras_aevae as ka
from keras_aevae.codes import CODES, GaussianCode
from keras_aevae.distributions import AutoregressivePrior, FittedMixture, Prior
from keras_aevae.recipes import recipe

SMALL = {"width": 8, "depth": 1, "num_heads": 2, "seed": 0}


@pytest.fixture(scope="module")
def x():
    return ka.datasets.load("digits")[0][0][:96]


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches, self.rates = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.append(0)
        self.rates.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))

    def on_train_batch_end(self, batch, logs=None):
        self.batches[-1] += 1


@pytest.mark.parametrize("beside", ["epochs", "fit"])
def test_an_autoregressive_prior_is_trained_as_it_is_told(x, beside):
    recorder = Recorder()
    settings = {"optimizer": keras.optimizers.SGD(0.03), "epochs": 3, "callbacks": [recorder]}
    fit = {"batch_size": 48, "shuffle": False}
    if beside == "fit":
        settings, fit = {}, {**fit, **settings}
    build("VQVAE").fit_prior(x, "autoregressive", batch_size=96, fit=fit, **SMALL, **settings)
    assert recorder.batches == [2, 2, 2]
    assert recorder.rates == pytest.approx([0.03] * 3)


def test_the_usual_training_is_that_of_keras(x):
    recorder = Recorder()
    build("VQVAE").fit_prior(x, "autoregressive", callbacks=[recorder], **SMALL)
    assert recorder.batches == [3] * 10
    assert recorder.rates == pytest.approx([1e-3] * 10)


def test_a_prior_by_name_is_the_one_that_is_made_by_hand(x):
    model = build("VQVAE")
    keras.utils.set_random_seed(5)
    own = AutoregressivePrior(16, (4, 4), **SMALL)
    own.compile(keras.optimizers.Adam(0.01))
    own.fit(model.encode_indices(x, batch_size=512), batch_size=16, epochs=2, verbose=0)
    keras.utils.set_random_seed(5)
    settings = {"optimizer": keras.optimizers.Adam(0.01), "epochs": 2, **SMALL}
    model.fit_prior(x, "autoregressive", fit={"batch_size": 16}, **settings)
    for a, b in zip(own.get_weights(), model.fitted_prior.get_weights()):
        np.testing.assert_array_equal(a, b)
    again = AutoregressivePrior(16, (4, 4), **SMALL)  # as an object
    keras.utils.set_random_seed(5)
    again.set_weights(AutoregressivePrior(16, (4, 4), **SMALL).get_weights())
    again.compile(keras.optimizers.Adam(0.01))
    model.fit_prior(x, again, epochs=2, fit={"batch_size": 16})
    assert int(again.optimizer.iterations) == 2 * 6


def test_a_recipe_trains_its_prior_so():
    one = recipe("vq_vae", "digits", epochs=1, batch_size=256, prior={"epochs": 2, **SMALL})
    recorder = Recorder()
    model = one.train(prior_callbacks=[recorder], verbose=0)
    assert recorder.batches == [6, 6] and recorder.rates[0] == pytest.approx(one.learning_rate)
    assert model.fitted_prior.seed == 0 and model.fitted_prior.width == 8


WRONG = [
    (
        "VAE",
        "gaussian",
        {"num_components": 3},
        "'gaussian' takes no `num_components`.*'gaussian_mi",
    ),
    ("VAE", "gaussian", {"epochs": 3}, "'gaussian' takes no `epochs`, but seed, verbose"),
    ("VAE", "gaussian", {"latent_dim": 3}, "'gaussian' takes no `latent_dim`"),
    ("Autoencoder", "gaussian_mixture", {"num_component": 3}, "Did you mean: num_components"),
    ("Autoencoder", "gaussian_mixture", {"optimizer": "sgd"}, "no `optimizer`, but num_components"),
    ("VQVAE", "autoregressive", {"num_components": 3}, "no `num_components`, but width, depth"),
    ("VQVAE", "autoregressive", {"epoch": 3}, "no `epoch`.*Did you mean: epochs"),
    ("VQVAE", "autoregressive", {"num_codes": 3}, "no `num_codes`"),
]


@pytest.mark.parametrize("row, name, settings, message", WRONG)
@pytest.mark.parametrize("in_fit", [False, True])
def test_settings_that_a_prior_does_not_take(row, name, settings, message, in_fit, x):
    model = build(row)
    settings = {"fit": settings} if in_fit else settings
    with pytest.raises(ValueError, match=f"(?s){message}"):
        model.fit_prior(x, name, **settings)
    assert model.fitted_prior is None


@pytest.mark.parametrize("name", CODES)
def test_every_name_of_every_code_says_what_it_takes(name, x):
    model = build("Autoencoder" if name == "point" else "VAE")
    for prior in model.code.fitted_priors:
        with pytest.raises(ValueError, match=f"'{prior}' takes no `nonsense`, but .*seed"):
            model.fit_prior(x, prior, nonsense=1)
        model.fit_prior(x, prior, seed=1)
        assert model.fitted_prior.seed == 1


def test_a_prior_that_is_given_is_made_already(x):
    with pytest.raises(ValueError, match="a given FittedMixture takes no `num_components`"):
        build("VAE").fit_prior(x, FittedMixture(3, 1), num_components=3)
    with pytest.raises(ValueError, match="a given FittedMixture takes no `epochs`"):
        build("VAE").fit_prior(x, FittedMixture(3, 1), epochs=3)
    prior = AutoregressivePrior(16, (4, 4), **SMALL)
    prior.compile()
    for name in ("width", "optimizer"):
        with pytest.raises(ValueError, match=f"a given AutoregressivePrior takes no `{name}`"):
            build("VQVAE").fit_prior(x, prior, **{name: 3})


def test_a_setting_is_given_once(x):
    for fit in ({"epochs": 2}, 5):
        with pytest.raises(ValueError, match="`fit` must be a dict.*Received: fit="):
            build("VQVAE").fit_prior(x, "autoregressive", epochs=3, fit=fit)


class OwnPrior(FittedMixture):
    """A prior of a name of its own, whose `fit` has a setting."""

    def fit(self, codes, scale=1.0, verbose=0):
        super().fit(scale * codes)


class OwnCode(GaussianCode):
    fitted_priors = ("gaussian", "scaled")

    def make_fitted(self, name, settings):
        if name == "scaled":
            return OwnPrior(self.latent_dim, 1), settings
        return super().make_fitted(name, settings)


def test_a_code_of_other_priors(x):
    model = build("VAE", posterior=OwnCode())
    model.fit_prior(x, "scaled", scale=10.0)
    wide = keras.ops.convert_to_numpy(model.p(fitted=True).mean)
    model.fit_prior(x, OwnPrior(3, 1), scale=10.0)
    with pytest.raises(
        ValueError, match="OwnPrior takes no `scal`, but scale.*Did you mean: scale"
    ):
        model.fit_prior(x, OwnPrior(3, 1), scal=10.0)
    model.fit_prior(x, "gaussian")
    assert np.abs(wide).max() > 3 * np.abs(keras.ops.convert_to_numpy(model.p(True).mean)).max()
    with pytest.raises(ValueError, match="'gaussian' takes no `scale`"):
        model.fit_prior(x, "gaussian", scale=10.0)
    assert isinstance(model.prior, Prior)


# Weights alone


@pytest.mark.parametrize("row", ["Autoencoder", "VAE", "ConditionalVAE", "VQVAE"])
def test_weights_alone_do_not_drop_a_prior_in_silence(row, x, tmp_path):
    path = tmp_path / "m.weights.h5"
    model, fresh, c = build(row), build(row), given(row, len(x))
    if row == "VQVAE":
        model.fit_prior(x, "autoregressive", epochs=1, **SMALL)
    else:
        model.fit_prior(x, "gaussian", **c)
    model.save_weights(path)
    with pytest.raises(ValueError, match="(?s)must have a fitted prior.*set_prior.*model.save"):
        fresh.load_weights(path)
    fresh.load_weights(path, skip_mismatch=True)
    assert fresh.fitted_prior is None
    np.testing.assert_allclose(fresh.encode(x, **c), model.encode(x, **c), atol=1e-6)
    same_kind = type(model.fitted_prior).from_config(model.fitted_prior.get_config())
    fresh.set_prior(same_kind)
    fresh.load_weights(path)
    two = given(row, 2)
    samples = model.sample(2, seed=0, **two)
    np.testing.assert_allclose(fresh.sample(2, seed=0, **two), samples, atol=1e-5)
    build(row).save_weights(path, overwrite=True)
    with pytest.raises(ValueError, match=r"(?s)file must hold a fitted prior.*set_prior\(None\)"):
        model.load_weights(str(path))
    model.set_prior(None)
    model.load_weights(path)
