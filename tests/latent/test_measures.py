import numpy as np
import pytest
from scipy import stats

from keras_aevae import latent


def test_active_units_counts_the_dimensions_that_vary(rng):
    # variances 0, 0.0099, 0.0101 and about 1
    step = np.tile([-1.0, 1.0], 500)
    codes = np.stack(
        [np.full(1000, 7.0), step * 0.0099**0.5, step * 0.0101**0.5, rng.normal(size=1000)], axis=1
    )
    assert latent.active_units(codes) == 2
    assert latent.active_units(codes, threshold=0.009) == 3
    assert latent.active_units(codes, threshold=0) == 3
    assert latent.active_units(codes[:, ::-1] + 100) == 2  # neither order nor place matter


@pytest.mark.parametrize(
    "codes, received",
    [
        (np.zeros(5), "shape (5,)"),
        (np.zeros((1, 3)), "shape (1, 3)"),
        (np.full((4, 2), np.nan), "8 NaN"),
    ],
)
def test_codes_that_measure_nothing_are_refused(codes, received):
    for measure in (latent.active_units, latent.code_scale):
        with pytest.raises(ValueError, match="`codes` must") as error:
            measure(codes)
        assert received in str(error.value)


def test_code_scale(rng):
    assert latent.code_scale([[3.0, 4.0], [0.0, 0.0]]) == 2.5
    # The mean of n * d squares of standard normals has a standard error of sqrt(2 / (n * d)).
    codes = rng.normal(size=(2000, 8))
    assert abs(latent.code_scale(codes) ** 2 - 1) < 5 * np.sqrt(2 / codes.size)
    assert latent.code_scale(3 * codes) == pytest.approx(3 * latent.code_scale(codes))


def test_generalization_gap_by_hand_and_by_scipy(rng):
    assert latent.generalization_gap([1.0, 3.0], [4.0, 6.0]) == (3.0, pytest.approx(2**0.5))
    train, test = rng.gamma(2.0, size=300), rng.gamma(3.0, size=70)
    gap, se = latent.generalization_gap(train, test)
    assert gap / se == pytest.approx(stats.ttest_ind(test, train, equal_var=False).statistic)
    assert latent.generalization_gap(test, train) == (pytest.approx(-gap), pytest.approx(se))


def test_generalization_gap_needs_two_examples():
    with pytest.raises(ValueError, match=r"`test_errors` must .* Received: .*\(1,\)"):
        latent.generalization_gap([1.0, 2.0], [1.0])


def test_terms_are_those_of_evaluate(tiny, rng):
    x = rng.uniform(size=(150, 6)).astype("float32")
    models = tiny((6,))
    for model in models.values():
        model.compile()
    logs = models["AE"].evaluate(x, verbose=0, return_dict=True)
    ae = models["AE"]
    assert latent.reconstruction_error(ae, x) == pytest.approx(logs["reconstruction"], rel=1e-5)

    vae = models["VAE"]
    logs = vae.evaluate(x, verbose=0, return_dict=True)
    terms, again = vae.evaluate_terms(x), vae.evaluate_terms(x)
    assert latent.kl(vae, x) == pytest.approx(logs["kl"], rel=1e-5)
    # Both means are over draws of z: the spread between two draws bounds their difference.
    noise = np.std(terms["reconstruction"] - again["reconstruction"]) / np.sqrt(len(x))
    assert abs(latent.reconstruction_error(vae, x) - logs["reconstruction"]) < 6 * noise
    assert abs(latent.elbo(vae, x) + logs["loss"]) < 6 * noise
    # The importance-weighted bound is no lower than the ELBO, but for the same noise.
    assert latent.log_likelihood(vae, x, num_samples=50) > latent.elbo(vae, x) - 6 * noise


def test_mean_squared_error_is_per_value(tiny, rng):
    x = rng.uniform(size=(20, 4, 5, 3)).astype("float32")
    ae = tiny((4, 5, 3))["AE"]
    by_hand = np.mean((ae.predict(x, verbose=0)["reconstruction"] - x) ** 2)
    assert latent.mean_squared_error(ae, x) == pytest.approx(by_hand, rel=1e-5)


def test_summary_has_every_measure_as_a_plain_number(tiny, rng):
    x_train, x_test = rng.uniform(size=(2, 40, 6)).astype("float32")
    x_test = x_test[:30]
    models = tiny((6,))
    numbers = {n: latent.summary(m, x_train, x_test, num_samples=7) for n, m in models.items()}
    for one in numbers.values():
        assert all(type(value) in (int, float) for value in one.values())
        assert (one["num_train"], one["num_test"], one["latent_dim"]) == (40, 30, 3)
        difference = one["test_reconstruction"] - one["train_reconstruction"]
        assert one["generalization_gap"] == pytest.approx(difference, abs=1e-5)
    vae, ae = numbers["VAE"], numbers["AE"]
    assert vae["test_elbo"] == pytest.approx(-vae["test_reconstruction"] - vae["test_kl"])
    assert vae["num_samples"] == 7
    assert not any("kl" in key or "elbo" in key or "likelihood" in key for key in ae)
    # What holds no noise is exactly what the functions say.
    assert ae["train_mse"] == latent.mean_squared_error(models["AE"], x_train)
    assert ae["code_scale"] == latent.code_scale(models["AE"].encode(x_test))
    assert vae["active_units"] == latent.active_units(models["VAE"].encode(x_test))
