"""The second input of a decoder that sees x: at each step, the steps of x before it.

Williams & Zipser 1989, A Learning Algorithm for Continually Running Fully Recurrent Neural
Networks, https://doi.org/10.1162/neco.1989.1.2.270 (teacher forcing);
Bowman et al. 2016, Generating Sentences from a Continuous Space,
https://arxiv.org/abs/1511.06349 (masked steps, section 3.1)
"""

import keras
import numpy as np
from keras import ops

from keras_aevae.engine import replicas
from keras_aevae.engine.inference import as_numpy
from keras_aevae.engine.noise import uniform

# Places at which `check_causal` changes x.
PLACES = 8


class Past(keras.layers.Layer):
    """Returns x moved on by one step along its first data axis, with zeros in front.

    Args:
        seed: integer seed of the masks, or None for a random one.

    Call arguments:
        x: data, shape (batch, steps, ...).
        dropout: probability with which each step is replaced by zeros; None masks nothing and
            draws no noise.

    Returns:
        float32, of the shape of `x`.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.seed_generator = replicas.SeedGenerator(seed)
        self.built = True

    def call(self, x, dropout=None):
        x = ops.cast(x, "float32")
        before = ops.concatenate([ops.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
        if dropout is None:
            return before
        each_step = (*ops.shape(before)[:2], *(1 for _ in x.shape[2:]))
        kept = uniform(each_step, self.seed_generator) >= dropout
        return before * ops.cast(kept, "float32")


def step_by_step(params_given, shape, likelihood, generator=None):
    """Generate x from p(x|z) = prod_t p(x_t | x_<t, z), one step after another.

    Each step is decoded given the steps that were generated before it.

    Args:
        params_given: function that takes x, an array of shape `shape`, and returns the likelihood's
            parameters at all steps. Those of step t depend only on the steps before t.
        shape: (n, steps, ...).
        likelihood: p(x_t | x_<t, z).
        generator: a seed generator, for a draw from p(x|z). With None, later steps are given the
            most probable value of each step, and the result holds the means E[x_t | x_<t, z].

    Returns:
        Array of shape `shape`.
    """
    x = np.zeros(shape, "float32")
    for step in range(shape[1]):
        params = params_given(x)
        if generator is None:
            now = likelihood.mode(params)
        else:
            now = likelihood.sample(params, seed=generator)
        x[:, step] = ops.convert_to_numpy(now)[:, step]
    return likelihood.mean(params) if generator is None else x


def check_causal(params_given, shape):
    """Raise an error if the parameters at some step depend on x at that step or a later one.

    `params_given` is as for `step_by_step`, and `shape` is the shape of one example. One pass
    compares x with copies that are changed from several places on: the parameters before such a
    place must stay the same.
    """
    noise = np.random.default_rng(0)
    places = np.unique(np.linspace(0, max(shape[0] - 2, 0), PLACES).astype(int))
    x = np.repeat(noise.random((1, *shape), "float32"), 1 + len(places), axis=0)
    for row, place in enumerate(places, start=1):
        x[row, place:] = noise.random(x[row, place:].shape, "float32")
    params = ops.convert_to_numpy(ops.cast(params_given(x), "float32"))
    for row, place in enumerate(places, start=1):
        change = np.abs(params[row, : place + 1] - params[0, : place + 1]).max()
        if change > 1e-3 * np.abs(params).max():
            raise ValueError(
                "`decoder` must be causal: with decoder_sees_x=True its outputs at a step must "
                "depend on the steps of x before it alone, else it learns to copy x and can't "
                f"generate. Received: a decoder whose outputs at steps 0 to {place} change by "
                f"{change:.2g} when x is changed from step {place} on. The model itself moves x on "
                "by one step; take causal layers: recurrent ones, Conv1D(padding='causal'), "
                "attention with use_causal_mask=True; no bidirectional ones, no Flatten or Dense "
                "across steps."
            )


def check_same(x, y):
    """Raise an error unless the target `y` is x itself: the decoder is given the past of x."""
    if not np.array_equal(as_numpy(x), as_numpy(y)):
        raise ValueError(
            "`y` must be x itself, or be left out, where the decoder sees x: it would see the past "
            "of x and be asked for another. Received: a `y` that differs from `x`. For denoising "
            "let the encoder make the noise, such as by a keras.layers.GaussianNoise as its first "
            "layer, and fit(x)."
        )
