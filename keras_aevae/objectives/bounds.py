"""Bounds on the log-likelihood, from log-weights log p(x|z) + log p(z) - log q(z|x).

Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders,
https://arxiv.org/abs/1509.00519
Tucker et al. 2019, Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives,
https://arxiv.org/abs/1810.04152
"""

import math

from keras import ops


def importance_weighted_bound(log_weights, axis=0, through_z=None, beta=1.0):
    """Log of the mean weight over the K samples along `axis`: nats, shape without that axis.

    K = 1 is the ELBO at that sample; the expectation grows with K towards log p(x) (Burda et al.
    2016, theorem 1). Misleads when a few samples carry all the weight: print K beside the number.

    Args:
        log_weights: any shape; `axis` is that of the samples.
        axis: an integer.
        through_z: the same log-weights once more, such that their only gradient is that through
            the samples z. The value stays; the gradient gains the doubly reparameterised one for
            the encoder, sum_k w_k^2 d(log weight_k)/dz_k with normalised weights w_k (Tucker et
            al. 2019), whose signal doesn't drown in noise as K grows. Give `log_weights` without
            a gradient to the encoder then.
        beta: the coefficient of log q(z|x) in the log-weights, where it isn't 1: the w_k^2 become
            (1 - beta) w_k + beta w_k^2, which keeps that gradient unbiased.

    Example:

    ```python
    from keras_aevae.objectives import importance_weighted_bound
    importance_weighted_bound([[-100.0], [-90.0]])  # [-90.69] nats
    ```
    """
    log_weights = ops.cast(log_weights, "float32")
    bound = ops.logsumexp(log_weights, axis=axis) - math.log(log_weights.shape[axis])
    if through_z is None:
        return bound
    weights = ops.stop_gradient(ops.softmax(log_weights, axis=axis))
    factors = (1.0 - beta) * weights + beta * ops.square(weights)
    surrogate = ops.sum(factors * through_z, axis=axis)
    return bound + (surrogate - ops.stop_gradient(surrogate))
