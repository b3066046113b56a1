import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from keras_aevae.codes.perplexity import CodebookPerplexity

rng = np.random.default_rng(0)


def perplexity(*batches, num_codes=8, weights=None):
    metric = CodebookPerplexity(num_codes)
    for i, batch in enumerate(batches):
        metric.update_state(batch, sample_weight=None if weights is None else weights[i])
    return float(metric.result())


def test_uniform_use_is_the_number_of_codes():
    assert perplexity(np.arange(8).reshape(2, 4)) == pytest.approx(8, rel=1e-6)


def test_one_code_is_one():
    assert perplexity(np.full((3, 2, 2), 5)) == pytest.approx(1, rel=1e-6)


def test_no_use_is_one():
    assert perplexity() == 1


def test_against_the_entropy():
    indices = rng.integers(5, size=(7, 3, 3))
    share = np.bincount(indices.ravel(), minlength=8) / indices.size
    share = share[share > 0]
    expected = np.exp(-np.sum(share * np.log(share)))
    assert perplexity(indices) == pytest.approx(expected, rel=1e-5)


def test_batches_add_up_to_their_union():
    one, two = rng.integers(3, size=(20, 4)), rng.integers(2, 8, size=(5, 4))
    whole = perplexity(np.concatenate([one, two]))
    assert perplexity(one, two) == pytest.approx(whole, rel=1e-6)
    # which the mean over the batches is not
    assert abs((perplexity(one) + perplexity(two)) / 2 - whole) > 0.1


def test_weights_count_examples():
    indices = rng.integers(8, size=(4, 2, 2))
    weighted = perplexity(indices, weights=[np.array([2, 0, 1, 0])])
    assert weighted == pytest.approx(perplexity(indices[[0, 0, 2]]), rel=1e-6)


def test_reset_forgets():
    metric = CodebookPerplexity(4)
    metric.update_state([[0, 1]])
    metric.reset_state()
    metric.update_state([[2, 2]])
    assert float(metric.result()) == pytest.approx(1, rel=1e-6)


def test_it_counts_over_a_whole_epoch_of_evaluate():
    class Codes(keras.Model):
        def __init__(self):
            super().__init__()
            self.perplexity = CodebookPerplexity(8)

        def call(self, x):
            return x

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            self.perplexity.update_state(x, sample_weight=sample_weight)
            return 0.0 * ops.sum(ops.cast(x, "float32"))

    model = Codes()
    model.compile()
    x = np.arange(8)[:, None]
    for _ in range(2):
        logs = model.evaluate(x, batch_size=3, verbose=0, return_dict=True)
        assert_allclose(logs["perplexity"], 8, rtol=1e-6)


def test_config():
    metric = CodebookPerplexity(7, name="codes")
    copy = CodebookPerplexity.from_config(metric.get_config())
    assert copy.num_codes == 7 and copy.name == "codes"
    assert CodebookPerplexity(7).name == "perplexity"
    with pytest.raises(ValueError, match="`num_codes` must be a positive integer"):
        CodebookPerplexity(0)
