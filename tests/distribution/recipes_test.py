"""The same weights from one device, two replicas, two workers, and workers that were killed."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
#: Seconds after which a process is taken to hang, however busy the machine.
HANGS = 600
FLAGS = {
    "autoregressive.made": ["--epochs", "4", "--batch-size", "128", "--hidden-units", "16"],
    "adversarial.dcgan": ["--epochs", "2", "--batch-size", "128", "--filters", "4", "8", "--latent-size", "4"],
}
ENVIRONMENT = {
    **os.environ,
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
}


def start(recipe: str, folder: pathlib.Path, num_workers: int) -> list[subprocess.Popen]:
    """Starts the workers of a run, over loopback if there are several."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(num_workers)]
    addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    folder.mkdir(parents=True, exist_ok=True)
    processes = []
    for index in range(num_workers):
        environment = dict(ENVIRONMENT)
        if num_workers > 1:
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
        command = [sys.executable, str(HERE / "worker.py"), recipe, str(folder / f"weights-{index}.npz")]
        command += ["--folder", str(folder / "run"), *FLAGS[recipe]]
        log = (folder / f"log-{index}.txt").open("a")
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


def finish(processes: list[subprocess.Popen], folder: pathlib.Path) -> list[list[np.ndarray]]:
    """Waits for the workers and returns the weights that each ended with."""
    wait_until(lambda: all(process.poll() == 0 for process in processes), processes, folder)
    weights = []
    for index in range(len(processes)):
        with np.load(folder / f"weights-{index}.npz") as file:
            weights.append(list(file.values()))
    return weights


def difference(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return max(float(np.abs(x.astype(np.float64) - y).max()) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """The weights of both workers, by recipe; each is trained once."""
    trained = {}

    def get(recipe):
        if recipe not in trained:
            folder = tmp_path_factory.mktemp("two_workers")
            trained[recipe] = finish(start(recipe, folder, 2), folder)
        return trained[recipe]

    return get


@pytest.fixture(scope="module")
def replica_differences():
    """By model, the largest difference between a weight of two replicas and the same of one device."""
    command = [sys.executable, str(HERE / "mirrored.py")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("model", ["made", "vae", "vq_vae", "dcgan", "gan", "semi_supervised_aae"])
def test_two_replicas_equal_one_device(model, replica_differences):
    assert replica_differences[model] < 1e-5


@pytest.mark.parametrize("recipe", ["autoregressive.made", pytest.param("adversarial.dcgan", marks=pytest.mark.slow)])
def test_two_workers_equal_each_other_and_one_device(recipe, two_workers, tmp_path):
    first, second = two_workers(recipe)
    (alone,) = finish(start(recipe, tmp_path, 1), tmp_path)
    assert difference(first, second) == 0.0
    assert difference(first, alone) < 1e-5


def test_killed_workers_end_as_uninterrupted_ones(two_workers, tmp_path):
    recipe = "autoregressive.made"
    expected, _ = two_workers(recipe)
    processes = start(recipe, tmp_path, 2)
    state = tmp_path / "run" / "checkpoints" / "state.json"
    wait_until(lambda: state.exists() and json.loads(state.read_text())["epoch"] >= 1, processes, tmp_path)
    kill(processes)
    epoch = json.loads(state.read_text())["epoch"]
    assert 1 <= epoch < 4, "the run ended before it could be killed"
    assert not (tmp_path / "weights-0.npz").exists()

    first, second = finish(start(recipe, tmp_path, 2), tmp_path)
    assert "Going on after epoch" in (tmp_path / "log-0.txt").read_text()
    assert difference(first, second) == 0.0
    assert difference(first, expected) < 1e-6
