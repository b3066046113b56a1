"""Posteriors that are flows: at the identity the VAE, else with a density of their own."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from finite_differences import central_differences
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

import keras_aevae as ka
from keras_aevae.codes import InverseAutoregressiveFlowCode, RealNVPCode
from keras_aevae.distributions import DiagonalGaussian, GaussianMixture, RealNVPPrior, Transformed
from keras_aevae.distributions.diagonal_gaussian import LOG_VAR_BOUND

CODES = [InverseAutoregressiveFlowCode, RealNVPCode]
SHAPE, LATENT = (8, 8, 1), 3
SMALL = {"num_steps": 2, "hidden": (6,), "context_dim": 2}


def array(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def x():
    return ka.datasets.load("digits")[0][0][:32]


def make(cls=ka.VAE, grid=False, latent_dim=LATENT, **settings):
    keras.utils.set_random_seed(1)
    if grid:
        networks = ka.networks.conv(SHAPE, 2, filters=(4,), hidden=None)
    else:
        networks = ka.networks.mlp(SHAPE, latent_dim, hidden=(16,))
    return cls(*networks, **{"seed": 7, **settings})


def bend(flow, scale=0.4):
    rng = np.random.default_rng(3)
    flow.set_weights([rng.normal(0, scale, w.shape) for w in flow.get_weights()])


def make_bent(code, cls=ka.VAE, **settings):
    model = make(cls, posterior=code(**SMALL), **settings)
    bend(model.code.flow)
    return model


def drawn(model, x):
    return model.with_one_draw(model(ops.convert_to_tensor(x), training=False))


# The identity is the VAE


def open_gates(code):
    """Make the flow the identity: a RealNVP is one at first, and a gate that is open keeps all."""
    if isinstance(code, InverseAutoregressiveFlowCode):
        for step in code.flow.steps:
            bias = step.conditioner.biases[-1]
            bias.assign(np.repeat([0.0, 40.0], code.latent_dim))


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_a_flow_that_is_the_identity_is_the_vae(code, grid, x):
    settings = {"num_samples": 2, "grid": grid}
    pairs = [(ka.VAE, lambda: GaussianMixture(4, seed=0)), (ka.IWAE, lambda: "standard_normal")]
    for cls, prior in pairs:
        vae = make(cls, prior=prior(), **settings)
        flow = make(cls, prior=prior(), posterior=code(num_steps=3), **settings)
        open_gates(flow.code)
        flow.encoder.set_weights(vae.encoder.get_weights())
        flow.decoder.set_weights(vae.decoder.get_weights())
        kernel, bias = flow.code.head.get_weights()
        own_kernel, own_bias = vae.code.head.get_weights()
        kernel[:, : own_kernel.shape[1]], bias[: len(own_bias)] = own_kernel, own_bias
        flow.code.head.set_weights([kernel, bias])
        one, other = drawn(vae, x), drawn(flow, x)
        for name in ("z", "z_mean", "decoder_output", "reconstruction"):
            assert_allclose(array(other[name]), array(one[name]), rtol=1e-6, atol=1e-6)
        terms = vae.terms(ops.convert_to_tensor(x), one)
        for name, values in flow.terms(ops.convert_to_tensor(x), other).items():
            assert_allclose(array(values), array(terms[name]), rtol=1e-5, atol=1e-6)
        assert_allclose(flow.encode(x), vae.encode(x), rtol=1e-6, atol=1e-6)
        assert_allclose(flow.sample(3, seed=1), vae.sample(3, seed=1), rtol=1e-6, atol=1e-6)
        if not isinstance(vae.code.prior, GaussianMixture):
            continue
        # Under the mixture both KLs are estimates at the draws, whose noise is now the same again.
        assert_allclose(flow.elbo(x, 2), vae.elbo(x, 2), rtol=1e-5, atol=1e-5)
        assert_allclose(flow.log_likelihood(x, 5), vae.log_likelihood(x, 5), rtol=1e-5, atol=1e-5)


# The density


@pytest.mark.parametrize("context_dim", [2, 0])
@pytest.mark.parametrize("code", CODES)
def test_log_q_of_a_draw_is_the_density(code, context_dim, x):
    model = make(posterior=code(2, (6,), context_dim), latent_dim=2, num_samples=300)
    bend(model.code.flow)
    outputs = drawn(model, x[:2])
    assert ("z_context" in outputs) == (context_dim > 0)
    start = model.code.base(outputs)
    q = Transformed(start, model.code.flow, model.code.context(outputs))
    z, log_q = (np.moveaxis(array(outputs[name]), 1, 0) for name in ("z", "log_q"))
    assert_allclose(array(q.log_prob(z)), log_q, rtol=1e-4, atol=1e-4)
    if code is RealNVPCode:
        assert_array_equal(array(model.code.q(outputs).log_prob(z)), array(q.log_prob(z)))
    # Given one x, it integrates to one.
    points = np.linspace(-10, 10, 201)
    grid = np.stack(np.meshgrid(points, points), -1).reshape(-1, 1, 2).astype("float32")
    mass = np.exp(array(q.log_prob(grid)).astype("float64")).sum(axis=0) * 0.1**2
    assert_allclose(mass, 1, atol=2e-3)


@pytest.mark.parametrize("code", CODES)
def test_encode_gives_the_image_of_the_mean(code, x):
    model = make_bent(code)
    outputs = drawn(model, x)
    context = outputs["z_context"]
    image, _ = model.code.flow.forward(outputs["z_base_mean"], context)
    assert_allclose(model.encode(x), array(image), rtol=1e-5, atol=1e-5)
    assert_array_equal(model.encode(x), model.encode(x))
    assert np.abs(model.encode(x) - array(outputs["z_base_mean"])).max() > 0.1
    assert (model.encode(x, sample=True) != model.encode(x)).all()


# Bounds on a likelihood that is known: x = W z + b + noise


D, SCALE = 4, 0.7


def linear(code, cls=ka.VAE, **settings):
    """A bent flow as the posterior of a linear model, and log p(x) of some x."""
    keras.utils.set_random_seed(2)
    encoder = keras.Sequential([keras.Input((D,)), keras.layers.Identity()])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(D)])
    likelihood = ka.distributions.Gaussian(SCALE)
    settings = {"likelihood": likelihood, "posterior": code(**SMALL), "seed": 5, **settings}
    model = cls(encoder, decoder, **settings)
    bend(model.code.flow, 0.3)
    w, b = decoder.get_weights()
    covariance = w.T @ w + SCALE**2 * np.eye(D)
    x = np.random.default_rng(0).multivariate_normal(b, covariance / 4, 16).astype("float32")
    return model, x, scipy.stats.multivariate_normal(b, covariance).logpdf(x)


@pytest.mark.parametrize("code", CODES)
def test_the_likelihood_is_the_true_one_whatever_the_flow(code):
    model, x, log_p = linear(code)
    kernel, bias = model.code.head.get_weights()
    wide = np.array([0, 0, 1.5, 1.5, 0, 0])  # as wide as the prior, so that no weight is large
    model.code.head.set_weights([0.1 * kernel, bias + wide])
    assert_allclose(model.log_likelihood(x, 20_000), log_p, atol=0.1)
    bounds = [model.elbo(x, 50).mean(), model.log_likelihood(x, 10).mean(), log_p.mean()]
    assert bounds[0] + 0.1 < bounds[1] < bounds[2]


def silu(h):
    return h * scipy.special.expit(h)


def flow64(code, weights, z, h):
    """The flow in NumPy: z' and log |det dz'/dz| of z, shape (draws, n, 2)."""
    log_det = 0.0
    for step, (kernel, last, bias, last_bias, context) in enumerate(
        weights[i : i + 5] for i in range(0, len(weights), 5)
    ):
        if code is RealNVPCode:
            kept, changed = (0, 1) if step % 2 == 0 else (1, 0)
            hidden = z[..., [kept]] @ kernel + bias + h @ context
            raw = silu(hidden) @ last + last_bias
            log_scale = 2 * np.tanh(raw[..., 0] / 2)
            image = z.copy()
            image[..., changed] = z[..., changed] * np.exp(log_scale) + raw[..., 1]
            z, log_det = image, log_det + log_scale
            continue
        # Of 6 hidden units the first 3 see the context alone, the others also the first of z.
        first, second = (0, 1) if step % 2 == 0 else (1, 0)
        sees = np.zeros_like(kernel)
        sees[first, 3:] = 1
        known = np.zeros_like(last)
        known[:3] = 1
        known[3:, [second, 2 + second]] = 1
        hidden = z @ (kernel * sees) + bias + h @ context
        raw = silu(hidden) @ (last * known) + last_bias
        mean, gate = raw[..., :2], scipy.special.expit(raw[..., 2:] + 2.0)
        z, log_det = gate * z + (1 - gate) * mean, log_det + np.log(gate).sum(-1)
    return z, log_det


@pytest.mark.parametrize("code", CODES)
def test_gradients_are_those_of_finite_differences(code):
    """Of every weight, also those of a RealNVP prior, through z and through log q."""
    prior = RealNVPPrior(1, (3,)) if code is RealNVPCode else "standard_normal"
    model, x, _ = linear(code, num_samples=2, prior=prior)
    if code is RealNVPCode:
        bend(model.prior.flow, 0.3)
    outputs = drawn(model, x)  # at the draws of the step below: each call has those of its turn
    base = model.code.base(outputs)
    start, _ = model.code.flow.inverse(outputs["z"], outputs["z_context"][:, None])
    noise = (array(start) - array(base.mean)[:, None]) / np.exp(array(base.log_var) / 2)[:, None]
    noise = np.moveaxis(noise, 1, 0).astype("float64")
    model.code.start_noise(5)
    model.compile(keras.optimizers.SGD(1.0))
    variables = model.trainable_variables
    before = [array(v).astype("float64") for v in variables]
    loss = model.train_on_batch(x, return_dict=True)["loss"]
    gradients = [b - array(v) for b, v in zip(before, variables)]
    place = {id(v): i for i, v in enumerate(variables)}

    def of(values, layer):
        return [values[place[id(v)]] for v in layer.trainable_variables]

    def loss64(values):
        kernel, bias = of(values, model.code.head)
        raw = x.astype("float64") @ kernel + bias
        mean, log_var, h = np.split(raw, 3, axis=1)
        log_var = LOG_VAR_BOUND * np.tanh(log_var / LOG_VAR_BOUND)
        start = mean + np.exp(log_var / 2) * noise
        z, log_det = flow64(code, of(values, model.code.flow), start, h)
        log_q = scipy.stats.norm.logpdf(start, mean, np.exp(log_var / 2)).sum(-1) - log_det
        log_p = scipy.stats.norm.logpdf(z).sum(-1)
        if code is RealNVPCode:  # the inverse of one step, which changes the second of z
            kernel, last, bias, last_bias = of(values, model.prior.flow)
            hidden = z[..., :1] @ kernel + bias
            raw = silu(hidden) @ last + last_bias
            log_scale = 2 * np.tanh(raw[..., 0] / 2)
            e = np.stack([z[..., 0], (z[..., 1] - raw[..., 1]) * np.exp(-log_scale)], -1)
            log_p = scipy.stats.norm.logpdf(e).sum(-1) - log_scale
        w, b = of(values, model.decoder)
        log_x = scipy.stats.norm.logpdf(x, z @ w + b, SCALE).sum(-1)
        return np.mean(log_q - log_p - log_x)

    assert loss == pytest.approx(loss64(before), rel=1e-5)
    for i, variable in enumerate(variables):
        expected = central_differences(
            lambda a, i=i: loss64([*before[:i], a["own"], *before[i + 1 :]]),
            {"own": before[i]},
            "own",
        )
        assert_allclose(gradients[i], expected, rtol=2e-4, atol=2e-5, err_msg=variable.path)


# Whose gradient reaches whom


def moved(model, x, weights):
    """By how much one step of gradient descent moves the flow, the head and the decoder."""
    model.set_weights(weights)
    layers = model.code.flow, model.code.head, model.decoder
    before = [np.concatenate([w.ravel() for w in layer.get_weights()]) for layer in layers]
    model.compile(keras.optimizers.SGD(1.0))
    model.train_on_batch(x)
    after = [np.concatenate([w.ravel() for w in layer.get_weights()]) for layer in layers]
    return [a - b for a, b in zip(after, before)]


@pytest.mark.parametrize("code", CODES)
def test_the_flow_is_the_encoders_whatever_the_route(code):
    """PIWAE with one bound is IWAE; a route to the decoder alone moves neither flow nor head."""
    iwae, x, _ = linear(code, ka.IWAE, num_samples=3)
    weights = iwae.get_weights()
    expected = moved(iwae, x, weights)
    assert min(np.abs(each).max() for each in expected) > 1e-3
    piwae, *_ = linear(code, ka.PIWAE, num_samples=3, num_bounds=1)
    for a, b in zip(moved(piwae, x, weights), expected):
        assert_allclose(a, b, rtol=1e-3, atol=1e-5)

    class ToDecoder(ka.PIWAE):
        def bound(self, log_weights, to_encoder=None):
            return super().bound(log_weights)

    alone, *_ = linear(code, ToDecoder, num_samples=3, num_bounds=1)
    of_flow, of_head, of_decoder = moved(alone, x, weights)
    assert_array_equal(of_flow, 0)
    assert_array_equal(of_head, 0)
    assert_allclose(of_decoder, expected[2], rtol=1e-3, atol=1e-5)


def test_both_estimators_of_the_gradient_have_one_mean():
    """The doubly reparameterised one leaves out the score of q, whose mean is zero."""
    one, x, _ = linear(RealNVPCode, ka.IWAE, num_samples=3)
    copies = np.repeat(x[:1], 100_000, axis=0)
    weights = one.get_weights()
    other, *_ = linear(RealNVPCode, ka.IWAE, num_samples=3, gradient="doubly_reparameterized")
    first, second = moved(one, copies, weights), moved(other, copies, weights)
    for a, b in zip(first, second):
        assert np.abs(a).max() > 0.05
        assert_allclose(b, a, atol=0.05 * np.abs(a).max())
    assert np.abs(first[0] - second[0]).max() > 1e-5  # of other noise


def test_a_vampprior_is_made_of_flows(x):
    model = make_bent(RealNVPCode, prior=ka.distributions.VampPrior(5), num_samples=2)
    model.code.prior.start_from(x[:5])
    inferred = model.infer(ops.convert_to_tensor(x[:5]))
    z = np.random.default_rng(0).normal(size=(7, LATENT)).astype("float32")
    each = [
        Transformed(
            DiagonalGaussian(*(inferred[f"z_base_{name}"][i] for name in ("mean", "log_var"))),
            model.code.flow,
            inferred["z_context"][i],
        ).log_prob(z)
        for i in range(5)
    ]
    expected = scipy.special.logsumexp(np.stack([array(e) for e in each]), axis=0) - np.log(5)
    assert_allclose(array(model.p().log_prob(z)), expected, rtol=1e-4, atol=1e-4)
    assert np.isfinite(model.log_likelihood(x, 10)).all() and np.isfinite(model.sample(3)).all()


# Numbers of 32 bits


@pytest.mark.parametrize("code", CODES)
def test_log_q_keeps_its_32_bits(code, x):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make_bent(code, num_samples=4)
        outputs = drawn(model, x)
    finally:
        keras.config.set_dtype_policy(before)
    names = (*model.code.inferred, "z", "log_q")
    assert {keras.backend.standardize_dtype(outputs[name].dtype) for name in names} == {"float32"}
    q = Transformed(model.code.base(outputs), model.code.flow, model.code.context(outputs))
    again = q.log_prob(np.moveaxis(array(outputs["z"]), 1, 0))
    # With any number in 16 bits it would be off by 1e-2.
    assert_allclose(array(again), array(outputs["log_q"]).T, rtol=1e-4, atol=1e-4)


# Names, settings, and what is refused


def test_names_and_settings(x):
    for name, code in (("inverse_autoregressive_flow", CODES[0]), ("real_nvp", CODES[1])):
        model = make(posterior=name)
        assert type(model.code) is code and model.get_config()["posterior"] == name
    code = RealNVPCode(3, (5, 4), 0, seed=2)
    again = RealNVPCode.from_config(code.get_config())
    assert again.get_config() == code.get_config()
    assert (again.flow.num_steps, again.flow.hidden, again.context_dim) == (3, (5, 4), 0)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_steps": 0}, "`num_steps`.*num_steps=0"),
        ({"hidden": (0,)}, "`hidden`.*hidden=0"),
        ({"context_dim": -1}, "`context_dim`.*context_dim=-1"),
    ],
)
def test_bad_arguments(code, settings, message):
    with pytest.raises(ValueError, match=message):
        code(**settings)


def test_what_flows_cannot_do_is_refused():
    for code in CODES:
        with pytest.raises(ValueError, match=f"`free_bits`.*{code.__name__}, StandardNormal"):
            make(posterior=code(), free_bits=0.1)
    with pytest.raises(ValueError, match="isn't made of posteriors.*InverseAutoregressiveFlowCode"):
        make(posterior="inverse_autoregressive_flow", prior="vamp_prior")
    with pytest.raises(ValueError, match="RealNVP needs 2 or more latent dimensions.*Received: 1"):
        make(posterior="real_nvp", latent_dim=1)
    doubly = {"gradient": "doubly_reparameterized"}
    message = "`gradient` must be 'reparameterized'.*InverseAutoregressiveFlowCode.*'real_nvp'"
    with pytest.raises(ValueError, match=message):
        make(ka.IWAE, posterior="inverse_autoregressive_flow", **doubly)
    model = make(ka.IWAE, posterior="inverse_autoregressive_flow")
    with pytest.raises(ValueError, match=message):
        model.gradient = "doubly_reparameterized"
    assert model.gradient == "reparameterized"
    assert make(ka.PIWAE, posterior="inverse_autoregressive_flow").routed  # its log q is the draw's
