"""The strength, and the number of directions, with which decoded data depend on the code."""

import keras
import numpy as np

from keras_aevae._checks import check_number
from keras_aevae.latent.measures._arrays import as_array, check_model
from keras_aevae.latent.measures._features import check_pair

# The number of decoded values that are held at a time: 32 MiB in float32.
AT_A_TIME = 1 << 23


def decoder_jacobian_spectrum(model, codes, basis=None, step=1e-2, verbose=0):
    """Return the singular values of the decoder's Jacobian dE[x|z]/dz at each code, descending.

        J b_i ~ (E[x | z + h b_i] - E[x | z - h b_i]) / 2h,   b_i the rows of `basis`

    Central differences make it the same on every backend. The squares of the singular values are
    the eigenvalues of J^T J, the metric that the decoder gives the latent space: Arvanitidis et al.
    2018, https://arxiv.org/abs/1710.11379.

    Range: from 0 up, in units of the data per unit of `basis`. The first column is the local
    Lipschitz constant of the decoder: the largest change of the decoded data for a small step. The
    number of columns far from 0 is the number of directions on which the decoder depends there.

    Good for: finding dimensions that the decoder ignores, and codes around which it jumps. Misleads
    between models whose codes differ in scale, as AEs' do: give the principal axes times their
    standard deviations as `basis`. Values below about 1e-4 are rounding errors, and if the decoder
    bends within `step` the values are those of a chord.

    Args:
        model: an `Autoencoder` or a subclass, without a condition.
        codes: the codes at which it is computed, shape (n, latent_dim).
        basis: the directions, shape (k, latent_dim); by default the dimensions.
        step: h, in units of `basis`.
        verbose: 1 for a progress bar.

    Returns:
        A float64 array of shape (n, k), which ends in zeros if k is above the number of data
        values.

    Example:

    ```python
    from keras_aevae import Autoencoder, datasets, latent
    ae = Autoencoder.from_preset("ae_mlp_digits")
    _, (x_test, _) = datasets.load("digits")
    steepest = latent.decoder_jacobian_spectrum(ae, ae.encode(x_test[:20]))[:, 0]
    ```
    """
    check_model(model, "decode")
    if model.condition_dim:
        raise ValueError(
            "`model` must decode a code alone, since there is no condition to decode it with. "
            f"Received: a {type(model).__name__} with condition_dim={model.condition_dim}."
        )
    step = check_number("step", step, minimum=0, exclusive=True)
    basis = np.eye(model.latent_dim) if basis is None else basis
    codes = as_array("codes", codes, "an array of codes, shape (n, latent_dim)")
    if codes.ndim == 2 and codes.shape[1] != model.latent_dim:
        raise ValueError(
            f"`codes` must have the model's {model.latent_dim} latent dimensions. Received: codes "
            f"of shape {codes.shape}."
        )
    codes, basis = check_pair(codes, basis, least=1, names=("codes", "basis"))
    k, size = len(basis), int(np.prod(model.data_shape))
    rows = max(1, AT_A_TIME // (2 * k * size))
    steps = step * np.concatenate([basis, -basis])
    result = np.zeros((len(codes), k))
    bar = keras.utils.Progbar(len(codes), verbose=verbose)
    for start in range(0, len(codes), rows):
        part = codes[start : start + rows]
        z = (part[:, None] + steps).reshape(-1, codes.shape[1]).astype("float32")
        decoded = np.asarray(model.decode(z), "float64").reshape(len(part), 2, k, size)
        jacobian = (decoded[:, 0] - decoded[:, 1]) / (2 * step)
        squares = np.linalg.eigvalsh(jacobian @ jacobian.transpose(0, 2, 1))
        result[start : start + rows] = np.sqrt(np.maximum(squares[:, ::-1], 0))
        bar.add(len(part))
    return result
