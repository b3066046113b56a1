"""What the pictures of codes, draws and numbers show is what they were given."""

import io

import keras
import numpy as np
import pytest

from keras_aevae import ConditionalVAE, latent, networks
from keras_aevae.latent import plots
from keras_aevae.latent.plots._images import montage
from keras_aevae.latent.plots._labels import broken, spread

SHAPE = (5, 7, 3)


def drawn(figure):
    """The figure, after drawing it."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def array_of(axes):
    return np.asarray(axes.images[0].get_array())


def tiles(axes, rows, columns):
    """The tiles of a montage that is drawn on `axes`, (rows, columns, height, width, 3)."""
    array = array_of(axes)
    _, step = montage(np.zeros((1, *SHAPE)), columns)
    gap = len(array) - rows * step[0]
    height, width = step - gap
    assert array.shape[:2] == (rows * step[0] + gap, columns * step[1] + gap)
    return np.array(
        [
            [
                array[top : top + height, left : left + width]
                for left in range(gap, width * columns, step[1])
            ]
            for top in range(gap, height * rows + gap, step[0])
        ]
    )


def enlarged(images):
    """The tiles of some images alone."""
    return np.stack([tile_of(image) for image in images])


def tile_of(image):
    array, step = montage(image[None], columns=1)
    gap = len(array) - step[0]
    return array[gap : step[0], gap : step[1]]


@pytest.fixture
def models(tiny):
    return tiny(SHAPE, 4)


@pytest.fixture
def x(rng):
    return rng.uniform(size=(30, *SHAPE)).astype("float32")


@pytest.fixture
def codes(models, x):
    return {name: model.encode(x) for name, model in models.items()}


@pytest.fixture
def mixed(models):
    """A VAE beside a model that is told one of three labels."""
    keras.utils.set_random_seed(0)
    networks_of = networks.mlp(SHAPE, 4, hidden=(16,), condition_dim=3)
    return {"VAE": models["VAE"], "told": ConditionalVAE(*networks_of, classes=3, seed=0)}


def test_conditional_models_are_told_beside_others_that_are_not(mixed, x):
    vae, told = mixed.values()
    y = np.arange(len(x)) % 3
    (axes,) = drawn(plots.reconstructions(mixed, x[:4], condition=y[:4])).axes
    found = tiles(axes, 3, 4)
    expected = told.reconstruct(x[:4], condition=y[:4])
    assert np.abs(expected - told.reconstruct(x[:4], condition=0)).max() > 1e-3
    np.testing.assert_allclose(found[1], enlarged(vae.reconstruct(x[:4])), atol=1e-5)
    np.testing.assert_allclose(found[2], enlarged(expected), atol=1e-5)

    figure = plots.interpolations(mixed, x[:2], x[2:4], steps=3, condition=y[1:3])
    path = told.interpolate(x[:2], x[2:4], 3, condition=y[1:3])
    for row, images in zip(tiles(figure.axes[1], 2, 5), path):
        np.testing.assert_allclose(row[1:-1], enlarged(images), atol=1e-5)

    drawn(plots.codes(mixed, x, condition=2))  # one for all
    figure = plots.codes(mixed, x, condition=y)
    points = np.asarray(figure.axes[1].collections[0].get_offsets())
    lengths = np.sqrt(((points[:, None] - points) ** 2).sum(axis=-1))
    codes = {"VAE": vae.encode(x), "told": told.encode(x, condition=y)}
    apart = np.sqrt(((codes["told"][:, None] - codes["told"]) ** 2).sum(axis=-1))
    assert (lengths <= apart + 1e-5).all() and lengths.max() > 0.5 * apart.max()  # a projection

    figure = plots.manifold(mixed, codes, size=3, condition=2)
    mean = told.decode(codes["told"].mean(axis=0, keepdims=True), condition=2)
    np.testing.assert_allclose(tiles(figure.axes[1], 3, 3)[1, 1], tile_of(mean[0]), atol=1e-5)

    figure = plots.traversals(mixed, x[5:], codes, steps=3, condition=y[5])
    image = tile_of(told.reconstruct(x[5:6], condition=y[5:6])[0])
    for row in tiles(figure.axes[1], 4, 3):
        np.testing.assert_allclose(row[1], image, atol=1e-5)

    figure = plots.samples(mixed, 8, condition=1, seed=3)
    expected = enlarged(told.sample(8, condition=1, seed=3))
    np.testing.assert_allclose(tiles(figure.axes[1], 1, 8)[0], expected, atol=1e-5)


def test_conditional_models_ask_for_their_condition(mixed, x):
    for ask in (
        lambda: plots.reconstructions(mixed, x),
        lambda: plots.codes(mixed, x),
        lambda: plots.samples(mixed),
    ):
        with pytest.raises(ValueError, match="ConditionalVAE needs a condition for each"):
            ask()


def test_the_middle_of_a_manifold_is_the_decoded_mean(models, codes):
    figure = drawn(plots.manifold(models, codes, size=3))
    assert titles(figure) == ["AE", "VAE"]
    for axes, (name, model) in zip(figure.axes, models.items()):
        mean = model.decode(codes[name].mean(axis=0, keepdims=True))
        np.testing.assert_allclose(tiles(axes, 3, 3)[1, 1], tile_of(mean[0]), atol=1e-5)
        assert "of the variance" in axes.get_xlabel()
        assert [text.get_text() for text in axes.get_xticklabels()] == ["−2 sd", "mean", "+2 sd"]


def test_a_manifold_goes_right_and_up(tiny, rng):
    models = tiny(SHAPE, 2)
    codes = {name: rng.normal(size=(50, 2)) * [3, 1] + [1, 2] for name in models}
    figure = plots.manifold(models, codes, size=3, extent=1.5)
    for axes, (name, model) in zip(figure.axes, models.items()):
        mean, sd = codes[name].mean(axis=0), codes[name].std(axis=0)
        corners = mean + 1.5 * sd * [[-1, 1], [1, 1], [-1, -1], [1, -1]]
        expected = enlarged(model.decode(corners.astype("float32")))
        found = tiles(axes, 3, 3)[[0, 0, 2, 2], [0, 2, 0, 2]]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert axes.get_xlabel() == "latent dimension 1"


def test_a_manifold_without_codes_is_on_the_priors_quantiles(tiny):
    from scipy.stats import norm

    models = tiny(SHAPE, 2)
    figure = plots.manifold(models, size=4)
    ends = norm.ppf([1 / 8, 7 / 8])
    corners = np.array([[ends[0], ends[1]], [ends[1], ends[0]]], "float32")
    for axes, model in zip(figure.axes, models.values()):
        found = tiles(axes, 4, 4)[[0, 3], [0, 3]]
        np.testing.assert_allclose(found, enlarged(model.decode(corners)), atol=1e-5)


def test_manifolds_need_a_plane_and_codes(tiny, models, codes):
    with pytest.raises(ValueError, match=r"`codes` are needed.*'AE' with latent_dim=4"):
        plots.manifold(models)
    with pytest.raises(ValueError, match=r"`models` must have 2 or more.*latent_dim=1"):
        plots.manifold(tiny(SHAPE, 1))
    with pytest.raises(ValueError, match=r"`codes` must hold.*codes of 'AE', and none of 'VAE'"):
        plots.manifold(models, {"AE": codes["AE"]})
    with pytest.raises(ValueError, match=r"`codes` of 'AE' must have shape \(n, 4\).*\(30, 3\)"):
        plots.manifold(models, {name: z[:, :3] for name, z in codes.items()})
    with pytest.raises(ValueError, match="`size` must be a positive integer"):
        plots.manifold(models, codes, size=0)
    with pytest.raises(ValueError, match="`extent` must be a finite number greater than 0"):
        plots.manifold(models, codes, extent=0)


def test_the_middle_of_a_traversal_is_the_reconstruction(models, codes, x):
    figure = drawn(plots.traversals(models, x[3:], codes, dimensions=3, steps=5, extent=3))
    assert titles(figure) == ["AE", "VAE"]
    for axes, (name, model) in zip(figure.axes, models.items()):
        order = np.argsort(-codes[name].std(axis=0))[:3]
        assert [text.get_text() for text in axes.get_yticklabels()] == [
            f"dim {d + 1}" for d in order
        ]
        found = tiles(axes, 3, 5)
        image = tile_of(model.reconstruct(x[3:4])[0])
        for row, d in zip(found, order):
            np.testing.assert_allclose(row[2], image, atol=1e-5)
            end = model.encode(x[3:4])
            end[0, d] += 3 * codes[name][:, d].std()
            np.testing.assert_allclose(row[4], tile_of(model.decode(end)[0]), atol=1e-5)


def test_traversals_without_codes_go_by_the_prior(models, x):
    axes = plots.traversals(models, x, steps=3).figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        f"dim {d}" for d in (1, 2, 3, 4)
    ]
    z = models["AE"].encode(x[:1])
    found = tiles(axes, 4, 3)
    for d in range(4):
        start = models["AE"].decode(z - 2 * np.eye(4, dtype="float32")[d : d + 1])
        np.testing.assert_allclose(found[d, 0], tile_of(start[0]), atol=1e-5)
    with pytest.raises(ValueError, match="`steps` must be at least 2. Received: steps=1"):
        plots.traversals(models, x, steps=1)


@pytest.mark.parametrize("latent_dim", [1, 2, 6])
def test_a_map_of_holes_shows_what_the_measure_counts(rng, latent_dim):
    codes = {"A": rng.normal(size=(300, latent_dim)), "B": 3 + rng.normal(size=(1000, latent_dim))}
    draws = {name: rng.normal(size=(n, latent_dim)) for name, n in (("A", 200), ("B", 900))}
    figure = drawn(plots.hole_map(codes, draws))
    for axes, name in zip(figure.axes, codes):
        share = latent.holes(codes[name], draws[name])
        assert axes.get_title(loc="left") == f"{name}: {share:.0%} of prior draws in holes"
        here, inside, among = (len(c.get_offsets()) for c in axes.collections)
        assert here == min(800, len(codes[name]))
        assert inside + among == min(800, len(draws[name]))
        if len(draws[name]) <= 800:
            assert inside / (inside + among) == pytest.approx(share)
        assert axes.get_aspect() == 1
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        assert texts == ["codes", "prior, in a hole", "prior, among codes"]


def test_a_map_of_holes_has_the_measures_level(rng):
    codes, draws = rng.normal(size=(2, 100, 2))
    figure = plots.hole_map({"A": codes}, {"A": draws}, level=0.5)
    assert f"{latent.holes(codes, draws, 0.5):.0%}" in titles(figure)[0]


def test_holes_need_pairs(rng):
    z = rng.normal(size=(20, 2))
    with pytest.raises(ValueError, match=r"same names.*\['A'\].*\['B'\]"):
        plots.hole_map({"A": z}, {"B": z})
    with pytest.raises(ValueError, match="`codes` and `draws` must have the same features"):
        plots.hole_map({"A": z}, {"A": z[:, :1]})
    with pytest.raises(ValueError, match="`level` must be"):
        plots.hole_map({"A": z}, {"A": z}, level=2)


def test_spectra_are_the_lines(rng):
    values = {"AE": np.sort(rng.uniform(size=32))[::-1], "VAE": np.array([1.0, 0.5, 0.1, 0.0])}
    (axes,) = drawn(plots.spectra(values, ylabel="singular value")).axes
    for line, one in zip(axes.lines, values.values()):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(one) + 1))
        np.testing.assert_array_equal(line.get_ydata(), one)
    assert [text.get_text() for text in axes.texts] == ["AE", "VAE"]
    assert [text.xy[0] for text in axes.texts] == [32, 4]
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "singular value")
    assert axes.get_xticks()[0] == 1


def test_names_of_lines_that_end_together_are_apart():
    (axes,) = drawn(plots.spectra({name: [2.0, 1.0] for name in "ABCD"})).axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    np.testing.assert_allclose(spread([0.5, 0.1, 0.5], gap=0.2), [0.4, 0.1, 0.6])


def test_long_names_are_broken_and_leave_the_picture_its_room():
    assert broken("conditional_vae_conv_mnist", 18) == "conditional_\nvae_conv_mnist"
    assert broken("VAE", 18) == "VAE" and broken("", 18) == ""
    long = "conditional_vae_conv_mnist"
    (axes,) = drawn(plots.spectra({"vae_conv_mnist": [2.0, 1.0], long: [2.0, 1.0]})).axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not boxes[0].overlaps(boxes[1])
    assert axes.get_window_extent().width > axes.figure.bbox.width / 2
    z = np.random.default_rng(0).normal(size=(50, 2))
    (axes,) = drawn(plots.hole_map({long: z}, {long: z + 1})).axes
    title = axes.title if axes.title.get_text() else axes._left_title
    assert title.get_window_extent().x1 < axes.figure.bbox.x1


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, -1.0], [0.0, 0.0], [[1.0]], [], [np.nan]])
def test_spectra_descend(values):
    with pytest.raises(ValueError, match=r"`values` must be.*descending.*Received: 'A'"):
        plots.spectra({"A": values})


def test_rates_are_the_lines_in_order(rng):
    mean, log_var = rng.normal(size=(2, 50, 4))
    mean[:, 1], log_var[:, 1] = 0, 0  # switched off
    nats = latent.rate_per_dimension(mean, log_var)
    (axes,) = drawn(plots.rates({"VAE": nats, "other": [0.5, 3.0]})).axes
    for line, one in zip(axes.lines, (nats, [0.5, 3.0]), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(one) + 1))
        np.testing.assert_array_equal(line.get_ydata(), sorted(one, reverse=True))
    assert axes.lines[0].get_ydata()[-1] == 0
    assert [(text.get_text(), text.xy[0]) for text in axes.texts] == [("VAE", 4), ("other", 2)]
    low, high = axes.get_ylim()
    assert (axes.get_yscale(), low) == ("linear", 0) and high > 3
    assert "nats" in axes.get_ylabel()


def test_rates_of_a_collapsed_model_can_be_drawn():
    (axes,) = drawn(plots.rates({"VAE": [0.0, 0.0]})).axes
    assert axes.get_ylim() == (0, 1)


@pytest.mark.parametrize("values", [[1.0, -0.1], [[1.0]], [], [np.nan], 3.0])
def test_rates_are_nats_of_dimensions(values):
    with pytest.raises(ValueError, match=r"`values` must be.*0 or more.*Received: 'A'"):
        plots.rates({"A": values})


def test_rate_and_distortion_are_the_points():
    points = {"VAE": [(20, 70, "β 1"), (5, 100, "β 4"), (12, 80)], "VampPrior": [(21, 67, "K 10")]}
    (axes,) = drawn(plots.rate_distortion(points)).axes
    curve, point, diagonal = axes.lines
    np.testing.assert_array_equal(curve.get_xydata(), [(5, 100), (12, 80), (20, 70)])
    np.testing.assert_array_equal(point.get_xydata(), [(21, 67)])
    assert (sum(diagonal.get_xy1()), diagonal.get_slope()) == (88, -1)
    words = {text.get_text() for text in axes.texts}
    assert words == {"VAE", "β 1", "β 4", "VampPrior, K 10", "equal ELBO"}
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("points", [[], [(1.0,)], (1.0, 2.0), [(np.inf, 2.0)]])
def test_points_have_a_rate_and_a_distortion(points):
    with pytest.raises(ValueError, match=r"`points` must be.*Received: 'AE'.*leave it out"):
        plots.rate_distortion({"AE": points})


def test_sources_are_the_rows(rng):
    images = {
        name: {source: rng.uniform(size=(4, *SHAPE)) for source in ("prior", "test codes")}
        for name in ("AE", "VAE")
    }
    figure = drawn(plots.sources(images))
    assert titles(figure) == ["AE", "VAE"]
    for axes, rows in zip(figure.axes, images.values()):
        assert [text.get_text() for text in axes.get_yticklabels()] == list(rows)
        for found, row in zip(tiles(axes, 2, 4), rows.values()):
            np.testing.assert_allclose(found, enlarged(row), atol=1e-6)


@pytest.mark.parametrize("shapes", [[], [(4, 6)], [(4, 6, 6, 2)], [(4, 6, 6, 1), (5, 6, 6, 1)]])
def test_sources_have_as_many_images_each(shapes):
    images = {f"source {i}": np.zeros(shape) for i, shape in enumerate(shapes)}
    with pytest.raises(ValueError, match=r"`images` must be.*Received: 'AE'"):
        plots.sources({"AE": images})


def test_effects_are_the_intervals():
    rows = [
        ("a claim whose words do not fit into one line", 0.5, 1, 2, "supported"),
        ("against", -3, -2, -1, "contradicted"),
        ("for", 1, 1.5, 2, "supported"),
        ("neither", -1, 0, 1, "undecided"),
    ]
    (axes,) = drawn(plots.effects(rows, "effect, sd")).axes
    bars, dots = axes.lines[:-1:2], axes.lines[1:-1:2]
    for bar, dot, (_, low, middle, high, _) in zip(bars, dots, rows, strict=True):
        assert list(bar.get_xdata()) == [low, high]
        assert list(dot.get_xdata()) == [middle]
    heights = [dot.get_ydata()[0] for dot in dots]
    assert heights == sorted(heights) and axes.yaxis_inverted()  # from the top
    assert [dot.get_marker() for dot in dots] == ["o", "s", "o", "o"]
    assert [dot.get_markerfacecolor() for dot in dots][2:] == ["#0072b2", "white"]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert [label.replace("\n", " ") for label in labels] == [row[0] for row in rows]
    assert labels[0].count("\n") == 1
    low, high = axes.get_xlim()
    assert low == -high and high > 3
    assert axes.get_xlabel() == "effect, sd"
    assert [text.get_text() for text in axes.texts] == ["← against the claim", "for the claim →"]
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["supported", "contradicted", "undecided"]


def test_effects_have_a_known_verdict_and_ascend():
    with pytest.raises(ValueError, match="Unknown `verdict`.*Did you mean: supported"):
        plots.effects([("a", 0, 1, 2, "suported")])
    with pytest.raises(ValueError, match=r"`rows` must be of \(label, low.*Received: \('a', 1, 0"):
        plots.effects([("a", 1, 0, 2, "supported")])
    with pytest.raises(ValueError, match=r"`rows` must be of \(label, low"):
        plots.effects([("a", 1)])
    with pytest.raises(ValueError, match="`rows` must hold at least one claim"):
        plots.effects([])
