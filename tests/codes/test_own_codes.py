"""Codes as a user writes them: of another family, with settings, without a fitted prior."""

import json

import keras
import numpy as np
import pytest
from families import (
    CouplingCode,
    Laplace,
    LaplaceCode,
    ShrunkCode,
    StandardLaplace,
    TwoPartCode,
    WideNormal,
    WiderCode,
)
from keras import ops
from zoo import ZOO, Row, build

import keras_aevae as ka
from keras_aevae.codes import (
    CODES,
    Code,
    CodebookCode,
    GaussianCode,
    InverseAutoregressiveFlowCode,
    PointCode,
    RealNVPCode,
    ReparameterizedCode,
)

SHAPE, LATENT = (8, 8, 1), 3


def make(cls=ka.VAE, **settings):
    keras.utils.set_random_seed(1)
    return cls(*ka.networks.mlp(SHAPE, LATENT, hidden=(16,)), **{"seed": 7, **settings})


@pytest.fixture(scope="module")
def x():
    return ka.datasets.load("digits")[0][0][:128]


def reloaded(model, path):
    """The model by each of the ways in which it is kept."""
    model.save(path / "m.keras")
    model.save_to_preset(path / "preset")
    config = json.loads(json.dumps(model.get_config()))
    return (
        keras.saving.load_model(path / "m.keras"),
        ka.Autoencoder.from_preset(path / "preset"),
        type(model).from_config(config),
    )


def test_codes_are_exported():
    assert "codes" in ka.__all__ and {"Code", "GaussianCode"} <= set(ka.codes.__all__)


# Another family


def test_a_code_of_another_family_is_its_family(x):
    model = make(posterior=LaplaceCode(), prior=StandardLaplace(LATENT))
    assert model.code.inferred == ("z_mean", "z_log_scale") and model.code.exact_kl
    outputs = model.predict(x, verbose=0)
    assert {"z_mean", "z_log_scale", "z"} <= set(outputs)
    q = Laplace(outputs["z_mean"], outputs["z_log_scale"])
    exact = ops.convert_to_numpy(q.kl(StandardLaplace(LATENT)))
    np.testing.assert_allclose(model.evaluate_terms(x)["kl"], exact, rtol=1e-4, atol=1e-5)
    # Its density, its draws and its closed form agree.
    z = q.sample((4000,), seed=1)
    each = ops.convert_to_numpy(q.log_prob(z) - StandardLaplace(LATENT).log_prob(z))
    error = each.std(axis=0) / np.sqrt(4000)
    assert np.all(np.abs(each.mean(axis=0) - exact) < 5 * error + 1e-5)
    noise = (outputs["z"] - outputs["z_mean"]) / np.exp(outputs["z_log_scale"])
    assert abs(np.abs(noise).mean() - 1) < 5 / np.sqrt(noise.size)  # of |Laplace|: 1, deviation 1


def test_a_code_of_another_family_is_trained_and_kept(x, tmp_path):
    model = make(ka.IWAE, posterior=LaplaceCode(), gradient="doubly_reparameterized")
    assert not model.code.exact_kl  # to N(0, I)
    model.compile()
    history = model.fit(x, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0] - 1
    assert np.isfinite(model.elbo(x)).all() and np.isfinite(model.log_likelihood(x, 10)).all()
    model.fit_prior(x, "gaussian")
    for again in reloaded(model, tmp_path)[:2]:
        assert type(again.code) is LaplaceCode
        np.testing.assert_allclose(again.encode(x), model.encode(x), atol=1e-6)
        np.testing.assert_allclose(again.sample(3, seed=1), model.sample(3, seed=1), atol=1e-5)


def test_free_bits_need_a_kl_by_dimension(x):
    assert make(posterior=LaplaceCode(), prior=StandardLaplace(LATENT), free_bits=0.1).free_bits
    assert make(prior=WideNormal(LATENT), free_bits=0.1).free_bits
    with pytest.raises(ValueError, match="`free_bits`.*LaplaceCode, StandardNormal"):
        make(posterior=LaplaceCode(), free_bits=0.1)


# A flow, whose log q(z|x) comes with its draws


def test_the_density_of_a_flow_is_that_of_its_draws(x):
    model = make(posterior=CouplingCode(), num_samples=5)
    outputs = model(x, training=False)
    kept = ops.convert_to_numpy(outputs["log_q"])
    anew = ops.convert_to_numpy(model.code.log_q(outputs, outputs["z"]))
    np.testing.assert_allclose(kept, anew, rtol=1e-3, atol=2e-3)
    kl, ratio = (f(outputs, model.p()) for f in (model.code.kl, model.code.log_ratio))
    np.testing.assert_allclose(
        ops.convert_to_numpy(kl)[..., 0], -ops.convert_to_numpy(ratio), rtol=1e-3, atol=2e-3
    )


def moved(model, x, weights=None):
    """The weights of the flow after one step of gradient descent, less those before it."""
    if weights is not None:
        model.set_weights(weights)
    before = model.code.coupling.get_weights()[0]
    model.compile(keras.optimizers.SGD(1.0))
    model.train_on_batch(x)
    return model.code.coupling.get_weights()[0] - before


def test_the_weights_of_a_flow_are_trained_whatever_the_route(x):
    """PIWAE with one bound for the encoder is IWAE; of one draw, both estimators of the gradient
    have the same mean, here over many copies of one example."""
    iwae = make(ka.IWAE, posterior=CouplingCode(), num_samples=3)
    weights = iwae.get_weights()
    expected = moved(iwae, x)
    assert np.abs(expected).max() > 1e-3
    piwae = make(ka.PIWAE, posterior=CouplingCode(), num_samples=3, num_bounds=1)
    np.testing.assert_allclose(moved(piwae, x, weights), expected, rtol=1e-3, atol=1e-5)
    copies = np.repeat(0.1 * x[:1], 20_000, axis=0)  # whose posterior is narrow enough
    one, other = (
        moved(
            make(ka.IWAE, posterior=CouplingCode(), num_samples=1, gradient=gradient),
            copies,
            weights,
        )
        for gradient in ("reparameterized", "doubly_reparameterized")
    )
    assert np.abs(one).max() > 0.05
    np.testing.assert_allclose(other, one, atol=0.1 * np.abs(one).max())


def test_a_code_says_whether_it_has_a_gradient_along_the_path():
    class Unsaid(CouplingCode):
        has_path_gradient = False

    doubly = {"gradient": "doubly_reparameterized"}
    with pytest.raises(ValueError, match="`gradient` must be.*Unsaid.*by `has_path_gradient`"):
        make(ka.IWAE, posterior=Unsaid(), **doubly)
    assert not Code.has_path_gradient and ReparameterizedCode.has_path_gradient


def test_what_a_flow_cannot_do_is_refused(x):
    with pytest.raises(ValueError, match="`prior` must be one that isn't made.*CouplingCode"):
        make(posterior=CouplingCode(), prior="vamp_prior")
    with pytest.raises(ValueError, match="`free_bits`.*CouplingCode, StandardNormal"):
        make(posterior=CouplingCode(), free_bits=0.1)
    with pytest.raises(ValueError, match="No prior can be fitted to the codes of a CouplingCode"):
        make(posterior=CouplingCode()).fit_prior(x)
    with pytest.raises(ValueError, match="`posterior`.*must store|`posterior` must have a density"):
        make(posterior=PointCode())


def test_points_have_no_prior_of_posteriors():
    with pytest.raises(ValueError, match="VampPrior is trained by the KL.*stores a point"):
        make(ka.Autoencoder, prior="vamp_prior")


# A code with layers of its own, and a KL of parts


def test_free_bits_are_those_of_each_part(x):
    model = make(posterior=TwoPartCode(), free_bits=0.3)
    model.compile()
    kl = model.code.kl(model(x, training=False), model.p())
    assert tuple(kl.shape) == (1, len(x), 2)
    # What each part lacks of its free bits on average over the data is what they cost.
    parts = ops.convert_to_numpy(kl)[0].mean(axis=0)
    logs = model.evaluate(x, batch_size=len(x), verbose=0, return_dict=True)
    expected = np.maximum(0.3 - parts, 0).sum()
    np.testing.assert_allclose(logs["free_bits"], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "code, names",
    [
        (TwoPartCode, ("small", "large")),
        (CouplingCode, ("head", "coupling")),
        (InverseAutoregressiveFlowCode, ("head", "flow")),
        (RealNVPCode, ("head", "flow")),
    ],
)
def test_layers_of_a_code_encode(code, names, x):
    model = make(posterior=code(), prior="gaussian_mixture")
    own = [getattr(model.code, name) for name in names]
    weights = {id(v) for part in model.code.encoding_parts() for v in part.trainable_variables}
    assert weights == {id(v) for layer in own for v in layer.trainable_variables}
    before = [layer.get_weights() for layer in own]
    model.encoder.trainable = False
    model.compile()
    model.fit(x, verbose=0)
    for layer, weights in zip(own, before):
        assert not layer.trainable
        np.testing.assert_array_equal(layer.get_weights()[0], weights[0])
    model.encoder.trainable = True
    model.compile()
    model.compile(ka.optimizers(model, keras.optimizers.Adam(0.1), encoder=0.0))
    model.fit(x, verbose=0)
    for layer, weights in zip(own, before):
        assert layer.trainable
        np.testing.assert_array_equal(layer.get_weights()[0], weights[0])


def test_encode_gives_the_center(x):
    model = make(posterior=ShrunkCode())
    outputs = model.predict(x, verbose=0)
    expected = outputs["z_mean"] / (1 + np.exp(outputs["z_log_var"]))
    np.testing.assert_allclose(model.encode(x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(x), model.decode(expected), atol=1e-5)


# A subclass is not its parent


def test_a_subclass_of_a_code_is_kept_with_its_settings(x, tmp_path):
    model = make(posterior=WiderCode(5.0))
    log_vars = model.predict(x, verbose=0)["z_log_var"]
    for again in reloaded(model, tmp_path):
        assert type(again.code) is WiderCode and again.code.factor == 5.0
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again.predict(x, verbose=0)["z_log_var"], log_vars, atol=1e-5)


def test_a_code_is_kept_as_it_was_given():
    assert make().get_config()["posterior"] == "diagonal_gaussian"
    given = make(posterior=GaussianCode(seed=3, dtype="float64", name="mine"))
    again = ka.VAE.from_config(given.get_config())
    assert (again.code.name, again.code.compute_dtype, again.code.seed) == ("mine", "float64", 3)


# Fitted priors


def test_a_prior_is_fitted_only_to_codes_that_say_so(x):
    class OneHots(GaussianCode):
        fitted_priors = ()

    assert Code.fitted_priors == ()
    for cls in (PointCode, GaussianCode):
        assert cls.fitted_priors == ("gaussian", "gaussian_mixture", "real_nvp")
    assert CodebookCode.fitted_priors == ("autoregressive",)
    model = make(posterior=OneHots())
    mixture = ka.distributions.FittedMixture(LATENT, 1)
    for prior in ("gaussian", "gausian", mixture):
        with pytest.raises(ValueError, match="No prior can be fitted to the codes of a OneHots"):
            model.fit_prior(x, prior)
    with pytest.raises(ValueError, match="No prior can be fitted to the codes of a OneHots"):
        model.set_prior(mixture)
    assert model.fitted_prior is None


def test_a_prior_that_cannot_be_fitted_is_refused_before_the_fit(x):
    prior = ka.AutoregressivePrior(16, (3,), width=8, depth=1, num_heads=2)
    with pytest.raises(ValueError, match="`prior` must be a FittedMixture of 3 latent dimensions"):
        make().fit_prior(x, prior)


# Seeds


def test_every_named_code_has_the_seed():
    for name in CODES:
        cls = ka.Autoencoder if name == "point" else ka.VAE
        prior = "uniform" if name == "von_mises_fisher" else "standard_normal"
        assert make(cls, posterior=name, prior=prior, seed=11).get_config()["seed"] == 11


def test_a_row_may_choose_the_latent_dimensions(monkeypatch):
    row = Row(ka.VAE, networks={"latent_dim": 12})
    monkeypatch.setitem(ZOO, "of 12", row)
    assert build("of 12").latent_dim == 12 and build("VAE").latent_dim == LATENT
