"""The rows of a comparison's table: the measures of each model, one file per group."""

from keras_aevae.latent.rows.codes import CODES
from keras_aevae.latent.rows.factors import FACTORS
from keras_aevae.latent.rows.fit import FIT
from keras_aevae.latent.rows.memory import MEMORY
from keras_aevae.latent.rows.paths import PATHS
from keras_aevae.latent.rows.row import Row
from keras_aevae.latent.rows.samples import SAMPLES
from keras_aevae.latent.rows.use import USE

__all__ = ["GROUPS", "ROWS", "Row"]

# The groups and their rows.
GROUPS = {
    "Giving images back": FIT,
    "Memory of the training images": MEMORY,
    "Where the codes lie": CODES,
    "New images": SAMPLES,
    "Paths between images": PATHS,
    "What the codes are good for": USE,
    "Disentanglement of known factors": FACTORS,
}
ROWS = {row.key: row for rows in GROUPS.values() for row in rows}
