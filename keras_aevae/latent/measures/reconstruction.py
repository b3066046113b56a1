"""The errors with which a model reconstructs its inputs."""

import numpy as np

from keras_aevae.engine.batches import is_dataset
from keras_aevae.engine.inference import as_numpy, first_of
from keras_aevae.latent.measures._arrays import check_model


def reconstruction_error(model, x, *, batch_size=128, verbose=0):
    """Return the mean reconstruction error -log p(x|z), in nats per example, constants included.

    It is the distortion of Alemi et al. 2018, https://arxiv.org/abs/1711.00464.

    Range: any number; from 0 up if the data are bits or classes. Lower is better. Grey values under
    a Bernoulli cost their entropy even in perfect images, so 0 is then out of reach.

    Good for: comparing models of one likelihood on the same data. Misleads between likelihoods,
    whose nats count different things; and a little between an AE and a VAE: the AE decodes its one
    code, the VAE a draw from q(z|x), noise included. `mean_squared_error` decodes the centre for
    both.

    Args:
        model: an `Autoencoder` or a subclass.
        x: data, shape (n, *data_shape); for a conditional model the pair (x, condition).
        batch_size, verbose: as for `model.evaluate_terms`, which gives that of each example.

    Returns:
        A float, which `model.evaluate(x)` calls `reconstruction`.

    Example:

    ```python
    from keras_aevae import VAE, datasets, latent
    vae = VAE.from_preset("vae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    nats = latent.reconstruction_error(vae, x_test)
    ```
    """
    check_model(model, "evaluate_terms", x=x)
    terms = model.evaluate_terms(x, batch_size=batch_size, verbose=verbose)
    return mean(terms["reconstruction"])


def mean_squared_error(model, x, *, batch_size=128, verbose=0):
    """Return the mean squared error of `model.reconstruct(x)`, per data value (pixel and channel).

    Range: from 0 up; lower is better. A model that always gives the mean scores the data's
    variance.

    Good for: comparing models whatever their likelihood and posterior, since no noise is drawn.
    Misleads about looks: a blur scores well, a sharp stroke that is one pixel off scores badly.

    Args:
        model: an `Autoencoder` or a subclass.
        x: data, shape (n, *data_shape); for a conditional model the pair (x, condition).
        batch_size, verbose: as for `model.reconstruct`.

    Returns:
        A float.

    Example:

    ```python
    from keras_aevae import Autoencoder, datasets, latent
    ae = Autoencoder.from_preset("ae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    error = latent.mean_squared_error(ae, x_test)
    ```
    """
    check_model(model, "reconstruct", x=x)
    if is_dataset(x):
        raise ValueError(
            "`x` must be an array, or a pair (x, condition) of them. Received: a "
            f"{type(x).__name__}. Measure its batches one by one."
        )
    inputs = model.check_inputs(x)
    condition = inputs[1] if isinstance(inputs, tuple) else None
    target = first_of(inputs)
    settings = {"batch_size": batch_size, "verbose": verbose}
    reconstruction = model.reconstruct(target, condition=condition, **settings)
    return mean(np.square(reconstruction - as_numpy(target)))


def mean(values):
    return float(np.mean(values, dtype="float64"))
