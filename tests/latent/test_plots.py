import io

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_aevae.latent import plots
from keras_aevae.latent.plots._images import montage, to_rgb


def drawn(figure):
    """The figure's size in pixels, after drawing it."""
    assert isinstance(figure, Figure)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


@pytest.mark.parametrize("data_shape", [(5, 7, 3), (9, 4, 4), (6, 7, 1)])
def test_images_of_any_size_and_colour(tiny, rng, data_shape):
    models = tiny(data_shape)
    x = rng.uniform(size=(8, *data_shape)).astype("float32")
    drawn(plots.reconstructions(models, x))
    assert len(drawn(plots.samples(models, 8)).axes) == 2


def test_interpolations_and_samples_of_fitted_codes(tiny, rng):
    models = tiny((5, 7, 3))
    x = rng.uniform(size=(8, 5, 7, 3)).astype("float32")
    figure = drawn(plots.interpolations(models, x[:4], x[4:], steps=4))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["AE", "VAE"]
    codes = {name: model.encode(x) for name, model in models.items()}
    drawn(plots.samples(models, 8, codes=codes))


def test_flat_data_has_a_map_but_no_images(tiny, rng):
    models = tiny((6,))
    x = rng.uniform(size=(8, 6)).astype("float32")
    drawn(plots.codes(models, x))
    with pytest.raises(ValueError, match=r"`models` must be of images.*'AE'.*\(6,\)"):
        plots.samples(models)


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_map_of_any_number_of_dimensions(tiny, rng, latent_dim):
    models = tiny((6,), latent_dim)
    x = rng.uniform(size=(30, 6)).astype("float32")
    labels = np.arange(30) % 12  # more classes than colours
    figure = drawn(plots.codes(models, x, labels, class_names=list("abcdefghijkl")))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["AE", "VAE"]
    for axes, model in zip(figure.axes, models.values()):
        points = np.concatenate([c.get_offsets() for c in axes.collections])
        assert len(points) == len(x)
        if latent_dim == 2:  # the coordinates themselves, class by class
            order = np.argsort(labels, kind="stable")
            np.testing.assert_allclose(points, model.encode(x)[order], rtol=1e-5)
        assert "variance" in axes.get_xlabel() or latent_dim < 3


def test_only_clouds_have_ellipses(tiny, rng):
    from matplotlib.patches import Circle

    x = rng.uniform(size=(30, 6)).astype("float32")
    figure = plots.codes(tiny((6,)), x, np.arange(30) % 3)
    circles = [[type(p) is Circle for p in axes.patches] for axes in figure.axes]
    assert circles[0] == [True, True]  # the prior's
    # and, for the VAE, the posterior of one example a class: its face and its edge
    assert sorted(circles[1]) == [False] * 6 + [True, True]


def test_tiles_lie_where_the_step_says():
    images = np.arange(3)[:, None, None, None] / 2 * np.ones((3, 2, 4, 3))
    array, step = montage(images, columns=2)
    gap = step[0] - 32  # tiles are 64 pixels wide, hence 32 high
    assert array.shape == (*(step * 2 + gap), 3)
    for i in range(3):
        row, column = divmod(i, 2)
        centre = step * (row, column) + gap + (16, 32)
        assert (array[tuple(centre)] == i / 2).all()


def test_channels_become_colours():
    assert to_rgb(np.zeros((1, 1, 1, 1))).tolist() == [[[[1.0, 1.0, 1.0]]]]  # no ink: paper
    clear = np.array([0.2, 0.4, 0.6, 0.0]).reshape(1, 1, 1, 4)
    assert to_rgb(clear).ravel().tolist() == [1.0, 1.0, 1.0]
    assert to_rgb(np.full((1, 1, 1, 3), 7.0)).ravel().tolist() == [1.0, 1.0, 1.0]  # clipped


def test_the_users_settings_stay_and_do_not_matter(tiny, rng):
    x = rng.uniform(size=(4, 6, 6, 1)).astype("float32")
    with matplotlib.rc_context({"font.size": 33, "axes.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        figure = plots.reconstructions(tiny((6, 6, 1)), x)
        assert dict(matplotlib.rcParams) == before
    assert figure.axes[0].get_facecolor() == (1.0, 1.0, 1.0, 1.0)


def test_no_window_is_opened(tiny, rng):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    plots.codes(tiny((6,)), rng.uniform(size=(4, 6)).astype("float32"))
    assert pyplot.get_fignums() == before
