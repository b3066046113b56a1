"""What the library is held against: the VAE of `networks.mlp` and `networks.conv` without Keras.

Each file is one backend's, as one who knows it would write it, and has

    trainer(weights, shape, compiled, dtype) -> epoch(x, batch_size) -> mean loss
    forward(weights, shape, compiled) -> {"encode": function of a batch, ...}, NumPy in and out

`weights` are NumPy arrays in the order of the model's `weights` of encoder, posterior head and
decoder; `shape` is that of an image. Convolutions are told from dense layers by their kernels. The
arithmetic is the library's: the same layers, the Bernoulli's log-likelihood, the KL, Adam, shuffled
batches; the loss is added up on the device and read once an epoch.
"""

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7
LOG_VAR_BOUND = 15.0


def in_layers(weights):
    """`weights` as three lists of (kernel, bias): the encoder's, the head's, the decoder's."""
    return [list(zip(part[::2], part[1::2])) for part in weights]


def weights_of(model):
    """What `trainer` takes, of one of the library's models, in NumPy."""
    return [
        [variable.numpy() for variable in part.weights]
        for part in (model.encoder, model.code.head, model.decoder)
    ]
