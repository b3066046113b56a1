"""Run the tests on every backend that is installed: `python -m tests [pytest's arguments]`.

Keras chooses its backend once a process, so each backend has a pytest of its own, and two if no
tests are named, so that no processor waits long for the last. They run side by side, one thread
each: the tests' models are too small to gain from more.
"""

import concurrent.futures
import os
import subprocess
import sys

from keras_aevae._requirements import installed_backends

SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "2",  # with one, tf.data and the model can wait for each other
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # Tests compile much and run little: what is compiled once is kept, also for the next time.
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false "
    "--xla_cpu_use_fusion_emitters=false",
    "JAX_COMPILATION_CACHE_DIR": os.path.abspath(".pytest_cache/jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
PARTS = (["tests/models"], ["tests", "--ignore=tests/models"])


def run(backend, arguments):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--durations=10", *arguments],
        env={**os.environ, **SETTINGS, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def main(arguments):
    failed = []
    backends = installed_backends()
    places = [argument for argument in arguments if not argument.startswith("-")]
    parts = [arguments] if places else [[*part, *arguments] for part in PARTS]
    print(f"Testing on {', '.join(backends)}; each prints its results when it is done.", flush=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {
            pool.submit(run, backend, part): f"{backend} {' '.join(part)}"
            for part in parts
            for backend in backends
        }
        for future in concurrent.futures.as_completed(running):
            result, name = future.result(), running[future]
            print(f"\n=== KERAS_BACKEND={name}\n{result.stdout}", flush=True)
            if result.returncode:
                failed.append(name)
    print(f"Failed on: {', '.join(failed)}" if failed else "Passed on every backend")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
