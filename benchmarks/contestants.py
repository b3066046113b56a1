"""Contestants side by side: each in a process of its own, since a process has one Keras backend;
all alive at once, taking turns. What the scripts of this folder share."""

import contextlib
import datetime
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


class Contestant:
    """A process of the script at hand, started as `python script --worker JSON`.

    First it says what it is (`facts`), then it answers each turn that it is asked for.
    """

    def __init__(self, arguments, *, backend="", python=sys.executable):
        script = str(Path(sys.argv[0]).resolve())
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", "TQDM_DISABLE": "1", "PYTHONUNBUFFERED": "1"}
        if backend:
            environment["KERAS_BACKEND"] = backend
        self.arguments = arguments
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [str(python), script, "--worker", json.dumps(arguments)],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.facts = self._read()

    def ask(self, **turn):
        with contextlib.suppress(BrokenPipeError):  # it has stopped: `_read` says why
            self.process.stdin.write(json.dumps(turn) + "\n")
            self.process.stdin.flush()
        return self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            raise RuntimeError(f"{self.arguments} stopped:\n{self.log.read()[-4000:]}")
        return json.loads(line)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


@contextlib.contextmanager
def contestants(start):
    """Start `{name: arguments of Contestant}`, and end them all whatever happens."""
    with contextlib.ExitStack() as stack:
        alive = {}
        for name, arguments in start.items():
            alive[name] = Contestant(**arguments)
            stack.callback(alive[name].close)
        yield alive


def take_turns(alive, rounds, **turn):
    """`{name: [answer of each round]}`, all contestants once in each round."""
    answers = {name: [] for name in alive}
    for _ in range(rounds):
        for name, contestant in alive.items():
            answers[name].append(contestant.ask(**turn))
    return answers


def median(answers, key="seconds"):
    return statistics.median(answer[key] for answer in answers)


class Parent:
    """The other end of the pipe, in the contestant's process."""

    def __init__(self):
        # What libraries print goes to the log: nothing but answers may be in the pipe.
        self.pipe = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def tell(self, **facts):
        print(json.dumps(facts), file=self.pipe, flush=True)

    def next_turn(self):
        """What is asked for: a dict; None when there is nothing more to do."""
        line = sys.stdin.readline()
        return json.loads(line) if line else None

    def serve(self, answer, **facts):
        """Tell `facts`, then `answer(**turn)`, a dict, until nothing more is asked."""
        self.tell(**facts)
        while (turn := self.next_turn()) is not None:
            self.tell(**answer(**turn))


def worker_arguments():
    """The arguments of a contestant's process; None in the one that the user started."""
    return json.loads(sys.argv[2]) if sys.argv[1:2] == ["--worker"] else None


def seconds_of(function, *arguments, **settings):
    """How long it took, and what it returned."""
    start = time.perf_counter()
    result = function(*arguments, **settings)
    return time.perf_counter() - start, result


def memory(field):
    """MiB of this process, as Linux tells it: "VmRSS" now, "VmHWM" the most so far, "RssAnon" now
    without the pages of mapped files, which the system takes back when it needs them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"`field` must be in /proc/self/status. Received: {field!r}.")


class PeakOfAnonymous:
    """Within `with`: the most memory, in MiB, without the pages of mapped files.

    Looked at every 10 ms, since Linux keeps a high-water mark only with them.
    """

    def __enter__(self):
        self.peak, self.ended = memory("RssAnon"), threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self):
        while not self.ended.wait(0.01):
            self.peak = max(self.peak, memory("RssAnon"))

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def print_table(rows):
    """`rows`, dicts with the same keys, as Markdown."""
    cells = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    for row in cells:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)


def print_conditions(**versions):
    """Date, hardware, versions and command: what must stand beside any number."""
    from keras_aevae.pretrain import processor

    for package in ("keras", "jax", "torch", "tensorflow", "tensorflow-cpu", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    known = ", ".join(f"{name} {version}" for name, version in versions.items())
    python = ".".join(map(str, sys.version_info[:3]))
    machine = f"{processor()}, {os.cpu_count()} cores"
    print(f"{datetime.date.today()}, {machine}, Python {python}; {known}")
    print(f"`python {' '.join(sys.argv)}`\n", flush=True)


def save_mnist(path, images):
    """The first `images` of MNIST, float32 in [0, 1], (images, 28, 28, 1), for all contestants."""
    import numpy as np

    from keras_aevae import datasets

    (x, _), _ = datasets.load("mnist", num_train=images)
    np.save(path, x)
    return str(path)
