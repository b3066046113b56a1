"""The latent dimensions that a VAE leaves unused, and what to do about it."""

import numpy as np

from keras_aevae._checks import check_number
from keras_aevae.latent.measures._posteriors import check_posteriors
from keras_aevae.latent.measures.rate_per_dimension import rate_per_dimension

# The nats above which a collapsed dimension is mentioned.
WASTE = 0.1

ADVICE = {
    "none": (
        "Every dimension is in use. If reconstructions lack detail, more latent dimensions may "
        "store it."
    ),
    "partial": (
        "Nothing is wrong by itself: unused dimensions cost nothing, and fewer latent dimensions "
        "would give much the same model. If reconstructions lack detail, lower beta or warm it up."
    ),
    "wasteful": (
        "The unused dimensions cost nats that say nothing of the input, as free bits leave them. "
        "Take fewer latent dimensions, fewer free bits, or train longer."
    ),
    "full": (
        "The decoder ignores the code. Warm beta up from 0, or grant free bits; if it collapses "
        "again, make the decoder smaller, so that it needs the code."
    ),
}


def posterior_collapse(mean, log_var, threshold=0.01):
    """Return which latent dimensions of a VAE are in use and which have collapsed, with advice.

    A dimension is active if its posterior's mean varies over the data,

        Var_x(E_q(z|x)[z_d]) > threshold,

    and has collapsed otherwise: the rule of Burda et al. 2016, https://arxiv.org/abs/1509.00519,
    section 5.2. The rate, as in `rate_per_dimension`, is the cost of each: a dimension whose
    posterior is the prior costs 0; one whose posterior differs from it in the same way for every
    example costs nats for nothing.

    Range: the verdict is "none", "partial" or "full": no, some or all dimensions have collapsed.

    Good for: distinguishing the collapse that ruins a VAE (full) from dimensions that it doesn't
    need (partial). Misleads early in training, and if a dimension carries information only by its
    variance; and the decoder may still ignore an active dimension (see
    `decoder_jacobian_spectrum`).

    Args:
        mean, log_var: parameters of the posteriors, shapes (n, latent_dim):
            `vae.predict(x)["z_mean"]` and `["z_log_var"]`.
        threshold: variance of the means above which a dimension is active.

    Returns:
        A dict: "active" and "collapsed", lists of dimensions (`active_units(mean)` is the length of
        the first); "rate" and "wasted_rate", floats, the nats per example that all dimensions and
        the collapsed ones cost; "verdict" and "advice", strings.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    outputs = vae.predict(x_test, verbose=0)
    latent.posterior_collapse(outputs["z_mean"], outputs["z_log_var"])["verdict"]
    ```
    """
    threshold = check_number("threshold", threshold, minimum=0)
    mean, log_var = check_posteriors(mean, log_var)
    active = mean.var(axis=0) > threshold
    rate = rate_per_dimension(mean, log_var)
    verdict = "none" if active.all() else "partial" if active.any() else "full"
    wasteful = verdict == "partial" and (rate[~active] > WASTE).any()
    return {
        "active": np.flatnonzero(active).tolist(),
        "collapsed": np.flatnonzero(~active).tolist(),
        "rate": float(rate.sum()),
        "wasted_rate": float(rate[~active].sum()),
        "verdict": verdict,
        "advice": ADVICE["wasteful" if wasteful else verdict],
    }
