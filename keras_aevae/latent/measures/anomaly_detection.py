"""Can examples of another kind be told by their scores?"""

import math

import numpy as np

from keras_aevae.latent.measures._codes import check_codes
from keras_aevae.latent.measures._features import check_pair
from keras_aevae.latent.measures._values import check_values
from keras_aevae.latent.measures.whitening import principal_axes


def anomaly_auroc(scores, anomalous_scores):
    """Return the probability that an anomaly scores higher than a usual example.

        P(s(anomaly) > s(usual)) + P(s(anomaly) = s(usual)) / 2

    The area under the ROC curve: Hanley & McNeil 1982,
    https://doi.org/10.1148/radiology.143.1.7063747.

    Range: 0 to 1. 1: a threshold separates all; 0.5: the scores tell nothing; below 0.5: anomalies
    look more usual than usual examples.

    Good for: comparing scores of any unit without choosing a threshold. Misleads when anomalies are
    rare, since even a high area then goes with many false alarms; and about other kinds of
    anomalies. Likelihoods rank simple images above the data (Nalisnick et al. 2019,
    https://arxiv.org/abs/1810.09136): try the reconstruction, minus the ELBO and
    `latent_density_scores` on the anomalies that matter to you.

    Args:
        scores: scores of usual examples that the model hasn't seen, shape (n,); higher means
            stranger.
        anomalous_scores: scores of anomalies, shape (m,).

    Returns:
        A float.

    Example:

    ```python
    import numpy as np
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    (x_train, _), (x_test, _) = datasets.load("digits")
    noise = np.random.default_rng(0).permuted(x_test, axis=0)  # each pixel of another digit
    terms, odd = vae.evaluate_terms(x_test), vae.evaluate_terms(noise)
    latent.anomaly_auroc(terms["reconstruction"], odd["reconstruction"])
    latent.anomaly_auroc(-vae.elbo(x_test), -vae.elbo(noise))
    codes, fit_on = vae.encode(x_test), vae.encode(x_train)
    of_codes = latent.latent_density_scores(codes, fit_on)
    latent.anomaly_auroc(of_codes, latent.latent_density_scores(vae.encode(noise), fit_on))
    ```
    """
    from sklearn.metrics import roc_auc_score

    usual, odd = check_values(scores=scores, anomalous_scores=anomalous_scores)
    anomalous = np.repeat([0, 1], [len(usual), len(odd)])
    return float(roc_auc_score(anomalous, np.concatenate([usual, odd])))


def latent_density_scores(codes, fit_on):
    """Return minus the log density of codes under the Gaussian fitted to others, in nats.

        [(z - m)^T C^-1 (z - m) + log det(2 pi C)] / 2,   m and C those of `fit_on`

    It ranks codes as the Mahalanobis distance does, which is used in Lee et al. 2018
    (https://arxiv.org/abs/1807.03888), here without classes. Directions whose variance is less than
    1e-7 of the largest are left out.

    Range: any number; higher for stranger codes.

    Good for: anomalies whose codes are unusual though the decoder reconstructs them well, for AE
    and VAE alike. Misleads when the codes aren't like one Gaussian, and about differences in a
    direction in which `fit_on` doesn't vary, or that the encoder doesn't see.

    Args:
        codes: the codes to score, shape (n, latent_dim).
        fit_on: codes of usual examples, shape (m, latent_dim), such as `model.encode(x_train)`.

    Returns:
        A float64 array of shape (n,).

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    fit_on = np.random.default_rng(0).normal(size=(1000, 2))
    latent.latent_density_scores([[0, 0], [3, 4]], fit_on)  # [1.8, 14.9]: far codes are rare
    ```
    """
    codes, fit_on = check_pair(
        codes, check_codes(fit_on, "fit_on"), least=1, names=("codes", "fit_on")
    )
    center, values, vectors = principal_axes(fit_on, "fit_on")
    squares = np.square((codes - center) @ vectors) / values
    return 0.5 * (squares + np.log(values) + math.log(2 * math.pi)).sum(axis=1)
