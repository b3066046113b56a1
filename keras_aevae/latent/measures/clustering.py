"""Do the codes form clusters that are the classes?"""

from keras_aevae._checks import check_seed
from keras_aevae.latent.measures.probes import check_classes, check_labelled


def clustering_agreement(codes, labels, seed=0):
    """Return how well the clusters of codes agree with the labels, which aren't used to find them.

    k-means with as many clusters as there are classes, compared with these by the Rand index
    adjusted for chance (Hubert & Arabie 1985, https://doi.org/10.1007/BF01908075) and by the mutual
    information over the mean entropy of the two (Vinh et al. 2010,
    https://jmlr.org/papers/v11/vinh10a.html).

    Range: 1 if the clusters are the classes. Clusters that are independent of the classes score 0
    on average in the first (sometimes less), and a little above 0 in the second.

    Good for: whether the classes are the largest differences between codes, without training on
    labels. Misleads when classes have long or curled shapes, which k-means cuts (see
    `nearest_neighbour_probe`), and when one dimension is much larger than the others: whiten codes
    that differ in scale.

    Args:
        codes: shape (n, latent_dim).
        labels: shape (n,); two classes or more.
        seed: integer seed of the clusters' starts.

    Returns:
        A dict of floats: "adjusted_rand", "normalized_mutual_information".

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, y_test) = datasets.load("digits")
    latent.clustering_agreement(vae.encode(x_test), y_test)
    ```
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    seed = check_seed(seed)
    codes, labels = check_labelled("", codes, labels)
    num_classes = len(check_classes(labels))
    found = KMeans(num_classes, n_init=4, random_state=seed).fit_predict(codes)
    return {
        "adjusted_rand": float(adjusted_rand_score(labels, found)),
        "normalized_mutual_information": float(normalized_mutual_info_score(labels, found)),
    }
