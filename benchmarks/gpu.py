"""What does a GPU give? `fit` against the compiled loop by hand, in float32, TF32 and bfloat16.

    for b in jax torch; do KERAS_BACKEND=$b python benchmarks/gpu.py; done

Each precision has a process of its own; before it is timed, the loss and its gradient at given
weights, images and noise are held against the same numbers from the CPU, in float32. Prints images
a second side by side, and of `fit` alone the GPU's utilisation and the peak of its memory. Says so
and ends where there is no CUDA.
"""

import argparse
import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PRECISIONS = ("float32", "tf32", "bfloat16")
CASES = ("conv, 28x28", "conv, 64x64 RGB")


def has_cuda(backend):
    if backend == "torch":
        import torch

        return torch.cuda.is_available()
    import jax

    return any(device.platform == "gpu" for device in jax.devices())


def set_precision(backend, precision):
    """Choose what float32 products are made of; bfloat16 is Keras's policy."""
    import keras

    exact = precision == "float32"
    if backend == "torch":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = not exact
        torch.backends.cudnn.allow_tf32 = not exact
    else:
        import jax

        jax.config.update("jax_default_matmul_precision", "highest" if exact else "tensorfloat32")
    if precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")


def loss_and_gradient(model, x, noise):
    """The mean loss at `noise`, and its gradient with respect to all weights, one vector."""
    import keras
    import numpy as np

    def loss():
        outputs = model.infer(x, training=True)
        z = outputs["z_mean"] + keras.ops.exp(0.5 * outputs["z_log_var"]) * noise
        outputs["z"] = z[:, None]
        outputs |= model.generate(outputs, training=True)
        return keras.ops.mean(sum(model.terms(x, outputs).values()))

    variables = model.trainable_variables
    if keras.backend.backend() == "torch":
        x, noise = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(noise)
        value = loss()
        value.backward()
        gradients = [v.value.grad for v in variables]
    else:
        import jax

        def of(values):
            with keras.StatelessScope(list(zip(variables, values))):
                return loss()

        value, gradients = jax.value_and_grad(of)([v.value for v in variables])
    flat = [keras.ops.convert_to_numpy(g).astype("float64").ravel() for g in gradients]
    return float(value), np.concatenate(flat)


def memory_peak(backend):
    if backend == "torch":
        import torch

        return torch.cuda.max_memory_allocated()
    import jax

    return jax.devices()[0].memory_stats()["peak_bytes_in_use"]


@contextlib.contextmanager
def utilisation(samples):
    """Append the GPU's utilisation in percent to `samples`, five times a second."""
    stop = threading.Event()
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    query += ["--id", os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"]

    def watch():
        while not stop.wait(0.2):
            done = subprocess.run(query, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode == 0:
                samples.append(float(done.stdout.split()[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def work(case, precision, arguments):
    """One case on the device that this process sees: what was measured, a dict."""
    import keras
    import numpy as np
    from by_hand import weights_of
    from fit import CASES as ALL
    from fit import vae
    from side_by_side import side_by_side

    backend = keras.backend.backend()
    set_precision(backend, precision)
    load, build = ALL[case]
    x = load(arguments.images)
    model = vae(build, x.shape[1:], jit_compile=True)
    weights = np.load(arguments.weights) if arguments.weights else None
    if weights is None:  # the reference process chooses them
        np.savez(arguments.reference, *[v.numpy() for v in model.weights])
    else:
        model.set_weights([weights[name] for name in weights.files])
    noise = np.random.default_rng(0).standard_normal((256, model.latent_dim)).astype("float32")
    if weights is None:
        loss, gradient = loss_and_gradient(model, x[:256], noise)
        np.save(str(arguments.reference) + ".gradient.npy", gradient)
        return {"loss": loss}
    size, percent = arguments.batch_size, []
    start = time.perf_counter()
    model.fit(x, batch_size=size, verbose=0)
    first = time.perf_counter() - start
    with utilisation(percent):
        model.fit(x, batch_size=size, epochs=arguments.rounds, verbose=0)
    memory = memory_peak(backend)  # of `fit` alone: all else comes now
    model.set_weights([weights[name] for name in weights.files])
    loss, gradient = loss_and_gradient(model, x[:256], noise)
    expected = np.load(str(arguments.weights) + ".gradient.npy")
    error = np.linalg.norm(gradient - expected) / np.linalg.norm(expected)
    by_hand = importlib.import_module(f"by_hand.{backend}")
    dtype = "bfloat16" if precision == "bfloat16" else "float32"
    epoch = by_hand.trainer(weights_of(model), x.shape[1:], True, dtype)
    run = {
        "ours": lambda: model.fit(x, batch_size=size, verbose=0),
        "by hand": lambda: epoch(x, size),
    }
    _, seconds = side_by_side(run, arguments.rounds)
    return {
        "loss": loss,
        "gradient": float(error),
        "ours": len(x) / seconds["ours"],
        "by hand": len(x) / seconds["by hand"],
        "first": first,
        "utilisation": float(np.median(percent)) if percent else float("nan"),
        "memory": memory,
    }


def in_a_process(case, precision, arguments, environment, *more):
    command = [sys.executable, __file__, "--case", case, "--precision", precision]
    command += ["--images", arguments.images, "--rounds", arguments.rounds]
    command += ["--batch-size", arguments.batch_size, *more]
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=25_600)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--precision", choices=PRECISIONS, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--reference", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(work(arguments.case, arguments.precision, arguments)))
        return
    backend = os.environ.get("KERAS_BACKEND", "")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leave the GPU to the workers
    if backend not in ("jax", "torch") or not has_cuda(backend):
        print("No GPU to measure: this needs CUDA, and KERAS_BACKEND=jax or torch.")
        return
    titles = "backend | networks | precision | images/s | by hand | relative | first epoch, s"
    titles += " | utilisation, % | peak memory, MiB | loss, CPU | loss, GPU | gradient's error"
    print(f"| {titles} |\n|{' --- |' * (titles.count('|') + 1)}")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            path = Path(folder) / "weights.npz"
            hidden = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
            cpu = in_a_process(case, "float32", arguments, hidden, "--reference", path)
            for precision in PRECISIONS:
                gpu = in_a_process(case, precision, arguments, {}, "--weights", path)
                print(
                    f"| {backend} | {case} | {precision} | {gpu['ours']:.0f} | "
                    f"{gpu['by hand']:.0f} | {gpu['ours'] / gpu['by hand']:.2f} | "
                    f"{gpu['first']:.1f} | {gpu['utilisation']:.0f} | "
                    f"{gpu['memory'] / 2**20:.0f} | {cpu['loss']:.4f} | {gpu['loss']:.4f} | "
                    f"{gpu['gradient']:.1e} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
