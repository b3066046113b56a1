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
from keras_aevae.distributions import DiagonalGaussian
from keras_aevae.engine.noise import another_seed, normal
from keras_aevae.engine.replicas import SeedGenerator

# What is kept of each draw, of the groups below the top: the parameters of q and of p given the
# groups above them.
LOWER = {
    "z_posterior_mean": lambda q, p: q.mean,
    "z_posterior_log_var": lambda q, p: q.log_var,
    "z_prior_mean": lambda q, p: p.mean,
    "z_prior_log_var": lambda q, p: p.log_var,
}


@keras.saving.register_keras_serializable(package="keras_aevae")
class HierarchicalCode(Code):
    """Stores an input as groups of Gaussians, of which each depends on the groups above it.

        p(z) = p(z_1) prod_i p(z_i | z_1, ..., z_i-1)
        q(z|x) = q(z_1|x) prod_i q(z_i | x, z_1, ..., z_i-1)

    Group 1 is the top, and every list of groups runs from the top down. The encoder gives an
    estimate of each group from below, N(m, s^2). For the top group this is q; for the others it is
    merged with p(z_i | z_1, ..., z_i-1) = N(m', s'^2) in proportion to the precisions (Sønderby et
    al. 2016):

        q(z_i | x, z_1, ..., z_i-1) = N((m / s^2 + m' / s'^2) / (1 / s^2 + 1 / s'^2),
                                        1 / (1 / s^2 + 1 / s'^2))

    That paper counts the groups from the bottom; there each group depends on the next one above it
    alone, and the decoder takes the lowest one. Here both take all groups above.

    z is one vector, with the groups one after the other. The KL has a part for each group, which a
    `VAE` shows as a term of its own, and free bits are given to each group.

    The state is what the groups so far have given: at first z_1. By default z_2 is appended to it,
    and so on, so that in the end it is z. With `top_down`, a network first brings the state to the
    size of the next group, such as (7, 7, 16) to (14, 14, 32), and the group, here (14, 14, 4), is
    joined with it along the last axis. The decoder takes the state at the end.

    Good for: posteriors with dependent dimensions; coarse structure at the top and details below.
    Misleads when the number of groups is taken for the number of those in use: upper groups
    collapse easily, with a KL near 0. Look at the terms `kl_1`, `kl_2`, ...; warm beta up or give
    free bits.

    Args:
        groups: the number of groups, into which the dimensions (of a grid, the channels) are
            divided evenly; or their sizes, from the top: with `top_down`, the numbers of channels.
        top_down: list of Keras networks between the groups, one fewer than there are groups, for
            groups of different resolutions. Each takes the state and gives one tensor, of the size
            of the next group. They don't take a model's condition.
        hidden: numbers of units of the hidden layers of p(z_i | z_1, ..., z_i-1); () makes the
            parameters linear functions of the state. By default one layer as wide as the encoder's
            features; with `top_down`, none.
        activation: activation of these layers, and of those between the levels of the encoder.
        seed: integer seed of the noise. With None it is that of the model, or a random one.

    The encoder gives one tensor of features of each group, in a list from the top. If it gives a
    single one, these are the features of the lowest group, and those of the groups above are
    computed from them, by one dense layer from each level to the next. Since p of the lower groups
    is part of q, its layers and the networks of `top_down` are frozen with the encoder, not with
    the decoder.

    `infer` returns `z_mean`, which is what `encode` gives: each group's mean, given the means of
    the groups above it; and the estimates from below, `z_bottom_up_mean` and `z_bottom_up_log_var`.
    A draw comes with the parameters of q and of p of the groups below the top, given the groups
    above: `z_posterior_mean`, `z_posterior_log_var`, `z_prior_mean` and `z_prior_log_var`.

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
        self.top_down = checked_networks(top_down)
        self.hidden = None if hidden is None else check_positive_integers("hidden", hidden)
        self.activation = activation
        self.seed = None if seed is None else check_seed(seed)
        self.seed_generator = SeedGenerator(self.seed)
        if self.top_down and isinstance(self.groups, int):
            raise ValueError(
                "`groups` must have the number of channels of each group, where `top_down` has the "
                f"networks between them. Received: groups={groups}."
            )
        if self.top_down and len(self.top_down) != len(self.groups) - 1:
            raise ValueError(
                "`top_down` must have one network fewer than there are groups. Received: "
                f"{len(self.top_down)} networks, {len(self.groups)} groups."
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
        sizes = {shape[:-1] for shape in features}
        if not self.top_down and len(sizes) > 1:
            raise ValueError(
                "The groups have features of different sizes, so `top_down` must have the networks "
                f"between them. Received: features of shapes {features}, no networks."
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
        hidden = self.hidden
        if hidden is None:
            hidden = () if self.top_down else (self.features_shapes[0][-1],)
        self.priors = []
        state = self.shapes[0]
        for i, n in enumerate(channels[1:], 1):
            seen = self.output_of_network(i, state) if self.top_down else state
            sizes = [(units, self.activation) for units in hidden] + [(2 * n, None)]
            network = keras.Sequential(
                [layers.Dense(u, activation=a, dtype=self.dtype_policy) for u, a in sizes],
                name=f"prior_{i + 1}",
            )
            network.build((None, *seen))
            self.priors.append(network)
            state = (*seen[:-1], seen[-1] + n)
        if tuple(state) != self.latent_shape:
            raise ValueError(
                "`decoder` doesn't fit: it must take the state after the last group, of shape "
                f"{tuple(state)}. Received: a decoder of inputs of shape {self.latent_shape}."
            )

    def output_of_network(self, i, state):
        """Return the shape of the output of the network above the group of index i."""
        output = self.top_down[i - 1](keras.KerasTensor((None, *state)))
        shape = getattr(output, "shape", None)
        if shape is None or tuple(shape[1:-1]) != self.shapes[i][:-1]:
            received = "several outputs" if shape is None else f"an output of shape {shape[1:]}"
            raise ValueError(
                f"`top_down` doesn't fit: network {i} must give one tensor of the size of group "
                f"{i + 1}, {self.shapes[i][:-1]}. Received: {received}."
            )
        return tuple(shape[1:])

    # The walk from the top down

    def parts_of(self, flat):
        """Return the groups in vectors, shape (..., latent_dim), each of shape (..., size)."""
        return split(flat, self.sizes)

    def parts_of_lower(self, flat):
        """Return the groups below the top in vectors of those groups alone."""
        return split(flat, self.sizes[1:])

    def seen_below(self, i, state, training=None):
        """Return what p of the group of index i depends on, of the state above it, float32."""
        if not self.top_down:
            return state
        return ops.cast(self.top_down[i - 1](state, training=training), "float32")

    def joined(self, i, seen, z):
        """Return the state with the group of index i, whose values are z, shape (n, size)."""
        z = ops.reshape(z, (-1, *self.shapes[i]))
        return z if seen is None else ops.concatenate([seen, z], axis=-1)

    def prior_given(self, i, seen):
        """Return p(z_i | the groups above) as a distribution over vectors of the group's size."""
        parameters = DiagonalGaussian.parameterize(self.priors[i - 1](seen))
        flat = {k: ops.reshape(v, (-1, self.sizes[i])) for k, v in parameters.items()}
        return DiagonalGaussian(**flat)

    def walk(self, mean, log_var, choose, training=None):
        """Walk down from the top; return (q, p, z) of each group, whose p is None for the top.

        `mean` and `log_var` are the estimates from below, shape (n, latent_dim), and `choose(i, q)`
        returns the values z of the group of index i, shape (n, size).
        """
        estimates = zip(self.parts_of(mean), self.parts_of(log_var))
        seen = p = state = None
        found = []
        for i, q in enumerate(DiagonalGaussian(*estimate) for estimate in estimates):
            if i:
                seen = self.seen_below(i, state, training)
                p = self.prior_given(i, seen)
                q = merged(q, p)
            z = choose(i, q)
            state = self.joined(i, seen, z)
            found.append((q, p, z))
        return found

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
        centers = self.walk(*flat.values(), lambda i, q: q.mean, training=False)
        return {"z_mean": ops.concatenate([z for _, _, z in centers], axis=-1), **flat}

    @property
    def drawn(self):
        return ("z", *LOWER) if self.num_groups > 1 else ("z",)

    def draw(self, inferred, num_samples=1, training=None):
        batch = ops.shape(inferred["z_mean"])[0]
        noise = normal((num_samples, batch, self.latent_dim), self.seed_generator)
        noise = self.parts_of(ops.reshape(ops.moveaxis(noise, 0, 1), (-1, self.latent_dim)))

        def chosen(i, q):
            return q.mean + ops.exp(0.5 * q.log_var) * noise[i]

        rows = [
            ops.reshape(for_each_draw(inferred[name], num_samples), (-1, self.latent_dim))
            for name in ("z_bottom_up_mean", "z_bottom_up_log_var")
        ]
        groups = self.walk(*rows, chosen, training)
        parts = {"z": [z for _, _, z in groups]}
        # What a group was drawn from: another walk, in which a layer may drop other units, would
        # find others.
        parts |= {name: [of(q, p) for q, p, _ in groups[1:]] for name, of in LOWER.items()}
        joined = {name: ops.concatenate(parts[name], axis=-1) for name in self.drawn}
        return {
            name: ops.reshape(values, (batch, num_samples, values.shape[-1]))
            for name, values in joined.items()
        }

    def center(self, inferred):
        return inferred["z_mean"]

    def decoder_input(self, z):
        state = None
        for i, group in enumerate(self.parts_of(z)):
            state = self.joined(i, self.seen_below(i, state) if i else None, group)
        return state

    # The densities

    def root_q(self, inferred):
        mean, *_ = self.parts_of(inferred["z_bottom_up_mean"])
        log_var, *_ = self.parts_of(inferred["z_bottom_up_log_var"])
        return DiagonalGaussian(mean, log_var)

    @property
    def exact_kl(self):
        return self.has_exact_kl(DiagonalGaussian)

    @property
    def shown_parts(self):
        return tuple(f"kl_{i + 1}" for i in range(self.num_groups)) if self.num_groups > 1 else ()

    def lower(self, outputs):
        """Return (q, p, z) of each group below the top, at the draws in `outputs`: distributions of
        shape (num_samples, batch), and their values."""
        values = {name: self.parts_of_lower(draws_first(outputs, name)) for name in self.drawn[1:]}
        z = self.parts_of_lower(draws_first(outputs, "z")[..., self.root_dim :])
        parts = zip(z, *(values[name] for name in values))
        return [
            (DiagonalGaussian(q_mean, q_log_var), DiagonalGaussian(p_mean, p_log_var), z)
            for z, q_mean, q_log_var, p_mean, p_log_var in parts
        ]

    def kl(self, outputs, p):
        top = draws_first(outputs, "z")[..., : self.root_dim]
        parts = [self.root_q(outputs).kl(p, sample=top)]
        parts += [q.kl(p) for q, p, _ in self.lower(outputs)]
        shape = ops.shape(top)[:-1]
        return ops.stack([ops.broadcast_to(part, shape) for part in parts], axis=-1)

    def log_ratio(self, outputs, p):
        top = draws_first(outputs, "z")[..., : self.root_dim]
        ratio = p.log_prob(top) - self.root_q(outputs).log_prob(top)
        return sum((p.log_prob(z) - q.log_prob(z) for q, p, z in self.lower(outputs)), ratio)

    def root(self, drawn):
        return drawn["z"][:, 0, : self.root_dim]

    def sample(self, num_samples, p, seed=None, **settings):
        groups = [p.sample((num_samples,), seed=seed, **settings)]
        state = self.joined(0, None, groups[0])
        for i in range(1, self.num_groups):
            seen = self.seen_below(i, state, training=False)
            seed_of_group = another_seed(seed, f"group {i + 1}")
            groups.append(self.prior_given(i, seen).sample(seed=seed_of_group))
            state = self.joined(i, seen, groups[-1])
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


def checked_networks(networks):
    """Return `networks`, a list of Keras models or layers, checked."""
    valid = isinstance(networks, (list, tuple))
    if not valid or not all(isinstance(network, keras.Layer) for network in networks):
        raise ValueError(
            "`top_down` must be a list of Keras networks, those between the groups, such as "
            f"`networks.ladder` returns. Received: top_down={networks!r}."
        )
    return list(networks)


def merged(q, p):
    """Return the Gaussian whose precision is the sum of those of two, and whose mean is theirs
    weighted by the precisions."""
    log_var = -ops.logaddexp(-q.log_var, -p.log_var)
    mean = q.mean * ops.exp(log_var - q.log_var) + p.mean * ops.exp(log_var - p.log_var)
    return DiagonalGaussian(mean, log_var)


def split(flat, sizes):
    """Return parts of these sizes of `flat`, along its last axis."""
    ends = itertools.accumulate(sizes)
    return [flat[..., end - size : end] for end, size in zip(ends, sizes)]
