"""Models trained for 20 steps on one global batch after another, in one process or in several.

The noise of an example is made of the example itself, so that it is the same wherever that lies.
"""

import contextlib
import random

import keras
import numpy as np

import keras_aevae as ka

STEPS, GLOBAL_BATCH, DATA, LATENT = 20, 16, 8, 3
SHAPE = (DATA,)


def data():
    x = np.random.default_rng(0).uniform(0.05, 0.95, (STEPS * GLOBAL_BATCH, DATA))
    weights = np.random.default_rng(1).uniform(0.5, 1.5, STEPS * GLOBAL_BATCH)
    return x.astype("float32"), weights.astype("float32")


def given_noise(cls):
    """`cls` with noise that is made of the example."""

    class GivenNoise(cls):
        def infer(self, inputs, training=None):
            return {**super().infer(inputs, training), "noise": 3.0 * inputs[:, :LATENT] - 1.5}

        def draw(self, outputs, training=None):
            scale = keras.ops.exp(0.5 * outputs["z_log_var"])
            return {"z": (outputs["z_mean"] + scale * outputs["noise"])[:, None]}

    return GivenNoise


def vae(**settings):
    networks = ka.networks.mlp(SHAPE, LATENT, hidden=(16,))
    return given_noise(ka.VAE)(*networks, seed=1000, **settings)


def vq_vae():
    class GivenStart(ka.VQVAE):
        """Starts its codebook from the same examples, whatever share of them it is given."""

        def start_from(self, x):
            super().start_from(data()[0])

    quantizer = ka.layers.VectorQuantizer(8, seed=0)
    return GivenStart(*ka.networks.mlp(SHAPE, LATENT, hidden=(16,)), quantizer=quantizer)


class ShowNoise(ka.VAE):
    """A VAE that shows the mean of its noise over the batch, and that of the noise squared."""

    def terms(self, x, outputs):
        scale = keras.ops.exp(0.5 * outputs["z_log_var"])
        noise = ((outputs["z"][:, 0] - outputs["z_mean"]) / scale)[:, 0]
        return {**super().terms(x, outputs), "noise": noise, "noise_squared": noise**2}


CASES = {
    "weighted examples": vae,
    # Both take a mean over the batch within the step.
    "calibrated Gaussian, free bits": lambda: vae(likelihood="gaussian", free_bits=0.2),
    "VQVAE": vq_vae,
}


def train(number, share=lambda arrays: arrays, batch_size=GLOBAL_BATCH, callbacks=list, scope=None):
    """What came of the first cases: an epoch's mean of each term, and the weights after it.

    Args:
        number: of cases.
        share: of the arrays of the global batches, one after the other, the part of this process.
        batch_size: what `fit` is to be given.
        callbacks: makes `fit`'s.
        scope: makes the context in which a model is made.
    """
    x, sample_weight = data()
    results = {}
    for name, make in list(CASES.items())[:number]:
        random.seed(1)  # Keras's initializers draw their seeds from it
        with (scope or contextlib.nullcontext)():
            model = make()
            model.compile()
        settings = {"batch_size": batch_size, "shuffle": False, "verbose": 0}
        if name == "weighted examples":
            settings["sample_weight"] = share(sample_weight)
        history = model.fit(share(x), callbacks=callbacks(), **settings).history
        assert int(model.step.numpy()) == STEPS
        results |= {f"{name}: {term}": value[-1] for term, value in history.items()}
        results |= {
            f"{name}: {i} {variable.name}": keras.ops.convert_to_numpy(variable)
            for i, variable in enumerate(model.trainable_variables + model.non_trainable_variables)
            if keras.backend.is_float_dtype(variable.dtype)
        }
    return results


def noise_of_one_step(examples, callbacks=list, scope=None):
    """The mean over a global batch of one example for each replica of the noise that it drew, and
    of its square. `examples` is how many of them this process has."""
    with (scope or contextlib.nullcontext)():
        model = ShowNoise(*ka.networks.mlp(SHAPE, LATENT, hidden=(16,)), seed=1000)
        model.compile()
    x = data()[0][:examples]
    logs = model.fit(x, batch_size=examples, verbose=0, callbacks=callbacks()).history
    return {"noise": logs["noise"][-1], "noise squared": logs["noise_squared"][-1]}


def part_of_batches(arrays, index, count):
    """Of each global batch the part of process `index` of `count`: consecutive examples."""
    batches = arrays.reshape(-1, count, GLOBAL_BATCH // count, *arrays.shape[1:])
    return batches[:, index].reshape(-1, *arrays.shape[1:])
