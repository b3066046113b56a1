"""What a latent space is like: measures, comparisons of models, and their report.

Importing it loads neither matplotlib nor scikit-learn nor jinja2: pictures and reports load them
when they are made.
"""

from keras_aevae.latent import plots
from keras_aevae.latent.compare import compare
from keras_aevae.latent.comparison import Comparison
from keras_aevae.latent.measures import (
    active_units,
    beta_vae_score,
    code_scale,
    covariance_spectrum,
    dci,
    effective_dimension,
    elbo,
    explicitness,
    factor_vae_score,
    frechet_distance,
    generalization_gap,
    generalization_gap_interval,
    holes,
    kl,
    kl_decomposition,
    linear_probe,
    log_likelihood,
    maximum_mean_discrepancy,
    mean_squared_error,
    memorization_score,
    modularity,
    mutual_information_gap,
    nearest_neighbour_probe,
    nearest_training_distance,
    perplexity,
    posterior_collapse,
    precision_recall,
    rate_per_dimension,
    reconstruction_error,
    separated_attribute_predictability,
)
from keras_aevae.latent.summary import summary

__all__ = [
    "Comparison",
    "active_units",
    "beta_vae_score",
    "code_scale",
    "compare",
    "covariance_spectrum",
    "dci",
    "effective_dimension",
    "elbo",
    "explicitness",
    "factor_vae_score",
    "frechet_distance",
    "generalization_gap",
    "generalization_gap_interval",
    "holes",
    "kl",
    "kl_decomposition",
    "linear_probe",
    "log_likelihood",
    "maximum_mean_discrepancy",
    "mean_squared_error",
    "memorization_score",
    "modularity",
    "mutual_information_gap",
    "nearest_neighbour_probe",
    "nearest_training_distance",
    "perplexity",
    "plots",
    "posterior_collapse",
    "precision_recall",
    "rate_per_dimension",
    "reconstruction_error",
    "separated_attribute_predictability",
    "summary",
]
