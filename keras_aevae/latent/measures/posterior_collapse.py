"""The latent dimensions that a VAE leaves unused, and what to do about it."""

import numpy as np

from keras_aevae._checks import check_number
from keras_aevae.latent.measures._posteriors import check_posteriors
from keras_aevae.latent.measures.rate_per_dimension import rate_per_dimension
from keras_aevae.latent.measures.spectrum import effective_dimension

# The nats above which a collapsed dimension is mentioned, and below which one that varies stores
# next to nothing; those from which each dimension of a code is well used.
WASTE, WELL_USED = 0.1, 0.5
# The share of the rate above which the codes as a whole count as off the prior. In models trained
# to the end it was at most 0.04, in models that had stopped early 0.12 and more.
OFF_PRIOR = 0.1

ADVICE = {
    "off": (
        "At least {off_prior:.2g} of its {rate:.3g} nats say nothing of the input: they are the "
        "distance of all codes together from the prior, which training to the end removes, and "
        "the means vary in effect in {effective_dimension:.1f} of {latent_dim} directions. Train "
        "longer before you change the number of dimensions. If the loss falls no more, beta is "
        "small, or free bits pay for it: raise beta, grant fewer free bits, or give `sample` the "
        "codes' own prior by `fit_prior`."
    ),
    "none": (
        "Every dimension is in use, for {least:.2g} nats or more, and the codes as a whole are "
        "near the prior. If reconstructions lack detail, more latent dimensions may store it."
    ),
    "hardly": (
        "Every dimension varies, but {idle} of {latent_dim} store next to nothing: fewer latent "
        "dimensions would give much the same model. If reconstructions lack detail, lower beta or "
        "warm it up."
    ),
    "enough": (
        "Every dimension is in use, the least for {least:.2g} nats, and the codes as a whole are "
        "near the prior: the number of dimensions is enough. If reconstructions lack detail, lower "
        "beta or warm it up."
    ),
    "partial": (
        "Nothing is wrong by itself: unused dimensions cost nothing, and fewer latent dimensions "
        "would give much the same model. If reconstructions lack detail, lower beta or warm it up."
    ),
    "wasteful": (
        "The unused dimensions cost nats that say nothing of the input, as free bits leave them. "
        "Take fewer latent dimensions, fewer free bits, or train longer."
    ),
    "untrained": (
        "No dimension varies with the input, and yet the posteriors aren't the prior: they cost "
        "{rate:.2g} nats, which say nothing of the input. So looks a model that has hardly been "
        "trained: train it before you change anything. If it is trained, free bits pay for it: "
        "make the decoder smaller, so that it needs the code."
    ),
    "full": (
        "The decoder ignores the code. If it has seen a few epochs only, train it longer first. "
        "Warm beta up from 0, or grant free bits; if it collapses again, make the decoder smaller, "
        "so that it needs the code."
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

    The advice also depends on the training, as far as the codes show it. The rate is what the codes
    say about the input plus KL(q(z) || p(z)), the distance of all codes together from the prior
    (see `kl_decomposition`). Training to the end removes most of the latter, so while it is a large
    part of the rate, the count of dimensions says little. Here it is bounded from below by that of
    the Gaussian with the mean and the covariance of q(z): m and C = Cov_x(mean) + E_x[variance],

        KL(q(z) || p(z))  >=  [tr C + |m|^2 - latent_dim - log det C] / 2,

    less what so many examples give by chance.

    Range: the verdict is "none", "partial" or "full": no, some or all dimensions have collapsed.

    Good for: distinguishing the collapse that ruins a VAE (full) from dimensions that it doesn't
    need (partial), and both from a model that isn't trained to the end. Misleads in the first
    epochs, when all dimensions may look collapsed, which nothing but more training tells from
    collapse; and if a dimension carries information only by its variance; and the decoder may still
    ignore an active dimension (see `decoder_jacobian_spectrum`).

    Args:
        mean, log_var: parameters of the posteriors, shapes (n, latent_dim):
            `vae.predict(x)["z_mean"]` and `["z_log_var"]`.
        threshold: variance of the means above which a dimension is active.

    Returns:
        A dict: "active" and "collapsed", lists of dimensions (`active_units(mean)` is the length of
        the first); "rate" and "wasted_rate", floats, the nats per example that all dimensions and
        the collapsed ones cost; "off_prior", the nats of the bound above, and "near_prior", False
        if they are more than a tenth of the rate; "effective_dimension", that of the means;
        "verdict" and "advice", strings.

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
    facts = {
        "rate": float(rate.sum()),
        "off_prior": min(off_prior(mean, log_var), float(rate.sum())),
        "effective_dimension": effective_dimension(mean),
    }
    near = facts["off_prior"] <= OFF_PRIOR * facts["rate"]
    advice = ADVICE[advice_on(verdict, active, rate, near, facts["effective_dimension"])]
    more = {"least": rate.min(), "idle": int((rate < WASTE).sum()), "latent_dim": len(rate)}
    return {
        "active": np.flatnonzero(active).tolist(),
        "collapsed": np.flatnonzero(~active).tolist(),
        "wasted_rate": float(rate[~active].sum()),
        **facts,
        "near_prior": bool(near),
        "verdict": verdict,
        "advice": advice.format(**facts, **more),
    }


def off_prior(mean, log_var):
    """Return the KL to N(0, I) of the Gaussian with the moments of all codes, less what is due to
    the number of examples."""
    variance = np.exp(log_var).mean(axis=0) + 1e-30  # never 0
    covariance = np.atleast_2d(np.cov(mean, rowvar=False, ddof=0)) + np.diag(variance)
    center, spread = mean.mean(axis=0), np.diag(covariance)
    kl = spread.sum() + center @ center - len(center) - np.linalg.slogdet(covariance)[1]
    # The moments of the means are estimates: of k dimensions that vary, they have k (k + 3) / 2.
    k = np.sum(1 - variance / spread)
    return float(max(0.0, 0.5 * kl - k * (k + 3) / (4 * len(mean))))


def advice_on(verdict, active, rate, near, directions):
    """Return the name of the advice, in `ADVICE`."""
    if verdict == "full":
        return "untrained" if rate.sum() > WASTE else "full"
    if not near:
        return "off"
    if verdict == "partial":
        return "wasteful" if (rate[~active] > WASTE).any() else "partial"
    if rate.min() >= WELL_USED and directions >= len(rate) / 2:
        return "none"
    return "hardly" if (rate < WASTE).any() else "enough"
