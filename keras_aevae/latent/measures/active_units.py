"""The number of latent dimensions that a model uses."""

import numpy as np

from keras_aevae._checks import check_number
from keras_aevae.latent.measures._codes import check_codes


def active_units(codes, threshold=0.01):
    """Return the number of latent dimensions whose code varies over the data.

        |{d : Var_x(E_q(z|x)[z_d]) > threshold}|

    Burda et al. 2016, https://arxiv.org/abs/1509.00519, section 5.2.

    Range: 0 (the code ignores the input: posterior collapse) to latent_dim.

    Good for: a VAE trained to the end, whose prior sets the scale: the variances of unused
    dimensions fall to nearly 0, far from those in use, so that the threshold hardly matters.
    Misleads early in training, when variances pass through the threshold and the count jumps; and
    on an AE, whose codes have no fixed scale, so a dimension may count though it tells little.

    Args:
        codes: codes of many examples, shape (n, latent_dim), such as `model.encode(x)`: for a VAE
            that is the posterior's mean.
        threshold: variance above which a dimension is active.

    Returns:
        An int.

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    latent.active_units(np.array([[0.0, 1.0], [0.0, -1.0]]))  # 1
    ```
    """
    threshold = check_number("threshold", threshold, minimum=0)
    return int(np.sum(check_codes(codes).var(axis=0) > threshold))
