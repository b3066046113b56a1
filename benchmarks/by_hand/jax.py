"""A jitted step with donated state."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from by_hand import BETA_1, BETA_2, EPSILON, LEARNING_RATE, LOG_VAR_BOUND, in_layers


def space_to_depth(x):
    n, height, width, channels = x.shape
    x = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4 * channels)


def depth_to_space(x):
    n, height, width, channels = x.shape
    x = x.reshape(n, height, width, 2, 2, channels // 4)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * height, 2 * width, channels // 4)


def layer(h, kernel, bias):
    kernel, bias = kernel.astype(h.dtype), bias.astype(h.dtype)
    if kernel.ndim == 2:
        return h @ kernel + bias
    dims = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(h, kernel, (1, 1), "SAME", dimension_numbers=dims) + bias


def encode(layers, x):
    h = x
    for kernel, bias in layers:
        if kernel.ndim == 4 and kernel.shape[0] > 1:
            h = space_to_depth(h)
        elif kernel.ndim == 2:
            h = h.reshape(len(h), -1)
        h = jax.nn.relu(layer(h, kernel, bias))
    return h.reshape(len(h), -1)


def decode(layers, z, shape):
    h = z
    for i, (kernel, bias) in enumerate(layers):
        if kernel.ndim == 4 and h.ndim == 2:
            size = shape[0] // 2 ** sum(k.ndim == 4 and k.shape[0] > 1 for k, _ in layers)
            h = h.reshape(len(h), size, size, -1)
        h = layer(h, kernel, bias)
        if i < len(layers) - 1:
            h = jax.nn.relu(h)
        if kernel.ndim == 4 and kernel.shape[0] > 1:
            h = depth_to_space(h)
    return h.reshape(len(h), *shape)


def posterior(params, x, dtype="float32"):
    encoder, [head], _ = params
    raw = layer(encode(encoder, x.astype(dtype)).astype("float32"), *head)
    mean, log_var = jnp.split(raw, 2, axis=-1)
    return mean, LOG_VAR_BOUND * jnp.tanh(log_var / LOG_VAR_BOUND)


def loss_of(params, x, noise, shape, dtype):
    mean, log_var = posterior(params, x, dtype)
    z = mean + jnp.exp(0.5 * log_var) * noise
    logits = decode(params[2], z.astype(dtype), shape).astype("float32")
    reconstruction = jnp.sum(jax.nn.softplus(logits) - x * logits, axis=(1, 2, 3))
    kl = 0.5 * jnp.sum(jnp.exp(log_var) + jnp.square(mean) - 1.0 - log_var, axis=-1)
    return jnp.mean(reconstruction + kl)


def trainer(weights, shape, compiled=True, dtype="float32"):
    params = jax.tree.map(jnp.asarray, in_layers(weights))
    latent_dim = params[1][0][1].shape[0] // 2
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = (params, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros(()), jax.random.key(0))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(state, total, x):
        params, m, v, count, key = state
        key, now = jax.random.split(key)
        noise = jax.random.normal(now, (len(x), latent_dim))
        loss, gradients = jax.value_and_grad(loss_of)(params, x, noise, shape, dtype)
        count += 1
        rate = LEARNING_RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        m = jax.tree.map(lambda m, g: m + (1 - BETA_1) * (g - m), m, gradients)
        v = jax.tree.map(lambda v, g: v + (1 - BETA_2) * (g * g - v), v, gradients)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), params, m, v)
        return (params, m, v, count, key), total + loss

    generator = np.random.default_rng(0)

    def epoch(x, batch_size):
        nonlocal state
        total, order, steps = jnp.zeros(()), generator.permutation(len(x)), 0
        for start in range(0, len(x), batch_size):
            state, total = step(state, total, x[order[start : start + batch_size]])
            steps += 1
        return float(total) / steps

    epoch.loss_of = lambda x, noise: float(loss_of(state[0], x, noise, shape, dtype))
    return epoch


def forward(weights, shape, compiled=True):
    params = jax.tree.map(jnp.asarray, in_layers(weights))
    latent_dim = params[1][0][1].shape[0] // 2

    def image(params, z):
        return jax.nn.sigmoid(decode(params[2], z, shape))

    verbs = {
        "encode": lambda params, x: posterior(params, x)[0],
        "decode": image,
        "reconstruct": lambda params, x: image(params, posterior(params, x)[0]),
    }
    jitted = {name: jax.jit(function) for name, function in verbs.items()}
    run = {name: lambda a, f=f: np.asarray(f(params, a)) for name, f in jitted.items()}
    keys = iter(jax.random.split(jax.random.key(0), 100_000))
    draw = jax.jit(
        lambda params, key, n: image(params, jax.random.normal(key, (n, latent_dim))),
        static_argnums=2,
    )
    return {**run, "sample": lambda n: np.asarray(draw(params, next(keys), n))}
