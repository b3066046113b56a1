"""FactorVAE: its terms, where their gradients go, and what they do, against NumPy in float64."""

import functools
import itertools

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from finite_differences import central_differences
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

import keras_aevae as ka
from keras_aevae.distributions import StandardNormal
from keras_aevae.distributions.diagonal_gaussian import LOG_VAR_BOUND
from keras_aevae.engine.noise import noise_states

FLOAT32 = 1e-5  # relative, against float64, of sums of terms that don't cancel
D, LATENT, BATCH, SCALE, SEED = 4, 3, 12, 0.7, 1000
SLOPE = 0.2  # of the discriminator's leaky ReLUs


def value(variable):
    return ops.convert_to_numpy(variable).copy()


def linear(cls=ka.FactorVAE, data_dim=D, latent_dim=LATENT, **settings):
    """Linear both ways: q(z|x) = N(x K + b, exp(bounded(x L + c))), p(x|z) = N(z W + d, s^2)."""
    keras.utils.set_random_seed(2)
    encoder = keras.Sequential([keras.Input((data_dim,)), keras.layers.Identity()])
    decoder = keras.Sequential([keras.Input((latent_dim,)), keras.layers.Dense(data_dim)])
    if cls is ka.FactorVAE:
        settings = {"discriminator": (5,), **settings}
    likelihood = ka.distributions.Gaussian(SCALE)
    return cls(encoder, decoder, likelihood=likelihood, **{"seed": SEED, **settings})


DATA = np.random.default_rng(8).normal(size=(BATCH, D)).astype("float32")


@pytest.fixture
def x():
    return DATA


# Gradients


def shifted(z):
    """In place of a random permutation: the j-th dimension moved on by j + 1 examples."""
    module = ops if ops.is_tensor(z) else np
    moved = [module.roll(z[..., j], j + 1, axis=1) for j in range(z.shape[-1])]
    return module.stack(moved, axis=-1)


@functools.cache
def step_of_sgd(**settings):
    """The weights by name, and what one step of SGD on `DATA` took from each of them."""
    model = linear(**settings)
    if isinstance(model, ka.FactorVAE):
        model.permute = shifted
        # A discriminator that says much: its own scale would make for small gradients.
        model.discriminator.set_weights([3 * w for w in model.discriminator.get_weights()])
    model.compile(keras.optimizers.SGD(1.0))
    before = {name_of(v, model): value(v) for v in model.trainable_variables}
    model.train_on_batch(DATA)
    after = {name_of(v, model): value(v) for v in model.trainable_variables}
    return before, {name: before[name] - after[name] for name in before}


def name_of(variable, model):
    """A name of the variable that is the same in every model."""
    of_decoder = any(v is variable for v in model.decoder.variables)
    return f"decoder/{variable.name}" if of_decoder else variable.path


class Reference:
    """The model's terms in float64, of the weights by name."""

    def __init__(self, num_samples):
        self.x = DATA.astype("float64")
        axes = (BATCH,) if num_samples == 1 else (num_samples, BATCH)
        noise = StandardNormal(LATENT).sample(axes, seed=keras.random.SeedGenerator(SEED))
        self.noise = ops.convert_to_numpy(noise).reshape(-1, BATCH, LATENT).astype("float64")

    def posterior(self, w):
        raw = self.x @ w["posterior/kernel"] + w["posterior/bias"]
        mean, log_var = np.split(raw, 2, axis=-1)
        return mean, LOG_VAR_BOUND * np.tanh(log_var / LOG_VAR_BOUND)

    def codes(self, w):
        mean, log_var = self.posterior(w)
        return mean + np.exp(0.5 * log_var) * self.noise

    def logit(self, w, z):
        h = z @ w["discriminator_0/kernel"] + w["discriminator_0/bias"]
        h = np.where(h > 0, h, SLOPE * h)
        return (h @ w["discriminator_logit/kernel"] + w["discriminator_logit/bias"])[..., 0]

    def vae_loss(self, w):
        mean, log_var = self.posterior(w)
        kl = 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var, axis=-1)
        decoded = self.codes(w) @ w["decoder/kernel"] + w["decoder/bias"]
        log_x = scipy.stats.norm.logpdf(self.x, decoded, SCALE).sum(-1)
        return np.mean(kl) - np.mean(log_x)

    def total_correlation(self, w):
        return np.mean(self.logit(w, self.codes(w)))

    def cross_entropy(self, w, z):
        """Of the discriminator, of fixed codes: 1 for them, 0 for the permuted."""
        joint, product = self.logit(w, z), self.logit(w, shifted(z))
        return -0.5 * np.mean(scipy.special.log_expit(joint) + scipy.special.log_expit(-product))


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("gamma", [0.0, 6.0])
def test_each_gradient_is_that_of_its_loss(gamma, num_samples):
    """Of the encoder and decoder: ELBO and total correlation, the discriminator fixed. Of the
    discriminator: its own cross-entropy, the codes fixed."""
    before, gradients = step_of_sgd(gamma=gamma, num_samples=num_samples)
    reference = Reference(num_samples)
    weights = {name: w.astype("float64") for name, w in before.items()}
    z = reference.codes(weights)

    def loss(w):
        return reference.vae_loss(w) + gamma * reference.total_correlation(w)

    assert len(weights) == 8
    for name in weights:
        of_discriminator = name.startswith("discriminator")
        f = (lambda w: reference.cross_entropy(w, z)) if of_discriminator else loss
        expected = central_differences(f, weights, name)
        assert np.abs(expected).max() > 0.02, name  # there is something to compare
        # The step's own rounding is that of the weight it is read from.
        largest = max(np.abs(before[name]).max(), np.abs(expected).max())
        assert_allclose(gradients[name], expected, atol=FLOAT32 * largest, err_msg=name)


def test_the_total_correlations_share_of_the_encoders_gradient():
    """The difference that gamma makes: gamma times the gradient of the mean logit, in sign and
    size; nothing in the decoder, which no code depends on."""
    before, without = step_of_sgd(gamma=0.0, num_samples=1)
    _, own = step_of_sgd(gamma=6.0, num_samples=1)
    reference = Reference(1)
    weights = {name: w.astype("float64") for name, w in before.items()}
    for name in ("posterior/kernel", "posterior/bias"):
        expected = 6.0 * central_differences(reference.total_correlation, weights, name)
        assert np.abs(expected).max() > 0.5
        assert_allclose(own[name] - without[name], expected, atol=1e-5 * np.abs(own[name]).max())
    for name in ("decoder/kernel", "decoder/bias"):
        assert_allclose(own[name], without[name], rtol=1e-6, atol=1e-6)


def test_without_gamma_the_autoencoder_learns_as_the_vae():
    """The discriminator's loss gives the encoder and decoder nothing."""
    vae_before, vae = step_of_sgd(cls=ka.VAE)
    before, own = step_of_sgd(gamma=0.0, num_samples=1)
    assert set(own) - set(vae) == {name for name in own if name.startswith("discriminator")}
    for name, gradient in vae.items():
        assert_array_equal(before[name], vae_before[name])
        # The same operations on the same numbers, which a compiler may order in two ways.
        bits = 0 if keras.backend.backend() == "torch" else 4 * 2.0**-23
        largest = max(np.abs(gradient).max(), np.abs(before[name]).max())
        assert_allclose(own[name], gradient, rtol=0, atol=bits * largest, err_msg=name)


def test_gamma_does_not_reach_the_discriminator():
    _, without = step_of_sgd(gamma=0.0, num_samples=1)
    _, own = step_of_sgd(gamma=1e4)
    names = [name for name in own if name.startswith("discriminator")]
    assert len(names) == 4
    for name in names:
        assert np.abs(without[name]).max() > 0.02
        assert_allclose(own[name], without[name], rtol=0, atol=1e-6)
    assert np.abs(own["posterior/bias"] - without["posterior/bias"]).max() > 100


# Terms


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("slope", [0.7, 60.0])
def test_terms_of_given_logits(slope, num_samples):
    """Where logits are many, the logistic function is 0 or 1 in float32; its logarithm is not."""
    model = linear(discriminator=(), num_samples=num_samples, gamma=3.0)
    direction, bias = np.array([[1.0], [-2.0], [0.5]]), np.array([0.3])
    model.discriminator.set_weights([slope * direction, bias])
    model.permute = shifted
    z = np.random.default_rng(9).normal(size=(BATCH, num_samples, LATENT)).astype("float32")
    outputs = {
        "z": z,
        "z_mean": np.zeros((BATCH, LATENT), "float32"),
        "z_log_var": np.zeros((BATCH, LATENT), "float32"),
        "decoder_output": np.zeros((BATCH, num_samples, D), "float32"),
    }
    outputs = {name: ops.convert_to_tensor(a) for name, a in outputs.items()}
    terms = model.terms(ops.zeros((BATCH, D)), outputs)
    of_batch = model.batch_terms(ops.zeros((BATCH, D)), outputs)
    assert tuple(terms) == ("reconstruction", "kl", "total_correlation")
    assert tuple(of_batch) == ("discriminator",)
    z = np.moveaxis(z, 1, 0).astype("float64")
    joint = (slope * z @ direction + bias)[..., 0]
    product = (slope * shifted(z) @ direction + bias)[..., 0]
    assert (np.abs(joint).max() > 150) == (slope == 60.0)
    cross_entropy = -0.5 * (scipy.special.log_expit(joint) + scipy.special.log_expit(-product))
    for got, expected in (
        (terms["total_correlation"], joint.mean(0)),
        (of_batch["discriminator"], cross_entropy.mean()),
    ):
        got = ops.convert_to_numpy(got)
        assert got.shape == expected.shape and got.dtype == "float32"
        # An error of some roundings of the logits, whose terms may cancel.
        assert_allclose(got, expected, rtol=FLOAT32, atol=FLOAT32 * slope)


def test_the_loss_is_the_weighed_sum_of_the_terms(x):
    model = linear(gamma=2.5, beta=0.5)
    weights = {"reconstruction": 1.0, "kl": 0.5, "total_correlation": 2.5, "discriminator": 1.0}
    model.compile()
    logs = model.evaluate(x, verbose=0, return_dict=True)
    expected = sum(weight * logs[name] for name, weight in weights.items())
    assert logs["loss"] == pytest.approx(expected, rel=FLOAT32)


def test_a_discriminator_that_says_nothing_pays_log_2(x):
    model = linear(discriminator=())
    model.discriminator.set_weights([np.zeros((LATENT, 1)), np.zeros(1)])
    assert_array_equal(model.evaluate_terms(x)["total_correlation"], 0)
    model.compile()
    logs = model.evaluate(x, verbose=0, return_dict=True)
    assert logs["discriminator"] == pytest.approx(np.log(2), rel=1e-6)


# The permutation


def permuted(z):
    return ops.convert_to_numpy(linear(seed=5).permute(ops.convert_to_tensor(z)))


def test_permute_keeps_each_dimension_and_breaks_the_joint():
    n, draws = 4000, 2
    one = np.random.default_rng(10).normal(size=(draws, n, 1)).astype("float32")
    z = np.concatenate([one, one, -one], axis=-1)  # all the dimensions say the same
    assert np.abs(np.corrcoef(z.reshape(-1, 3), rowvar=False)).min() > 0.999
    got = permuted(z)
    assert got.shape == z.shape
    assert_array_equal(np.sort(got, axis=1), np.sort(z, axis=1))  # within each draw and dimension
    columns = np.concatenate([got, z[..., :1]], axis=-1)  # with each other, and as they were
    columns = np.moveaxis(columns, 1, -1).reshape(draws * 4, n)  # also from draw to draw
    correlation = np.corrcoef(columns) - np.eye(draws * 4)
    assert np.all(np.abs(correlation) < 5 / np.sqrt(n))


def test_every_permutation_is_as_likely():
    """Of 3 examples there are 6, in each of 2 dimensions: 36 pairs."""
    n = 7200
    z = np.tile(np.arange(3, dtype="float32")[None, :, None], (n, 1, 2))
    orders = {p: i for i, p in enumerate(itertools.permutations(range(3)))}
    got = permuted(z).astype(int)
    pairs = [(orders[tuple(g[:, 0])], orders[tuple(g[:, 1])]) for g in got]
    counts = np.zeros((6, 6))
    np.add.at(counts, tuple(np.transpose(pairs)), 1)
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 1e-4


def test_permute_moves_on(x):
    model = linear()
    z = ops.convert_to_tensor(x[None, :, :LATENT])
    first, second = (ops.convert_to_numpy(model.permute(z)) for _ in range(2))
    assert (first != second).any()


# Separate learning rates


def rates(model, autoencoder, discriminator, optimizer=keras.optimizers.SGD):
    return ka.optimizers(model, optimizer(autoencoder), discriminator=optimizer(discriminator))


def moved(model, x, **settings):
    """Names of the trainable variables that `fit` moves."""
    before = [value(v) for v in model.trainable_variables]
    model.fit(x, verbose=0, **settings)
    pairs = zip(before, model.trainable_variables)
    return {name_of(v, model) for b, v in pairs if not np.array_equal(b, value(v))}


AUTOENCODER = {"posterior/kernel", "posterior/bias", "decoder/kernel", "decoder/bias"}
DISCRIMINATOR = {
    f"discriminator_{layer}/{name}" for layer in (0, "logit") for name in ("kernel", "bias")
}


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize(
    "rate, expected",
    [((0.01, 0.0), AUTOENCODER), ((0.0, 0.01), DISCRIMINATOR)],
    ids=["the autoencoder alone", "the discriminator alone"],
)
def test_separate_learning_rates(x, rate, expected, reload, tmp_path):
    model = linear()
    model.compile(rates(model, *rate))
    assert moved(model, x) == expected
    if reload:
        model.save(tmp_path / "model.keras")
        model = keras.saving.load_model(tmp_path / "model.keras")
        assert moved(model, x) == expected


def test_training_with_two_rates_goes_on_after_a_reload_as_if_without(x, tmp_path):
    """Adam's moments and the step are saved; of the noise, as in all of Keras, only the seed."""

    def fit(model):
        model.fit(x, epochs=3, batch_size=4, shuffle=False, verbose=0)

    whole, part = linear(), linear()
    for model in (whole, part):
        model.compile(rates(model, 0.01, 0.003, keras.optimizers.Adam))
        fit(model)
    part.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(o.learning_rate) for o in again.optimizer.optimizers] == pytest.approx(
        [0.003, 0.01]
    )
    for there, here in zip(noise_states(again), noise_states(part)):
        there.assign(here)
    fit(whole)
    fit(again)
    assert int(again.optimizer.iterations) == int(whole.optimizer.iterations) == 18
    for a, b in zip(again.weights, whole.weights):
        assert_allclose(value(a), value(b), rtol=1e-5, atol=1e-6, err_msg=a.path)


# What it is for


MIXING = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 2)))[0]  # orthonormal columns


def correlated_data(n=2000, correlation=0.9):
    """Two factors that go together, in 6 dimensions."""
    rng = np.random.default_rng(1)
    factors = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n)
    return (2 * factors @ MIXING.T + 0.3 * rng.normal(size=(n, 6))).astype("float32")


def trained_on(x, gamma):
    """With the true mixing as its decoder, kept, and the encoder starting at its inverse."""
    model = linear(data_dim=6, latent_dim=2, gamma=gamma, discriminator=(32, 32))
    model.decoder.set_weights([2 * MIXING.T, np.zeros(6)])
    model.decoder.trainable = False
    kernel = np.concatenate([MIXING / 2, np.zeros_like(MIXING)], axis=1)
    model.code.head.set_weights([kernel, np.array([0, 0, -3, -3])])
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, epochs=10, batch_size=100, verbose=0)
    return model


def gaussian_total_correlation(model, x):
    codes = model.encode(x, sample=True)
    return -0.5 * np.log(np.linalg.det(np.corrcoef(codes, rowvar=False)))


def test_the_total_correlation_falls():
    x = correlated_data()
    vae, factor_vae = trained_on(x, 0.0), trained_on(x, 30.0)
    before, after = (gaussian_total_correlation(m, x) for m in (vae, factor_vae))
    # Over four seeds 0.42 to 0.47 nats, and at most 0.17.
    assert before > 0.35 and after < 0.25
    # The discriminator's estimate, of codes that are Gaussian, is near the exact value.
    estimates = [m.evaluate_terms(x)["total_correlation"].mean() for m in (vae, factor_vae)]
    assert estimates[0] == pytest.approx(before, abs=0.15)
    assert estimates[1] == pytest.approx(after, abs=0.15)


# Discriminators


def mine(**settings):
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.layers.Dense(6, "relu"), keras.layers.Dense(1)], **settings)


@pytest.mark.parametrize(
    "discriminator, num_samples",
    [(mine, 1), (mine, 3), (lambda: (6,), 3), (lambda: [6], 1), (lambda: (), 1)],
    ids=["mine", "mine, 3 draws", "units, 3 draws", "list of units", "logistic regression"],
)
def test_discriminators(x, discriminator, num_samples, tmp_path):
    model = linear(discriminator=discriminator(), num_samples=num_samples)
    assert len(model.discriminator.trainable_variables) in (2, 4)
    model.compile(keras.optimizers.Adam(0.01))
    start = [value(v) for v in model.discriminator.trainable_variables]
    logs = model.fit(x, epochs=2, verbose=0).history
    assert all(np.isfinite(logs[name]).all() for name in ("loss", *model.term_names))
    for a, b in zip(start, model.discriminator.trainable_variables):
        assert (a != value(b)).any()
    assert all(t.shape == (BATCH,) for t in model.evaluate_terms(x).values())
    model.save_to_preset(tmp_path / "preset")
    again = ka.FactorVAE.from_preset(tmp_path / "preset")
    z = ops.convert_to_tensor(x[:, :LATENT])
    got, expected = (ops.convert_to_numpy(m.discriminator(z)) for m in (again, model))
    assert got.shape == (BATCH, 1)
    assert_allclose(got, expected, rtol=1e-6)


def test_the_default_is_the_papers():
    model = linear(discriminator=(1000,) * 6)
    default = ka.networks.discriminator(LATENT)
    assert model.discriminator.count_params() == default.count_params()
    units = [layer.units for layer in default.layers if isinstance(layer, keras.layers.Dense)]
    assert units == [1000] * 6 + [1]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"gamma": -1}, "`gamma` must be a finite number of at least 0. Received: gamma=-1"),
        ({"gamma": float("nan")}, "`gamma`.*gamma=nan"),
        ({"gamma": None}, "`gamma`.*gamma=None"),
        ({"discriminator": "mlp"}, r"`discriminator` must be a Keras model.*\(256, 256\).*'mlp'"),
        ({"discriminator": 256}, "`discriminator` must be a Keras model.*discriminator=256"),
        ({"discriminator": (8, 0)}, "`hidden` must be a positive integer.*hidden=0"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        linear(**settings)


def test_one_dimension_has_no_total_correlation():
    with pytest.raises(ValueError, match="2 or more latent dimensions.*`VAE`.*latent_dim=1"):
        linear(latent_dim=1)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (lambda: keras.layers.Dense(2), r"\(None, 2\)"),
        (lambda: keras.layers.Reshape((LATENT, 1)), r"\(None, 3, 1\)"),
    ],
)
def test_a_discriminator_gives_one_logit(layer, shape):
    match = f"`discriminator` must give one logit, shape .batch, 1.*output shape {shape}"
    with pytest.raises(ValueError, match=match):
        linear(discriminator=keras.Sequential([layer()]))


class Fixed(ka.codes.GaussianCode):
    """A code that draws no noise from generators: the draws are fixed."""

    noise = ()

    def draw(self, inferred, num_samples=1, training=None):
        shape = (keras.ops.shape(inferred["z_mean"])[0], num_samples, self.latent_dim)
        scale = keras.ops.exp(0.5 * inferred["z_log_var"])[:, None]
        return {"z": inferred["z_mean"][:, None] + scale * 0.5 * keras.ops.ones(shape)}


def test_the_permutations_are_drawn_by_the_model_itself():
    """Whatever noise its code has; with a seed they are the same again."""
    x = np.random.default_rng(0).random((64, 6), "float32")

    def terms(seed, **settings):
        keras.utils.set_random_seed(0)
        networks = ka.networks.mlp((6,), 3, hidden=(8,))
        settings = {"discriminator": (8,), "seed": seed, **settings}
        model = ka.FactorVAE(*networks, posterior=Fixed(), **settings)
        assert model.code.noise in ((), [])
        model.compile()
        model.fit(x, epochs=2, verbose=0)
        return model.evaluate(x, verbose=0, return_dict=True)["discriminator"]

    assert terms(1) == terms(1) != terms(2)
    assert np.isfinite(terms(None))
