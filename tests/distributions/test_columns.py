"""A likelihood of columns of mixed kinds: each against SciPy, and what missing values change."""

import json

import keras
import numpy as np
import pandas
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, special, stats

from keras_aevae.distributions import Column, Columns, column_groups

NAN = np.nan
# Of each kind: columns that are computed together, with scales and numbers of categories of their
# own.
TABLE = [
    Column("height", "gaussian", location=170.0, scale=10.0),
    Column("size", "ordinal", ("S", "M", "L", "XL")),
    Column("sold", "poisson", location=1.0, scale=0.5),
    Column("color", "categorical", ("red", "green", "blue")),
    Column("income", "log_normal", location=8.0, scale=0.7),
    Column("visits", "negative_binomial", location=3.0, scale=2.0),
    Column("change", "gaussian"),
    Column("known", "categorical", (False, True)),
    Column("grade", "ordinal", (1, 2)),
    Column("shape", "categorical", ("a", "b", "c")),
    Column("errors", "poisson"),
]


def compute(f, *arrays):
    return ops.convert_to_numpy(f(*(ops.convert_to_tensor(a) for a in arrays)))


def data(n=6, seed=0):
    """Valid values of each column, shape (n, 11), none of which is missing."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.normal(170, 10, n),
        rng.integers(0, 4, n),
        rng.poisson(3, n),
        rng.integers(0, 3, n),
        np.exp(rng.normal(8, 0.7, n)),
        rng.poisson(20, n),
        rng.normal(size=n),
        rng.integers(0, 2, n),
        rng.integers(0, 2, n),
        rng.integers(0, 3, n),
        rng.poisson(1, n),
    ]
    return np.stack(columns, axis=-1).astype("float32")


def parameters(likelihood, n=6, seed=1):
    return np.random.default_rng(seed).normal(size=(n, likelihood.num_params)).astype("float32")


@pytest.fixture
def table():
    likelihood = Columns(TABLE)
    return likelihood, data(), parameters(likelihood)


def bounded(value, bound):
    return bound * np.tanh(value / bound)


def frozen(column, p):
    """The SciPy distribution of a column of numbers at the outputs `p`, float64, for it."""
    location, scale = column.location, column.scale
    if column.kind in ("gaussian", "log_normal"):
        mean, std = location + scale * p[..., 0], scale * np.exp(0.5 * bounded(p[..., 1], 10.0))
        if column.kind == "gaussian":
            return stats.norm(mean, std)
        return stats.lognorm(s=std, scale=np.exp(mean))
    mean = np.exp(location + bounded(scale * p[..., 0], 20.0))
    if column.kind == "poisson":
        return stats.poisson(mean)
    dispersion = np.exp(bounded(p[..., 1], 15.0))
    return stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))


def probabilities(column, p):
    """The probabilities of a column's categories at the outputs `p`, by their definition."""
    if column.kind == "categorical":
        return special.softmax(p, axis=-1)
    gaps = np.logaddexp(0.0, p[..., 1:]) + 1e-6
    thresholds = p[..., :1] + np.concatenate(
        [np.zeros_like(p[..., :1]), np.cumsum(gaps, axis=-1)], axis=-1
    )
    reached = special.expit(thresholds)  # P(x <= k)
    ends = np.zeros_like(p[..., :1])
    return np.diff(np.concatenate([ends, reached, ends + 1.0], axis=-1), axis=-1)


def log_probs_by_scipy(likelihood, x, params):
    """log p of each value, (n, num_columns)."""
    x, params = x.astype("float64"), params.astype("float64")
    parts = []
    for j, column in enumerate(likelihood.columns):
        p = params[..., likelihood.slices[column.name]]
        if column.categorical:
            each = probabilities(column, p)
            parts.append(np.log(each[np.arange(len(x)), x[:, j].astype(int)]))
            continue
        distribution = frozen(column, p)
        continuous = column.kind in ("gaussian", "log_normal")
        parts.append((distribution.logpdf if continuous else distribution.logpmf)(x[:, j]))
    return np.stack(parts, axis=-1)


# The log-likelihood


def test_each_column_has_the_log_probability_of_scipy(table):
    likelihood, x, params = table
    for size in (0.3, 1.0, 3.0):
        got = compute(likelihood.log_prob_of_each, x, size * params)
        assert got.dtype == "float32"
        assert_allclose(got, log_probs_by_scipy(likelihood, x, size * params), rtol=2e-5, atol=2e-5)


# A mean of 10 million visits, all of which have the digits that float32 can give.
COUNTS = [0, 1, 2, 3, 10, 100, 1000, 12_345, 1_000_000, 10_000_001]


@pytest.mark.parametrize("log_dispersion", [-14.0, -6.0, -1.0, 0.0, 2.0, 6.0])
@pytest.mark.parametrize("kind", ["poisson", "negative_binomial"])
def test_large_counts_keep_their_digits(kind, log_dispersion):
    """Close to their mean, and however far from it."""
    likelihood = Columns([Column("n", kind)])
    x = np.array(COUNTS, "float32")[:, None]
    near = np.exp(0.5 * np.random.default_rng(0).normal(size=x.shape) / np.sqrt(x + 1))
    mean = np.concatenate([(x + 0.5) * near, *(np.full_like(x, m) for m in (0.01, 30.0, 3e5))])
    x = np.tile(x, (4, 1))
    raw = 20.0 * np.arctanh(np.log(mean) / 20.0)
    params = np.concatenate([raw, np.full_like(raw, 15 * np.arctanh(log_dispersion / 15.0))], -1)
    params = params[:, : likelihood.num_params].astype("float32")
    got = compute(likelihood.log_prob, x, params)
    # What a float32 holds of the log-mean: 1e-6 of it, times how fast log p changes with it.
    expected = log_probs_by_scipy(likelihood, x, params)[:, 0]
    step = np.zeros_like(params, "float64")
    step[:, 0] = 4e-6
    change = log_probs_by_scipy(likelihood, x, params + step)[:, 0] - expected
    assert np.all(np.abs(got - expected) < 5e-6 * (2 + np.abs(expected)) + np.abs(change))


@pytest.mark.parametrize("name", ["height", "income"])
def test_a_density_is_one_of_the_value_in_its_own_units(name):
    likelihood = Columns([column for column in TABLE if column.name == name])
    params = np.array([[0.3, -0.4]], "float32")
    low, high = (100.0, 250.0) if name == "height" else (1.0, 2e5)
    grid = np.geomspace(low, high, 20_001).astype("float32")[:, None]
    density = np.exp(compute(likelihood.log_prob, grid, np.repeat(params, len(grid), axis=0)))
    assert integrate.simpson(density, x=grid[:, 0]) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", ["sold", "visits", "errors", "size", "color", "known", "grade"])
def test_probabilities_sum_to_one(name):
    [column] = [column for column in TABLE if column.name == name]
    likelihood = Columns([column])
    params = 0.7 * parameters(likelihood, 1)
    values = len(column.categories) if column.categorical else 20_000
    x = np.arange(values, dtype="float32")[:, None]
    log_probs = compute(likelihood.log_prob, x, np.repeat(params, values, axis=0))
    assert np.exp(log_probs.astype("float64")).sum() == pytest.approx(1.0, abs=1e-5)


def test_nats_add_up(table):
    likelihood, x, params = table
    whole = compute(likelihood.log_prob, x, params)
    assert whole.shape == (6,) and whole.dtype == "float32"
    each = compute(likelihood.log_prob_of_each, x, params)
    assert_allclose(whole, each.sum(axis=-1), rtol=1e-6)
    for j, column in enumerate(TABLE):  # alone, a column has the same nats
        own = params[:, likelihood.slices[column.name]]
        alone = compute(Columns([column]).log_prob, x[:, j : j + 1], own)
        assert_allclose(alone, each[:, j], rtol=1e-6, atol=1e-6)


def test_the_unit_of_a_continuous_column_moves_its_nats_by_a_constant():
    cm = Columns([Column("height", "gaussian", location=170.0, scale=10.0)])
    m = Columns([Column("height", "gaussian", location=1.7, scale=0.1)])
    x, params = data()[:, :1], parameters(cm)
    difference = compute(m.log_prob, x / 100, params) - compute(cm.log_prob, x, params)
    assert_allclose(difference, np.log(100.0), rtol=1e-5)


def test_draws_in_front(table):
    likelihood, x, params = table
    params = np.stack([params, params + 1, -params])
    got = compute(likelihood.log_prob, x, params)
    mean = compute(likelihood.mean, params)
    assert got.shape == (3, 6) and mean.shape == (3, *x.shape)
    for i in range(3):
        assert_allclose(got[i], compute(likelihood.log_prob, x, params[i]), rtol=1e-6)
        assert_allclose(mean[i], compute(likelihood.mean, params[i]), rtol=1e-6)


# Missing values


def hidden(x, seed=3):
    """`x` with a third of its values missing, and one row with none left; and what is observed."""
    observed = np.random.default_rng(seed).random(x.shape) > 1 / 3
    observed[2] = False
    return np.where(observed, x, NAN).astype("float32"), observed


def test_a_missing_value_costs_exactly_nothing(table):
    likelihood, x, params = table
    each = compute(likelihood.log_prob_of_each, x, params)
    gappy, observed = hidden(x)
    got = compute(likelihood.log_prob_of_each, gappy, params)
    assert_array_equal(got, np.where(observed, each, 0.0))
    total = compute(likelihood.log_prob, gappy, params)
    assert total[2] == 0.0
    assert_allclose(total, np.where(observed, each, 0.0).sum(axis=-1), rtol=1e-5, atol=1e-6)


def test_a_missing_value_has_exactly_no_gradient(table, gradient):
    likelihood, x, params = table
    gappy, observed = hidden(x)
    of = {}
    for name, values in (("whole", x), ("gappy", gappy)):
        of[name] = gradient(lambda p, x=values: ops.sum(likelihood.log_prob(x, p)), params)
    seen = np.zeros(params.shape, bool)
    for j, column in enumerate(TABLE):
        seen[:, likelihood.slices[column.name]] = observed[:, j : j + 1]
    assert np.isfinite(of["gappy"]).all() and np.any(of["whole"] != 0, axis=0).all()
    assert_array_equal(of["gappy"][~seen], 0.0)
    assert_array_equal(of["gappy"][seen], of["whole"][seen])


def test_the_parameters_of_a_missing_value_change_nothing(table, gradient):
    likelihood, x, params = table
    gappy, observed = hidden(x)
    other = params.copy()
    for j, column in enumerate(TABLE):
        other[~observed[:, j], likelihood.slices[column.name]] = 1e4
    assert_array_equal(
        compute(likelihood.log_prob, gappy, other), compute(likelihood.log_prob, gappy, params)
    )


def test_the_encoder_sees_standardised_numbers_codes_and_what_is_observed():
    likelihood = Columns(
        [
            Column("h", "gaussian", location=170.0, scale=10.0),
            Column("s", "ordinal", ("S", "M", "L")),
            Column("n", "poisson", location=1.0, scale=0.5),
            Column("c", "categorical", ("red", "green", "blue")),
            Column("i", "log_normal", location=8.0, scale=0.5),
        ]
    )
    x = [[180.0, 1, 7, 2, np.exp(9.0)], [NAN, NAN, 0, NAN, NAN], [NAN] * 5]
    seen = compute(likelihood.encoder_input, np.array(x, "float32"))
    n = 2 * (np.log(np.array([8.0, 1.0])) - 1)
    assert seen.shape == (3, *likelihood.encoder_shape())
    expected = [
        # h, i, c one-hot, s by what is reached, n; then what is observed, in the table's order
        [1, 2, 0, 0, 1, 1, 0, n[0], 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, n[1], 0, 0, 1, 0, 0],
        [0] * 13,
    ]
    assert_allclose(seen, expected, atol=1e-5)


# Means, modes and draws


def test_means_are_those_of_scipy(table):
    likelihood, _, params = table
    mean = compute(likelihood.mean, params)
    assert mean.shape == (6, 11) and mean.dtype == "float32"
    for j, column in enumerate(TABLE):
        p = params[:, likelihood.slices[column.name]].astype("float64")
        if column.categorical:  # the most probable
            expected = probabilities(column, p).argmax(axis=-1)
        else:
            expected = frozen(column, p).mean()
        assert_allclose(mean[:, j], expected, rtol=1e-4, err_msg=column.name)


def test_an_average_over_draws_weighs_probabilities_and_not_codes():
    likelihood = Columns([Column("c", "categorical", ("a", "b", "c")), Column("x", "gaussian")])
    scores = np.log([[0.6, 0.3, 0.1], [0.05, 0.3, 0.65], [0.05, 0.9, 0.05]])
    numbers = np.array([[1.0, 0.0], [2.0, 0.0], [6.0, 0.0]])
    params = np.concatenate([numbers, scores], axis=-1).astype("float32")
    average = compute(likelihood.expectation, params).mean(axis=0)
    # Probabilities 0.233, 0.5, 0.267: b, though a and c are the most probable in most draws.
    assert_allclose(compute(likelihood.from_expectation, average), [1.0, 3.0], rtol=1e-6)


def test_the_mode_is_the_most_probable(table):
    likelihood, x, params = table
    mode = compute(likelihood.mode, params)
    best = compute(likelihood.log_prob_of_each, mode, params)
    near = mode * np.array([1.001, *[1] * 3, 1.001, 1, 1.001, *[1] * 4], "float32")
    whole = np.array([c.kind in ("poisson", "negative_binomial") for c in TABLE])
    others = [x, near, mode + whole, np.maximum(mode - whole, mode * ~whole), x[::-1]]
    for other in others:
        other = np.where(whole, np.maximum(other, 0), other).astype("float32")
        got = compute(likelihood.log_prob_of_each, other, params)
        assert np.all(got <= best + 1e-4 * (1 + np.abs(best)))


def test_draws_have_the_moments_of_scipy():
    likelihood, n = Columns(TABLE), 20_000
    params = 0.5 * parameters(likelihood, 1)
    many = np.repeat(params, n, axis=0)
    draws, again, other = (
        compute(lambda p, s=s: likelihood.sample(p, seed=s), many) for s in (1, 1, 20_000)
    )
    assert draws.shape == (n, 11) and draws.dtype == "float32"
    assert_array_equal(draws, again)
    assert np.all(np.any(draws != other, axis=0))
    for j, column in enumerate(TABLE):
        p = params[0, likelihood.slices[column.name]].astype("float64")
        if column.categorical:
            each = probabilities(column, p)
            counts = np.bincount(draws[:, j].astype(int), minlength=len(each))
            assert stats.chisquare(counts, n * each).pvalue > 1e-6, column.name
            continue
        distribution = frozen(column, p)
        values = np.log(draws[:, j]) if column.kind == "log_normal" else draws[:, j]
        mean, std = distribution.mean(), distribution.std()
        if column.kind == "log_normal":
            mean, std = np.log(distribution.median()), distribution.kwds["s"]
        assert abs(values.mean() - mean) < 5 * std / np.sqrt(n), column.name
        assert values.std() == pytest.approx(std, rel=0.1), column.name
        if column.kind in ("poisson", "negative_binomial"):
            assert_array_equal(values, np.round(values))
            zeros = stats.binomtest((values == 0).sum(), n, distribution.pmf(0))
            assert zeros.pvalue > 1e-6
    correlation = np.corrcoef(draws, rowvar=False) - np.eye(11)
    assert np.all(np.abs(correlation) < 5 / np.sqrt(n))


# What every likelihood promises


def test_extreme_parameters_have_finite_values_and_gradients(table, gradient):
    likelihood, x, params = table
    gappy, _ = hidden(x)
    signs = np.random.default_rng(2).choice([-1, 0, 1], params.shape).astype("float32")
    # Squares of 1e15 are about the largest that float32 holds.
    for size in (1e15, 1e4, 100.0):
        params = signs * np.float32(size)
        for values in (x, gappy):
            total = gradient(lambda p, x=values: ops.sum(likelihood.log_prob(x, p)), params)
            assert np.isfinite(total).all()
            assert np.isfinite(compute(likelihood.log_prob, values, params)).all()
        assert np.isfinite(compute(likelihood.mean, params)).all()
        assert np.isfinite(compute(likelihood.mode, params)).all()
        assert np.isfinite(compute(lambda p: likelihood.sample(p, seed=0), params)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_parameters_are_computed_in_float32(table, dtype):
    likelihood, x, params = table
    narrow = ops.cast(params, dtype)
    wide = ops.convert_to_numpy(ops.cast(narrow, "float32"))
    for method in (lambda p: likelihood.log_prob(x, p), likelihood.mean):
        got = compute(method, narrow)
        assert got.dtype == "float32"
        assert_array_equal(got, compute(method, wide))


def test_config_survives_json(table):
    likelihood, x, params = table
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(likelihood)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.columns == likelihood.columns and copy.get_config() == likelihood.get_config()
    assert_array_equal(compute(copy.log_prob, x, params), compute(likelihood.log_prob, x, params))


def test_shapes(table):
    likelihood = table[0]
    assert likelihood.params_shape((11,)) == (22,)
    assert likelihood.data_shape((22,)) == (11,)
    taken = [i for s in likelihood.slices.values() for i in range(22)[s]]
    assert sorted(taken) == list(range(22))
    with pytest.raises(ValueError, match=r"`decoder` must give the 22 .*params_shape.*\(5,\)"):
        likelihood.data_shape((5,))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Columns([]), "`columns` must be one or more .* Received: none"),
        (lambda: Columns([Column("a", "poisson")] * 2), "a more than once"),
        (lambda: Column("a", "gausian"), "kind='gausian'. Did you mean: gaussian"),
        (lambda: Column("a", None), "kind=None"),
        (lambda: Column("a", "gaussian", scale=0.0), "`scale` must be .* greater than 0"),
        (lambda: Column("a", "gaussian", ("x", "y")), "`categories` are for categorical"),
        (lambda: Column("a", "categorical"), "1 or more different .* categories=None"),
        (lambda: Column("a", "categorical", "xyz"), "categories='xyz'"),
        (lambda: Column("a", "categorical", ("x", "x")), "different strings"),
        (lambda: Column("a", "ordinal", ("x",)), "2 or more"),
        (lambda: Column(None, "poisson"), "`name` must be a string or an integer"),
    ],
)
def test_bad_columns(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("sold", -1.0, "'sold', which is poisson. Received: -1 and 0 other"),
        ("sold", 1.5, "whole numbers of 0 or more in column 'sold'"),
        ("income", 0.0, "numbers above 0 in column 'income'"),
        ("color", 3.0, "codes 0 to 2 of its categories in column 'color'"),
        ("size", 0.5, "codes 0 to 3 .*'size'"),
    ],
)
def test_invalid_values_name_their_column(table, column, value, message):
    likelihood, x, _ = table
    assert likelihood.as_array(x) is x
    x[4, likelihood.names.index(column)] = value
    with pytest.raises(ValueError, match=message):
        likelihood.as_array(x)


# DataFrames


def frame():
    """A column of each dtype, with missing values where it can have them."""
    p = pandas
    columns = {
        "float64": [1.5, NAN, 2.5, 0.25],
        "float32": np.array([1, 2, NAN, 4], "float32"),
        "Float64": p.array([1.5, None, 2.5, 3.25], dtype="Float64"),
        "int64": [3, 0, 2, 7],
        "negative": [3, -4, 2, 7],
        "uint8": np.array([1, 2, 3, 4], "uint8"),
        "Int64": p.array([1, None, 3, 0], dtype="Int64"),
        "bool": [True, False, True, True],
        "boolean": p.array([True, None, False, True], dtype="boolean"),
        "object": p.Series(["x", None, "y", "x"], index=list("wxyz"), dtype=object),
        "string": p.array(["u", None, "v", "u"], dtype="string"),
        "plain": ["s", "t", "s", None],  # dtype str, since pandas 3
        "category": p.Categorical(["b", None, "a", "b"], categories=["b", "a", "unused"]),
        "ordered": p.Categorical(["lo", "hi", None, "hi"], categories=["lo", "hi"], ordered=True),
    }
    return p.DataFrame(columns, index=["w", "x", "y", "z"])


KINDS = {
    "float64": "gaussian",
    "float32": "gaussian",
    "Float64": "gaussian",
    "int64": "negative_binomial",
    "negative": "gaussian",
    "uint8": "negative_binomial",
    "Int64": "negative_binomial",
    "ordered": "ordinal",
}


def test_kinds_are_inferred_from_dtypes():
    columns = Columns.from_frame(frame())
    assert columns.names == list(frame().columns)
    inferred = {c.name: c.kind for c in columns.columns}
    assert inferred == {name: KINDS.get(name, "categorical") for name in columns.names}
    of = dict(zip(columns.names, columns.columns))
    assert of["category"].categories == ("b", "a", "unused")
    assert of["ordered"].categories == ("lo", "hi")
    assert of["plain"].categories == ("s", "t")
    assert of["boolean"].categories == (False, True)
    # The scales are those of the observed values.
    values = np.array([1.5, 2.5, 0.25])
    assert (of["float64"].location, of["float64"].scale) == (values.mean(), values.std())
    logs = np.log1p([3, 0, 2, 7])
    assert of["int64"].location == pytest.approx(logs.mean())
    assert of["int64"].scale == pytest.approx(logs.std())


def test_what_was_inferred_is_shown():
    text = str(Columns.from_frame(frame()))
    assert repr(Columns.from_frame(frame())) == text
    for column in Columns.from_frame(frame()).columns:
        [line] = [line for line in text.splitlines() if line.split()[0] == column.name]
        assert column.kind in line and column.details() in line
    assert "lo < hi" in text and "b, a, unused" in text


def test_kinds_can_be_overridden():
    whole = Column("int64", "ordinal", (0, 2, 3, 7, 9))
    kinds = {"float64": "log_normal", "uint8": "poisson", "negative": "categorical"}
    columns = Columns.from_frame(frame(), {**kinds, "int64": whole, "float32": "count"})
    of = dict(zip(columns.names, columns.columns))
    assert {name: of[name].kind for name in kinds} == kinds
    assert of["negative"].categories == (-4, 2, 3, 7)
    assert of["int64"] is whole and of["float32"].kind == "negative_binomial"
    assert of["float64"].location == pytest.approx(np.log([1.5, 2.5, 0.25]).mean())


def test_a_frame_becomes_an_array_and_the_same_frame_again():
    columns, given = Columns.from_frame(frame()), frame()
    x = columns.to_array(given)
    assert x.dtype == "float32" and x.shape == (4, 14)
    assert_array_equal(np.isnan(x), given.isna().to_numpy())
    assert_array_equal(x[:, columns.names.index("category")], [0, NAN, 1, 0])
    assert_array_equal(x[:, columns.names.index("boolean")], [1, NAN, 0, 1])
    again = columns.to_frame(x, given.index)
    pandas.testing.assert_frame_equal(again, given)
    # As a config of JSON has them.
    config = json.loads(json.dumps(columns.get_config()))
    pandas.testing.assert_frame_equal(Columns.from_config(config).to_frame(x, given.index), given)


def test_columns_are_found_by_name():
    columns, given = Columns.from_frame(frame()), frame()
    turned = given[given.columns[::-1]]
    assert_array_equal(columns.to_array(turned), columns.to_array(given))


def test_columns_without_names_have_their_numbers():
    given = pandas.DataFrame(np.arange(6.0).reshape(3, 2))
    columns = Columns.from_frame(given)
    assert columns.names == [0, 1]
    again = Columns.from_config(json.loads(json.dumps(columns.get_config())))
    pandas.testing.assert_frame_equal(again.to_frame(again.to_array(given)), given)


def test_integers_that_cannot_hold_means_become_floats():
    columns = Columns.from_frame(frame()[["int64", "Int64", "uint8"]])
    made = columns.to_frame(np.array([[1.5, 0.5, 2.0], [2.0, NAN, 3.0]], "float32"))
    assert [str(dtype) for dtype in made.dtypes] == ["float64", "Float64", "uint8"]


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda f: f.drop(columns="plain"), "without 'plain'.*add it as missing"),
        (lambda f: f.assign(more=1.0), "'more' beside them. Leave it out"),
        (lambda f: f.assign(plain="unknown"), "'plain' must hold the categories s, t. .*'unknown'"),
        (lambda f: f.assign(float64=["a", "b", "c", "d"]), "'float64' must hold numbers"),
        (lambda f: f.assign(int64=[1, 2, 3, -1]), "'int64'.*Received: -1"),
        (lambda f: pandas.concat([f, f["plain"]], axis=1), "different names"),
    ],
)
def test_a_frame_that_does_not_fit(spoil, message):
    columns = Columns.from_frame(frame())
    with pytest.raises(ValueError, match=message):
        columns.to_array(spoil(frame()))


@pytest.mark.parametrize(
    "spoil, kinds, message",
    [
        (lambda f: f.assign(plain=NAN), {}, "'plain' must have a value .*frame.drop"),
        (lambda f: f, {"plian": "count"}, "'plian'. Did you mean: plain"),
        (lambda f: f, {"plain": "gaussian"}, "'plain' must hold numbers.*'s'"),
        (lambda f: f, {"plain": "ordinal"}, "'plain' must say in which order"),
        (lambda f: f, {"negative": "poisson"}, "'negative' must hold whole numbers.*Received: -4"),
        (lambda f: f, {"int64": "log_normal"}, "'int64' must hold numbers above 0. Received: 0"),
        (lambda f: f, {"plain": "categorial"}, "kind='categorial'. Did you mean: categorical"),
        (lambda f: f.assign(day=pandas.Timestamp("2020-01-01")), {}, "'day'. Received: dtype dat"),
        (lambda f: f.assign(plain=[1, "a", 2, "b"]), {}, "all strings or all numbers"),
        (
            lambda f: f.assign(time=1.7e9 + np.arange(4.0)),
            {},
            r"'time' must differ .* near 1.7e\+09 with a standard deviation of 1.12. Subtract",
        ),
        (lambda f: f.to_numpy(), {}, "must be a pandas DataFrame. Received: a ndarray"),
    ],
)
def test_a_frame_from_which_nothing_can_be_inferred(spoil, kinds, message):
    with pytest.raises(ValueError, match=message):
        Columns.from_frame(spoil(frame()), kinds)


def test_constants_have_a_scale_of_one():
    """Also those whose standard deviation isn't 0 in floating point, such as 0.1."""
    assert np.std([0.1] * 3) > 0
    columns = Columns.from_frame(pandas.DataFrame({"a": [0.1] * 3}))
    assert columns.columns[0].scale == 1.0 and columns.columns[0].location == pytest.approx(0.1)


def test_small_integers_hold_what_they_can():
    frame = pandas.DataFrame({"a": np.array([1, 2], "uint8"), "b": pandas.array([1, 2], "Int8")})
    columns = Columns.from_frame(frame)
    made = columns.to_frame(np.array([[3.0, 4.0], [300.0, 300.0]]))
    assert made["a"].tolist() == [3, 300] and made["b"].tolist() == [4, 300]
    assert [str(dtype) for dtype in made.dtypes] == ["int64", "Int64"]
    small = columns.to_frame(np.array([[3.0, 4.0]]))
    assert [str(dtype) for dtype in small.dtypes] == ["uint8", "Int8"]


def test_a_column_of_another_name_is_refused():
    frame = pandas.DataFrame({"a": [0.5, 1.0]})
    with pytest.raises(ValueError, match="of that name. Received: one named 'b'"):
        Columns.from_frame(frame, kinds={"a": Column("b", "gaussian")})


def test_the_order_of_kinds_in_saved_models():
    kinds = ["gaussian", "log_normal", "categorical", "ordinal", "poisson", "negative_binomial"]
    assert list(column_groups.KINDS)[: len(kinds)] == kinds


def test_log_normals_are_above_zero():
    columns = Columns([Column("a", "log_normal", location=-200.0)])
    params = np.zeros((4, *columns.params_shape()), "float32")
    for x in (columns.mode(params), columns.mean(params), columns.sample(params, seed=0)):
        assert (keras.ops.convert_to_numpy(x) > 0).all()
