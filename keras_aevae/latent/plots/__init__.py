"""Pictures of models and their codes: each function returns a matplotlib `Figure`.

Each takes a dict from names to models, or to results computed from them, and shows them in the same
way. The pictures of images need data of shape (height, width, channels) with 1, 3 or 4 channels, of
any size. Conditional models get the `condition`, if there is such an argument.

```python
from keras_aevae import VAE
from keras_aevae.latent import plots
vae = VAE.from_preset("vae_mlp_digits")
plots.samples({"VAE": vae}, seed=0).savefig("samples.png")
```
"""

from keras_aevae.latent.plots.codes import codes
from keras_aevae.latent.plots.effects import effects
from keras_aevae.latent.plots.hole_map import hole_map
from keras_aevae.latent.plots.interpolations import interpolations
from keras_aevae.latent.plots.manifold import manifold
from keras_aevae.latent.plots.rate_distortion import rate_distortion
from keras_aevae.latent.plots.rates import rates
from keras_aevae.latent.plots.reconstructions import reconstructions
from keras_aevae.latent.plots.samples import samples
from keras_aevae.latent.plots.sources import sources
from keras_aevae.latent.plots.spectra import spectra
from keras_aevae.latent.plots.traversals import traversals

__all__ = [
    "codes",
    "effects",
    "hole_map",
    "interpolations",
    "manifold",
    "rate_distortion",
    "rates",
    "reconstructions",
    "samples",
    "sources",
    "spectra",
    "traversals",
]
