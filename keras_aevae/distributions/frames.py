"""pandas DataFrames as arrays of data and back, for `Columns`.

pandas is imported only when it is used.
"""

import sys

import numpy as np

from keras_aevae._checks import nearest
from keras_aevae.distributions.column_groups import ALIASES, KINDS, Categoricals, location_and_scale

# The largest error by which float32 may round a value, in standard deviations of its column.
COARSEST = 0.01


def imported_pandas():
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "DataFrames need pandas. Run: pip install pandas (or 'keras_aevae[pandas]'). Arrays of "
            "numbers, with categories as codes and NaN for missing values, need none."
        ) from error
    return pandas


def is_frame(x):
    """Return whether `x` is a pandas DataFrame."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(x, pandas.DataFrame)


def check_names(frame):
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise ValueError(
            f"The columns of a DataFrame must have different names. Received: {list(twice)} more "
            "than once. Rename them."
        )


# From a frame to columns


def infer_columns(frame, kinds, make):
    """Return the columns of `frame`, each made by `make(name, kind, ...)`. See `from_frame`."""
    imported_pandas()
    if not is_frame(frame):
        raise ValueError(
            f"`frame` must be a pandas DataFrame. Received: a {type(frame).__name__}. For an "
            "array, write the columns yourself: Columns([Column('height', 'gaussian'), ...])."
        )
    check_names(frame)
    unknown = [name for name in kinds if name not in frame.columns]
    if unknown:
        raise ValueError(
            f"`kinds` must name columns of the DataFrame. Received: {unknown[0]!r}. "
            f"{nearest(unknown[0], map(str, frame.columns))}"
        )
    return [infer_column(frame[name], name, kinds.get(name), make) for name in frame.columns]


def infer_column(series, name, kind, make):
    """Return the column of a DataFrame as `make(name, kind, ...)`; `kind` may be None, or whole."""
    if isinstance(kind, make):
        if kind.name != name:
            raise ValueError(
                f"`kinds` must give column {name!r} a `Column` of that name. Received: one named "
                f"{kind.name!r}."
            )
        return kind
    name = name.item() if isinstance(name, np.generic) else name
    observed = series.dropna()
    if not len(observed):
        raise ValueError(
            f"Column {name!r} must have a value that isn't missing. Received: {len(series)} values "
            f"that are. Leave it out: frame.drop(columns=[{name!r}])."
        )
    kind = inferred_kind(observed, name) if kind is None else ALIASES.get(kind, kind)
    dtype = str(series.dtype)
    if issubclass(KINDS.get(kind, Categoricals), Categoricals):  # `make` says which kinds there are
        return make(name, kind, categories_of(observed, name, kind), dtype=dtype)
    values = as_numbers(observed, name, kind)
    group = KINDS[kind]([make(name, kind)], [0])
    invalid = values[~group.contains(values)]
    if len(invalid):
        raise ValueError(
            f"The {kind} column {name!r} must hold {group.domain}. Received: {invalid[0]:g} and "
            f"{len(invalid) - 1} other values that aren't valid. Choose another kind: "
            f"kinds={{{name!r}: 'gaussian'}}."
        )
    location, scale = location_and_scale(kind, values)
    rounded = KINDS[kind].transform(values.astype("float32").astype("float64"))
    if np.abs(rounded - KINDS[kind].transform(values)).max() > COARSEST * scale:
        raise ValueError(
            f"The values of column {name!r} must differ by more than float32 can't tell apart. "
            f"Received: values near {location:.6g} with a standard deviation of {scale:.3g}. "
            f"Subtract what they share: frame[{name!r}] - frame[{name!r}].min()."
        )
    return make(name, kind, location=location, scale=scale, dtype=dtype)


def inferred_kind(series, name):
    """Return the kind of a column by its dtype, as `Columns.from_frame` documents it."""
    pandas = imported_pandas()
    types, dtype = pandas.api.types, series.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return "ordinal" if dtype.ordered and len(dtype.categories) > 1 else "categorical"
    if types.is_bool_dtype(dtype):
        return "categorical"
    if types.is_integer_dtype(dtype):
        return "negative_binomial" if series.min() >= 0 else "gaussian"
    if types.is_float_dtype(dtype):
        return "gaussian"
    if types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        return "categorical"
    raise ValueError(
        f"No kind is known for column {name!r}. Received: dtype {dtype}. Turn it into numbers or "
        f"strings, such as frame[{name!r}].astype('int64') or .astype('str'), or leave it out."
    )


def categories_of(series, name, kind):
    """Return the categories of a column: those of its dtype, in their order, or its values."""
    pandas = imported_pandas()
    if isinstance(series.dtype, pandas.CategoricalDtype):
        return series.dtype.categories.tolist()
    if pandas.api.types.is_bool_dtype(series.dtype):
        return [False, True]
    values = pandas.unique(series.astype(object)).tolist()
    strings = [isinstance(value, str) for value in values]
    if not all(strings) and (any(strings) or not all(isinstance(v, (int, float)) for v in values)):
        odd = next(value for value in values if not isinstance(value, str))
        raise ValueError(
            f"The categories of column {name!r} must be all strings or all numbers. Received: "
            f"{odd!r}, a {type(odd).__name__}. Turn them into strings: "
            f"frame[{name!r}].map(str, na_action='ignore')."
        )
    if kind == "ordinal" and strings[0]:
        raise ValueError(
            f"The ordinal column {name!r} must say in which order its categories are. Received: "
            f"strings, such as {values[0]!r}. Make it ordered: frame[{name!r}].astype("
            "pandas.CategoricalDtype(['low', 'high'], ordered=True)), with its own categories."
        )
    return sorted(values)


def as_numbers(series, name, kind):
    """Return a column as a float64 array with NaN for missing values."""
    try:
        return series.to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError):
        raise ValueError(
            f"The {kind} column {name!r} must hold numbers. Received: dtype {series.dtype}, such "
            f"as {series.dropna().iloc[0]!r}. Turn it into numbers by pandas.to_numeric, or choose "
            f"kind 'categorical'."
        ) from None


# From a frame to an array


def to_array(frame, columns, name):
    """Return `frame` as an array, shape (n, len(columns)), float32. See `Columns.to_array`."""
    check_names(frame)
    wanted = [column.name for column in columns]
    absent = [repr(each) for each in wanted if each not in frame.columns]
    if absent:
        raise ValueError(
            f"`{name}` must have the columns of the likelihood. Received: a DataFrame without "
            f"{', '.join(absent)}. {nearest(absent[0], map(str, frame.columns))} Where nothing is "
            f"known of it, add it as missing: {name}[{absent[0]}] = float('nan')."
        )
    extra = [repr(each) for each in frame.columns if each not in wanted]
    if extra:
        raise ValueError(
            f"`{name}` must have the columns of the likelihood alone. Received: {', '.join(extra)} "
            f"beside them. Leave it out: {name}[model.likelihood.names]."
        )
    arrays = [array_of(frame[column.name], column) for column in columns]
    return np.stack(arrays, axis=-1).astype("float32")


def array_of(series, column):
    """Return a column as floats: numbers, or the codes of its categories; NaN where missing."""
    if not column.categorical:
        return as_numbers(series, column.name, column.kind)
    pandas = imported_pandas()
    values = series.astype(object)
    codes = pandas.Index(column.categories, dtype=object).get_indexer(values)
    missing = series.isna().to_numpy()
    unknown = values[(codes < 0) & ~missing]
    if len(unknown):
        name = column.name
        raise ValueError(
            f"Column {name!r} must hold the categories {column.details()}. Received: "
            f"{unknown.iloc[0]!r} and {len(unknown) - 1} other values that aren't "
            "among them. Make them "
            f"missing, frame[{name!r}].where(frame[{name!r}].isin(categories)), or make the "
            "`Columns` of a DataFrame that has them all."
        )
    return np.where(missing, np.nan, codes)


# From an array to a frame


def to_frame(x, columns, index=None):
    """Return the array `x` as a DataFrame. See `Columns.to_frame`."""
    pandas = imported_pandas()
    x = np.asarray(x, "float64")
    series = {column.name: series_of(each, column, index) for column, each in zip(columns, x.T)}
    return pandas.DataFrame(series, index=index)


def series_of(values, column, index):
    """Return the values of one column as a Series of the column's dtype, if it can hold them."""
    pandas = imported_pandas()
    missing = np.isnan(values)
    dtype = column.dtype or ("object" if column.categorical else "float64")
    if column.categorical:
        codes = np.where(missing, -1, values).astype(int)
        if dtype == "category":
            ordered = column.kind == "ordinal"
            held = pandas.Categorical.from_codes(codes, list(column.categories), ordered=ordered)
            return pandas.Series(held, index=index)
        # A code of -1 takes the last: None.
        values = np.array([*column.categories, None], dtype=object)[codes]
    whole = column.categorical or (values[~missing] == np.round(values[~missing])).all()
    kind = dtype.lower()
    if kind.startswith(("int", "uint")) and not whole:
        dtype = "float64" if dtype == kind else "Float64"
    elif kind.startswith(("int", "uint")) and not fits(values[~missing], kind):
        dtype = "Int64" if missing.any() or dtype != kind else "int64"
    elif missing.any() and dtype == kind and kind.startswith(("int", "uint")):
        dtype = "object" if column.categorical else "float64"  # NumPy's have no missing values
    elif missing.any() and dtype == "bool":
        dtype = "boolean"
    elif not column.categorical and not kind.startswith(("int", "uint", "float")):
        dtype = "float64"
    return pandas.Series(values, index=index, dtype=dtype)


def fits(values, kind):
    """Return whether integers of this kind, such as "uint8", can hold the `values`."""
    limits = np.iinfo(kind)
    values = values.astype("float64")
    return bool(((values >= limits.min) & (values <= limits.max)).all())


def fill(frame, filled):
    """Return `frame` with the values of `filled`, of the same columns, where its own are missing.
    All other values, and columns without missing ones, stay what they are."""
    result = frame.copy()
    for name in frame.columns:
        missing = frame[name].isna()
        if missing.all():
            result[name] = filled[name]
        elif missing.any():
            result[name] = filled_series(frame[name], missing, filled[name])
    return result


def filled_series(series, missing, values):
    """Return `series` with those `values` where it is `missing`; as floats where its integers can't
    hold them."""
    if str(series.dtype).lower().startswith(("int", "uint")) and values.dtype.kind == "f":
        series = series.astype("Float64")
    return series.where(~missing, values.to_numpy())
