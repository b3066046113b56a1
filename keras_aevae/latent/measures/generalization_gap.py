"""The difference between a model's errors on new examples and on training examples."""

import math

import numpy as np

from keras_aevae._checks import check_number, check_positive_integer, check_seed
from keras_aevae.latent.measures._values import check_values

# The number of errors that are resampled at a time: 32 MiB, and as much for their indices.
AT_A_TIME = 1 << 22


def generalization_gap(train_errors, test_errors):
    """Return the mean test error minus the mean training error, with its standard error.

        gap = mean(test) - mean(train),   se^2 = var(test) / n_test + var(train) / n_train

    Range: any number, in the unit of the errors. Near 0, the model is as good on new examples as on
    those it was trained on; well above 0, it fits the training examples in particular.

    Good for: detecting memorisation of the training set, for AE and VAE alike. Misleads alone: a
    model that reconstructs everything badly has no gap either, so read it beside the test error.
    Below 0, the test examples happen to be easier. The standard error covers the choice of
    examples, not that of the training seed.

    Args:
        train_errors: errors of training examples, shape (n,), such as
            `model.evaluate_terms(x_train)["reconstruction"]`.
        test_errors: errors of test examples, shape (m,).

    Returns:
        `(gap, standard_error)`, two floats.

    Example:

    ```python
    from keras_aevae import latent
    latent.generalization_gap([1.0, 3.0], [4.0, 6.0])  # (3.0, 1.414)
    ```
    """
    train, test = check_values(least=2, train_errors=train_errors, test_errors=test_errors)
    squared = test.var(ddof=1) / len(test) + train.var(ddof=1) / len(train)
    return float(test.mean() - train.mean()), math.sqrt(squared)


def generalization_gap_interval(train_errors, test_errors, level=0.95, resamples=1000, seed=0):
    """Return the confidence interval of `generalization_gap`, by the bootstrap.

    It contains the middle `level` of the gaps of examples resampled, with replacement, from the
    training and the test examples: the percentile interval of Efron & Tibshirani 1993, An
    Introduction to the Bootstrap, https://doi.org/10.1201/9780429246593, chapter 13.

    Range: two numbers in the unit of the errors. If the interval is above 0, the gap isn't chance.

    Good for: errors with long tails, for which the standard error alone says little. Misleads in
    small sets (tens), where it is too narrow. Like the standard error, it covers the choice of
    examples, not that of the training seed.

    Args:
        train_errors: errors of training examples, shape (n,), such as
            `model.evaluate_terms(x_train)["reconstruction"]`.
        test_errors: errors of test examples, shape (m,).
        level: share of the resampled gaps that is within the interval.
        resamples: number of resampled gaps.
        seed: integer seed of the resampling.

    Returns:
        `(low, high)`, two floats.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=400), rng.normal(size=400) + 1
    latent.generalization_gap_interval(train, test)  # (0.88, 1.16)
    ```
    """
    from scipy.stats import bootstrap

    train, test = check_values(least=2, train_errors=train_errors, test_errors=test_errors)
    interval = bootstrap(
        (train, test),
        lambda train, test, axis: test.mean(axis=axis) - train.mean(axis=axis),
        n_resamples=check_positive_integer("resamples", resamples),
        batch=max(1, AT_A_TIME // max(len(train), len(test))),
        vectorized=True,
        confidence_level=check_number("level", level, minimum=0, exclusive=True, maximum=1),
        method="percentile",
        random_state=np.random.default_rng(check_seed(seed)),
    ).confidence_interval
    return float(interval.low), float(interval.high)
