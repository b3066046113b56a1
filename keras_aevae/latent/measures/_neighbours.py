"""The search for nearest examples, which several measures share."""

import numpy as np

# The number of examples between two updates of the progress bar.
AT_A_TIME = 4096


def nearest(x, among, bar, count=1):
    """Return the distances from each of `x` to the nearest of `among`, and their indices,
    (n, count) each."""
    from sklearn.neighbors import NearestNeighbors

    search, found = NearestNeighbors(n_neighbors=count).fit(among), []
    for start in range(0, len(x), AT_A_TIME):
        found.append(search.kneighbors(x[start : start + AT_A_TIME]))
        bar.add(len(found[-1][0]))
    distances, indices = zip(*found)
    return np.concatenate(distances), np.concatenate(indices)
