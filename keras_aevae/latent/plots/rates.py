"""A picture of the cost of each latent dimension of a VAE."""

import numpy as np

from keras_aevae.latent.plots._figure import panels
from keras_aevae.latent.plots._ranks import HEIGHT, draw_lines, label_ends


def rates(values, colours=None):
    """Draw a line per model: the nats that each latent dimension carries, in descending order.

    The area below a line is the model's rate, its whole KL. A dimension at 0 is unused: its
    posterior is the prior, whatever the input. The number of dimensions before a line falls to 0 is
    the number that the model uses.

    Misleads as a picture of information, since a dimension whose posterior differs from the prior
    in the same way for every example costs nats and says nothing (free bits cause this); and
    between models: each model's dimensions have their own order, so the first of one isn't that of
    another.

    Args:
        values: dict from names to the nats of each dimension, numbers of 0 or more in any order,
            each of shape (latent_dim,): what `latent.rate_per_dimension` returns, of VAEs whose
            prior is N(0, I).
        colours: dict from names to the matplotlib colours of their lines; others get ours.

    Returns:
        A matplotlib `Figure`.

    Raises:
        ValueError: if values have another shape, or are negative or not finite.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    outputs = vae.predict(x_test, verbose=0)
    nats = latent.rate_per_dimension(outputs["z_mean"], outputs["z_log_var"])
    figure = latent.plots.rates({"VAE": nats})
    ```
    """
    values = {name: np.sort(check_rates(name, one))[::-1] for name, one in values.items()}
    with panels([""], HEIGHT) as (figure, (axes,)):
        xlabel, ylabel = "latent dimension, by its rate", "rate: KL to the prior, nats"
        draw_lines(axes, values, xlabel, ylabel, colours)
        axes.set_ylim(0, 1.08 * max(one[0] for one in values.values()) or 1)
        for line in axes.lines:
            line.set_clip_on(False)  # otherwise only half of a mark at 0 is visible
        label_ends(axes, values)
    return figure


def check_rates(name, values):
    """Return `values` as a float64 array (latent_dim,) of 0 or more, else raise an error."""
    values = np.asarray(values, "float64")
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(
            "`values` must be, of each model, an array of shape (latent_dim,) of finite numbers of "
            "0 or more, such as what `latent.rate_per_dimension` returns. Received: "
            f"{name!r} with {values!r}."
        )
    return values
