"""The distance of two sets, by a kernel."""

import keras
import numpy as np

from keras_aevae._checks import check_name, check_number
from keras_aevae.latent.measures._features import check_pair

# The number of entries of a kernel matrix held at a time: 32 MiB.
AT_A_TIME = 1 << 22


def polynomial(products, a, b, scale):
    return (products / scale + 1) ** 3


def rbf(products, a, b, scale):
    return np.exp((products - 0.5 * (a + b)) / scale)


def inverse_multiquadratic(products, a, b, scale):
    return scale / (scale + a + b - 2 * products)


# name: (function of x.y, |x|^2, |y|^2 and the scale, the default scale of d features)
KERNELS = {
    "rbf": (rbf, lambda d: d),
    "inverse_multiquadratic": (inverse_multiquadratic, lambda d: 2 * d),
    "polynomial": (polynomial, lambda d: d),
}


def maximum_mean_discrepancy(real, fake, kernel="rbf", scale=None, verbose=0):
    """Return the squared maximum mean discrepancy, by its unbiased estimator.

        E k(x, x') + E k(y, y') - 2 E k(x, y),   x != x', y != y'

    Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html, lemma 6. Kernels, with c the
    scale and d the number of features:

    - "rbf": exp(-|x - y|^2 / 2c), c = d: 0 between distributions that are equal, and only there;
    - "inverse_multiquadratic": c / (c + |x - y|^2), c = 2d, as in Wasserstein autoencoders
      (https://arxiv.org/abs/1711.01558): the same, with longer tails;
    - "polynomial": (x.y / c + 1)^3, c = d: the kernel distance of Bińkowski et al. 2018
      (https://arxiv.org/abs/1801.01401), KID in Inception features; it sees three moments.

    Range: around 0 if both have one distribution, as often below as above; lower is better.

    Good for: codes against draws from the prior (`rbf`; codes of unit scale), samples against data
    (`polynomial`); also with few examples, since its expectation doesn't depend on their number.
    Misleads when scales or feature spaces differ, as it has no unit.

    Args:
        real, fake: shapes (n, d) and (m, d).
        kernel: one of the above.
        scale: c.
        verbose: 1 for a progress bar.

    Returns:
        A float.

    Example:

    ```python
    import numpy as np
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    codes = vae.encode(x_test, sample=True)
    prior = np.random.default_rng(0).normal(size=codes.shape)
    latent.maximum_mean_discrepancy(codes, prior)
    ```
    """
    real, fake = check_pair(real, fake)
    function, default = KERNELS[check_name("kernel", kernel, KERNELS)]
    if scale is None:
        scale = default(real.shape[1])
    scale = check_number("scale", scale, minimum=0, exclusive=True)

    bar = keras.utils.Progbar(2 * len(real) + len(fake), verbose=verbose)

    def mean(x, y, same):
        """Return the mean of the kernel over all pairs, or those of different examples of one
        set."""
        rows = max(1, AT_A_TIME // len(y))
        squares, total = np.square(y).sum(axis=1), 0.0
        for start in range(0, len(x), rows):
            part = x[start : start + rows]
            own = np.square(part).sum(axis=1)
            values = function(part @ y.T, own[:, None], squares, scale)
            total += values.sum()
            if same:
                total -= function(own, own, own, scale).sum()
            bar.add(len(part))
        return total / (len(x) * (len(y) - same))

    return float(mean(real, real, True) + mean(fake, fake, True) - 2 * mean(real, fake, False))
