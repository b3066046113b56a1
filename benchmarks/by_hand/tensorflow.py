"""A `tf.function`, compiled by XLA."""

import numpy as np
import tensorflow as tf

from by_hand import BETA_1, BETA_2, EPSILON, LEARNING_RATE, LOG_VAR_BOUND, in_layers


def layer(h, kernel, bias):
    kernel, bias = tf.cast(kernel, h.dtype), tf.cast(bias, h.dtype)
    if kernel.shape.rank == 2:
        return tf.matmul(h, kernel) + bias
    return tf.nn.conv2d(h, kernel, 1, "SAME") + bias


def encode(layers, x):
    h = x
    for kernel, bias in layers:
        if kernel.shape.rank == 4 and kernel.shape[0] > 1:
            h = tf.nn.space_to_depth(h, 2)
        elif kernel.shape.rank == 2:
            h = tf.reshape(h, (-1, kernel.shape[0]))
        h = tf.nn.relu(layer(h, kernel, bias))
    return h


def decode(layers, z, shape):
    h = z
    for i, (kernel, bias) in enumerate(layers):
        if kernel.shape.rank == 4 and h.shape.rank == 2:
            size = shape[0] // 2 ** sum(k.shape.rank == 4 and k.shape[0] > 1 for k, _ in layers)
            h = tf.reshape(h, (-1, size, size, kernel.shape[2]))
        h = layer(h, kernel, bias)
        if i < len(layers) - 1:
            h = tf.nn.relu(h)
        if kernel.shape.rank == 4 and kernel.shape[0] > 1:
            h = tf.nn.depth_to_space(h, 2)
    return tf.reshape(h, (-1, *shape))


def posterior(params, x, dtype="float32"):
    encoder, [head], _ = params
    raw = layer(tf.cast(encode(encoder, tf.cast(x, dtype)), "float32"), *head)
    mean, log_var = tf.split(raw, 2, axis=-1)
    return mean, LOG_VAR_BOUND * tf.tanh(log_var / LOG_VAR_BOUND)


def loss_of(params, x, noise, shape, dtype):
    mean, log_var = posterior(params, x, dtype)
    z = mean + tf.exp(0.5 * log_var) * noise
    logits = tf.cast(decode(params[2], tf.cast(z, dtype), shape), "float32")
    reconstruction = tf.reduce_sum(tf.nn.softplus(logits) - x * logits, axis=(1, 2, 3))
    kl = 0.5 * tf.reduce_sum(tf.exp(log_var) + tf.square(mean) - 1.0 - log_var, axis=-1)
    return tf.reduce_mean(reconstruction + kl)


def trainer(weights, shape, compiled=True, dtype="float32"):
    params = tf.nest.map_structure(tf.Variable, in_layers(weights))
    flat = tf.nest.flatten(params)
    m = [tf.Variable(tf.zeros_like(p)) for p in flat]
    v = [tf.Variable(tf.zeros_like(p)) for p in flat]
    count, total = tf.Variable(0.0), tf.Variable(0.0)
    latent_dim = params[1][0][1].shape[0] // 2

    @tf.function(jit_compile=compiled)
    def step(x):
        noise = tf.random.normal((tf.shape(x)[0], latent_dim))
        with tf.GradientTape() as tape:
            loss = loss_of(params, x, noise, shape, dtype)
        count.assign_add(1.0)
        rate = LEARNING_RATE * tf.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        for p, a, b, g in zip(flat, m, v, tape.gradient(loss, flat)):
            a.assign_add((1 - BETA_1) * (g - a))
            b.assign_add((1 - BETA_2) * (g * g - b))
            p.assign_sub(rate * a / (tf.sqrt(b) + EPSILON))
        total.assign_add(loss)

    generator = np.random.default_rng(0)

    def epoch(x, batch_size):
        total.assign(0.0)
        order, steps = generator.permutation(len(x)), 0
        for start in range(0, len(x), batch_size):
            step(tf.convert_to_tensor(x[order[start : start + batch_size]]))
            steps += 1
        return float(total) / steps

    epoch.loss_of = lambda x, noise: float(loss_of(params, x, noise, shape, dtype))
    return epoch


def forward(weights, shape, compiled=True):
    params = tf.nest.map_structure(tf.Variable, in_layers(weights))
    latent_dim = params[1][0][1].shape[0] // 2

    def image(z):
        return tf.sigmoid(decode(params[2], z, shape))

    verbs = {
        "encode": lambda x: posterior(params, x)[0],
        "decode": image,
        "reconstruct": lambda x: image(posterior(params, x)[0]),
    }
    jitted = {name: tf.function(verb, jit_compile=compiled) for name, verb in verbs.items()}
    run = {name: lambda a, f=f: f(tf.convert_to_tensor(a)).numpy() for name, f in jitted.items()}
    draw = tf.function(lambda n: image(tf.random.normal((n, latent_dim))), jit_compile=compiled)
    return {**run, "sample": lambda n: draw(n).numpy()}
