"""Functions for the measures of disentanglement, which take codes and known factors."""

import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.latent.measures._arrays import check_labels
from keras_aevae.latent.measures._codes import check_codes


def check_factors(codes, factors, names=("codes", "factors")):
    """Return `codes` as float64 (n, latent_dim) and `factors` as integers (n, factors): each
    factor's values counted from 0, at least two of them; else raise."""
    codes = check_codes(codes, names[0])
    factors = check_labels(names[1], factors)
    if factors.ndim != 2 or factors.shape[1] < 1 or len(factors) != len(codes):
        raise ValueError(
            f"`{names[1]}` must have shape (n, factors), a row for each code. Received: "
            f"{names[1]} of shape {factors.shape} beside {len(codes)} codes."
        )
    columns = [np.unique(column, return_inverse=True) for column in factors.T]
    constant = [i for i, (values, _) in enumerate(columns) if len(values) < 2]
    if constant:
        raise ValueError(
            f"Each of `{names[1]}` must take two values or more. Received: constant factors in "
            f"the columns {constant}. Leave them out."
        )
    return codes, np.stack([inverse.reshape(-1) for _, inverse in columns], axis=1)


def binned(codes, bins=20):
    """Return the codes as integers from 0: each dimension's range is cut into bins of equal
    width."""
    bins = check_positive_integer("bins", bins)
    low, high = codes.min(axis=0), codes.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    return np.minimum((bins * (codes - low) / width).astype("int64"), bins - 1)


def mutual_information(codes, factors, bins=20):
    """Return I(z_j; v_k) in nats of binned codes and factors, shape (latent_dim, factors)."""
    from sklearn.metrics import mutual_info_score

    digits = binned(codes, bins)
    return np.array([[mutual_info_score(v, z) for v in factors.T] for z in digits.T])


def entropy(factors):
    """Return H(v_k) in nats of each factor, shape (factors,)."""
    from scipy.stats import entropy as of_counts

    return np.array([of_counts(np.bincount(column)) for column in factors.T])


def split(codes, factors, codes_test, factors_test):
    """Return checked training and test arrays, with the same integers for a factor's values in
    both."""
    factors = check_labels("factors", factors)
    factors_test = check_labels("factors_test", factors_test)
    if factors.ndim != 2 or factors_test.ndim != 2 or factors.shape[1] != factors_test.shape[1]:
        raise ValueError(
            "`factors` and `factors_test` must have shape (n, factors), with as many factors. "
            f"Received: {factors.shape} and {factors_test.shape}."
        )
    both = np.concatenate([factors, factors_test])
    _, numbered = check_factors(np.zeros((len(both), 1)), both)
    codes, _ = check_factors(codes, factors)
    codes_test, _ = check_factors(codes_test, factors_test, ("codes_test", "factors_test"))
    if codes.shape[1] != codes_test.shape[1]:
        raise ValueError(
            "`codes` and `codes_test` must have as many dimensions. Received: "
            f"{codes.shape[1]} and {codes_test.shape[1]}."
        )
    return codes, numbered[: len(codes)], codes_test, numbered[len(codes) :]
