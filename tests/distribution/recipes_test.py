"""The same weights from one device, two replicas, two workers, and workers that were killed."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
#: Seconds after which a process is taken to hang, however busy the machine.
HANGS = 1500
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


def finish(processes: list[subprocess.Popen], folder: pathlib.Path) -> list[list[np.ndarray]]:
    """Waits for the workers and returns the weights that each ended with."""
    codes = [process.wait(timeout=HANGS) for process in processes]
    logs = "\n".join(path.read_text()[-3000:] for path in sorted(folder.glob("log-*.txt")))
    assert not any(codes), logs
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


@pytest.mark.parametrize("model", ["made", "vae", "vq_vae", "dcgan", "gan"])
def test_two_replicas_equal_one_device(model):
    command = [sys.executable, str(HERE / "mirrored.py"), model]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert float(done.stdout.split()[-1]) < 1e-5


@pytest.mark.parametrize("recipe", FLAGS)
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
    deadline = time.monotonic() + HANGS
    while not (state.exists() and json.loads(state.read_text())["epoch"] >= 1):
        assert time.monotonic() < deadline, (tmp_path / "log-0.txt").read_text()[-3000:]
        time.sleep(0.02)
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    epoch = json.loads(state.read_text())["epoch"]
    assert 1 <= epoch < 4, "the run ended before it could be killed"
    assert not (tmp_path / "weights-0.npz").exists()

    first, second = finish(start(recipe, tmp_path, 2), tmp_path)
    assert "Going on after epoch" in (tmp_path / "log-0.txt").read_text()
    assert difference(first, second) == 0.0
    assert difference(first, expected) < 1e-6
