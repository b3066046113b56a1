"""The ladder: with one group it is the VAE; a linear-Gaussian one with two is solved exactly."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import keras_aevae as ka
from keras_aevae.codes import HierarchicalCode
from keras_aevae.distributions.diagonal_gaussian import LOG_VAR_BOUND

X = np.random.default_rng(0).uniform(size=(12, 8, 8, 1)).astype("float32")


def numpy(outputs):
    return {k: ops.convert_to_numpy(v) for k, v in outputs.items()}


# One group


def pair(cls=ka.VAE, network=ka.networks.mlp, **settings):
    """A model with a Gaussian code and the same with a ladder of one group, of equal weights."""
    keras.utils.set_random_seed(0)
    sizes = {"hidden": (16,)} if network is ka.networks.mlp else {"filters": (4,), "hidden": None}
    networks = network((8, 8, 1), 3, **sizes)
    plain = cls(*networks, seed=7, **settings)
    ladder = cls(*networks, posterior=HierarchicalCode(1), seed=7, **settings)
    ladder.code.heads[0].set_weights(plain.code.head.get_weights())
    return plain, ladder


@pytest.mark.parametrize("settings", [{}, {"num_samples": 3}, {"network": ka.networks.conv}])
def test_one_group_is_the_vae(settings):
    plain, ladder = pair(**settings)
    expected, found = numpy(plain(X)), numpy(ladder(X))
    assert_allclose(found["z_bottom_up_log_var"], expected.pop("z_log_var"), atol=1e-6)
    for name, value in expected.items():
        assert_allclose(found[name], value, atol=1e-6, err_msg=name)
    terms = plain.evaluate_terms(X)
    assert terms.keys() == ladder.evaluate_terms(X).keys()
    for verb in ("encode", "reconstruct", "elbo"):
        assert_allclose(getattr(ladder, verb)(X), getattr(plain, verb)(X), atol=1e-5)
    assert_allclose(ladder.sample(4, seed=1), plain.sample(4, seed=1), atol=1e-6)
    nats = [model.log_likelihood(X, num_samples=7) for model in (plain, ladder)]
    assert_allclose(*nats, atol=2e-5)


def test_one_group_is_the_vae_in_training():
    histories, weights = [], []
    for model in pair(beta=0.5):
        start = model.get_weights()
        model.compile("sgd")
        histories.append(model.fit(X, batch_size=12, epochs=2, shuffle=False, verbose=0).history)
        weights.append(sorted((w for w in model.get_weights()), key=lambda w: (w.size, w.sum())))
        model.set_weights(start)  # they have their networks in common
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        assert_allclose(histories[1][name], values, rtol=1e-5, err_msg=name)
    for one, other in zip(*weights):
        assert_allclose(one, other, atol=1e-5)


def test_one_group_is_the_iwae():
    plain, ladder = pair(ka.IWAE, num_samples=4)
    expected, found = plain.evaluate_terms(X), ladder.evaluate_terms(X)
    for name in expected:
        assert_allclose(found[name], expected[name], atol=1e-4, err_msg=name)


# Two groups, linear and Gaussian:
#   z_1 ~ N(0, I),  z_2 = W z_1 + b + t noise,  x = A z_2 + c + s noise,  A with orthogonal columns

D, TOP, LOW, S = 6, 2, 3, 0.7
T = np.array([0.5, 0.9, 1.3])


def raw_log_var(var):
    return LOG_VAR_BOUND * np.arctanh(np.log(var) / LOG_VAR_BOUND)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(1)
    a = np.linalg.qr(rng.normal(size=(D, LOW)))[0] * [1.5, 0.8, 1.1]
    b, c = rng.normal(size=LOW), rng.normal(size=D)
    norms = np.square(a).sum(axis=0)
    # What x says of z_2 is N(m, s_2^2), m = A^T (x - c) / norms.
    from_below = S**2 / norms
    # W has orthogonal columns in the metric of the variance of m given z_1: q(z_1|x) is diagonal.
    spread = T**2 + from_below
    w = np.sqrt(spread)[:, None] * np.linalg.qr(rng.normal(size=(LOW, TOP)))[0] * [1.2, 0.6]
    mean = a @ b + c
    covariance = a @ (w @ w.T + np.diag(T**2)) @ a.T + S**2 * np.eye(D)
    x = rng.multivariate_normal(mean, covariance, size=16)
    gain = w / spread[:, None]  # (LOW, TOP)
    var_top = 1 / (1 + (w * gain).sum(axis=0))
    return {
        **{"a": a, "b": b, "c": c, "w": w, "from_below": from_below, "norms": norms},
        **{
            "x": x.astype("float32"),
            "log_p": stats.multivariate_normal(mean, covariance).logpdf(x),
        },
        **{"gain": gain * var_top, "var_top": var_top},
    }


def exact(problem, cls=ka.HierarchicalVAE, shift=0.0, **settings):
    """The ladder that has the true posterior, whose means from below are moved by `shift`."""
    x = keras.Input((D,))
    encoder = keras.Model(x, [keras.layers.Identity()(x), keras.layers.Identity()(x)])
    decoder = keras.Sequential([keras.Input((TOP + LOW,)), keras.layers.Dense(D)])
    vae = cls(
        encoder,
        decoder,
        groups=(TOP, LOW),
        hidden=(),
        likelihood=ka.distributions.Gaussian(S),
        seed=1000,
        **settings,
    )
    p = problem
    decoder.set_weights([np.concatenate([np.zeros((TOP, D)), p["a"].T]), p["c"]])
    [given] = vae.code.priors
    given.set_weights(
        [
            np.concatenate([p["w"].T, np.zeros((TOP, LOW))], axis=1),
            np.concatenate([p["b"], raw_log_var(T**2)]),
        ]
    )
    to_low = p["a"] / p["norms"]  # m = (x - c) @ to_low
    to_top = to_low @ p["gain"]  # the mean of z_1 is (m - b) @ gain
    top, low = vae.code.heads
    for head, kernel, bias, var in (
        (top, to_top, -p["c"] @ to_top - p["b"] @ p["gain"], p["var_top"]),
        (low, to_low, -p["c"] @ to_low, p["from_below"]),
    ):
        head.set_weights(
            [
                np.concatenate([kernel, np.zeros_like(kernel)], axis=1),
                np.concatenate([bias + shift, raw_log_var(var)]),
            ]
        )
    return vae


@pytest.mark.parametrize("num_samples", [1, 7, 100])
def test_with_the_true_posterior_every_weight_is_the_likelihood(problem, num_samples):
    vae = exact(problem)
    log_p = vae.log_likelihood(problem["x"], num_samples=num_samples)
    assert_allclose(log_p, problem["log_p"], atol=3e-5)


def test_without_it_the_estimate_comes_from_below(problem):
    """By Jensen; and it is close at many samples."""
    vae = exact(problem, shift=0.2)
    few = np.mean([vae.log_likelihood(problem["x"], num_samples=2) for _ in range(40)], axis=0)
    many = vae.log_likelihood(problem["x"], num_samples=50_000)
    assert (few < problem["log_p"]).mean() > 0.8 and few.mean() < problem["log_p"].mean() - 0.02
    assert_allclose(many, problem["log_p"], atol=0.03)


def test_the_elbo_with_the_true_posterior_is_the_likelihood_on_average(problem):
    """E_q[log p(x|z)] - sum of the KLs, of which that of group 2 depends on the draw of z_1."""
    vae = exact(problem)
    draws = np.array([vae.elbo(problem["x"]) for _ in range(300)])
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - problem["log_p"]) < 5 * error).all()


def test_the_kl_of_each_group_is_the_mean_of_its_log_ratio(problem):
    vae = exact(problem, shift=0.3)
    x = np.repeat(problem["x"][:1], 20_000, axis=0)
    terms = vae.evaluate_terms(x)
    assert_allclose(terms["kl"], terms["kl_1"] + terms["kl_2"], rtol=1e-5)
    assert np.ptp(terms["kl_1"]) < 1e-5  # exact, whatever is drawn
    inferred = vae.infer(x)
    outputs = inferred | vae.draw(inferred, 1)
    ratio = -ops.convert_to_numpy(vae.code.log_ratio(outputs, vae.p()))
    error = ratio.std() / np.sqrt(ratio.size)
    assert abs(ratio.mean() - terms["kl"].mean()) < 5 * error + 5 * terms["kl"].std() / 141


def test_samples_are_ancestral(problem):
    p = problem
    z = exact(problem).sample_codes(50_000, seed=0)
    covariance = np.block([[np.eye(TOP), p["w"].T], [p["w"], p["w"] @ p["w"].T + np.diag(T**2)]])
    assert_allclose(z.mean(axis=0), np.concatenate([np.zeros(TOP), p["b"]]), atol=0.05)
    assert_allclose(np.cov(z.T), covariance, atol=0.08)
    assert_array_equal(z, exact(problem).sample_codes(50_000, seed=0))


def test_encode_is_the_exact_mean(problem):
    """The mean of z_2 is that of the merge, given the mean of z_1: here E[z|x] itself."""
    p = problem
    m = (p["x"] - p["c"]) @ (p["a"] / p["norms"])
    top = (m - p["b"]) @ p["gain"]
    weight = T**2 / (T**2 + p["from_below"])
    low = weight * m + (1 - weight) * (top @ p["w"].T + p["b"])
    assert_allclose(exact(problem).encode(p["x"]), np.hstack([top, low]), atol=1e-5)


def test_the_gradient_of_the_lower_prior(problem):
    """By central differences, with the same noise each time."""
    values = {}

    class Ladder(ka.HierarchicalVAE):
        def draw(self, outputs, num_samples=None, training=None):
            self.code.start_noise(3)
            return super().draw(outputs, num_samples, training)

    def fitted(cls=Ladder):
        return exact(problem, cls, shift=0.3)

    model = fitted()
    model.compile(keras.optimizers.SGD(1.0))
    [given] = model.code.priors
    start = [w.copy() for w in given.get_weights()]
    model.fit(problem["x"], batch_size=16, epochs=1, shuffle=False, verbose=0)
    moved = given.get_weights()
    other = fitted()
    other.compile()

    def loss(weights):
        other.code.priors[0].set_weights(weights)
        return other.evaluate(problem["x"], batch_size=16, verbose=0, return_dict=True)["loss"]

    for place in [(0, 0, 1), (0, 1, 4), (1, 2), (1, 5)]:
        i, at = place[0], place[1:]
        up, down = [[w.copy() for w in start] for _ in range(2)]
        up[i][at] += 0.02
        down[i][at] -= 0.02
        values[place] = (loss(up) - loss(down)) / 0.04, start[i][at] - moved[i][at]
    for place, (expected, found) in values.items():
        assert_allclose(found, expected, rtol=2e-2, atol=2e-3, err_msg=str(place))
    assert max(abs(found) for _, found in values.values()) > 0.05


# What is in a ladder


def build(**settings):
    keras.utils.set_random_seed(0)
    networks = ka.networks.mlp((8, 8, 1), latent_dim=7, hidden=(16,))
    return ka.HierarchicalVAE(*networks, **{"seed": 1000, **settings})


def test_groups():
    assert build().code.sizes == [3, 4]
    assert build(groups=3).code.sizes == [2, 2, 3]
    vae = build(groups=(1, 2, 4))
    assert vae.code.sizes == [1, 2, 4]
    vae.compile()
    assert vae.term_names == ("reconstruction", "kl", "kl_1", "kl_2", "kl_3")
    assert vae.prior.latent_dim == 1


def test_free_bits_of_each_group():
    terms = build().evaluate_terms(X)
    nats = float(terms["kl_1"].mean() + terms["kl_2"].mean()) / 2
    vae = build(free_bits=nats)
    vae.compile()
    logs = vae.evaluate(X, batch_size=12, verbose=0, return_dict=True)
    groups = [logs["kl_1"], logs["kl_2"]]
    added = sum(max(nats, kl) - kl for kl in groups)
    assert min(groups) < nats < max(groups) and logs["free_bits"] == pytest.approx(added, rel=1e-4)


def test_a_learned_prior_is_that_of_the_top_group():
    for prior in ("gaussian_mixture", "real_nvp", ka.distributions.VampPrior(5)):
        vae = build(prior=prior)
        vae.compile()
        vae.fit(X, epochs=1, verbose=0)
        assert vae.sample_codes(3).shape == (3, 7)
        assert np.isfinite(vae.log_likelihood(X, num_samples=5)).all()
    assert vae.code.prior_tensors(vae.posterior_at)["z_bottom_up_mean"].shape == (5, 7)


def test_a_fitted_prior_is_that_of_the_top_group():
    vae = build()
    kernel, bias = vae.code.heads[0].get_weights()
    bias[:3] += 4.0  # the codes of the top group are far from N(0, I)
    vae.code.heads[0].set_weights([kernel, bias])
    before, terms = vae.elbo(X, num_samples=20).mean(), vae.evaluate_terms(X)
    assert terms["kl_1"].mean() > 20
    vae.fit_prior(np.repeat(X, 20, axis=0), "gaussian")
    assert vae.fitted_prior.latent_dim == 3
    assert vae.elbo(X, num_samples=20).mean() > before + 15
    assert vae.sample_codes(200, seed=0)[:, :3].mean() > 2


def test_a_frozen_encoder_freezes_what_q_and_p_have_in_common():
    """The p of the lower groups; the prior of the top group goes on."""
    vae = build(prior="gaussian_mixture")
    vae.encoder.trainable = False
    vae.compile()
    before, weights = vae.encode(X), vae.code.priors[0].get_weights()
    top = [w.copy() for w in vae.prior.get_weights()]
    vae.fit(X, verbose=0)
    assert_array_equal(vae.encode(X), before)
    assert_array_equal(vae.code.priors[0].get_weights()[0], weights[0])
    assert any(not np.array_equal(a, b) for a, b in zip(top, vae.prior.get_weights()))


def convolutional(**settings):
    keras.utils.set_random_seed(0)
    encoder, decoder, top_down = ka.networks.ladder((8, 8, 1), groups=(6, 2), filters=(4, 8))
    return ka.HierarchicalVAE(encoder, decoder, groups=(6, 2), top_down=top_down, **settings)


def test_a_convolutional_ladder(tmp_path):
    vae = convolutional(seed=5)
    assert vae.latent_dim == 6 * 4 + 2 * 16 and vae.prior.latent_dim == 24
    vae.compile(keras.optimizers.Adam(1e-2))
    losses = vae.fit(X, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert vae.sample(3).shape == (3, 8, 8, 1)
    assert_allclose(vae.decode(vae.encode(X)), vae.reconstruct(X), atol=1e-6)
    path = tmp_path / "ladder.keras"
    vae.save(path)
    loaded = keras.saving.load_model(path)
    assert_allclose(loaded.encode(X), vae.encode(X), atol=1e-6)
    assert_allclose(loaded.sample(3, seed=2), vae.sample(3, seed=2), atol=1e-6)
    vae.save_to_preset(tmp_path / "preset")
    again = ka.HierarchicalVAE.from_preset(tmp_path / "preset")
    assert_allclose(again.reconstruct(X), vae.reconstruct(X), atol=1e-6)


@pytest.mark.parametrize("cls", [ka.HierarchicalVAE, ka.IWAE])
def test_networks_that_are_another_in_training(cls):
    """What is dropped differs from pass to pass: the KL is that of what z was drawn from."""
    keras.utils.set_random_seed(0)
    z = keras.Input((3,))
    h = keras.layers.Dense(32, activation="relu")(z)
    h = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(h))
    top_down = [keras.Model(z, keras.layers.Dense(6)(h))]
    encoder, _ = ka.networks.mlp((8, 8, 1), latent_dim=7, hidden=(16,))
    encoder = keras.Model(encoder.inputs, [encoder.output, encoder.output])
    _, decoder = ka.networks.mlp((8, 8, 1), latent_dim=10, hidden=(16,))
    settings = {"groups": (3, 4), "top_down": top_down}
    own = {"posterior": HierarchicalCode(**settings)} if cls is ka.IWAE else settings
    model = cls(encoder, decoder, **own)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(X, epochs=60, verbose=0)
    outputs = numpy(model(np.repeat(X, 50, axis=0), training=True))
    low = outputs["z"][..., 3:] - outputs["z_posterior_mean"]
    noise = low / np.exp(0.5 * outputs["z_posterior_log_var"])
    assert abs(noise.mean()) < 0.1 and noise.std() == pytest.approx(1.0, abs=0.1)
    logs = model.evaluate(X, verbose=0, return_dict=True)
    assert 20 < logs["loss"] < 60  # of 64 uniform values: about 44


def test_upper_features_are_computed_from_lower_ones():
    """Where the encoder gives one tensor: h of the lowest group, then one layer for each above."""
    code = build(groups=3).code
    assert [layer.name for layer in code.bottom_up] == ["bottom_up_2", "bottom_up_1"]
    h = np.random.default_rng(0).normal(size=(2, 16)).astype("float32")
    inferred = numpy(code.infer(h))
    for head, size, end in zip(code.heads[::-1], code.sizes[::-1], (7, 4, 2)):
        kernel, bias = head.get_weights()
        mean = (h @ kernel + bias)[:, :size]
        assert_allclose(inferred["z_bottom_up_mean"][:, end - size : end], mean, atol=1e-5)
        if end > code.sizes[0]:
            kernel, bias = code.bottom_up[0 if end == 7 else 1].get_weights()
            h = np.maximum(h @ kernel + bias, 0)


@pytest.mark.parametrize("cls", [ka.IWAE, ka.PIWAE])
def test_gradients_of_shared_weights_are_not_separated(cls):
    networks = ka.networks.mlp((8, 8, 1), latent_dim=4, hidden=(8,))
    settings = {} if cls is ka.PIWAE else {"gradient": "doubly_reparameterized"}
    with pytest.raises(ValueError, match="in common with p|through z alone"):
        cls(*networks, posterior=HierarchicalCode(2), **settings)
    model = ka.IWAE(*networks, posterior=HierarchicalCode(2))
    with pytest.raises(ValueError, match="through z alone"):
        model.gradient = "doubly_reparameterized"


def test_what_is_refused():
    encoder, decoder, top_down = ka.networks.ladder((8, 8, 1), groups=(6, 2), filters=(4, 8))
    one, grid = keras.Model(encoder.inputs, encoder.outputs[0]), {"groups": (6, 2)}
    vectors = ka.networks.mlp((8, 8, 1), latent_dim=7, hidden=(8,))
    three = keras.Model(encoder.inputs, [*encoder.outputs, encoder.outputs[0]])
    for networks, settings, message in (
        (vectors, {"groups": 0}, "`groups` must be a positive integer"),
        (vectors, {"groups": 8}, "at most the number of dimensions"),
        (vectors, {"groups": (3, 3)}, "add up to the 7"),
        (vectors, {"groups": (3, 4), "top_down": top_down * 2}, "one network fewer"),
        (vectors, {"groups": (3, 4), "top_down": top_down[0]}, "must be a list of Keras networks"),
        (vectors, {"groups": (3, 4), "top_down": ["a"]}, "must be a list of Keras networks"),
        (vectors, {"groups": (3, 4), "top_down": None}, "must be a list of Keras networks"),
        ((encoder, decoder), {"groups": (6, 2)}, "so `top_down` must have the networks"),
        ((encoder, decoder), {"groups": 2, "top_down": top_down}, "channels of each group"),
        ((one, decoder), {**grid, "top_down": top_down}, "a list from the top"),
        ((three, decoder), {**grid, "top_down": top_down}, "one for each group"),
        ((encoder, decoder), {"groups": (5, 3), "top_down": top_down}, "of shape|incompatible"),
        ((encoder, decoder), {**grid, "top_down": top_down, "latent_dim": 9}, "in all 56"),
    ):
        with pytest.raises(ValueError, match=message):
            ka.HierarchicalVAE(*networks, **settings)
    with pytest.raises(ValueError, match="features alone"):
        ka.VAE(encoder, decoder)
