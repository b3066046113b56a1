"""An eager loop, or the same with its step's forward and backward pass by `torch.compile`."""

import numpy as np
import torch
import torch.nn.functional as F

from by_hand import BETA_1, BETA_2, EPSILON, LEARNING_RATE, LOG_VAR_BOUND, in_layers


def to_torch(encoder, head, decoder, shape, device):
    """Dense kernels as `F.linear` takes them, convolutions' as `F.conv2d`; those beside a pixel
    shuffle, and dense layers beside a flattened image, with their channels in torch's order."""

    def conv(kernel, bias, shuffled):
        height, width, inputs, outputs = kernel.shape
        if shuffled == "inputs":  # ours: (dy, dx, channel); torch's: (channel, dy, dx)
            kernel = kernel.reshape(height, width, 4, inputs // 4, outputs).swapaxes(2, 3)
            kernel = kernel.reshape(height, width, inputs, outputs)
        if shuffled == "outputs":
            kernel = kernel.reshape(height, width, inputs, 4, outputs // 4).swapaxes(3, 4)
            kernel = kernel.reshape(height, width, inputs, outputs)
            bias = bias.reshape(4, outputs // 4).T.reshape(-1)
        return kernel.transpose(3, 2, 0, 1), bias

    def convert(layers, shuffled):
        result = []
        for i, (kernel, bias) in enumerate(layers):
            if kernel.ndim == 4:
                kernel, bias = conv(kernel, bias, shuffled if kernel.shape[0] > 1 else None)
            else:
                before = layers[i - 1][0] if i else kernel
                after = layers[i + 1][0] if i + 1 < len(layers) else kernel
                if before.ndim == 4:  # from a flattened (height, width, channels)
                    channels = before.shape[3]
                    kernel = kernel.reshape(-1, channels, kernel.shape[1]).swapaxes(0, 1)
                    kernel = kernel.reshape(-1, kernel.shape[-1])
                if after.ndim == 4:  # to one
                    channels = after.shape[2]
                    kernel = kernel.reshape(kernel.shape[0], -1, channels).swapaxes(1, 2)
                    kernel = kernel.reshape(kernel.shape[0], -1)
                    bias = bias.reshape(-1, channels).T.reshape(-1)
                kernel = kernel.T
            result += [kernel, bias]
        return result

    parts = [convert(encoder, "inputs"), convert(head, None), convert(decoder, "outputs")]
    return [
        [torch.tensor(np.ascontiguousarray(a), device=device, requires_grad=True) for a in part]
        for part in parts
    ]


def layer(h, kernel, bias):
    return (
        F.linear(h, kernel, bias) if kernel.ndim == 2 else F.conv2d(h, kernel, bias, padding="same")
    )


def encode(weights, x):
    h = x
    for kernel, bias in zip(weights[::2], weights[1::2]):
        if kernel.ndim == 4 and kernel.shape[-1] > 1:
            h = F.pixel_unshuffle(h, 2)
        elif kernel.ndim == 2:
            h = h.flatten(1)
        h = F.relu(layer(h, kernel, bias))
    return h.flatten(1)


def decode(weights, z, shape):
    kernels = weights[::2]
    h = z
    for i, (kernel, bias) in enumerate(zip(kernels, weights[1::2])):
        if kernel.ndim == 4 and h.ndim == 2:
            size = shape[0] // 2 ** sum(k.ndim == 4 and k.shape[-1] > 1 for k in kernels)
            h = h.reshape(len(h), -1, size, size)
        h = layer(h, kernel, bias)
        if i < len(kernels) - 1:
            h = F.relu(h)
        if kernel.ndim == 4 and kernel.shape[-1] > 1:
            h = F.pixel_shuffle(h, 2)
    return h.reshape(len(h), shape[2], shape[0], shape[1])


def posterior(params, x, dtype="float32"):
    encoder, head, _ = params
    with autocast(x, dtype):
        features = encode(encoder, x.permute(0, 3, 1, 2))
    mean, log_var = F.linear(features.float(), *head).chunk(2, dim=-1)
    return mean, LOG_VAR_BOUND * torch.tanh(log_var / LOG_VAR_BOUND)


def autocast(x, dtype):
    return torch.autocast(x.device.type, getattr(torch, dtype), enabled=dtype != "float32")


def loss_of(params, x, noise, shape, dtype):
    mean, log_var = posterior(params, x, dtype)
    z = mean + torch.exp(0.5 * log_var) * noise
    with autocast(x, dtype):
        logits = decode(params[2], z, shape)
    logits, x = logits.float(), x.permute(0, 3, 1, 2)
    reconstruction = (F.softplus(logits) - x * logits).sum(dim=(1, 2, 3))
    kl = 0.5 * (log_var.exp() + mean.square() - 1.0 - log_var).sum(dim=-1)
    return (reconstruction + kl).mean()


def trainer(weights, shape, compiled=True, dtype="float32"):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    params = to_torch(*in_layers(weights), shape, device)
    optimizer = torch.optim.Adam(
        [w for part in params for w in part],
        LEARNING_RATE,
        (BETA_1, BETA_2),
        EPSILON,
        fused=True,
    )
    latent_dim = params[1][0].shape[0] // 2
    run = torch.compile(loss_of, dynamic=False) if compiled else loss_of
    generator = np.random.default_rng(0)

    def epoch(x, batch_size):
        total, order, steps = torch.zeros((), device=device), generator.permutation(len(x)), 0
        for start in range(0, len(x), batch_size):
            batch = torch.from_numpy(x[order[start : start + batch_size]]).to(device)
            noise = torch.randn((len(batch), latent_dim), device=device)
            loss = run(params, batch, noise, shape, dtype)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            steps += 1
        return float(total) / steps

    def loss_at(x, noise):
        with torch.no_grad():
            x, noise = (torch.tensor(a, device=device) for a in (x, noise))
            return float(loss_of(params, x, noise, shape, dtype))

    epoch.loss_of = loss_at
    return epoch


def forward(weights, shape, compiled=True):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    params = to_torch(*in_layers(weights), shape, device)
    latent_dim = params[1][0].shape[0] // 2

    def image(z):
        return torch.sigmoid(decode(params[2], z, shape)).permute(0, 2, 3, 1)

    verbs = {
        "encode": lambda x: posterior(params, x)[0],
        "decode": image,
        "reconstruct": lambda x: image(posterior(params, x)[0]),
    }
    verbs = {name: torch.compile(f, dynamic=False) if compiled else f for name, f in verbs.items()}

    def run(f, batch):
        with torch.no_grad():
            return f(batch).cpu().numpy()

    with_batch = {
        name: lambda a, f=f: run(f, torch.from_numpy(a).to(device)) for name, f in verbs.items()
    }

    def sample(n):
        return run(verbs["decode"], torch.randn((n, latent_dim), device=device))

    return {**with_batch, "sample": sample}
