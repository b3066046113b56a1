"""The VAE of tables: columns of mixed kinds, with missing values.

Nazábal, Olmos, Ghahramani & Valera 2020, Handling Incomplete Heterogeneous Data using VAEs,
https://arxiv.org/abs/1807.03653
Mattei & Frellsen 2019, MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets,
https://arxiv.org/abs/1812.02633
"""

import functools

import keras
import numpy as np
from keras import ops

from keras_aevae import networks
from keras_aevae._checks import check_positive_integer, check_seed
from keras_aevae.codes.base import draws_first
from keras_aevae.distributions import Columns, frames
from keras_aevae.engine.batches import is_dataset
from keras_aevae.engine.inference import as_numpy, first_of
from keras_aevae.engine.noise import another_seed, seeded, uniform
from keras_aevae.layers.condition import get_condition
from keras_aevae.models.bounds import no_weights, rescaled
from keras_aevae.models.vae import VAE

# Uniform noise whose logarithm is taken twice is at least this.
SMALLEST = 1e-7
# The formats that have all operations on missing values and categories.
EXPORTED = ("tf_saved_model", "torch")
# A method that shows the arguments of another one, to which it passes them on.
same_arguments = functools.partial(functools.wraps, assigned=())


@keras.saving.register_keras_serializable(package="keras_aevae")
class TabularVAE(VAE):
    """A VAE of tables with columns of mixed kinds, of which any value may be missing.

        loss = -E_q(z|x_obs)[sum of log p(x_j|z) over the observed j] + beta KL(q(z|x_obs) || p(z))

    With beta = 1 the loss is minus a lower bound on log p(x_obs), the likelihood of what is
    observed (Nazábal et al. 2020): missing values are integrated out, and change neither the loss
    nor a gradient. The encoder sees 0 in their place and, beyond that paper, which they are.
    `Columns` says what each column is distributed as, and what the networks see. The paper's prior
    is a mixture; `prior="gaussian_mixture"` gives one, for tables whose rows form groups.

    Data are pandas DataFrames or arrays, shape (n, num_columns), with the codes of categories. NaN
    is a missing value (in DataFrames None, NA and NaT, too). A verb gives back what it is given:
    `reconstruct` and `impute` return a DataFrame for a DataFrame. `sample` and `decode`, which are
    given no data, return one if the columns were inferred from one. All others (`interpolate`,
    `predict`, ...) return arrays, which `model.likelihood.to_frame` turns into DataFrames;
    `model.likelihood.to_array(frame)` makes the arrays for `predict` and for datasets of batches.

    Good for: filling gaps (`impute`), new rows like those of a table (`sample`), odd rows
    (`log_likelihood`, `elbo`), codes of rows with gaps. Misleads where a value is missing because
    of what it is; where bounds in nats are compared whose continuous columns have other units or
    kinds; and as a safeguard of privacy: a sample may be close to a row of the data. Some
    columns, such as continuous ones that can be predicted closely, may outweigh all others in
    training (Javaloy et al. 2022, https://arxiv.org/abs/2206.04496).

    Args:
        encoder: a Keras model from `likelihood.encoder_shape()`, a vector of standardised numbers,
            one-hot categories and what is observed, to features.
        decoder: a Keras model from codes to `likelihood.params_shape()`, the parameters of all
            columns, side by side.
        likelihood: a `keras_aevae.distributions.Columns`.
        other arguments: as for `VAE`, without `decoder_sees_x`. The prior can't be a `VampPrior`:
            categories have no gradient, by which its pseudo-inputs would be trained.

    `TabularVAE.from_frame` makes all of these for a DataFrame, and `TabularVAE.from_columns` for
    `Columns`. The columns, with their scales and categories, are saved with the model.

    Example:

    ```python
    import numpy as np
    import pandas
    from keras_aevae import TabularVAE
    rng = np.random.default_rng(0)
    height = rng.normal(170, 10, 500)
    frame = pandas.DataFrame({"height": height, "size": np.where(height > 175, "L", "M")})
    frame.loc[:99, "size"] = None  # not known
    model = TabularVAE.from_frame(frame, latent_dim=2)
    model.compile()
    model.fit(frame, epochs=2, verbose=0)
    people = model.sample(5)  # a DataFrame, as these are:
    filled = model.impute(frame, num_samples=100)
    nats = model.log_likelihood(frame, num_samples=100)  # (500,)
    ```
    """

    def __init__(self, encoder, decoder, latent_dim=None, likelihood=None, **kwargs):
        if not isinstance(likelihood, Columns):
            raise ValueError(
                "`likelihood` must be a keras_aevae.distributions.Columns, which says what the "
                f"columns hold. Received: likelihood={likelihood!r}. TabularVAE.from_frame makes "
                "it for a DataFrame."
            )
        super().__init__(encoder, decoder, latent_dim, likelihood, **kwargs)

    @classmethod
    def from_columns(cls, columns, latent_dim, hidden=(128,), activation="relu", **settings):
        """Make a model with fully connected networks for these `Columns`.

        Args:
            columns: `keras_aevae.distributions.Columns`.
            latent_dim, hidden, activation: as for `keras_aevae.networks.mlp`.
            settings: further arguments of the model, such as `beta`, `classes` or `seed`.

        Example:

        ```python
        from keras_aevae import TabularVAE
        from keras_aevae.distributions import Column, Columns
        color = Column("color", "categorical", categories=("red", "blue"))
        columns = Columns([Column("sold", "poisson"), color])
        model = TabularVAE.from_columns(columns, latent_dim=2)
        model.sample(3)  # (3, 2)
        ```
        """
        condition = get_condition(settings.get("classes"), settings.get("condition_dim"))
        encoder, decoder = networks.mlp(
            columns.encoder_shape(),
            latent_dim,
            hidden,
            output_shape=columns.params_shape(),
            activation=activation,
            condition_dim=0 if condition is None else condition.length,
        )
        return cls(encoder, decoder, likelihood=columns, **settings)

    @classmethod
    def from_frame(cls, frame, latent_dim, hidden=(128,), *, kinds=None, verbose=1, **settings):
        """Make a model with fully connected networks for a pandas DataFrame.

        The kinds of the columns are inferred from their dtypes and printed; `kinds` overrides them.
        See `keras_aevae.distributions.Columns.from_frame`.

        Args:
            frame: a DataFrame, with all categories; NaN, None, NA and NaT are missing values.
            latent_dim, hidden: as for `keras_aevae.networks.mlp`.
            kinds: dict from names of columns to kinds, such as `{"children": "poisson"}`, or to
                `keras_aevae.distributions.Column`s.
            verbose: 0 to print nothing.
            settings: further arguments of `from_columns` and of the model.

        Example:

        ```python
        import pandas
        from keras_aevae import TabularVAE
        frame = pandas.DataFrame({"children": [0, 2, None], "city": ["Ulm", None, "Bonn"]})
        model = TabularVAE.from_frame(frame, latent_dim=2, kinds={"children": "count"})
        ```
        """
        columns = Columns.from_frame(frame, kinds)
        if verbose:
            print(columns)
        return cls.from_columns(columns, latent_dim, hidden, **settings)

    def like(self, x, values):
        """Return `values`, an array of data, as a DataFrame with the index of `x` if `x` is one."""
        return self.likelihood.to_frame(values, x.index) if frames.is_frame(x) else values

    def framed(self, values):
        """Return `values` as a DataFrame if the columns were inferred from one."""
        known = any(column.dtype is not None for column in self.likelihood.columns)
        return self.likelihood.to_frame(values) if known else values

    @same_arguments(VAE.reconstruct)
    def reconstruct(self, x, **settings):
        """Encode `x` to the centre of q(z|x_obs) and decode it: means, and the most probable
        categories, of all values, also of those that are observed. A DataFrame for a DataFrame.

        The arguments are those of `VAE.reconstruct`. To fill gaps, see `impute`.
        """
        return self.like(x, super().reconstruct(x, **settings))

    @same_arguments(VAE.decode)
    def decode(self, z, **settings):
        """Decode codes as `VAE.decode` does: means, and the most probable categories, or a draw. A
        DataFrame, if the columns were inferred from one."""
        return self.framed(super().decode(z, **settings))

    def sample(self, num_samples=1, *, noise=True, **settings):
        """Generate new rows: draw codes from p(z), and values from p(x|z).

        The arguments are those of `VAE.sample`, except that `noise` is True: means of columns
        differ less than rows of a table do, and the most probable categories alone leave the others
        out.

        Returns:
            A DataFrame, if the columns were inferred from one; else an array, shape (num_samples,
            num_columns).
        """
        return self.framed(super().sample(num_samples, noise=noise, **settings))

    def impute(
        self,
        x,
        num_samples=1000,
        *,
        draws=None,
        seed=None,
        condition=None,
        batch_size=128,
        verbose=0,
    ):
        """Fill missing values by importance sampling from the posterior.

            E[x_mis|x_obs] = sum_k w_k E[x_mis|z_k] / sum_k w_k,
            w_k = p(x_obs|z_k) p(z_k) / q(z_k|x_obs),   z_k ~ q(z|x_obs)

        Mattei & Frellsen 2019. It is exact for the model as num_samples grows,
        whatever q(z|x) is, and needs more samples where q is far from the true posterior. Numbers
        and counts are filled by their means, categories by the most probable one. Good for: the
        best single guess. Misleads as data for statistics: means vary less than values do. Take
        `draws` for those (multiple imputation), and compute them from each.

        p(z) is the prior that `fit_prior` fitted, if there is one, else the model's own.

        Args:
            x: a DataFrame, or an array of shape (n, num_columns).
            num_samples: number K of draws of z for each row.
            draws: None for means; or the number m of draws from p(x_mis|x_obs). Each is drawn given
                one of the z_k, chosen by its weight (sampling importance resampling), so take
                num_samples much larger than m.
            seed: integer; the same seed gives the same values on the same backend. By default the
                model's noise goes on.
            condition: the condition of each row, for a conditional model.
            batch_size: number of rows per batch.
            verbose: 1 for a progress bar.

        Returns:
            `x` with its missing values filled: a DataFrame, with its dtypes where they can hold the
            values (an integer column filled by means becomes one of floats), or an array. With
            `draws`, a list of m DataFrames, or an array of shape (m, n, num_columns).
        """
        if is_dataset(x):
            raise ValueError(
                "`x` must be a DataFrame or an array. Received: a "
                f"{type(x).__name__}. Impute the batches of a dataset one by one."
            )
        inputs = self.check_inputs(x, condition, support=self.likelihood.support)
        settings = {"batch_size": batch_size, "verbose": verbose}
        seed = None if seed is None else check_seed(seed)
        if draws is None:
            with seeded(self, seed):
                means = self.expected_given(inputs, num_samples, settings)
            return self.filled(x, first_of(inputs), means)
        draws = check_positive_integer("draws", draws)
        with seeded(self, seed):
            drawn = self.drawn_given(inputs, num_samples, draws, seed, settings)
        filled = [self.filled(x, first_of(inputs), each) for each in np.moveaxis(drawn, 1, 0)]
        return filled if frames.is_frame(x) else np.stack(filled)

    @same_arguments(VAE.export)
    def export(self, filepath, format="tf_saved_model", **settings):
        """Write the model as `VAE.export` does, as a SavedModel or as PyTorch's `.pt2`. What is
        written takes and gives arrays: NaN for missing values, and the codes of categories.

        Other formats are refused: their converters don't know all of the operations on missing
        values and categories.
        """
        if format not in EXPORTED:
            raise ValueError(
                f"`format` must be one of {', '.join(map(repr, EXPORTED))} for a TabularVAE: other "
                "formats don't have all operations on missing values. Received: "
                f"format={format!r}."
            )
        super().export(filepath, format, **settings)

    def filled(self, given, x, values):
        """Return the data `given`, whose array is `x`, with `values` where they are missing."""
        if frames.is_frame(given):
            return frames.fill(given, self.likelihood.to_frame(values, given.index))
        plain = isinstance(given, np.ndarray) and not isinstance(given, np.ma.MaskedArray)
        return np.where(np.isnan(x), values, given if plain else as_numpy(x, exact=True))

    def expected_given(self, inputs, num_samples, settings):
        """Return E[x|x_obs] of each row, with the most probable categories: (n, num_columns)."""
        size = self.likelihood.num_expected

        def start(n):
            return *no_weights(n), np.zeros((n, size), "float32")

        _, total, sums = self.over_draws(self._add_expected, inputs, num_samples, start, **settings)
        return ops.convert_to_numpy(self.likelihood.from_expectation(sums / total[:, None]))

    def _add_expected(self, inputs, inferred, prior, largest, total, sums, left, num_samples):
        outputs, log_weights = self.weighted(inputs, inferred, prior, left, num_samples)
        new, kept, weights = rescaled(largest, log_weights)
        each = self.likelihood.expectation(draws_first(outputs, "decoder_output"))
        added = ops.sum(weights[..., None] * each, axis=0)
        return new, total * kept + ops.sum(weights, axis=0), sums * kept[:, None] + added

    def drawn_given(self, inputs, num_samples, draws, seed, settings):
        """Return `draws` draws of x given x_obs for each row: (n, draws, num_columns)."""

        def start(n):
            return np.full((n, draws), -np.inf, "float32"), np.zeros(
                (n, draws, self.latent_dim), "float32"
            )

        _, z = self.over_draws(self._add_choices, inputs, num_samples, start, **settings)
        codes = z.reshape(-1, self.latent_dim)
        if self.condition is not None:
            codes = codes, np.repeat(inputs[1], draws, axis=0)
        x = self.run_decoder(codes, noise=True, seed=another_seed(seed, "noise of x"), **settings)
        return x.reshape(*z.shape[:2], *x.shape[1:])

    def _add_choices(self, inputs, inferred, prior, largest, chosen, left, num_samples):
        """Keep for each draw the code z whose log-weight with Gumbel noise is the largest so far:
        the last one is chosen by the weights."""
        outputs, log_weights = self.weighted(inputs, inferred, prior, left, num_samples)
        shape = (num_samples, *ops.shape(largest))
        noise = ops.maximum(uniform(shape, self.code.noise[0]), SMALLEST)
        noisy = log_weights[..., None] - ops.log(-ops.log(noise))  # (num_samples, batch, draws)
        best = ops.argmax(noisy, axis=0)[..., None]
        z = ops.take_along_axis(outputs["z"], ops.broadcast_to(best, ops.shape(chosen)), axis=1)
        new = ops.max(noisy, axis=0)
        return ops.maximum(largest, new), ops.where((new > largest)[..., None], z, chosen)
