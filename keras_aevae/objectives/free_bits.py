"""Free bits: nats per latent dimension that cost nothing.

Kingma et al. 2016, Improved Variational Inference with Inverse Autoregressive Flow,
https://arxiv.org/abs/1606.04934, equation 15.
"""

from keras import ops

from keras_aevae.engine import replicas


def free_bits(kl_per_dimension, nats):
    """Return what free bits add to the KL, in nats: shape (batch,).

    `kl + free_bits(...)` has the batch mean sum_j max(nats, mean KL_j): a dimension whose mean KL
    over the batch is below `nats` costs `nats` whatever it does, so it has no gradient. Good for:
    preventing posterior collapse early in training. Misleads when the total is read as a bound,
    since it only loosens the ELBO.

    Args:
        kl_per_dimension: shape (batch, latent_dim), nats.
        nats: free nats per dimension, at least 0.

    Example:

    ```python
    from keras_aevae.objectives import free_bits
    free_bits([[0.1, 3.0]], nats=0.5)  # [0.4]
    ```
    """
    kl_per_dimension = ops.convert_to_tensor(kl_per_dimension)
    # The batch mean only chooses which dimensions are free; the result stays per example.
    free = replicas.global_mean(kl_per_dimension, axis=0) < nats
    return ops.sum(ops.where(free, nats - kl_per_dimension, 0.0), axis=-1)
