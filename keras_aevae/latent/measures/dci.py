"""Disentanglement, completeness and informativeness."""

import keras
import numpy as np

from keras_aevae._checks import check_seed
from keras_aevae.latent.measures._factors import split

# Added so that a row or column without any importance has an entropy.
NOTHING = 1e-11


def dci(codes, factors, codes_test, factors_test, *, seed=0, verbose=0, **settings):
    """Return disentanglement, completeness and informativeness of codes.

    They come from trees that predict each factor: R_jk is how much the trees for factor k use
    latent dimension j.

        disentanglement = sum_j rho_j [1 - H_K(R_j. / sum_k R_jk)],  rho_j = sum_k R_jk / sum R
        completeness    = sum_k rho_k [1 - H_D(R_.k / sum_j R_jk)],  rho_k = sum_j R_jk / sum R
        informativeness = the accuracy of the trees on test data, averaged over factors

    Entropies are to the base of the number of factors, K, and of dimensions, D. Eastwood & Williams
    2018 (https://openreview.net/forum?id=By-7dz-AZ), as computed by Locatello et al. 2019
    (https://arxiv.org/abs/1811.12359): gradient boosted trees.

    Range: 0 to 1 each. Perfect codes score nearly 1 in the first two, and less than 1 in the third
    if the data don't determine a factor's value. Noise scores near 0 in the first two, and as
    guessing does in the third: 1 / number of a factor's values.

    Good for: three questions at once: is a dimension about one factor (disentanglement), is a
    factor in one dimension (completeness), are the factors in the code at all (informativeness)?
    Misleads when there are too few trees or data to find what is there. It is slow, as it grows
    trees for each value of each factor: some minutes for 10 000 codes of dSprites.

    Args:
        codes, factors: codes (n, latent_dim) and factors (n, factors) for growing the trees; 10 000
            is the usual number.
        codes_test, factors_test: other ones for the accuracy; 5000 is the usual number.
        seed: integer seed of the trees.
        verbose: 1 for a progress bar.
        settings: other arguments of scikit-learn's `GradientBoostingClassifier`, such as
            `n_estimators=20` for a faster look.

    Returns:
        A dict of floats: "disentanglement", "completeness", "informativeness".

    Example:

    ```python
    from keras_aevae import latent
    from keras_aevae.datasets import DSprites
    factors = DSprites().sample_factors(600, rng=0)[:, :2]
    latent.dci(factors[:400], factors[:400], factors[400:], factors[400:], n_estimators=10)
    ```
    """
    from scipy.stats import entropy
    from sklearn.ensemble import GradientBoostingClassifier

    codes, factors, codes_test, factors_test = split(codes, factors, codes_test, factors_test)
    importance, accuracy = np.zeros((codes.shape[1], factors.shape[1])), []
    model = GradientBoostingClassifier(random_state=check_seed(seed), **settings)
    bar = keras.utils.Progbar(factors.shape[1] * model.n_estimators, verbose=verbose)
    for k, (known, wanted) in enumerate(zip(factors.T, factors_test.T)):
        model.fit(codes, known, monitor=lambda *_: bar.add(1))
        importance[:, k] = model.feature_importances_
        accuracy.append(model.score(codes_test, wanted))
    total = importance.sum() or 1.0
    share_of_dimensions = importance.sum(axis=1) / total
    share_of_factors = importance.sum(axis=0) / total
    one_factor = 1 - entropy(importance.T + NOTHING, base=max(2, factors.shape[1]))
    one_dimension = 1 - entropy(importance + NOTHING, base=max(2, codes.shape[1]))
    return {
        "disentanglement": float(share_of_dimensions @ one_factor),
        "completeness": float(share_of_factors @ one_dimension),
        "informativeness": float(np.mean(accuracy)),
    }
