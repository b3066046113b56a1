import pytest

from keras_aevae.latent.findings import findings

AE = {
    "test_reconstruction": 16.0,
    "test_mse": 0.01,
    "generalization_gap": 2.0,
    "generalization_gap_se": 0.3,
    "active_units": 8,
    "latent_dim": 8,
    "code_scale": 5.0,
}
VAE = {
    "test_reconstruction": 21.0,
    "test_mse": 0.03,
    "generalization_gap": 0.1,
    "generalization_gap_se": 0.4,
    "active_units": 5,
    "latent_dim": 8,
    "code_scale": 1.0,
    "test_kl": 2.8,
    "test_elbo": -23.8,
    "test_log_likelihood": -23.5,
    "num_samples": 100,
}
SAME = {"A": "Bernoulli", "B": "Bernoulli"}


def say(topic, a, b, likelihoods=SAME):
    return " ".join(findings({"A": a, "B": b}, likelihoods)[topic])


def test_the_lower_error_is_named_and_swaps():
    assert "16.00 nats for A and 21.00 nats for B; lower for A, by 5.00 nats." in say(
        "reconstruction", AE, VAE
    )
    assert "lower for B, by 5.00 nats." in say("reconstruction", VAE, AE)
    assert "lower for" not in say("reconstruction", AE, AE)


def test_nats_of_different_likelihoods_are_not_compared():
    mixed = {"A": "Bernoulli", "B": "Gaussian"}
    text = say("reconstruction", AE, VAE, mixed)
    assert "can't be compared" in text and "lower for A, by 5" not in text
    assert "lower for A, by 0.0200" in text  # the squared error can be
    assert "smaller for" not in say("gap", AE, VAE, mixed)


def test_a_gap_counts_only_beyond_two_standard_errors():
    text = say("gap", AE, VAE)
    assert "come back better than new ones from A, by" in text
    assert "For B the difference is within 2 standard errors" in text
    # hypot(0.3, 0.4) = 0.5, and 1.9 > 2 * 0.5
    assert "smaller for B than for A by 1.90 ± 0.50 nats; more than 2 standard errors" in text
    text = say("gap", {**AE, "generalization_gap": 0.9}, VAE)
    assert "by 0.80 ± 0.50 nats; within 2 standard errors, so it may be chance" in text


def test_a_clearly_negative_gap_is_no_sign_of_either_kind():
    text = say("gap", {**AE, "generalization_gap": -2.0}, {**VAE, "generalization_gap": -2.0})
    assert "by heart" not in text


def test_codes_far_from_the_prior():
    assert "those of A are so much larger" in say("samples", AE, VAE)
    assert "much larger" not in say("samples", VAE, VAE)


def test_collapse_is_said():
    assert "collapse" not in say("information", AE, VAE)
    assert "B uses no latent dimension" in say("information", AE, {**VAE, "active_units": 0})


@pytest.mark.parametrize("one", [AE, VAE])
def test_a_model_alone_is_compared_with_nothing(one):
    for sentences in findings({"A": one}, {"A": "Bernoulli"}).values():
        assert not any("lower" in sentence or "smaller" in sentence for sentence in sentences)
