"""The cost of each latent dimension of a VAE."""

import numpy as np

from keras_aevae.latent.measures._posteriors import check_posteriors


def rate_per_dimension(mean, log_var):
    """Return the mean KL(q(z_d|x) || N(0, 1)) of each latent dimension, in nats per example.

        mean_x [mean_d(x)^2 + var_d(x) - 1 - log var_d(x)] / 2

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, appendix B. The sum over dimensions is
    `kl`.

    Range: from 0 up. 0: the dimension says nothing about the input.

    Good for: in which dimensions a VAE stores information, and how much in each. Misleads as a
    measure of information: a dimension whose posterior differs from the prior in the same way for
    every example costs nats and says nothing (see `kl_decomposition`). It is only for a VAE whose
    prior is N(0, I).

    Args:
        mean, log_var: parameters of the posteriors, shapes (n, latent_dim):
            `vae.predict(x)["z_mean"]` and `["z_log_var"]`.

    Returns:
        A float64 array of shape (latent_dim,).

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    outputs = vae.predict(x_test, verbose=0)
    latent.rate_per_dimension(outputs["z_mean"], outputs["z_log_var"])
    ```
    """
    mean, log_var = check_posteriors(mean, log_var)
    # expm1 keeps the digits of dimensions that hardly differ from the prior.
    return 0.5 * np.mean(np.square(mean) + np.expm1(log_var) - log_var, axis=0)
