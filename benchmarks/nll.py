"""How long does log p(x) by importance sampling take, beside Pythae's `get_nll`?

    python3 -m venv peers && peers/bin/pip install torch==2.13.0 && peers/bin/pip install pythae
    python benchmarks/nll.py --pythae-python peers/bin/python

Without `--pythae-python` Pythae is left out. The same images of MNIST, the same MLP (784-512-256,
16 latent) with the same weights, and as many samples, so that both estimates of log p(x) must
agree; processes that live together take turns. The weights are those of a fresh model: they change
neither time nor memory. `get_nll` takes one image at a time, so its time for other numbers of
images is proportional. It may use another number of samples than it was asked for: what went
through its decoder is counted. It runs with denormals flushed to zero; as it comes, which keeps
what gradients would need, and also within `torch.no_grad()`.

Memory is each process's high-water mark, after calls with more and more samples: all images at a
time of ours, two of Pythae's.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from contestants import (
    Parent,
    contestants,
    median,
    memory,
    print_conditions,
    print_table,
    save_mnist,
    seconds_of,
    take_turns,
    worker_arguments,
)
from peers import BACKENDS, LATENT_DIM, pythae_vae, version

LAYERS = ((784, 512), (512, 256), (256, 32), (16, 256), (256, 512), (512, 784))


def weights():
    """`[matrix, bias, ...]` of the encoder, its head, and the decoder."""
    rng = np.random.default_rng(0)
    arrays = []
    for inputs, outputs in LAYERS:
        limit = np.sqrt(6 / (inputs + outputs))  # Glorot & Bengio 2010
        arrays += [rng.uniform(-limit, limit, (inputs, outputs)), np.zeros(outputs)]
    return [array.astype("float32") for array in arrays]


def ours(parent, x, batch_size, gradients):
    from keras_aevae import VAE, networks

    model = VAE(*networks.mlp(x.shape[1:], LATENT_DIM["mlp"]))
    arrays = weights()
    model.encoder.set_weights(arrays[:4])
    model.code.head.set_weights(arrays[4:6])
    model.decoder.set_weights(arrays[6:])

    def turn(samples, images=None):
        settings = {"num_samples": samples}
        if batch_size:
            settings["batch_size"] = batch_size
        seconds, nats = seconds_of(model.log_likelihood, x[:images], **settings)
        mean = float(nats.mean())
        return {"seconds": seconds, "nats": mean, "used": samples, "peak": memory("VmHWM")}

    parent.serve(turn, at_start=memory("VmHWM"))


def pythae(parent, x, batch_size, gradients):
    import torch

    torch.set_flush_denormal(True)
    model, arrays, rows = pythae_vae("mlp"), weights(), [0]
    model.device = "cpu"
    linear = [m for part in (model.encoder, model.decoder) for m in part.modules()]
    linear = [m for m in linear if isinstance(m, torch.nn.Linear)]
    for layer, matrix, bias in zip(linear, arrays[::2], arrays[1::2]):
        layer.weight.data = torch.from_numpy(matrix.T.copy())
        layer.bias.data = torch.from_numpy(bias)

    def count(module, inputs):
        rows[0] += len(inputs[0])

    model.decoder.register_forward_pre_hook(count)
    data = torch.from_numpy(np.moveaxis(x, 3, 1).copy())

    def turn(samples, images=None):
        rows[0] = 0
        settings = {"batch_size": batch_size} if batch_size else {}
        with torch.set_grad_enabled(gradients):
            seconds, nats = seconds_of(model.get_nll, data[:images], samples, **settings)
        used = rows[0] // len(data[:images])
        peak = memory("VmHWM")
        return {"seconds": seconds, "nats": float(nats), "used": used, "peak": peak}

    versions = {f"{name} (Pythae's)": version(name) for name in ("pythae", "torch")}
    parent.serve(turn, at_start=memory("VmHWM"), versions=versions)


KINDS = {"ours": ours, "pythae": pythae}
PYTHAE = ("Pythae", "Pythae in no_grad")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pythae-python", help="the Python of an environment with Pythae")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, help="of both; by default each one's own")
    arguments = parser.parse_args()
    counts = sorted({100, 1000, arguments.samples})

    with tempfile.TemporaryDirectory() as folder:
        path = save_mnist(Path(folder, "x.npy"), arguments.images)
        shared = {"path": path, "batch_size": arguments.batch_size}

        def start(kind, backend="", python=sys.executable, gradients=False):
            arguments = {"kind": kind, "gradients": gradients, **shared}
            return {"arguments": arguments, "backend": backend, "python": python}

        start_all = {f"ours, {backend}": start("ours", backend) for backend in BACKENDS}
        if arguments.pythae_python:
            for name in PYTHAE:
                gradients = name == PYTHAE[0]
                start_all[name] = start("pythae", "", arguments.pythae_python, gradients)
        with contestants(start_all) as alive:
            peaks = {name: {} for name in alive}
            for name, contestant in alive.items():
                for samples in counts:
                    images = 2 if name in PYTHAE else None
                    answer = contestant.ask(samples=samples, images=images)
                    peaks[name][samples] = answer["peak"]
            answers = take_turns(alive, arguments.rounds, samples=arguments.samples)
            facts = {name: contestant.facts for name, contestant in alive.items()}

    seconds = {name: median(answers[name]) for name in answers}
    rows = []
    for name, answer in answers.items():
        faster = {
            f"times as fast as {peer}": f"{seconds[peer] / seconds[name]:.1f}"
            for peer in PYTHAE
            if peer in seconds
        }
        rows.append(
            {
                "contestant": name,
                "images": arguments.images,
                "samples asked for": arguments.samples,
                "used": answer[-1]["used"],
                "mean log p(x)": f"{answer[-1]['nats']:.2f}",
                "seconds": f"{seconds[name]:.2f}",
                "ms an image": f"{1000 * seconds[name] / arguments.images:.1f}",
                **faster,
            }
        )
    print_conditions(**facts.get(PYTHAE[0], {}).get("versions", {}))
    print_table(rows)
    memory_rows = []
    for name, peak in peaks.items():
        row = {"contestant": name, "MiB before": f"{facts[name]['at_start']:.0f}"}
        row |= {f"{samples} samples": f"{peak[samples]:.0f}" for samples in counts}
        growth = peak[counts[-1]] - peak[counts[0]]
        memory_rows.append(row | {f"{counts[-1]} - {counts[0]}": f"{growth:.0f}"})
    print_table(memory_rows)


if __name__ == "__main__":
    if (given := worker_arguments()) is not None:
        x = np.load(given.pop("path"))
        KINDS[given.pop("kind")](Parent(), x, **given)
    else:
        main()
