"""Bounds on the log-likelihood, from log-weights log p(x|z) + log p(z) - log q(z|x).

Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders,
https://arxiv.org/abs/1509.00519
"""

import math

from keras import ops


def importance_weighted_bound(log_weights, axis=0):
    """Log of the mean weight over the K samples along `axis`: nats, shape without that axis.

    K = 1 is the ELBO at that sample; the expectation grows with K towards log p(x) (Burda et al.
    2016, theorem 1). Misleads when a few samples carry all the weight: print K beside the number.

    Example:

    ```python
    from keras_aevae.objectives import importance_weighted_bound
    importance_weighted_bound([[-100.0], [-90.0]])  # [-90.69] nats
    ```
    """
    log_weights = ops.cast(log_weights, "float32")
    num_samples = log_weights.shape[axis]
    return ops.logsumexp(log_weights, axis=axis) - math.log(num_samples)
