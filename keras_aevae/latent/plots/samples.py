"""Pictures of new images from models."""

from keras.ops import convert_to_numpy

from keras_aevae.distributions import FittedMixture
from keras_aevae.latent.plots._condition import condition_setting
from keras_aevae.latent.plots._figure import WIDTH, panels
from keras_aevae.latent.plots._images import check_images, montage, show


def samples(models, num_samples=32, *, condition=None, codes=None, seed=0):
    """Draw images decoded from random codes, one panel per model; none is hand-picked.

    Args:
        models: dict from names to models.
        num_samples: number of images of each model.
        condition: the condition of each image, shape (num_samples,) for labels, or of all, for
            conditional models.
        codes: None for codes drawn from the prior; or a dict from the same names to codes, such as
            `encode(x_train)`: new codes are then drawn from the Gaussian fitted to these. Most of
            an AE's bad samples come from codes that aren't like the prior (Ghosh et al. 2020,
            https://arxiv.org/abs/1903.12436); this shows the other faults.
        seed: integer; the same seed gives the same samples on the same backend.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE
    from keras_aevae.latent import plots
    figure = plots.samples({"VAE": VAE.from_preset("vae_mlp_digits")})
    ```
    """
    check_images(models)
    arrays = []
    for name, model in models.items():
        settings = condition_setting(model, condition)
        if codes is None:
            images = model.sample(num_samples, seed=seed, **settings)
        else:
            images = model.decode(from_gaussian(codes[name], num_samples, seed), **settings)
        arrays.append(montage(images, columns=8)[0])
    height, width = arrays[0].shape[:2]
    source = "the prior" if codes is None else "a Gaussian fitted to its codes"
    titles = [f"{name}: codes from {source}" for name in models]
    with panels(titles, WIDTH * height / width + 0.3) as (figure, axes):
        for one, array in zip(axes, arrays):
            show(one, array)
    return figure


def from_gaussian(codes, num_samples, seed):
    """Return draws from the Gaussian fitted to `codes`."""
    prior = FittedMixture(codes.shape[1], num_components=1)
    prior.fit(codes)
    return convert_to_numpy(prior.distribution().sample((num_samples,), seed=seed))
