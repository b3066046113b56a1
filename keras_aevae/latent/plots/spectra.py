"""A picture of how evenly models use the directions that they have."""

import numpy as np

from keras_aevae.latent.plots._figure import panels
from keras_aevae.latent.plots._ranks import HEIGHT, draw_lines, label_ends


def spectra(values, ylabel="variance", colours=None):
    """Draw a line per model: its values from the largest to the smallest, on a logarithmic scale.

    A flat line uses all of its directions equally; one that drops sharply lies near a subspace,
    whose dimension is the number of ranks before the drop. Zeros have no place on such a scale:
    there the line leaves the picture.

    Misleads between models whose codes have different units, as AEs' have: compare the shapes of
    the lines, not their heights.

    Args:
        values: dict from names to numbers of 0 or more, descending, each of shape (k,): what
            `latent.covariance_spectrum` returns, or the singular values of a decoder's Jacobian.
        ylabel: the label of these numbers.
        colours: dict from names to the matplotlib colours of their lines; others get ours.

    Returns:
        A matplotlib `Figure`.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    _, (x_test, _) = datasets.load("digits")
    vae = VAE.from_preset("vae_mlp_digits")
    figure = latent.plots.spectra({"VAE": latent.covariance_spectrum(vae.encode(x_test))})
    ```
    """
    from matplotlib.ticker import LogLocator, NullLocator

    values = {name: check_spectrum(name, one) for name, one in values.items()}
    with panels([""], HEIGHT) as (figure, (axes,)):
        draw_lines(axes, values, "rank", ylabel, colours)
        smallest = min(one[one > 0].min() for one in values.values())
        largest = max(one.max() for one in values.values())
        axes.set_yscale("log", nonpositive="clip")
        # At least a factor of 10, so that a nearly flat line looks flat.
        room = max((largest / smallest) ** 0.05 * 1.1, (10 * smallest / largest) ** 0.5)
        axes.set_ylim(smallest / room, largest * room)
        if largest < 300 * smallest:  # too few powers of ten to read the scale from
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        label_ends(axes, values)
    return figure


def check_spectrum(name, values):
    """Return `values` as a float64 array (k,), descending, of 0 or more, not all 0, or raise an
    error."""
    values = np.asarray(values, "float64")
    valid = values.ndim == 1 and values.size and np.isfinite(values).all()
    if not valid or values[-1] < 0 or values[0] == 0 or (np.diff(values) > 0).any():
        raise ValueError(
            "`values` must be, of each model, an array of shape (k,) of finite numbers of 0 or "
            "more, descending, the first above 0, such as what `latent.covariance_spectrum` "
            f"returns. Received: {name!r} with {values!r}."
        )
    return values
