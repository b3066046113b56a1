"""A likelihood of tables: columns of numbers, counts and categories, with missing values.

Nazábal, Olmos, Ghahramani & Valera 2020, Handling Incomplete Heterogeneous Data using VAEs,
https://arxiv.org/abs/1807.03653
"""

import dataclasses
import numbers

import keras
import numpy as np
from keras import ops

from keras_aevae._checks import check_name, check_number
from keras_aevae.distributions import frames
from keras_aevae.distributions.column_groups import ALIASES, KINDS, Categoricals, groups_of
from keras_aevae.distributions.likelihood import Likelihood
from keras_aevae.engine.arrays import as_array
from keras_aevae.engine.inference import as_numpy

# Where the categories are listed, only that many are shown.
SHOWN = 6


@dataclasses.dataclass(frozen=True)
class Column:
    """Says what one column of a table holds, for `Columns`.

    Args:
        name: the column's name, a string (or an integer, as in DataFrames without names).
        kind: what its values are distributed as, given z:

            - "gaussian": a real number;
            - "log_normal": a number above 0, whose logarithm is Gaussian;
            - "categorical": one of several categories without an order;
            - "ordinal": one of several categories with an order;
            - "poisson": a count whose variance is its mean;
            - "negative_binomial": a count of larger variance.

            "continuous" stands for "gaussian", and "count" for "negative_binomial".
        categories: of a categorical or ordinal column, what the codes 0, 1, ... stand for: strings,
            integers, floats or booleans.
        location, scale: of a column of numbers, what is typical: the mean and the standard
            deviation of its values; of the logarithm, if log-normal; of log(1 + x), of counts. The
            networks see and give numbers on this scale.
        dtype: the pandas dtype of the column in a DataFrame, as a string, or None.

    Example:

    ```python
    from keras_aevae.distributions import Column
    city = Column("city", "categorical", categories=("Ulm", "Bonn"))
    height = Column("height", "gaussian", location=170.0, scale=10.0)  # in cm
    ```
    """

    name: str
    kind: str
    categories: tuple | None = None
    location: float = 0.0
    scale: float = 1.0
    dtype: str | None = None

    def __post_init__(self):
        def keep(name, value):
            object.__setattr__(self, name, value)

        if isinstance(self.name, bool) or not isinstance(self.name, (str, numbers.Integral)):
            raise ValueError(
                f"`name` must be a string or an integer. Received: name={self.name!r}. Rename the "
                "column."
            )
        kind = ALIASES.get(self.kind, self.kind) if isinstance(self.kind, str) else self.kind
        keep("kind", check_name("kind", kind, KINDS))
        keep("location", check_number("location", self.location))
        keep("scale", check_number("scale", self.scale, minimum=0, exclusive=True))
        if self.categorical:
            keep("categories", checked_categories(self.name, self.kind, self.categories))
        elif self.categories is not None:
            raise ValueError(
                f"`categories` are for categorical and ordinal columns. Received: kind="
                f"{self.kind!r}, categories={self.categories!r} for column {self.name!r}."
            )

    @property
    def categorical(self):
        """True if its values are codes of categories."""
        return issubclass(KINDS[self.kind], Categoricals)

    def config(self):
        """Return the arguments, as plain values for JSON."""
        config = dataclasses.asdict(self)
        return {**config, "categories": list(self.categories) if self.categorical else None}

    def details(self):
        """Return a few words on the column, for a table."""
        if not self.categorical:
            return f"location {self.location:.4g}, scale {self.scale:.4g}"
        shown = [str(category) for category in self.categories[:SHOWN]]
        more = len(self.categories) - len(shown)
        joint = " < " if self.kind == "ordinal" else ", "
        return joint.join(shown) + (f"{joint}... ({len(self.categories)})" if more else "")


def side_by_side(parts):
    """Return tensors of each group's columns, shape (..., columns, width), as one of shape (...,
    all widths)."""
    shapes = [ops.shape(part) for part in parts]
    flat = [ops.reshape(p, (*s[:-2], s[-2] * s[-1])) for p, s in zip(parts, shapes)]
    return ops.concatenate(flat, axis=-1)


def checked_categories(name, kind, categories):
    """Return `categories` as a tuple of plain values, or raise an error."""
    least = 2 if kind == "ordinal" else 1
    values = () if categories is None or isinstance(categories, str) else tuple(categories)
    values = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    plain = all(isinstance(value, (str, int, float)) and value == value for value in values)
    if len(values) < least or not plain or len(set(values)) < len(values):
        raise ValueError(
            f"`categories` of the {kind} column {name!r} must be {least} or more different strings "
            f"or numbers. Received: categories={categories!r}."
        )
    return values


@keras.saving.register_keras_serializable(package="keras_aevae")
class Columns(Likelihood):
    """The columns of a table, of mixed kinds, independent given z; a value may be missing.

        log p(x|z) = sum of log p(x_j|z) over the columns j that are observed

    Data have shape (batch, num_columns), float32: numbers and counts as they are, categories as
    their codes 0, 1, ..., and NaN where a value is missing. A missing value changes nothing: its
    log-likelihood is 0, and so are its gradients. Or the data are a pandas DataFrame, which is read
    by the names of its columns, in any order.

    Log-likelihoods are in nats and in the data's own units: the density is that of the value as it
    is given, not of the standardised one, constants included. So the terms of different columns may
    be added; but those of continuous columns depend on the unit (a height in metres has a density
    100 times that in centimetres), while those of counts and categories are log-probabilities,
    which are never positive.

    The decoder gives each column parameters of its own, side by side (`slices` says where), on the
    scale of `location` l and `scale` s of its `Column`:

    | kind | outputs | means |
    | --- | --- | --- |
    | gaussian | m, v | mean l + s m, variance s^2 exp(v) |
    | log_normal | m, v | the same, of log x |
    | categorical | K logits | a softmax |
    | ordinal | t_1, gaps | P(x < k) = sigmoid(t_k), t_(k+1) = t_k + softplus(gap_k) |
    | poisson | r | mean exp(l + s r) |
    | negative_binomial | r, a | the same mean m, variance m + exp(a) m^2 |

    v is bounded smoothly to ±10, s r to ±20, a to ±15. `mean` gives the expectation of numbers and
    counts, and the most probable one of categories, which have no mean.

    The encoder sees (`encoder_input`) standardised numbers and counts (logarithms of the
    log-normal, log(1 + x) of counts), categories one-hot, for an ordinal column a 1 for each
    category that has been reached, 0 in all of these where a value is missing, and then a 1 for
    each column that is observed. It takes and gives vectors: `networks.mlp(columns.encoder_shape(),
    latent_dim, output_shape=columns.params_shape())`.

    Good for: tables with columns of any kind and with gaps. Every model takes it as its likelihood;
    `TabularVAE` also returns DataFrames and imputes. It is exact if values are missing at
    random: whether one is missing may depend on what is observed, not on the value itself. Misleads
    where it does (incomes that are missing because they are high), and where a continuous column
    repeats a value exactly, such as 0: the density there grows up to the bound of v.

    Args:
        columns: a list of `Column`s. `Columns.from_frame` infers them from a DataFrame.

    Raises:
        ValueError: if columns share a name. In use: if a value isn't valid for its column, or a
            DataFrame lacks a column, has another one, or an unknown category.

    Example:

    ```python
    import math
    from keras_aevae.distributions import Column, Columns
    columns = Columns([Column("sold", "poisson"), Column("color", "categorical", ("red", "blue"))])
    x = [[0.0, 1.0], [math.nan, 1.0]]  # none sold, blue; missing, blue
    columns.log_prob(x, params=[[0.0, 0.0, 0.0]] * 2)  # [-1.693, -0.693] nats
    ```
    """

    missing = True
    free_params = "parameters"

    def __init__(self, columns, **kwargs):
        super().__init__(**kwargs)
        given = [column if isinstance(column, Column) else Column(**column) for column in columns]
        names = [column.name for column in given]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice or not given:
            raise ValueError(
                "`columns` must be one or more `Column`s, each with a name of its own. Received: "
                f"{', '.join(twice) + ' more than once' if twice else 'none'}."
            )
        # Groups of columns that are computed together.
        self.groups = tuple(groups_of(given))
        self.columns = tuple(given)
        positions = np.concatenate([group.positions for group in self.groups])
        self.order = np.argsort(positions).astype("int32")

    @classmethod
    def from_frame(cls, frame, kinds=None):
        """Infer the columns of a pandas DataFrame: their kinds, categories and scales.

        | dtype | kind |
        | --- | --- |
        | floats | gaussian |
        | integers, none negative | negative_binomial |
        | integers | gaussian |
        | booleans, strings, objects, unordered categories | categorical |
        | ordered categories | ordinal |

        Print the result to see what was inferred, and choose another kind by `kinds`. pandas keeps
        whole numbers with gaps as floats, and numbers for categories (0 and 1, an identifier) as
        integers: it can't be seen what they mean. The location and the scale are those of the
        values that are observed.

        Args:
            frame: a DataFrame with one column or more; NaN, None, NA and NaT are missing values.
            kinds: dict from names of columns to kinds, such as `{"children": "count"}`, or to whole
                `Column`s.

        Returns:
            `Columns`, which also know the dtypes, for `to_frame`.

        Raises:
            ImportError: if pandas isn't installed.
            ValueError: if no kind fits a column, or all of its values are missing.

        Example:

        ```python
        import pandas
        from keras_aevae.distributions import Columns
        frame = pandas.DataFrame({"age": [31, 45, 28], "name": ["Ada", None, "Bo"]})
        columns = Columns.from_frame(frame, kinds={"age": "log_normal"})
        print(columns)
        ```
        """
        return cls(frames.infer_columns(frame, kinds or {}, Column))

    @property
    def names(self):
        """The names of the columns, in the order of the data."""
        return [column.name for column in self.columns]

    def __repr__(self):
        rows = [(str(c.name), c.kind, c.details()) for c in self.columns]
        widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
        lines = [f"{name:{widths[0]}}  {kind:{widths[1]}}  {rest}" for name, kind, rest in rows]
        return "\n".join([f"Columns: {len(rows)}", *(f"  {line}" for line in lines)])

    __str__ = __repr__

    # Shapes

    @property
    def num_params(self):
        """The number of the decoder's outputs."""
        return sum(len(group.positions) * group.outputs for group in self.groups)

    @property
    def num_expected(self):
        """The length of `expectation`."""
        return sum(len(group.positions) * group.parts for group in self.groups)

    @property
    def slices(self):
        """Where the parameters of each column are among the decoder's outputs: a dict from names to
        slices of the last axis."""
        slices, start = {}, 0
        for group in self.groups:
            for column in group.columns:
                slices[column.name] = slice(start, start + group.outputs)
                start += group.outputs
        return {name: slices[name] for name in self.names}

    def params_shape(self, data_shape=None):
        """Return the shape of the decoder's output, without the batch axis."""
        return (self.num_params,)

    def data_shape(self, params_shape):
        if tuple(params_shape) != (self.num_params,):
            raise ValueError(
                f"`decoder` must give the {self.num_params} parameters of the columns, shape "
                f"({self.num_params},): build it with output_shape=columns.params_shape(). "
                f"Received: output shape {tuple(params_shape)}."
            )
        return (len(self.columns),)

    def encoder_shape(self, data_shape=None):
        """Return the shape of what the encoder sees, without the batch axis."""
        inputs = sum(len(group.positions) * group.features for group in self.groups)
        return (inputs + len(self.columns),)

    # Data

    def as_array(self, x, name="x"):
        if frames.is_frame(x):
            return self.to_array(x, name)
        x = as_numpy(as_array(x, name, missing=True), exact=True)
        if x.shape[1:] == (len(self.columns),) and x.dtype.kind in "fiub":
            for group in self.groups:
                self.check_group(group, x[:, group.positions], name)
        return x

    def check_group(self, group, x, name):
        """Raise an error unless the values `x` of the columns of a group are valid or missing."""
        invalid = ~(np.isnan(x) | group.contains(np.where(np.isnan(x), group.valid, x)))
        for column, wrong, values in zip(group.columns, invalid.T, x.T):
            if wrong.any():
                raise ValueError(
                    f"`{name}` must hold {group.domain} in column {column.name!r}, which is "
                    f"{column.kind}. Received: {values[wrong][0]:g} and {wrong.sum() - 1} other "
                    "values that are none. Put NaN for a missing value, or choose another kind for "
                    "the column."
                )

    def to_array(self, frame, name="x"):
        """Return a DataFrame as an array of data, shape (n, num_columns), float32, with the codes
        of the categories, and NaN for missing values. Its columns may have any order.

        Raises a ValueError if a column is absent or isn't known, or a value or a category isn't
        valid.
        """
        x = frames.to_array(frame, self.columns, name)
        for group in self.groups:
            self.check_group(group, x[:, group.positions], name)
        return x

    def to_frame(self, x, index=None):
        """Return data, shape (n, num_columns), as a DataFrame with the categories themselves and
        the columns' dtypes. A column of integers whose values aren't whole (such as means) becomes
        one of floats."""
        return frames.to_frame(x, self.columns, index)

    def encoder_input(self, x):
        """Return what the encoder sees of data `x`: shape (batch, *encoder_shape())."""
        x = ops.cast(x, "float32")
        observed = self.observed(x)
        features = []
        for group in self.groups:
            own, seen = self.values_of(group, x, observed)
            features.append(ops.where(seen[..., None], group.encode(own), 0.0))
        return ops.concatenate([side_by_side(features), ops.cast(observed, "float32")], axis=-1)

    def observed(self, x):
        """Return which values are observed: booleans of the shape of `x`."""
        return ops.logical_not(ops.isnan(ops.cast(x, "float32")))

    def values_of(self, group, x, observed):
        """Return the values of the columns of a group, with a valid one wherever one is missing,
        and which of them are observed: both of shape (..., columns of the group)."""
        seen = ops.take(observed, group.positions, axis=-1)
        # No operation ever sees NaN: a gradient of 0 times NaN would be NaN.
        return ops.where(seen, ops.take(x, group.positions, axis=-1), group.valid), seen

    def each_group(self, params):
        """Yield `(group, its parameters)`, the latter of shape (..., columns, outputs), float32."""
        return self.apart(ops.cast(params, "float32"), [group.outputs for group in self.groups])

    def apart(self, values, widths):
        """Yield `(group, its part of values)`, the latter of shape (..., columns, width): what
        `side_by_side` put together."""
        start = 0
        for group, width in zip(self.groups, widths):
            columns = len(group.positions)
            own = values[..., start : start + columns * width]
            yield group, ops.reshape(own, (*ops.shape(values)[:-1], columns, width))
            start += columns * width

    def in_order(self, parts):
        """Return tensors of each group's columns, shape (..., columns of the group), as one, with
        the columns in the order of the data."""
        return ops.take(ops.concatenate(parts, axis=-1), self.order, axis=-1)

    # The distribution

    def log_prob_of_each(self, x, params):
        """Return log p(x_j|z) of each column, in nats, 0 where it is missing: shape (..., batch,
        num_columns)."""
        return self.in_order(self.log_probs(x, params))

    def log_probs(self, x, params):
        x = ops.cast(x, "float32")
        observed = self.observed(x)
        terms = []
        for group, own in self.each_group(params):
            values, seen = self.values_of(group, x, observed)
            terms.append(ops.where(seen, group.log_prob(values, own), 0.0))
        return terms

    def log_prob(self, x, params):
        return sum(ops.sum(term, axis=-1) for term in self.log_probs(x, params))

    def expectation(self, params):
        """Return what is averaged over draws of z, side by side: the means of numbers and counts,
        the probabilities of categories."""
        return side_by_side([group.expectation(own) for group, own in self.each_group(params)])

    def from_expectation(self, expectation):
        each = self.apart(expectation, [group.parts for group in self.groups])
        return self.in_order([group.point(own) for group, own in each])

    def mean(self, params):
        return self.from_expectation(self.expectation(params))

    def mode(self, params):
        return self.in_order([group.mode(own) for group, own in self.each_group(params)])

    def sample(self, params, seed=None):
        # NumPy draws them, since Keras has no noise of counts; from a seed that Keras draws.
        start = keras.random.randint((4,), 0, 2**31 - 1, dtype="int32", seed=seed)
        random = np.random.default_rng(ops.convert_to_numpy(start))
        draws = [group.sample(own, random) for group, own in self.each_group(params)]
        draws = np.concatenate(draws, axis=-1).astype("float32")
        return ops.convert_to_tensor(draws[..., self.order])

    def get_config(self):
        return {**super().get_config(), "columns": [column.config() for column in self.columns]}
