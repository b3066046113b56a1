"""How fast do we train beside our peers? Images a second of one epoch, in turns.

    python3 -m venv peers && peers/bin/pip install torch==2.13.0 && peers/bin/pip install pythae
    python benchmarks/peers.py --pythae-python peers/bin/python

Without `--pythae-python` Pythae is left out. Each contestant is a process of its own; all are alive
at once and take turns, an epoch each, over the same real images (MNIST) in the same batches, with
Adam at 1e-3, in float32. The first turn, with all compilation, is reported apart.

| task | ours | the peer |
| --- | --- | --- |
| mlp | `networks.mlp`: 784-512-256, 16 latent | Pythae's VAE and trainer, the same layers |
| conv | `networks.conv` at its defaults, 32 latent | Pythae's VAE and trainer, the same layers |
| keras_example | `networks.conv`, 2 latent | the VAE of Keras's documentation, on TensorFlow |
| transposed | `networks.conv`, 32 latent, on JAX | a plain Conv2DTranspose VAE in Keras, on JAX |

How Pythae is timed. It trains by its own `TrainingPipeline`, with its `DataLoader` at its defaults,
on torch tensors in memory, with denormals flushed to zero (ours run as they come). A callback takes
the time from the beginning to the end of each epoch, so its set-up doesn't count; ours is the whole
of `fit`, with its checks of the data. Its progress bar is off. Nothing is saved within an epoch,
but after an epoch that is the best so far it copies the model in memory, which no setting turns
off.
The Keras example runs on TensorFlow alone, as its `train_step` uses `tf.GradientTape`.
"""

import argparse
import importlib.metadata
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from contestants import (
    Parent,
    contestants,
    median,
    print_conditions,
    print_table,
    save_mnist,
    seconds_of,
    take_turns,
    worker_arguments,
)

BACKENDS = ("jax", "tensorflow", "torch")
LATENT_DIM = {"mlp": 16, "conv": 32, "keras_example": 2, "transposed": 32}
# Images of an epoch: a second or so on the fastest.
IMAGES = {"mlp": 20480, "conv": 5120, "keras_example": 5120, "transposed": 2560}
PEER = {
    "mlp": "Pythae",
    "conv": "Pythae",
    "keras_example": "Keras's example, tensorflow",
    "transposed": "Conv2DTranspose, jax",
}


def contestants_of(task, shared, pythae_python, jit):
    """`{name: how to start it}` of a task, the peer last."""
    shared = {"task": task, **shared}

    def start(kind, backend="", python=sys.executable, jit=False):
        arguments = {"kind": kind, "jit": jit, **shared}
        return {"arguments": arguments, "backend": backend, "python": python}

    backends = ("jax",) if task == "transposed" else BACKENDS
    start_all = {f"ours, {backend}": start("ours", backend) for backend in backends}
    if jit:
        for backend in {"tensorflow", "torch"}.intersection(backends):
            start_all[f"ours, {backend}, jit_compile=True"] = start("ours", backend, jit=True)
    if task == "keras_example":
        start_all[PEER[task]] = start("keras_example", "tensorflow")
    elif task == "transposed":
        start_all[PEER[task]] = start("transposed", "jax")
    elif pythae_python:
        start_all[PEER[task]] = start("pythae", python=pythae_python)
    return start_all


# In the contestants' processes


def ours(parent, x, task, jit, batch_size):
    import keras

    from keras_aevae import VAE, networks

    build = networks.mlp if task == "mlp" else networks.conv
    model = VAE(*build(x.shape[1:], LATENT_DIM[task]))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True if jit else "auto")
    serve_fit(parent, model, x, batch_size)


def serve_fit(parent, model, x, batch_size):
    def epoch():
        seconds, history = seconds_of(model.fit, x, batch_size=batch_size, verbose=0)
        return {"seconds": seconds, "loss": history.history["loss"][-1]}

    parameters = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    parent.serve(epoch, parameters=parameters)


def transposed_vae(latent_dim, hidden):
    """The usual tutorial's VAE: strided convolutions down, transposed ones up.

    `hidden` are the units of the encoder's dense layer, None for no such layer.
    """
    import keras
    from keras import layers, ops

    class Sampling(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seed_generator = keras.random.SeedGenerator()

        def call(self, inputs):
            mean, log_var = inputs
            noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
            return mean + ops.exp(0.5 * log_var) * noise

    class PlainVAE(keras.Model):
        def __init__(self, encoder, decoder):
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            self.built = True

        def call(self, x):
            mean, log_var, z = self.encoder(x)
            return {"mean": mean, "log_var": log_var, "reconstruction": self.decoder(z)}

        def loss_terms(self, x, outputs):
            mean, log_var = outputs["mean"], outputs["log_var"]
            pixels = keras.losses.binary_crossentropy(x, outputs["reconstruction"])
            kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
            return ops.mean(ops.sum(pixels, axis=(1, 2))), ops.mean(ops.sum(kl, axis=1))

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return sum(self.loss_terms(x, y_pred))

    settings = {"strides": 2, "padding": "same", "activation": "relu"}
    x = h = keras.Input((28, 28, 1))
    for filters in (32, 64):
        h = layers.Conv2D(filters, 3, **settings)(h)
    h = layers.Flatten()(h)
    if hidden:
        h = layers.Dense(hidden, activation="relu")(h)
    mean, log_var = layers.Dense(latent_dim)(h), layers.Dense(latent_dim)(h)
    encoder = keras.Model(x, [mean, log_var, Sampling()([mean, log_var])])
    z = keras.Input((latent_dim,))
    h = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(z))
    for filters in (64, 32):
        h = layers.Conv2DTranspose(filters, 3, **settings)(h)
    h = layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")(h)
    return PlainVAE, encoder, keras.Model(z, h)


def transposed(parent, x, task, jit, batch_size):
    import keras

    model_class, *networks = transposed_vae(LATENT_DIM[task], hidden=None)
    model = model_class(*networks)
    model.compile(keras.optimizers.Adam(1e-3))
    serve_fit(parent, model, x, batch_size)


def keras_example(parent, x, task, jit, batch_size):
    import keras
    import tensorflow as tf

    base, *networks = transposed_vae(LATENT_DIM[task], hidden=16)

    class ExampleVAE(base):
        def __init__(self, *networks):
            super().__init__(*networks)
            self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "pixels", "kl")]

        @property
        def metrics(self):
            return self.trackers

        def train_step(self, data):
            with tf.GradientTape() as tape:
                terms = self.loss_terms(data, self(data))
                loss = sum(terms)
            gradients = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
            for tracker, value in zip(self.trackers, (loss, *terms)):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    model = ExampleVAE(*networks)
    model.compile(keras.optimizers.Adam(1e-3))
    serve_fit(parent, model, x, batch_size)


def pythae_vae(task):
    """Pythae's VAE with the layers of `networks.mlp` or `networks.conv`."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from torch import nn

    latent_dim = LATENT_DIM[task]
    relu, same = nn.ReLU(), {"padding": "same"}
    if task == "mlp":
        down = [nn.Flatten(), nn.Linear(784, 512), relu, nn.Linear(512, 256), relu]
        up = [nn.Linear(latent_dim, 256), relu, nn.Linear(256, 512), relu, nn.Linear(512, 784)]
        up += [nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))]
    else:
        down = [nn.PixelUnshuffle(2), nn.Conv2d(4, 32, 2, **same), relu]
        down += [nn.PixelUnshuffle(2), nn.Conv2d(128, 64, 2, **same), relu]
        down += [nn.Conv2d(64, 16, 1), relu, nn.Flatten(), nn.Linear(784, 256), relu]
        up = [nn.Linear(latent_dim, 256), relu, nn.Linear(256, 784), relu]
        up += [nn.Unflatten(1, (16, 7, 7)), nn.Conv2d(16, 64, 1), relu]
        up += [nn.Conv2d(64, 128, 2, **same), relu, nn.PixelShuffle(2)]
        up += [nn.Conv2d(32, 4, 2, **same), nn.PixelShuffle(2), nn.Sigmoid()]

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers, self.head = nn.Sequential(*down), nn.Linear(256, 2 * latent_dim)

        def forward(self, x):
            mean, log_var = self.head(self.layers(x)).chunk(2, dim=-1)
            return ModelOutput(embedding=mean, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*up)

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z))

    # Its convolutions of 2x2 are padded on one side, for which torch copies, and says so.
    warnings.filterwarnings("ignore", message="Using padding='same'")
    config = VAEConfig((1, 28, 28), latent_dim=latent_dim, reconstruction_loss="bce")
    return VAE(config, Encoder(), Decoder())


def pythae(parent, x, task, jit, batch_size):
    import torch
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    torch.set_flush_denormal(True)

    class Turns(TrainingCallback):
        """An epoch of its training is a turn: between two of them it waits."""

        def on_epoch_begin(self, training_config, **kwargs):
            if parent.next_turn() is None:
                sys.exit()
            self.start = time.perf_counter()

        def on_epoch_end(self, training_config, **kwargs):
            self.seconds = time.perf_counter() - self.start

        def on_log(self, training_config, logs, **kwargs):
            parent.tell(seconds=self.seconds, loss=float(logs["train_epoch_loss"]))

    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=10**6,
            per_device_train_batch_size=batch_size,
            learning_rate=1e-3,
            optimizer_cls="Adam",
        )
        model = pythae_vae(task)
        parent.tell(
            parameters=sum(p.numel() for p in model.parameters()),
            versions={f"{name} (Pythae's)": version(name) for name in ("pythae", "torch")},
        )
        pipeline = TrainingPipeline(model, config)
        pipeline(np.moveaxis(x, 3, 1), callbacks=[Turns()])


def version(package):
    return importlib.metadata.version(package)


KINDS = {f.__name__: f for f in (ours, pythae, keras_example, transposed)}


# In the process that asks


def targets(speed):
    """Rows of what was wanted, for the tasks and contestants that ran."""

    def row(what, measured, wanted):
        return {"what": what, "measured": f"{measured:.2f}", "wanted": wanted}

    rows = []
    for task in ("mlp", "conv"):
        known = speed.get(task, {})
        own = {name: value for name, value in known.items() if name.startswith("ours")}
        if own and PEER[task] in known:
            peer = known[PEER[task]]
            rows.append(row(f"{task}: our best / Pythae", max(own.values()) / peer, "1.3"))
            for name in own:
                if "torch" in name:
                    rows.append(row(f"{task}: {name} / Pythae", own[name] / peer, "1.0"))
        if task == "conv" and own:
            plain = [own[f"ours, {backend}"] for backend in BACKENDS]
            ratio = min(plain) / max(plain)
            rows.append(row("conv: our slowest backend / our fastest", ratio, "0.33"))
    if "transposed" in speed:
        ratio = speed["transposed"]["ours, jax"] / speed["transposed"][PEER["transposed"]]
        rows.append(row("ours / Conv2DTranspose, on JAX", ratio, "5"))
    if "keras_example" in speed:
        example = speed["keras_example"][PEER["keras_example"]]
        ratio = speed["keras_example"]["ours, tensorflow"] / example
        rows.append(row("ours / Keras's example, on TensorFlow", ratio, "-"))
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pythae-python", help="the Python of an environment with Pythae")
    parser.add_argument("--tasks", nargs="+", choices=IMAGES, default=list(IMAGES))
    parser.add_argument("--images", type=int, help="of an epoch; by default some for each task")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--jit", action="store_true", help="ours also with jit_compile=True")
    arguments = parser.parse_args()

    speed, versions, rows = {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        for task in arguments.tasks:
            images = arguments.images or IMAGES[task]
            path = save_mnist(Path(folder, f"{task}.npy"), images)
            shared = {"path": path, "batch_size": arguments.batch_size}
            start = contestants_of(task, shared, arguments.pythae_python, arguments.jit)
            with contestants(start) as alive:
                first = take_turns(alive, 1)
                answers = take_turns(alive, arguments.rounds)
                facts = {name: contestant.facts for name, contestant in alive.items()}
            speed[task] = {name: images / median(answers[name]) for name in answers}
            base = speed[task].get(PEER[task])
            for name in answers:
                versions.update(facts[name].get("versions", {}))
                relative = f"{speed[task][name] / base:.2f}" if base else "-"
                rows.append(
                    {
                        "task": task,
                        "contestant": name,
                        "parameters": facts[name]["parameters"],
                        "images/s": f"{speed[task][name]:.0f}",
                        "relative to the peer": relative,
                        "first epoch, s": f"{first[name][0]['seconds']:.1f}",
                        "loss at the end, nats": f"{answers[name][-1]['loss']:.1f}",
                    }
                )
            print(f"{task}: done", file=sys.stderr, flush=True)
    print_conditions(**versions)
    print_table(rows)
    if wanted := targets(speed):
        print_table(wanted)


def work(kind, path, **arguments):
    KINDS[kind](Parent(), np.load(path), **arguments)


if __name__ == "__main__":
    if (given := worker_arguments()) is not None:
        work(**given)
    else:
        main()
