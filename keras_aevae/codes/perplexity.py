"""A metric of how many codes of a codebook are in use."""

import keras
from keras import ops

from keras_aevae._checks import check_positive_integer


@keras.saving.register_keras_serializable(package="keras_aevae")
class CodebookPerplexity(keras.metrics.Metric):
    """exp(entropy) of how often each code is used: the number of codes in effective use.

    It ranges from 1 (one code for everything: collapse) to `num_codes` (all are used equally
    often), and is 1 before any use. Usage is added up over the whole epoch: the mean of the
    perplexities of small batches would be too low, as a small batch can't contain all the codes.
    Misleads when a few codes rightly carry most of the data, such as an image's background: low
    perplexity is then no fault.

    Args:
        num_codes: number of codes in the codebook.

    Example:

    ```python
    from keras_aevae.codes.perplexity import CodebookPerplexity
    perplexity = CodebookPerplexity(num_codes=8)
    perplexity.update_state([[0, 1], [2, 3]])
    perplexity.result()  # 4.0
    ```
    """

    def __init__(self, num_codes, name="perplexity", **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_codes = check_positive_integer("num_codes", num_codes)
        self.usage = self.add_variable(
            shape=(self.num_codes,), initializer="zeros", dtype="float32", name="usage"
        )

    def update_state(self, indices, sample_weight=None):
        """Add `indices`, shape (batch, ...), each example weighted by `sample_weight`, (batch,)."""
        indices = ops.cast(indices, "int32")
        weight = ops.ones_like(indices, dtype="float32")
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, "float32")
            weight *= ops.reshape(sample_weight, (-1,) + (1,) * (len(indices.shape) - 1))
        usage = ops.segment_sum(
            ops.reshape(weight, (-1,)), ops.reshape(indices, (-1,)), num_segments=self.num_codes
        )
        self.usage.assign_add(usage)

    def result(self):
        share = ops.divide_no_nan(self.usage.value, ops.sum(self.usage))
        log_share = ops.log(ops.where(share > 0.0, share, 1.0))  # 0 log 0 = 0
        return ops.exp(-ops.sum(share * log_share))

    def get_config(self):
        return {**super().get_config(), "num_codes": self.num_codes}
