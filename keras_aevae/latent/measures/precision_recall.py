"""Are all samples like the data, and are all the data like some sample?"""

import keras
import numpy as np

from keras_aevae._checks import check_positive_integer
from keras_aevae.latent.measures._features import check_pair
from keras_aevae.latent.measures._neighbours import nearest


def precision_recall(real, fake, neighbours=5, verbose=0):
    """Return precision, recall, density and coverage of samples, by nearest neighbours.

    B(x) is the ball around x that reaches its k-th nearest neighbour in x's own set:

        precision = share of the samples that lie in B(x) of some x of the data
        recall    = share of the data that lie in B(y) of some sample y
        density   = mean over samples of how many B(x) hold it, divided by k
        coverage  = share of the data whose B(x) holds a sample

    Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991 (the first two), and Naeem et al.
    2020, https://arxiv.org/abs/2002.09797 (the others, which an outlier doesn't spoil).

    Range: 0 to 1, except density, which may be above 1. Samples from the distribution of the data
    score near 1, except in coverage: 1 - 2^-k at large equal sizes.

    Good for: distinguishing poor samples (precision, density) from samples of few kinds
    (recall, coverage). Misleads when sizes differ between models, since balls shrink as sets grow;
    and on pixels, in which neighbours mean little.

    Args:
        real, fake: features of the data and of samples, (n, d) and (m, d), with more than
            `neighbours` rows each. Use equal sizes; 10 000 is usual.
        neighbours: k.
        verbose: 1 for a progress bar.

    Returns:
        A dict of floats: "precision", "recall", "density", "coverage".

    Example:

    ```python
    import numpy as np
    from keras_aevae import latent
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(500, 2)), 0.3 * rng.normal(size=(500, 2))
    latent.precision_recall(real, fake)["recall"]  # 0.486, and its precision is 1
    ```
    """
    from sklearn.metrics import pairwise_distances_chunked

    k = check_positive_integer("neighbours", neighbours)
    real, fake = check_pair(real, fake, least=k + 1)
    bar = keras.utils.Progbar(2 * len(real) + len(fake), verbose=verbose)
    # The first neighbour is the point itself.
    of_real, of_fake = (nearest(x, x, bar, count=k + 1)[0][:, -1] for x in (real, fake))
    balls, recalled, covered, start = np.zeros(len(fake), "int64"), 0, 0, 0
    # As many rows of `real` at a time as give distances of this many MiB.
    for distances in pairwise_distances_chunked(real, fake, working_memory=128):
        held = distances < of_real[start : start + len(distances), None]
        balls += held.sum(axis=0)
        covered += held.any(axis=1).sum()
        recalled += (distances < of_fake).any(axis=1).sum()
        start += len(distances)
        bar.add(len(distances))
    return {
        "precision": float(np.mean(balls > 0)),
        "recall": float(recalled / len(real)),
        "density": float(np.mean(balls) / k),
        "coverage": float(covered / len(real)),
    }
