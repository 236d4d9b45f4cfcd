"""The same weights from one device, two replicas, two workers, and workers that were killed."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
from worker import FLAGS, trained_weights  # noqa: E402

#: Seconds after which a process is taken to hang, however busy the machine.
HANGS = 600
ENVIRONMENT = {
    **os.environ,
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
}


def start(runs: dict[str, str], folder: pathlib.Path) -> list[subprocess.Popen]:
    """Starts two workers, which train recipes, by the names of their runs, one after another, over loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        environment = {**ENVIRONMENT, "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})}
        log = (folder / f"log-{index}.txt").open("a")
        command = [sys.executable, str(HERE / "worker.py"), str(folder), *map(":".join, runs.items())]
        processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    return processes


def kill(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def wait_until(reached: Callable[[], bool], processes: list[subprocess.Popen], folder: pathlib.Path) -> None:
    """Waits for something that the workers do; fails with their logs if one of them fails, or all hang."""
    deadline = time.monotonic() + HANGS
    while not reached():
        if any(process.poll() for process in processes) or time.monotonic() > deadline:
            kill(processes)
            logs = "\n".join(path.read_text()[-3000:] for path in sorted(folder.glob("log-*.txt")))
            pytest.fail(f"exit codes {[process.returncode for process in processes]}\n{logs}")
        time.sleep(0.02)


def finish(processes: list[subprocess.Popen], folder: pathlib.Path) -> dict[str, list[list[np.ndarray]]]:
    """Waits for the workers and returns, by run, the weights that each ended with."""
    wait_until(lambda: all(process.poll() == 0 for process in processes), processes, folder)
    weights = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            weights.setdefault(path.stem.rsplit("-", 1)[0], []).append(list(file.values()))
    return weights


def difference(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return max(float(np.abs(x.astype(np.float64) - y).max()) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """The folder of a run of MADE by two workers, of which one was killed."""
    folder = tmp_path_factory.mktemp("interrupted")
    processes = start({"killed": "autoregressive.made"}, folder)
    state = folder / "killed" / "checkpoints" / "state.json"
    wait_until(lambda: state.exists() and json.loads(state.read_text())["epoch"] >= 1, processes, folder)
    kill(processes[:1])
    # The other one ends by itself.
    processes[1].wait(HANGS)
    assert processes[1].returncode == 1
    (sentence,) = [line for line in (folder / "log-1.txt").read_text().splitlines() if line.startswith("error: ")]
    assert "another one of 2 replicas is gone" in sentence
    assert f"goes on from the last checkpoint in {folder / 'killed'}" in sentence
    epoch = json.loads(state.read_text())["epoch"]
    assert 1 <= epoch < 4, "the run ended before it could be killed"
    assert not list(folder.glob("*.npz"))
    return folder / "killed"


@pytest.fixture(scope="module")
def two_workers(interrupted, tmp_path_factory):
    """The weights of both workers, by run: that of each recipe, and "killed", which goes on with an interrupted one."""
    folder = tmp_path_factory.mktemp("two_workers")
    shutil.copytree(interrupted, folder / "killed")
    weights = finish(start({"killed": "autoregressive.made", **{name: name for name in FLAGS}}, folder), folder)
    assert "Going on after epoch" in (folder / "log-0.txt").read_text()
    return weights


@pytest.fixture(scope="module")
def replica_differences():
    """By model, the largest difference between what two replicas and what one device end with."""
    command = [sys.executable, str(HERE / "mirrored.py")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "model",
    [
        "made",
        "real_nvp_with_batch_normalization",
        "vq_vae",
        "gan",
        "semi_supervised_aae",
        "rbm",
        "joint_ebm",
        "cycle_gan",
        "gaussian_mixture",
    ],
)
def test_two_replicas_equal_one_device(model, replica_differences):
    assert replica_differences[model]["weights"] < 1e-5
    assert replica_differences[model]["logs"] < 1e-5


@pytest.mark.parametrize("recipe", FLAGS)
def test_two_workers_equal_each_other_and_one_device(recipe, two_workers, tmp_path):
    first, second = two_workers[recipe]
    assert difference(first, second) == 0.0
    assert difference(first, trained_weights(recipe, tmp_path / "alone")) < 1e-5


def test_a_lost_worker_ends_the_run_which_two_go_on_with(two_workers):
    first, second = two_workers["killed"]
    assert difference(first, second) == 0.0
    assert difference(first, two_workers["autoregressive.made"][0]) < 1e-6


def test_one_worker_goes_on_as_two_do_with_batches_of_the_same_size(two_workers, interrupted):
    weights = trained_weights("autoregressive.made", interrupted)
    assert difference(weights, two_workers["autoregressive.made"][0]) < 1e-5
