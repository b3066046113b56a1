"""Log-probabilities of counts that keep their digits in float32, however large the counts are.

The usual formulas subtract log-gamma functions of the size of x log x from each other. Here these
are replaced by Stirling's formula and its correction, and what remains is a sum of terms that
vanish where the count is the mean. (Loader 2000, Fast and Accurate Computation of Binomial
Probabilities, does so for the binomial distribution.)
"""

from keras import ops

from keras_aevae.distributions.base import LOG_2PI

# Steps of the recurrence, after which three terms of the series have an error below 1e-7.
STEPS = 4


def stirling_correction(x):
    """Return log Gamma(x) - ((x - 1/2) log x - x + 1/2 log 2 pi), for x > 0.

    https://dlmf.nist.gov/5.11.E1, after steps to larger arguments.
    """
    total = 0.0
    for step in range(STEPS):
        y = x + step
        total = total + (y + 0.5) * ops.log1p(1.0 / y) - 1.0
    y = 1.0 / (x + STEPS)
    square = y * y
    return total + y * (1 / 12 - square * (1 / 360 - square / 1260))


def curvature(t, log_ratio):
    """Return t - log(1 + t), which is about t^2/2; `log_ratio` is log(1 + t) in a form that keeps
    its digits where t is close to -1."""
    near = t > -0.5
    return t - ops.where(near, ops.log1p(ops.where(near, t, 0.0)), log_ratio)


def poisson_log_prob(x, log_mean):
    """Return log Poisson(x; exp(log_mean)) of counts x, float32, elementwise, in nats."""
    positive = x > 0
    safe = ops.where(positive, x, 1.0)
    mean = ops.exp(log_mean)
    deviance = safe * curvature((mean - safe) / safe, log_mean - ops.log(safe))
    stirling = 0.5 * (ops.log(safe) + LOG_2PI) + stirling_correction(safe)
    return ops.where(positive, -deviance - stirling, -mean)


def negative_binomial_log_prob(x, log_mean, log_dispersion):
    """Return the log-probability of counts x, float32, elementwise, in nats, under the negative
    binomial distribution of that mean m and of the variance m + dispersion * m^2.

    With the size r = 1 / dispersion and n = x + r, Stirling's formula leaves

        x log(m / x) - n log((r + m) / n) = -x c(u) - r c(w),   c(t) = t - log(1 + t),
        u = r (m - x) / (x (r + m)),   w = (x - m) / (r + m),

    in which no large terms cancel, whether r is small or large, and however far m is from x.
    """
    positive = x > 0
    safe = ops.where(positive, x, 1.0)
    mean, size = ops.exp(log_mean), ops.exp(-log_dispersion)
    n, both = safe + size, size + mean
    u, w = (size / both) * ((mean - safe) / safe), (safe - mean) / both
    log_w = ops.log(n) - ops.log(both)
    log_u = log_mean - ops.log(safe) + log_w
    deviance = safe * curvature(u, log_u) + size * curvature(w, log_w)
    stirling = (
        0.5 * (LOG_2PI + ops.log(safe) + ops.log(n) + log_dispersion)
        + stirling_correction(safe)
        + stirling_correction(size)
        - stirling_correction(n)
    )
    at_zero = -size * ops.log1p(ops.exp(log_mean + log_dispersion))
    return ops.where(positive, -deviance - stirling, at_zero)
