"""The number of directions in which codes spread, and how evenly."""

import numpy as np

from keras_aevae.latent.measures._codes import check_codes


def covariance_spectrum(codes):
    """Return the eigenvalues of the codes' covariance, descending.

    Range: from 0 up, in squares of the codes' unit; their sum is the total variance. Draws from
    N(0, I) have all of them near 1.

    Good for: the directions that a model uses, whatever its axes: codes with a flat spectrum use
    all of them; if the spectrum drops sharply, the codes lie near a subspace. Misleads about curved
    sets, which fill more directions than they have dimensions.

    Args:
        codes: shape (n, latent_dim), with n above latent_dim; otherwise some eigenvalues are 0 for
            lack of data.

    Returns:
        A float64 array of shape (latent_dim,).

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    latent.covariance_spectrum(rng.normal(size=(10_000, 2)) * [3, 1])  # about [9, 1]
    ```
    """
    codes = check_codes(codes)
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(codes, rowvar=False)))
    return np.maximum(values[::-1], 0)


def effective_dimension(codes):
    """Return the participation ratio of the covariance: how many directions share the variance.

        (sum_i l_i)^2 / sum_i l_i^2,   l_i the eigenvalues of the covariance

    Range: 1 (a line) to latent_dim (all directions are equal); 0 for codes that don't vary.

    Good for: comparing models of any scale, since scaling all codes doesn't change it. Misleads
    when a few large directions hide many small ones that matter: look at `covariance_spectrum`.

    Args:
        codes: shape (n, latent_dim).

    Returns:
        A float.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    latent.effective_dimension(rng.normal(size=(10_000, 2)) * [3, 1])  # about 1.2: 100 / 82
    ```
    """
    values = covariance_spectrum(codes)
    total = values.sum()
    return float(total**2 / np.square(values).sum()) if total > 0 else 0.0
