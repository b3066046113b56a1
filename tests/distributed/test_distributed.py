"""Several devices or processes take the training steps that one would."""

import importlib.util
import os
import pathlib
import re
import signal
import time

import keras
import numpy as np
import pytest

import keras_aevae as ka

HERE = pathlib.Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "distributed"


def load(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases, launch = load("cases"), load("launch")
ENGINES = launch.ENGINES[keras.backend.backend()]
OF_PROCESSES = [engine for engine in ENGINES if engine not in launch.IN_ONE_PROCESS]
# Of these PyTorch's processes show the mean of what each of them has; the loss is exact.
MEANS_OF_MEANS = set()
if keras.backend.backend() == "torch":
    MEANS_OF_MEANS = {
        "weighted examples: reconstruction",
        "weighted examples: kl",
        "VQVAE: perplexity",
    }


@pytest.fixture(scope="module")
def one_process():
    return cases.train(len(cases.CASES))


@pytest.fixture(scope="module", params=[(e, n) for e in ENGINES for n in (2, 4)], ids=str)
def distributed(request, tmp_path_factory):
    """The results of each process of a run."""
    engine, count = request.param
    directory = tmp_path_factory.mktemp(engine)
    number = str(len(cases.CASES) if count == 2 else 2)  # each takes long to compile
    launch.run(engine, count, HERE / "worker.py", number, engine, "results", cwd=directory)
    files = sorted(directory.glob("results.*.npz"))
    assert len(files) == (1 if engine in launch.IN_ONE_PROCESS else count)
    return [dict(np.load(file)) for file in files]


def test_losses_and_weights_are_those_of_one_process(one_process, distributed):
    for results in distributed:
        names = {name for name in results if not name.startswith("noise")}
        trained = {name.partition(":")[0] for name in names}
        assert len(trained) >= 2
        assert names == {name for name in one_process if name.partition(":")[0] in trained}
        for name in names - MEANS_OF_MEANS:
            expected = one_process[name]
            np.testing.assert_allclose(results[name], expected, atol=1e-5, rtol=1e-5, err_msg=name)


def test_every_process_ends_with_the_same_weights(distributed):
    for results in distributed[1:]:
        for name, value in distributed[0].items():
            np.testing.assert_array_equal(results[name], value, err_msg=name)


def test_replicas_draw_different_noise(distributed):
    results = distributed[0]
    variance = results["noise: noise squared"] - results["noise: noise"] ** 2
    assert variance > 1e-3  # 0 where all replicas draw the same


@pytest.mark.parametrize("engine", ENGINES)
def test_example_runs_and_writes_one_checkpoint(engine, tmp_path):
    arguments = ["2"] if engine == "tensorflow_mirrored" else []
    printed = launch.run(engine, 2, EXAMPLES / f"{engine}.py", *arguments, cwd=tmp_path)
    assert len(re.findall("loss: ", printed)) == 2  # of two epochs, by one process
    written = {file.name for file in tmp_path.iterdir() if not file.name.startswith("log.")}
    assert written == {"vae.weights.h5"}
    vae = ka.VAE(*ka.networks.mlp((8, 8, 1), latent_dim=8, hidden=(64,)))
    vae.compile()
    vae.optimizer.build(vae.trainable_variables)
    vae.load_weights(tmp_path / "vae.weights.h5")
    assert int(vae.step) > 20


@pytest.mark.parametrize("engine", OF_PROCESSES)
def test_a_killed_worker_ends_the_others(engine, tmp_path):
    def wait(condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, launch.output(tmp_path)
            time.sleep(0.2)

    def pids():
        """Of the processes that have trained for an epoch, by their index."""
        told = re.findall(r"^epoch \d+ (\d) (\d+)$", launch.output(tmp_path), flags=re.MULTILINE)
        return {int(index): int(pid) for index, pid in told}

    def alive(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    worker = HERE / "worker.py", "endless", engine, "nothing"
    with launch.started(engine, 2, *worker, cwd=tmp_path) as processes:
        wait(lambda: len(pids()) == 2, 100)
        trained = pids()
        os.kill(trained[1], signal.SIGKILL)
        wait(lambda: all(process.poll() is not None for process in processes), 100)
        assert all(process.returncode != 0 for process in processes)
        assert not alive(trained[0])
