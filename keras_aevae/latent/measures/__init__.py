"""Measures of a model and its latent space: one file per idea."""

from keras_aevae.latent.measures.active_units import active_units
from keras_aevae.latent.measures.anomaly_detection import anomaly_auroc, latent_density_scores
from keras_aevae.latent.measures.beta_vae_score import beta_vae_score
from keras_aevae.latent.measures.clustering import clustering_agreement
from keras_aevae.latent.measures.code_scale import code_scale
from keras_aevae.latent.measures.dci import dci
from keras_aevae.latent.measures.decoder_jacobian import decoder_jacobian_spectrum
from keras_aevae.latent.measures.evidence import elbo, kl, log_likelihood
from keras_aevae.latent.measures.explicitness import explicitness
from keras_aevae.latent.measures.factor_vae_score import factor_vae_score
from keras_aevae.latent.measures.frechet_distance import frechet_distance
from keras_aevae.latent.measures.generalization_gap import (
    generalization_gap,
    generalization_gap_interval,
)
from keras_aevae.latent.measures.holes import holes
from keras_aevae.latent.measures.interpolation import path_length, step_uniformity
from keras_aevae.latent.measures.kl_decomposition import kl_decomposition
from keras_aevae.latent.measures.maximum_mean_discrepancy import maximum_mean_discrepancy
from keras_aevae.latent.measures.memorization import memorization_score, nearest_training_distance
from keras_aevae.latent.measures.modularity import modularity
from keras_aevae.latent.measures.mutual_information_gap import mutual_information_gap
from keras_aevae.latent.measures.perplexity import perplexity
from keras_aevae.latent.measures.posterior_collapse import posterior_collapse
from keras_aevae.latent.measures.precision_recall import precision_recall
from keras_aevae.latent.measures.probes import linear_probe, nearest_neighbour_probe
from keras_aevae.latent.measures.rate_per_dimension import rate_per_dimension
from keras_aevae.latent.measures.reconstruction import mean_squared_error, reconstruction_error
from keras_aevae.latent.measures.separated_attribute_predictability import (
    separated_attribute_predictability,
)
from keras_aevae.latent.measures.spectrum import covariance_spectrum, effective_dimension
from keras_aevae.latent.measures.training_preference import training_preference
from keras_aevae.latent.measures.whitening import whiten

__all__ = [
    "active_units",
    "anomaly_auroc",
    "beta_vae_score",
    "clustering_agreement",
    "code_scale",
    "covariance_spectrum",
    "dci",
    "decoder_jacobian_spectrum",
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
    "latent_density_scores",
    "linear_probe",
    "log_likelihood",
    "maximum_mean_discrepancy",
    "mean_squared_error",
    "memorization_score",
    "modularity",
    "mutual_information_gap",
    "nearest_neighbour_probe",
    "nearest_training_distance",
    "path_length",
    "perplexity",
    "posterior_collapse",
    "precision_recall",
    "rate_per_dimension",
    "reconstruction_error",
    "separated_attribute_predictability",
    "step_uniformity",
    "training_preference",
    "whiten",
]
