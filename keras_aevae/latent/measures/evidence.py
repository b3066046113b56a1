"""What a VAE's code costs, and how probable the VAE finds the data."""

from keras_aevae.latent.measures.reconstruction import mean, reconstruction_error


def kl(terms):
    """Mean KL(q(z|x) || p(z)), nats per example: what the code says beyond the prior.

    The rate of Alemi et al. 2018, https://arxiv.org/abs/1711.00464.

    Range: from 0 up. 0: the code says nothing about the input (posterior collapse); log n nats
    suffice to tell n examples apart. Neither high nor low is better by itself.

    Good for: how much a VAE stores. Misleads as a measure of how close the codes are to the prior
    as a whole: each q(z|x) may be far from the prior while their mixture is close to it.

    Args:
        terms: what `vae.evaluate_terms(x)` returned. An AE has none: its KL is infinite.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    nats = latent.kl(vae.evaluate_terms(x_test))
    ```
    """
    return mean(terms["kl"])


def elbo(terms):
    """Mean evidence lower bound (ELBO), nats per example, whatever beta the VAE trained with.

        ELBO = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))  <=  log p(x)

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, equation 3; here with one draw of z.

    Range: at most the mean log p(x); higher is better. At most 0 where the data are bits.

    Good for: what a VAE is trained to raise, in one pass. Misleads between models of different
    posteriors, since a bound may be low because it is loose: compare `log_likelihood`.

    Args:
        terms: what `vae.evaluate_terms(x)` returned.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    bound = latent.elbo(vae.evaluate_terms(x_test))
    ```
    """
    return -reconstruction_error(terms) - kl(terms)


def log_likelihood(model, x, num_samples=100, *, batch_size=128, verbose=0):
    """Mean log p(x) of a VAE, nats per example, estimated with importance samples.

    Burda et al. 2016, https://arxiv.org/abs/1509.00519, equation 8.

    Range: in expectation between the ELBO and the true log p(x); higher is better.

    Good for: comparing VAEs of one likelihood on the same test data. Misleads where
    `num_samples` differ or go unsaid, since more samples give a higher number; on grey values
    under a Bernoulli, which is no density of theirs; and as a measure of how samples look.

    Args:
        model: a `VAE`.
        x: data, shape (n, *data_shape).
        num_samples: draws of z for each example; print it beside the number.
        batch_size, verbose: those of `model.log_likelihood`.

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
    return mean(model.log_likelihood(x, num_samples, batch_size=batch_size, verbose=verbose))
