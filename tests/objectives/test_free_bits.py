import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from keras_aevae.objectives import free_bits

# Mean KL of the four dimensions over the batch of 8: about 0.05, 0.4, 0.6 and 3 nats.
KL = (np.random.default_rng(0).uniform(0.5, 1.5, (8, 4)) * np.array([0.05, 0.4, 0.6, 3.0])).astype(
    "float32"
)


def added(kl, nats):
    return ops.convert_to_numpy(free_bits(kl, nats))


@pytest.mark.parametrize("nats", [0.0, 0.1, 0.5, 2.0, 10.0])
def test_batch_mean_is_the_floored_kl(nats):
    total = KL.sum(-1) + added(KL, nats)
    assert total.shape == (8,)
    expected = np.maximum(nats, KL.mean(0, dtype="float64")).sum()
    assert_allclose(total.mean(dtype="float64"), expected, rtol=1e-6)  # 4 terms, float32


def test_none_are_added_where_each_dimension_carries_more():
    assert_array_equal(added(KL, 0.0), np.zeros(8))
    assert_array_equal(added(10 * KL + 1, 0.5), np.zeros(8))


def test_the_batch_mean_decides_not_the_example():
    # An example below the threshold in a dimension above it pays nothing, and the other way round.
    kl = np.array([[0.1, 0.1], [2.0, 0.6]], "float32")
    assert_allclose(added(kl, 0.5), [0.4, -0.1], rtol=1e-6)


def test_gradient_is_that_of_the_dimensions_above(gradient):
    got = gradient(lambda kl: ops.mean(ops.sum(kl, -1) + free_bits(kl, 0.5)), KL)
    assert np.all(KL.mean(0)[:2] < 0.5) and np.all(KL.mean(0)[2:] > 0.5)
    assert_array_equal(got, np.broadcast_to([0, 0, 1 / 8, 1 / 8], (8, 4)))
