import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_array_equal

from keras_aevae.distributions import Point, StandardNormal
from keras_aevae.distributions.posteriors import get_posterior


def test_every_draw_is_the_mean():
    mean = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    point = Point(mean)
    assert_array_equal(ops.convert_to_numpy(point.mean), mean)
    assert_array_equal(ops.convert_to_numpy(point.sample()), mean)
    draws = ops.convert_to_numpy(point.sample((2, 5), seed=0))
    assert_array_equal(draws, np.broadcast_to(mean, (2, 5, 4, 3)))


def test_gradient_passes_unchanged(gradient):
    mean = np.ones((2, 3), "float32")
    got = gradient(lambda m: ops.sum(Point(m).sample((5,))), mean)
    assert_array_equal(got, np.full((2, 3), 5.0))


def test_parameterize_takes_the_raw_outputs():
    assert get_posterior("point") is Point
    assert Point.raw_size(7) == 7
    raw = ops.convert_to_tensor(np.ones((2, 7), "float32"))
    assert tuple(Point.parameterize(raw)) == Point.parameters == ("mean",)


def test_a_point_has_no_kl_to_a_density():
    with pytest.raises(ValueError, match=r"KL\(Point \|\| StandardNormal\) has no closed form"):
        Point([[0.0, 1.0]]).kl(StandardNormal(2))
