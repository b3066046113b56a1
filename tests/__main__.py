"""Run the tests on every backend that is installed: `python -m tests [pytest's arguments]`.

Keras chooses its backend once a process, so each backend has a pytest of its own.
"""

import os
import subprocess
import sys

from keras_aevae._requirements import installed_backends


def main(arguments):
    failed = []
    for backend in installed_backends():
        print(f"\n=== KERAS_BACKEND={backend}", flush=True)
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [sys.executable, "-m", "pytest", *arguments]
        if subprocess.run(command, env=environment).returncode:
            failed.append(backend)
    print(
        f"\nFailed on: {', '.join(failed)}" if failed else "\nPassed on every backend", flush=True
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
