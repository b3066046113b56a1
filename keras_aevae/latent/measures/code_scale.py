"""The size of codes, compared with draws from the prior."""

import numpy as np

from keras_aevae.latent.measures._codes import check_codes


def code_scale(codes):
    """Return the root mean square of the codes' coordinates: 1 for draws from N(0, I).

        sqrt(mean_x |z|^2 / latent_dim)

    Range: from 0 up. Far above 1, most codes lie where N(0, I) seldom draws, so samples from it
    come from a small part of the space; far below 1, samples come from around the codes.

    Good for: a first look at why samples from the prior fail, in one number. Misleads as proof of a
    match: codes of the right size can still leave holes. A scale of 1 is necessary, not sufficient.

    Args:
        codes: codes of many examples, shape (n, latent_dim). For a VAE take draws,
            `vae.encode(x, sample=True)`: the posterior's means alone are too small.

    Returns:
        A float.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    latent.code_scale(np.random.default_rng(0).normal(size=(1000, 8)))  # about 1
    ```
    """
    return float(np.sqrt(np.mean(np.square(check_codes(codes)))))
