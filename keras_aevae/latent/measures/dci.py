"""Disentanglement, completeness and informativeness."""

import keras
import numpy as np

from keras_aevae.latent.measures._factors import split

# So that a row or column without any importance has an entropy.
NOTHING = 1e-11


def dci(codes, factors, codes_test, factors_test, *, seed=0, verbose=0, **settings):
    """Disentanglement, completeness and informativeness, from how much trees that predict each
    factor use of each latent dimension: R_jk, of dimension j for factor k.

        disentanglement = sum_j rho_j [1 - H_K(R_j. / sum_k R_jk)],  rho_j = sum_k R_jk / sum R
        completeness    = sum_k rho_k [1 - H_D(R_.k / sum_j R_jk)],  rho_k = sum_j R_jk / sum R
        informativeness = the accuracy of the trees on test data, averaged over factors

    with entropies to the base of the number of factors, K, and of dimensions, D. Eastwood &
    Williams 2018 (https://openreview.net/forum?id=By-7dz-AZ), as Locatello et al. 2019 compute it
    (https://arxiv.org/abs/1811.12359): gradient boosted trees.

    Range: 0 to 1 each. Perfect codes score nearly 1 in the first two; in the third less than 1
    where a factor's values can't be told apart from the data. Noise scores near 0 in the first two,
    and in the third what guessing gives, one over the number of a factor's values.

    Good for: three questions at once: does a dimension tell of one factor (disentanglement), is a
    factor told by one dimension (completeness), are the factors there at all (informativeness)?
    Misleads when trees are too few or data too small to find what is there; and it is slow, trees
    for each value of each factor: some minutes for 10 000 codes of dSprites.

    Args:
        codes, factors: codes (n, latent_dim) and factors (n, factors) to grow trees on; 10 000 is
            the usual number.
        codes_test, factors_test: others for the accuracy; 5000 is the usual number.
        seed: of the trees.
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
    model = GradientBoostingClassifier(random_state=seed, **settings)
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
