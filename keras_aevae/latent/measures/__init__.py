"""Measures of a model and its latent space: one file per idea."""

from keras_aevae.latent.measures.active_units import active_units
from keras_aevae.latent.measures.code_scale import code_scale
from keras_aevae.latent.measures.evidence import elbo, kl, log_likelihood
from keras_aevae.latent.measures.generalization_gap import generalization_gap
from keras_aevae.latent.measures.perplexity import perplexity
from keras_aevae.latent.measures.reconstruction import mean_squared_error, reconstruction_error

__all__ = [
    "active_units",
    "code_scale",
    "elbo",
    "generalization_gap",
    "kl",
    "log_likelihood",
    "mean_squared_error",
    "perplexity",
    "reconstruction_error",
]
