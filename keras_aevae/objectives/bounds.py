"""Bounds on the log-likelihood, from log-weights log p(x|z) + log p(z) - log q(z|x).

Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders,
https://arxiv.org/abs/1509.00519
Tucker et al. 2019, Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives,
https://arxiv.org/abs/1810.04152
"""

import math

from keras import ops


def importance_weighted_bound(log_weights, axis=0, through_z=None, beta=1.0):
    """Return the log of the mean weight over the K samples along `axis`, in nats.

    K = 1 is the ELBO at that sample; as K grows, the expectation rises towards log p(x) (Burda et
    al. 2016, theorem 1). Misleads when a few samples carry all the weight: report K beside the
    number.

    Args:
        log_weights: of any shape, which the result has without `axis`, the axis of the samples.
        axis: an integer.
        through_z: the same log-weights a second time, whose only gradient is that through the
            samples z. They don't change the value; they add the doubly reparameterised gradient for
            the encoder, sum_k w_k^2 d(log weight_k)/dz_k with normalised weights w_k (Tucker et al.
            2019), whose noise doesn't hide its signal as K grows. `log_weights` must then have no
            gradient for the encoder.
        beta: the coefficient of log q(z|x) in the log-weights, if it isn't 1: w_k^2 becomes (1 -
            beta) w_k + beta w_k^2, which keeps that gradient unbiased.

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
