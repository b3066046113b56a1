"""The cost of a VAE's code, and the probability that the VAE gives the data."""

from keras_aevae.latent.measures._arrays import check_model
from keras_aevae.latent.measures.reconstruction import mean


def kl(model, x, *, batch_size=128, verbose=0):
    """Return the mean KL(q(z|x) || p(z)), in nats per example: the rate of the code.

    Alemi et al. 2018, https://arxiv.org/abs/1711.00464.

    Range: from 0 up. At 0 the code says nothing about the input (posterior collapse); log n nats
    are enough to tell n examples apart. Neither high nor low is better by itself.

    Good for: how much a VAE stores. Misleads as a measure of how close the codes are to the prior
    as a whole: each q(z|x) may be far from the prior while their mixture is close to it.

    Args:
        model: a `VAE`. An AE has no KL, which is infinite.
        x: data, shape (n, *data_shape); for a conditional model the pair (x, condition).
        batch_size, verbose: as for `model.encode`.

    Returns:
        A float: under the prior that `fit_prior` fitted, if there is one.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    nats = latent.kl(vae, x_test)
    ```
    """
    check_model(model, "kl_to_prior", x=x)
    model.check_stores("kl", "distribution")
    inputs = model.check_inputs(x, support=model.likelihood.support)
    return mean(model.run(model.kl_to_prior, inputs, batch_size=batch_size, verbose=verbose))


def elbo(model, x, *, batch_size=128, verbose=0):
    """Return the mean evidence lower bound (ELBO), in nats per example, for any beta.

        ELBO = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))  <=  log p(x)

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, equation 3; here with one draw of z.

    Range: at most the mean log p(x); higher is better. At most 0 if the data are bits.

    Good for: the quantity that a VAE is trained to raise, in one pass. Misleads between models with
    different posteriors, since a bound may be low because it is loose: compare `log_likelihood`.

    Args:
        model: a `VAE`, or a `VQVAE` with a fitted prior.
        x: data, shape (n, *data_shape); for a conditional model the pair (x, condition).
        batch_size, verbose: as for `model.elbo`.

    Returns:
        A float: under the prior that `fit_prior` fitted, if there is one.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    bound = latent.elbo(vae, x_test)
    ```
    """
    check_model(model, "elbo", x=x)
    return mean(model.elbo(x, batch_size=batch_size, verbose=verbose))


def log_likelihood(model, x, num_samples=100, *, batch_size=128, verbose=0):
    """Return the mean log p(x) of a VAE, in nats per example, from importance samples.

    Burda et al. 2016, https://arxiv.org/abs/1509.00519, equation 8.

    Range: in expectation between the ELBO and the true log p(x); higher is better.

    Good for: comparing VAEs of one likelihood on the same test data. Misleads if `num_samples`
    differ or aren't reported, since more samples give a higher number; on grey values under a
    Bernoulli, which isn't a density of them; and as a measure of how samples look.

    Args:
        model: a `VAE`.
        x: data, shape (n, *data_shape); for a conditional model the pair (x, condition).
        num_samples: number of draws of z for each example; report it beside the result.
        batch_size, verbose: as for `model.log_likelihood`.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    nats = latent.log_likelihood(vae, x_test, num_samples=100)
    ```
    """
    check_model(model, "log_likelihood", x=x)
    return mean(model.log_likelihood(x, num_samples, batch_size=batch_size, verbose=verbose))
