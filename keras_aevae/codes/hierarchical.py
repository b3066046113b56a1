"""Inputs stored at several levels: a ladder of Gaussians, drawn from the top down.

Sønderby et al. 2016, Ladder Variational Autoencoders, https://arxiv.org/abs/1602.02282
"""

import itertools
import math

import keras
from keras import layers, ops

from keras_aevae._checks import (
    check_positive_integer,
    check_positive_integers,
    check_seed,
)
from keras_aevae.codes.base import TO_VECTORS, Code, draws_first, for_each_draw
from keras_aevae.distributions import DiagonalGaussian, LearnedPrior
from keras_aevae.engine.noise import another_seed, normal
from keras_aevae.engine.replicas import SeedGenerator


@keras.saving.register_keras_serializable(package="keras_aevae")
class HierarchicalCode(Code):
    """Stores an input as groups of Gaussians, of which each depends on the groups above it.

        p(z) = p(z_1) prod_i p(z_i | z_1, ..., z_i-1)
        q(z|x) = q(z_1|x) prod_i q(z_i | x, z_1, ..., z_i-1)

    Group 1 is the top, and all lists begin there. Of each group the encoder gives an estimate from
    below, N(m, s^2). For the top group this is q; for the others it is merged with
    p(z_i | z_1, ..., z_i-1) = N(m', s'^2) in proportion to the precisions (Sønderby et al. 2016,
    equations 17 to 19):

        q(z_i | x, z_1, ..., z_i-1) = N((m / s^2 + m' / s'^2) / (1 / s^2 + 1 / s'^2),
                                        1 / (1 / s^2 + 1 / s'^2))

    z is one vector, with the groups one after the other. The KL has a part for each group, which is
    shown as a term of its own, and free bits are given to each group.

    Good for: posteriors with dependent dimensions; coarse structure at the top and details below.
    Misleads when the number of groups is taken for the number of those in use: upper groups
    collapse easily, with a KL near 0. Look at the terms `kl_1`, `kl_2`, ...; warm beta up or give
    free bits.

    Args:
        groups: the number of groups, into which the dimensions (of a grid, the channels) are
            divided evenly; or their sizes, from the top: with `top_down`, the numbers of channels.
        top_down: Keras networks between the groups, one fewer than there are groups, for groups of
            different resolutions. The first takes z_1, the others take the state: what the last
            network gave, joined with the group there, along the last axis. The output of the i-th
            has the size of group i + 1. By default the state is z_1, ..., z_i themselves.
        hidden: numbers of units of the hidden layers of p(z_i | z_1, ..., z_i-1); () makes the
            parameters linear functions of the state. By default one layer as wide as the encoder's
            features; with `top_down`, none.
        activation: activation of these layers, and of those between the levels of the encoder.
        seed: integer seed of the noise. With None it is that of the model, or a random one.

    The encoder gives one tensor of features of each group, in a list from the top. If it gives a
    single one, these are the features of the lowest group, and those of the groups above are
    computed from them, by one dense layer from each level to the next. The decoder takes the state
    at the end: without `top_down` this is z. Since p of the lower groups is part of q, its layers
    are frozen with the encoder.

    `infer` returns `z_mean`, which is what `encode` gives: each group's mean, given the means of
    the groups above it; and the estimates from below, `z_bottom_up_mean` and `z_bottom_up_log_var`.

    Example:

    ```python
    from keras_aevae import VAE, networks
    from keras_aevae.codes import HierarchicalCode
    vae = VAE(*networks.mlp((8, 8, 1), latent_dim=6), posterior=HierarchicalCode((2, 4)))
    vae.sample_codes(5, seed=0).shape  # (5, 6)
    ```
    """

    stores = "distribution"
    inferred = ("z_mean", "z_bottom_up_mean", "z_bottom_up_log_var")
    fitted_priors = tuple(TO_VECTORS)
    shares_weights = True

    def __init__(self, groups=2, top_down=(), hidden=None, activation="relu", seed=None, **kwargs):
        super().__init__(**kwargs)
        self.groups = checked_groups(groups)
        self.top_down = list(top_down)
        self.hidden = None if hidden is None else check_positive_integers("hidden", hidden)
        self.activation = activation
        self.seed = None if seed is None else check_seed(seed)
        self.seed_generator = SeedGenerator(self.seed)
        between = "one fewer than there are groups"
        if self.top_down and isinstance(self.groups, int):
            raise ValueError(
                "`groups` must have the number of channels of each group, where `top_down` has the "
                f"networks between them. Received: groups={groups}."
            )
        if self.top_down and len(self.top_down) != len(self.groups) - 1:
            raise ValueError(
                f"`top_down` must have {between}. Received: {len(self.top_down)} networks, "
                f"{len(self.groups)} groups."
            )

    # The shapes

    def decoder_shape(self, known, latent_dim):
        if not self.top_down:
            return super().decoder_shape(known, latent_dim)
        if known is None or None in known:
            raise ValueError(
                "`decoder` must be a network whose input shape is known, where there are networks "
                "between the groups. Received: one whose input shape isn't known."
            )
        return known

    def check_features(self, features, latent_shape):
        if not isinstance(features, list):
            features = [features]
        if len(features) not in (1, self.num_groups):
            raise ValueError(
                f"`encoder` doesn't fit: there are {self.num_groups} groups, so it must give one "
                f"tensor, or one for each group. Received: {len(features)} tensors."
            )
        if self.top_down and len(features) != self.num_groups:
            raise ValueError(
                "`encoder` doesn't fit: with networks between the groups it must give features of "
                f"each group, in a list from the top. Received: one tensor, {features[0]}."
            )
        if not self.top_down:
            for shape in features:
                super().check_features(shape, latent_shape)

    @property
    def num_groups(self):
        return self.groups if isinstance(self.groups, int) else len(self.groups)

    def make(self):
        features = self.features_shape
        several = isinstance(features, list)
        features = features if several else [features] * self.num_groups
        if not self.latent_shape[1:] and not self.top_down:
            features = [(math.prod(shape),) for shape in features]
        self.features_shapes = features
        channels = self.channels()
        self.shapes = [(*shape[:-1], n) for shape, n in zip(features, channels)]
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.latent_dim, self.root_dim = sum(self.sizes), self.sizes[0]
        self.make_encoding(features, channels, several)
        self.make_priors(channels)

    def channels(self):
        """Return the number of channels of each group; of vectors, their lengths."""
        total = self.latent_shape[-1]
        if isinstance(self.groups, int):
            if total < self.groups:
                raise ValueError(
                    "`groups` must be at most the number of dimensions to divide. Received: "
                    f"groups={self.groups}, {total} dimensions. Take fewer groups, or a larger "
                    "latent_dim."
                )
            # What is left over goes to the lowest groups.
            return [(total + i) // self.groups for i in range(self.groups)]
        if not self.top_down and sum(self.groups) != total:
            raise ValueError(
                f"`groups` must add up to the {total} dimensions (of a grid, channels) that the "
                f"decoder takes. Received: groups={self.groups}, in all {sum(self.groups)}."
            )
        return list(self.groups)

    def make_encoding(self, features, channels, several):
        def dense(units, shape, activation, name):
            layer = layers.Dense(units, activation=activation, dtype=self.dtype_policy, name=name)
            layer.build((None, *shape))
            return layer

        # From the lowest level up; there are none if the encoder gives all levels.
        self.bottom_up = [
            dense(shape[-1], shape, self.activation, f"bottom_up_{i}")
            for i, shape in reversed(list(enumerate(features, 1)))
            if not several and i < self.num_groups
        ]
        self.heads = [
            dense(2 * n, shape, None, f"posterior_{i}")
            for i, (n, shape) in enumerate(zip(channels, features), 1)
        ]

    def make_priors(self, channels):
        width = self.features_shapes[0][-1]
        hidden = self.hidden
        if hidden is None:
            hidden = () if self.top_down else (width,)
        self.priors = []
        state = self.shapes[0]
        for i, (shape, n) in enumerate(zip(self.shapes[1:], channels[1:]), 2):
            above = self.output_of_network(i, state, shape)
            sizes = [(units, self.activation) for units in hidden] + [(2 * n, None)]
            given = keras.Sequential(
                [layers.Dense(u, activation=a, dtype=self.dtype_policy) for u, a in sizes],
                name=f"prior_{i}",
            )
            given.build((None, *above))
            self.priors.append(given)
            state = (*above[:-1], above[-1] + n)
        if tuple(state) != self.latent_shape:
            raise ValueError(
                "`decoder` doesn't fit: it must take the state after the last group, of shape "
                f"{tuple(state)}. Received: a decoder of inputs of shape {self.latent_shape}."
            )

    def output_of_network(self, i, state, shape):
        """Return the shape of what p of the i-th group depends on, from that of the state above."""
        if not self.top_down:
            if shape[:-1] != state[:-1]:
                raise ValueError(
                    "The groups have features of different sizes, so `top_down` must have the "
                    f"networks between them. Received: sizes {state[:-1]} and {shape[:-1]}, no "
                    "networks."
                )
            return state
        output = self.top_down[i - 2](keras.KerasTensor((None, *state))).shape[1:]
        if tuple(output[:-1]) != shape[:-1]:
            raise ValueError(
                f"`top_down` doesn't fit: its network {i - 1} must give the size of group {i}, "
                f"{shape[:-1]}. Received: an output of shape {tuple(output)}."
            )
        return tuple(output)

    # The walk from the top down

    def parts_of(self, flat):
        """Return the groups in vectors, shape (n, latent_dim), each of shape (n, size)."""
        ends = itertools.accumulate(self.sizes)
        return [flat[:, end - size : end] for end, size in zip(ends, self.sizes)]

    def above(self, i, state):
        """Return what p of the group of index i depends on, float32."""
        if not self.top_down:
            return state
        return ops.cast(self.top_down[i - 1](state), "float32")

    def joined(self, i, above, z):
        """Return the state with the group of index i, whose values are z, shape (n, size)."""
        z = ops.reshape(z, (-1, *self.shapes[i]))
        return z if above is None else ops.concatenate([above, z], axis=-1)

    def prior_given(self, i, above):
        """Return p(z_i | the groups above) as a distribution over vectors of the group's size."""
        parameters = DiagonalGaussian.parameterize(self.priors[i - 1](above))
        flat = {k: ops.reshape(v, (-1, self.sizes[i])) for k, v in parameters.items()}
        return DiagonalGaussian(**flat)

    def walk(self, inferred, choose):
        """Walk down from the top; return (q, p, z) of each group, whose p is None for the top.

        `choose(i, q)` returns the values z of the group of index i. All have shape (n, size).
        """
        means = self.parts_of(inferred["z_bottom_up_mean"])
        log_vars = self.parts_of(inferred["z_bottom_up_log_var"])
        above = p = None
        state, found = None, []
        for i, q in enumerate(map(DiagonalGaussian, means, log_vars)):
            if i:
                above = self.above(i, state)
                p = self.prior_given(i, above)
                q = merged(q, p)
            z = choose(i, q)
            state = self.joined(i, above, z)
            found.append((q, p, z))
        return found

    def walk_along(self, outputs):
        """Walk along the draws in `outputs`: (q, p, z) of each group, with a row for each draw of
        each example."""
        z, draws = outputs["z"], outputs["z"].shape[1]
        groups = self.parts_of(ops.reshape(z, (-1, self.latent_dim)))
        return self.walk(for_rows(outputs, self.inferred, draws), lambda i, q: groups[i])

    # What is stored

    def infer(self, features):
        features = list(features) if isinstance(features, (list, tuple)) else [features]
        shapes = self.features_shapes
        features = [
            ops.reshape(ops.cast(each, "float32"), (-1, *shape))
            for each, shape in zip(features, shapes[-len(features) :])
        ]
        for layer in self.bottom_up:
            features.insert(0, layer(features[0]))
        raw = [DiagonalGaussian.parameterize(h(each)) for h, each in zip(self.heads, features)]
        flat = {
            f"z_bottom_up_{name}": ops.concatenate(
                [ops.reshape(each[name], (-1, size)) for each, size in zip(raw, self.sizes)],
                axis=-1,
            )
            for name in DiagonalGaussian.parameters
        }
        centers = self.walk(flat, lambda i, q: q.mean)
        return {"z_mean": ops.concatenate([z for _, _, z in centers], axis=-1), **flat}

    def draw(self, inferred, num_samples=1, training=None):
        batch = ops.shape(inferred["z_mean"])[0]
        noise = normal((num_samples, batch, self.latent_dim), self.seed_generator)
        noise = self.parts_of(ops.reshape(ops.moveaxis(noise, 0, 1), (-1, self.latent_dim)))

        def drawn(i, q):
            return q.mean + ops.exp(0.5 * q.log_var) * noise[i]

        groups = self.walk(for_rows(inferred, self.inferred, num_samples), drawn)
        z = ops.concatenate([z for _, _, z in groups], axis=-1)
        return {"z": ops.reshape(z, (-1, num_samples, self.latent_dim))}

    def center(self, inferred):
        return inferred["z_mean"]

    def decoder_input(self, z):
        state = None
        for i, group in enumerate(self.parts_of(z)):
            state = self.joined(i, None if state is None else self.above(i, state), group)
        return state

    # The densities

    def root_q(self, inferred):
        mean, *_ = self.parts_of(inferred["z_bottom_up_mean"])
        log_var, *_ = self.parts_of(inferred["z_bottom_up_log_var"])
        return DiagonalGaussian(mean, log_var)

    @property
    def exact_kl(self):
        learned = isinstance(self.prior, LearnedPrior)
        return not learned and DiagonalGaussian.has_kl_to(self.p(posterior_at=None))

    @property
    def shown_parts(self):
        return tuple(f"kl_{i + 1}" for i in range(self.num_groups)) if self.num_groups > 1 else ()

    def kl(self, outputs, p):
        parts = [
            q.kl(p if given is None else given, sample=z)
            for q, given, z in self.walk_along(outputs)
        ]
        return self.by_draw(ops.stack(parts, axis=-1), outputs)

    def log_ratio(self, outputs, p):
        parts = [
            (p if given is None else given).log_prob(z) - q.log_prob(z)
            for q, given, z in self.walk_along(outputs)
        ]
        return self.by_draw(sum(parts), outputs)

    def by_draw(self, rows, outputs):
        """Return `rows`, one for each draw of each example, in shape (num_samples, batch, ...)."""
        shape = (-1, outputs["z"].shape[1], *rows.shape[1:])
        return draws_first({"rows": ops.reshape(rows, shape)}, "rows")

    def root(self, drawn):
        return drawn["z"][:, 0, : self.root_dim]

    def sample(self, num_samples, p, seed=None, **settings):
        groups = [p.sample((num_samples,), seed=seed, **settings)]
        state = self.joined(0, None, groups[0])
        for i in range(1, self.num_groups):
            above = self.above(i, state)
            given = self.prior_given(i, above)
            groups.append(given.sample(seed=another_seed(seed, f"group {i + 1}")))
            state = self.joined(i, above, groups[-1])
        return ops.concatenate(groups, axis=-1)

    @property
    def noise(self):
        return [self.seed_generator]

    def get_config(self):
        return {
            **super().get_config(),
            "groups": self.groups,
            "top_down": [keras.saving.serialize_keras_object(each) for each in self.top_down],
            "hidden": self.hidden,
            "activation": self.activation,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        networks = [keras.saving.deserialize_keras_object(each) for each in config["top_down"]]
        return cls(**{**config, "top_down": networks})


def checked_groups(groups):
    """Return `groups`, a number or a tuple of sizes, checked."""
    if isinstance(groups, (list, tuple)):
        return check_positive_integers("groups", groups, minimum_length=1)
    return check_positive_integer("groups", groups)


def merged(q, p):
    """Return the Gaussian whose precision is the sum of those of two, and whose mean is theirs
    weighted by the precisions."""
    log_var = -ops.logaddexp(-q.log_var, -p.log_var)
    mean = q.mean * ops.exp(log_var - q.log_var) + p.mean * ops.exp(log_var - p.log_var)
    return DiagonalGaussian(mean, log_var)


def for_rows(inferred, names, num_samples):
    """Return what was inferred of each example, with a row for each of its draws."""
    found = {name: inferred[name] for name in names}
    if num_samples == 1:
        return found
    rows = {name: for_each_draw(value, num_samples) for name, value in found.items()}
    return {name: ops.reshape(v, (-1, *v.shape[2:])) for name, v in rows.items()}
