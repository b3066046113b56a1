"""The check of the parameters of Gaussian posteriors, which several measures share."""

from keras_aevae.latent.measures._codes import check_codes


def check_posteriors(mean, log_var):
    """Return both as float64 arrays (n, latent_dim), finite, n at least 2; else raise."""
    mean, log_var = check_codes(mean, "mean"), check_codes(log_var, "log_var")
    if mean.shape != log_var.shape:
        raise ValueError(
            "`mean` and `log_var` must have the same shape, such as those of "
            '`vae.predict(x)["z_mean"]` and `["z_log_var"]`. Received: shapes '
            f"{mean.shape} and {log_var.shape}."
        )
    return mean, log_var
