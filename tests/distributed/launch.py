"""Start a script in as many processes, or on as many virtual devices of the CPU, as asked for."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

# One process with several devices, or several processes with one.
IN_ONE_PROCESS = {"jax_devices", "tensorflow_mirrored"}
ENGINES = {
    "jax": ("jax_devices", "jax_processes"),
    "tensorflow": ("tensorflow_mirrored", "tensorflow_workers"),
    "torch": ("torch_processes",),
}


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]


def environment(engine, count):
    devices = count if engine in IN_ONE_PROCESS else 1
    flags = os.environ.get("XLA_FLAGS", "")
    return {
        **os.environ,
        "KERAS_BACKEND": engine.partition("_")[0],
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
        "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count={devices}".strip(),
        "DEVICES": str(devices),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def commands(engine, count, script, arguments):
    """The command and what it adds to the environment, for each process that is to be started."""
    python = [sys.executable, str(script), *arguments]
    if engine == "jax_processes":
        address = f"localhost:{free_ports(1)[0]}"
        return [([*python, address, str(count), str(i)], {}) for i in range(count)]
    if engine == "tensorflow_workers":
        cluster = {"worker": [f"localhost:{port}" for port in free_ports(count)]}
        tasks = [{"type": "worker", "index": i} for i in range(count)]
        return [
            (python, {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})})
            for task in tasks
        ]
    if engine == "torch_processes":
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        return [([sys.executable, *torchrun, *python[1:]], {})]
    return [(python, {})]


@contextlib.contextmanager
def started(engine, count, script, *arguments, cwd):
    """The processes, whose output is in the files `log.0`, `log.1`, ... of the directory `cwd`;
    ended on the way out."""
    processes = []
    with contextlib.ExitStack() as stack:
        for i, (command, more) in enumerate(commands(engine, count, script, arguments)):
            log = stack.enter_context(open(cwd / f"log.{i}", "w"))
            processes.append(
                subprocess.Popen(
                    command,
                    env=environment(engine, count) | more,
                    cwd=cwd,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
        try:
            yield processes
        finally:
            for process in processes:
                # torchrun ends its children when it is asked to, not when it is killed.
                process.terminate()
            for process in processes:
                try:
                    process.wait(timeout=40)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def output(cwd):
    return "\n".join(log.read_text() for log in sorted(cwd.glob("log.*")))


def run(engine, count, script, *arguments, cwd, timeout=150):
    """What the processes print; all of them must end well."""
    with started(engine, count, script, *arguments, cwd=cwd) as processes:
        end = time.monotonic() + timeout
        codes = [None] * len(processes)
        while None in codes and not any(codes) and time.monotonic() < end:
            time.sleep(0.1)
            codes = [process.poll() for process in processes]
    assert codes == [0] * len(codes), f"exit codes {codes}\n{output(cwd)}"
    return output(cwd)
