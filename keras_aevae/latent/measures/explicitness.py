"""Can the factors be read off the code, linearly?"""

import keras
import numpy as np

from keras_aevae.latent.measures._factors import split


def explicitness(codes, factors, codes_test, factors_test, verbose=0):
    """Return how well a linear classifier reads the factors off the whole code.

    It is the area under the ROC curve of one value against the others, averaged over values and
    then over factors.

    Ridgeway & Mozer 2018, https://arxiv.org/abs/1802.05312, as computed by Locatello et al. 2019
    (https://arxiv.org/abs/1811.12359): logistic regression of each value against the rest, on
    standardised codes.

    Range: 0.5 (noise) to 1. Perfect codes score 1 if a factor has few values, and below 1 if many
    lie along one dimension (0.93 for 40, of 2000 codes), since a linear classifier can't cut out
    one of them.

    Good for: whether the factors are in the code; `modularity` measures how they are arranged.
    Misleads about what is in the code but not linearly.

    Args:
        codes, factors: codes (n, latent_dim) and factors (n, factors) for fitting the classifier;
            10 000 is the usual number.
        codes_test, factors_test: other ones for scoring it; 5000 is the usual number.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import latent
    from keras_aevae.datasets import DSprites
    factors = DSprites().sample_factors(600, rng=0)
    latent.explicitness(factors[:400], factors[:400], factors[400:], factors[400:])  # about 0.87
    ```
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import StandardScaler

    codes, factors, codes_test, factors_test = split(codes, factors, codes_test, factors_test)
    scaler = StandardScaler().fit(codes)
    codes, codes_test = scaler.transform(codes), scaler.transform(codes_test)
    areas, bar = [], keras.utils.Progbar(factors.shape[1], verbose=verbose)
    for known, wanted in zip(factors.T, factors_test.T):
        model = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(codes, known)
        scores = model.predict_proba(codes_test)
        each = [
            roc_auc_score(wanted == value, scores[:, i])
            for i, value in enumerate(model.classes_)
            if 0 < np.sum(wanted == value) < len(wanted)
        ]
        areas.append(np.mean(each))
        bar.add(1)
    return float(np.mean(areas))
