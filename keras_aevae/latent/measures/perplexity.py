"""The number of codes of a codebook in effective use."""

from keras_aevae._checks import check_positive_integer
from keras_aevae.codes.perplexity import CodebookPerplexity
from keras_aevae.latent.measures._arrays import as_array


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
    num_codes = check_positive_integer("num_codes", num_codes)
    remedy = "Of a model: vq.encode_indices(x)."
    indices = as_array("indices", indices, "an array of integers", remedy)
    if indices.dtype.kind not in "iu" or indices.size == 0:
        raise ValueError(
            f"`indices` must be one integer or more. Received: indices of shape {indices.shape}, "
            f"{indices.dtype}. {remedy}"
        )
    low, high = indices.min(), indices.max()
    if low < 0 or high >= num_codes:
        raise ValueError(
            f"`indices` must lie within 0 to {num_codes - 1}. Received: indices from {low} to "
            f"{high}, and num_codes={num_codes}."
        )
    usage = CodebookPerplexity(num_codes)
    usage.update_state(indices)
    return float(usage.result())
