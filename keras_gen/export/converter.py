"""Conversion, and running of converted files, in a separate process, which each process keeps while it needs it."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path

import numpy as np

from keras_gen.export import conversion

#: Number of conversions after which a process is replaced. It takes seconds to start, and keeps some megabytes of each
#: conversion.
CONVERSIONS = 50


class Converter:
    """A process that converts SavedModels to LiteRT files, one after the other.

    It starts at the first conversion, and ends with this process, however this ends, because its input then ends.
    """

    def __init__(self):
        environment = {
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONIOENCODING": "utf-8",
        }
        # -P: TensorFlow must not find modules in the folder of the script.
        self.process = subprocess.Popen(
            [sys.executable, "-P", conversion.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            encoding="utf-8",
        )
        self.owner = os.getpid()
        self.num_conversions = 0
        self.end = weakref.finalize(self, _end, self.process, self.owner)

    @property
    def is_ready(self) -> bool:
        """Whether it can do one more conversion."""
        return self.owner == os.getpid() and self.num_conversions < CONVERSIONS and self.process.poll() is None

    def convert(self, folder: Path, names: list[str]) -> bytes:
        """Returns signatures of a SavedModel in LiteRT's format.

        Raises:
            RuntimeError: if they need operators that LiteRT lacks, or the process ends.
        """
        self.num_conversions += 1
        with tempfile.TemporaryDirectory() as root:
            file = Path(root, "model.tflite")
            answer = self.answer({"verb": "convert", "folder": str(folder), "names": names, "file": str(file)})
            if not answer:
                status = self.process.wait()
                raise RuntimeError(f"`model` was not converted: the process of LiteRT's converter ended ({status}).")
            error = json.loads(answer)
            if error is not None:
                lacking = sorted(set(re.findall(r"tf\.(\w+)\(", error))) or [error.strip().split("\n")[0]]
                raise RuntimeError(f"`model` needs operators that LiteRT lacks: {', '.join(lacking)}.")
            return file.read_bytes()

    def run(self, content: bytes, calls: list[tuple[str, dict[str, np.ndarray]]]) -> list[dict[str, np.ndarray]]:
        """Returns the outputs of calls of a LiteRT file with fixed shapes, by the runtime that drives accelerators.

        Args:
            content: the file.
            calls: for each call, the name of the signature and its inputs by name.

        Raises:
            RuntimeError: if the runtime does not accept the file.
        """
        with tempfile.TemporaryDirectory() as root:
            file, inputs, outputs = (Path(root, name) for name in ("model.tflite", "inputs.npz", "outputs.npz"))
            file.write_bytes(content)
            np.savez(
                inputs, **{f"{index}/{key}": v for index, (_, given) in enumerate(calls) for key, v in given.items()}
            )
            names = [(signature, list(given)) for signature, given in calls]
            paths = {"file": str(file), "inputs": str(inputs), "outputs": str(outputs)}
            if not self.answer({"verb": "run", "calls": names, **paths}):
                status = self.process.wait()
                raise RuntimeError(f"`model` cannot be run by LiteRT's CompiledModel: its process ended ({status}).")
            results = [{} for _ in calls]
            with np.load(outputs) as arrays:
                for name, value in arrays.items():
                    index, key = name.split("/", 1)
                    results[int(index)][key] = value
            return results

    def answer(self, request: dict) -> str:
        """Returns the line that answers a request; an empty one if the process has ended."""
        complete = False
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            complete = True
            return answer
        except BrokenPipeError:
            return ""
        finally:
            if not complete:
                # The answer to an interrupted request would be mistaken for that to the next one.
                self.end()


def _end(process: subprocess.Popen, owner: int) -> None:
    """Ends a process, unless this one is a fork of its owner."""
    if os.getpid() == owner:
        process.kill()
        process.wait()


_lock = threading.RLock()
_current: list[Converter] = []


def start() -> None:
    """Starts the process if there is none, so that it is ready when needed."""
    with _lock:
        if not (_current and _current[0].is_ready):
            _current[:] = [Converter()]


def convert(folder: Path, names: list[str]) -> bytes:
    """Like `Converter.convert`, in the converter process that belongs to this one."""
    with _lock:
        start()
        return _current[0].convert(folder, names)


def run(content: bytes, calls: list[tuple[str, dict[str, np.ndarray]]]) -> list[dict[str, np.ndarray]]:
    """Like `Converter.run`, in the converter process that belongs to this one."""
    with _lock:
        start()
        return _current[0].run(content, calls)
