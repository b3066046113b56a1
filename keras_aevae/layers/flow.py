"""Normalizing flows: chains of invertible steps whose log-determinants are known.

Rezende & Mohamed 2015, Variational Inference with Normalizing Flows,
https://arxiv.org/abs/1505.05770
"""

import itertools

import keras
from keras import ops

from keras_aevae._checks import check_positive_integer, check_positive_integers, check_seed
from keras_aevae.engine.noise import seeds_from


class Flow(keras.layers.Layer):
    """The base class of flows: `num_steps` steps z -> z', one after another.

    A subclass defines `make_step`. A step is a layer with `forward(z, context)` and
    `inverse(z, context)`, each of which returns a tensor of the shape of z and the log of the
    absolute value of its own Jacobian's determinant, in nats.
    """

    def __init__(self, num_steps=4, hidden=(128,), seed=None, **kwargs):
        # No autocast: a log-determinant keeps its 32 bits whatever the dtype policy.
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.num_steps = check_positive_integer("num_steps", num_steps)
        self.hidden = tuple(check_positive_integers("hidden", hidden))
        self.seed = None if seed is None else check_seed(seed)
        self.steps = []

    def make_step(self, index, latent_dim, context_dim, **settings):
        """Return step number `index`; `settings` are those of its `Conditioner`."""
        raise NotImplementedError

    def build(self, z_shape, context_shape=None):
        latent_dim = z_shape[-1]
        self.context_dim = context_dim = 0 if context_shape is None else context_shape[-1]
        next_seed = seeds_from(self.seed)
        for index in range(self.num_steps):
            settings = {"hidden": self.hidden, "seed": next_seed(), "dtype": self.dtype_policy}
            self.steps.append(self.make_step(index, latent_dim, context_dim, **settings))
        self.built = True

    def call(self, z, context=None):
        return self.forward(z, context)

    def forward(self, z, context=None):
        """Return `(z', log_det)`: the image of z, and log |det dz'/dz| in nats, shape (...).

        Args:
            z: shape (..., latent_dim).
            context: shape (..., context_dim), or None for a flow that was built without one. The
                axes before the last one are broadcast against those of z.
        """
        return self.chain([step.forward for step in self.steps], z, context)

    def inverse(self, z, context=None):
        """Return `(z, log_det)`: what `forward` maps to the given z, and log |det dz/dz'|, the
        negative of that of `forward`."""
        return self.chain([step.inverse for step in reversed(self.steps)], z, context)

    def chain(self, functions, z, context):
        if (context is None) == bool(self.context_dim):
            built = f"one of length {self.context_dim}" if self.context_dim else "none"
            raise ValueError(
                "`context` must be given to a flow that was built with a `context_shape`, and to "
                f"no other. Received: {'none' if context is None else 'one'}, for a flow that was "
                f"built with {built}."
            )
        z = ops.cast(z, self.compute_dtype)
        if context is not None:
            context = ops.cast(context, self.compute_dtype)
        total = 0.0
        for function in functions:
            z, log_det = function(z, context)
            total = total + log_det
        return z, total

    def compute_output_shape(self, z_shape, context_shape=None):
        return tuple(z_shape), tuple(z_shape[:-1])

    def get_config(self):
        own = {"num_steps": self.num_steps, "hidden": list(self.hidden), "seed": self.seed}
        return {**super().get_config(), **own}


class Conditioner(keras.layers.Layer):
    """A fully connected network that gives the parameters of a step, with SiLUs between its layers:
    smooth, and able to bend in few units.

    Its last kernel starts at zero, so the parameters are zero at first, and a step starts near the
    identity.

    Args:
        sizes: numbers of its inputs, of the units of each hidden layer, and of its outputs.
        context_dim: length of the context, which all units of the first layer see; 0 for none.
        masks: arrays by which the kernels are multiplied, one for each layer; None for no masks.
        seed: integer seed of the kernels, or None for a random one.
    """

    def __init__(self, sizes, context_dim=0, masks=None, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.masks = masks
        next_seed = seeds_from(seed)

        def kernel(name, shape, zero=False):
            glorot = keras.initializers.GlorotUniform(next_seed())
            return self.add_weight(name=name, shape=shape, initializer="zeros" if zero else glorot)

        last = len(sizes) - 2
        self.kernels = [
            kernel(f"kernel_{i}", shape, zero=i == last)
            for i, shape in enumerate(itertools.pairwise(sizes))
        ]
        self.biases = [
            self.add_weight(name=f"bias_{i}", shape=(size,), initializer="zeros")
            for i, size in enumerate(sizes[1:])
        ]
        self.context_kernel = None
        if context_dim:
            shape = (context_dim, sizes[1])
            self.context_kernel = kernel("context_kernel", shape, zero=last == 0)
        self.built = True

    def call(self, z, context=None):
        h = z
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases)):
            kernel = kernel.value
            if self.masks is not None:
                kernel = kernel * ops.convert_to_tensor(self.masks[i], dtype=kernel.dtype)
            if i:
                h = ops.silu(h)
            h = ops.matmul(h, kernel) + bias.value
            if i == 0 and self.context_kernel is not None:
                h = h + ops.matmul(context, self.context_kernel.value)
        return h
