"""The decoder's Jacobian, and the paths that it decodes."""

import importlib

import keras
import numpy as np
import pytest

from keras_aevae import VAE, Autoencoder, ConditionalVAE, latent, networks

# The package has a file of a name like its function's.
jacobian_file = importlib.import_module("keras_aevae.latent.measures.decoder_jacobian")


def autoencoder(decoder, latent_dim, data_dim, model=Autoencoder):
    encoder = keras.Sequential([keras.Input((data_dim,)), keras.layers.Dense(4)])
    return model(encoder, decoder, latent_dim, likelihood="mse", seed=0)


@pytest.fixture
def linear(rng):
    """An autoencoder with E[x|z] = z W + b, and W."""
    dense = keras.layers.Dense(7)
    decoder = keras.Sequential([keras.Input((3,)), dense])
    weights = rng.normal(size=(3, 7)).astype("float32")
    dense.set_weights([weights, rng.normal(size=7).astype("float32")])
    return autoencoder(decoder, 3, 7), weights.astype("float64")


# The Jacobian


def test_the_jacobian_of_a_linear_decoder(linear, rng):
    model, weights = linear
    codes = rng.normal(size=(9, 3))
    expected = np.linalg.svd(weights, compute_uv=False)
    measured = latent.decoder_jacobian_spectrum(model, codes)
    np.testing.assert_allclose(measured, np.tile(expected, (9, 1)), rtol=3e-4)
    # In another basis, of fewer and of more directions.
    basis = rng.normal(size=(2, 3))
    expected = np.linalg.svd(basis @ weights, compute_uv=False)
    measured = latent.decoder_jacobian_spectrum(model, codes[:1].tolist(), basis, step=0.1)
    np.testing.assert_allclose(measured, expected[None], rtol=3e-4)
    more = np.concatenate([np.eye(3), np.eye(3)])  # each direction twice
    measured = latent.decoder_jacobian_spectrum(model, codes[:2], more, step=0.1)
    doubled = np.sqrt(2) * np.linalg.svd(weights, compute_uv=False)
    np.testing.assert_allclose(measured[:, :3], np.tile(doubled, (2, 1)), rtol=3e-4)
    np.testing.assert_allclose(measured[:, 3:], 0, atol=1e-4)


def test_the_jacobian_of_a_curved_decoder(rng):
    """E[x|z] = tanh(z W): its Jacobian is W diag(1 - tanh^2), which differs between codes."""
    dense = keras.layers.Dense(5, activation="tanh")
    decoder = keras.Sequential([keras.Input((2,)), dense])
    weights = rng.normal(size=(2, 5)).astype("float32")
    dense.set_weights([weights, np.zeros(5, "float32")])
    codes = rng.normal(size=(6, 2))
    slopes = 1 - np.tanh(codes @ weights) ** 2
    expected = np.linalg.svd(weights * slopes[:, None], compute_uv=False)
    model = autoencoder(decoder, 2, 5)
    measured = latent.decoder_jacobian_spectrum(model, codes)
    np.testing.assert_allclose(measured, expected, atol=3e-4)
    assert np.ptp(expected[:, 0]) > 0.1


def test_the_jacobian_in_parts_and_of_images(rng, monkeypatch):
    keras.utils.set_random_seed(0)
    vae = VAE(*networks.mlp((4, 4, 2), 3, hidden=(8,)), seed=0)
    codes = rng.normal(size=(5, 3))
    whole = latent.decoder_jacobian_spectrum(vae, codes)
    assert whole.shape == (5, 3) and (np.diff(whole, axis=1) <= 0).all()
    monkeypatch.setattr(jacobian_file, "AT_A_TIME", 2 * 2 * 3 * 32)  # two codes at a time
    np.testing.assert_allclose(latent.decoder_jacobian_spectrum(vae, codes), whole, atol=2e-5)


def test_the_jacobian_refuses(linear, rng):
    model, _ = linear
    codes = rng.normal(size=(4, 3))
    with pytest.raises(ValueError, match="`codes` must have the model.s 3 latent dimensions.*4, 2"):
        latent.decoder_jacobian_spectrum(model, codes[:, :2])
    with pytest.raises(ValueError, match=r"`basis` must have shape .*Received: shape \(3,\)"):
        latent.decoder_jacobian_spectrum(model, codes, np.ones(3))
    with pytest.raises(ValueError, match="`step` must be .* greater than 0"):
        latent.decoder_jacobian_spectrum(model, codes, step=0)
    parts = networks.mlp((6,), 3, hidden=(8,), condition_dim=2)
    conditional = ConditionalVAE(*parts, condition_dim=2)
    with pytest.raises(
        ValueError, match="decode a code alone.*ConditionalVAE with condition_dim=2"
    ):
        latent.decoder_jacobian_spectrum(conditional, codes)


# Paths


def test_a_straight_line_is_short_and_even(rng):
    start, end = rng.normal(size=(2, 6, 1, 4, 3))
    line = start + np.linspace(0, 1, 9)[:, None, None] * (end - start)
    assert latent.path_length(line) == pytest.approx(1)
    assert latent.step_uniformity(line) == pytest.approx(1)


def test_a_half_circle_is_long_and_even():
    angle = np.linspace(0, np.pi, 1001)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)[None]
    assert latent.path_length(circle) == pytest.approx(np.pi / 2, rel=1e-6)
    assert latent.path_length(circle[:, ::500]) == pytest.approx(2**0.5)  # coarser is shorter
    assert latent.step_uniformity(circle) == pytest.approx(1)


def test_paths_by_hand():
    there_and_back = [[0.0], [3.0], [2.0]]  # length 4 by a chord of 2; steps 3 and 1
    jump = [[0.0], [0.0], [5.0]]  # steps 0 and 5
    assert latent.path_length([there_and_back, jump]) == pytest.approx((2 + 1) / 2)
    assert latent.step_uniformity([there_and_back, jump]) == pytest.approx((2 / 3 + 1 / 2) / 2)
    still, loop = [[1.0]] * 3, [[0.0], [2.0], [0.0]]
    assert latent.path_length([jump, still, loop]) == 1  # of the jump alone
    assert latent.step_uniformity([jump, still]) == 0.5
    assert latent.step_uniformity([loop]) == 1


def test_a_linear_decoder_makes_straight_lines(linear, rng):
    model, _ = linear
    path = model.interpolate(*rng.normal(size=(2, 8, 7)).astype("float32"), steps=5)
    assert latent.path_length(path) == pytest.approx(1, abs=1e-5)
    assert latent.step_uniformity(path) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("measure", [latent.path_length, latent.step_uniformity])
def test_bad_paths(measure):
    with pytest.raises(ValueError, match=r"`path` must have shape .*Received: shape \(4, 1, 2\)"):
        measure(np.zeros((4, 1, 2)))
    with pytest.raises(ValueError, match=r"`path` must have shape .*Received: shape \(4, 5\)"):
        measure(np.zeros((4, 5)))
    with pytest.raises(ValueError, match="`path` must be finite. Received: .*3 NaN"):
        measure(np.full((1, 3, 1), np.inf))
    with pytest.raises(ValueError, match="`path` must hold a path or more.*2 paths that"):
        measure(np.ones((2, 3, 4)))
