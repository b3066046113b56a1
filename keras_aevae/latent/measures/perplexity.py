"""The number of codes of a codebook in effective use."""

import numpy as np

from keras_aevae.codes.perplexity import CodebookPerplexity


def perplexity(indices, num_codes):
    """Return the exponential of the entropy of the codes' use: the number in effective use.

        exp(-sum_c p_c log p_c),   p_c the share of the indices that are c

    van den Oord et al. 2017, https://arxiv.org/abs/1711.00937.

    Range: 1 (all inputs have one code) to num_codes (all are used equally often).

    Good for: detecting that a codebook has collapsed. Misleads as a measure of quality: few codes
    are enough for simple data.

    Args:
        indices: integers from 0 to num_codes - 1, any shape, such as `vq.encode_indices(x)`.
        num_codes: size of the codebook.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import latent
    latent.perplexity([0, 1, 0, 1], num_codes=512)  # 2.0
    ```
    """
    usage = CodebookPerplexity(num_codes)
    usage.update_state(np.asarray(indices))
    return float(usage.result())
