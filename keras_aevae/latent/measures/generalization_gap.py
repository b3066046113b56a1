"""How much worse a model does on examples that it hasn't seen."""

import math

import numpy as np


def generalization_gap(train_errors, test_errors):
    """Mean error on test examples minus that on training examples, with its standard error.

        gap = mean(test) - mean(train),   se^2 = var(test) / n_test + var(train) / n_train

    Range: any number, in the unit of the errors. Near 0: the model does on new examples as on
    those it was trained on; well above 0: it fits the training examples in particular.

    Good for: seeing memorisation of the training set, alike for AE and VAE. Misleads alone: a
    model that reconstructs everything badly has no gap either, so read it beside the test error.
    Below 0 means that the test examples happen to be easier. The standard error covers the choice
    of examples, not that of the training seed.

    Args:
        train_errors: errors of training examples, shape (n,), such as
            `model.evaluate_terms(x_train)["reconstruction"]`.
        test_errors: errors of test examples, shape (m,).

    Returns:
        `(gap, standard_error)`, two floats.

    Example:

    ```python
    from keras_aevae import latent
    latent.generalization_gap([1.0, 3.0], [4.0, 6.0])  # (3.0, 1.414...)
    ```
    """
    errors = {"train_errors": train_errors, "test_errors": test_errors}
    errors = {name: np.asarray(values, "float64") for name, values in errors.items()}
    for name, values in errors.items():
        if values.ndim != 1 or len(values) < 2:
            raise ValueError(
                f"`{name}` must hold one error for each of at least 2 examples, shape (n,). "
                f"Received: {name} of shape {values.shape}."
            )
    train, test = errors.values()
    squared = test.var(ddof=1) / len(test) + train.var(ddof=1) / len(train)
    return float(test.mean() - train.mean()), math.sqrt(squared)
