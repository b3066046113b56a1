"""All the measures of one model at once."""

from keras_aevae.latent.measures import (
    active_units,
    code_scale,
    generalization_gap,
    log_likelihood,
    mean_squared_error,
    perplexity,
)
from keras_aevae.latent.measures._arrays import check_model
from keras_aevae.latent.measures.reconstruction import mean


def summary(model, x_train, x_test, *, num_samples=100, batch_size=512, verbose=0):
    """Return the measures of a trained model, by name.

    Args:
        model: an `Autoencoder` or a subclass.
        x_train, x_test: data, shape (n, *data_shape): the training data, and data that the model
            hasn't seen. For a conditional model the pairs (x, condition).
        num_samples: number of importance samples of the log-likelihood.
        batch_size, verbose: as for the model's methods.

    Returns:
        A dict of Python ints and floats, all on the test data unless they say otherwise:

        - `num_train`, `num_test`: numbers of examples.
        - `train_reconstruction`, `test_reconstruction`: nats, see `reconstruction_error`.
        - `generalization_gap`, `generalization_gap_se`: nats, see `generalization_gap`.
        - `train_mse`, `test_mse`: see `mean_squared_error`.
        - `latent_dim`, `active_units`: see `active_units`.
        - `code_scale`: of draws from the posterior, see `code_scale`.

        - `perplexity`: codes in effective use, of a VQ-VAE; and `test_elbo` if it has a prior.

        and of a VAE:

        - `train_kl`, `test_kl`, `train_elbo`, `test_elbo`: nats, see `kl` and `elbo`, under the
          prior that `fit_prior` fitted, if there is one, as the log-likelihood is.
        - `test_log_likelihood`: nats, see `log_likelihood`, estimated with `num_samples`.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    (x_train, _), (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    numbers = latent.summary(vae, x_train, x_test)
    ```
    """
    check_model(model, "evaluate_terms", x_train=x_train, x_test=x_test)
    settings = {"batch_size": batch_size, "verbose": verbose}
    train = model.evaluate_terms(x_train, **settings)
    test = model.evaluate_terms(x_test, **settings)
    gap, gap_se = generalization_gap(train["reconstruction"], test["reconstruction"])
    numbers = {
        "num_train": len(train["reconstruction"]),
        "num_test": len(test["reconstruction"]),
        "train_reconstruction": mean(train["reconstruction"]),
        "test_reconstruction": mean(test["reconstruction"]),
        "generalization_gap": gap,
        "generalization_gap_se": gap_se,
        "train_mse": mean_squared_error(model, x_train, **settings),
        "test_mse": mean_squared_error(model, x_test, **settings),
        "latent_dim": model.latent_dim,
        "active_units": active_units(model.encode(x_test, **settings)),
        "code_scale": code_scale(model.encode(x_test, sample=True, **settings)),
    }
    if "kl" in test:
        if model.fitted_prior is not None:
            for x, terms in ((x_train, train), (x_test, test)):
                terms["kl"] = model.run(model.kl_to_prior, model.check_inputs(x), **settings)
        numbers |= {
            "train_kl": mean(train["kl"]),
            "test_kl": mean(test["kl"]),
            "train_elbo": -mean(train["reconstruction"]) - mean(train["kl"]),
            "test_elbo": -mean(test["reconstruction"]) - mean(test["kl"]),
            "test_log_likelihood": log_likelihood(model, x_test, num_samples, **settings),
            "num_samples": num_samples,
        }
    if model.stores == "codebook":
        indices = model.encode_indices(x_test, **settings)
        numbers["perplexity"] = perplexity(indices, model.quantizer.num_codes)
        if model.fitted_prior is not None:
            numbers["test_elbo"] = mean(model.elbo(x_test, **settings))
    return numbers
