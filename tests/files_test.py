"""Tests of files and folders that appear whole or not at all, and of what is written to them."""

import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from keras_gen.files import (
    atomic_file,
    atomic_folder,
    check_folder,
    fingerprint,
    json_text,
    make_once,
    path_of,
    read_ahead,
)

ROOT = pathlib.Path(__file__).parents[1]


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_null_in_json(value):
    text = json_text({"test": {"below": value, "nll": 92.25, "rows": (1, value)}, "name": "dbm"})
    assert json.loads(text, parse_constant=refuse) == {
        "test": {"below": None, "nll": 92.25, "rows": [1, None]},
        "name": "dbm",
    }


def test_figures_that_are_kept_are_json_for_every_reader():
    paths = [path for folder in ("results", "saved_models") for path in (ROOT / folder).rglob("*.json")]
    assert len(paths) > 40
    for path in paths:
        assert json.loads(path.read_text(), parse_constant=refuse), path


def test_a_file_appears_at_the_end(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with atomic_file(path) as beside:
        beside.write_text("whole")
        assert beside.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_folder_appears_at_the_end_under_a_name_no_server_takes_for_a_version(tmp_path):
    with atomic_folder(tmp_path / "12") as beside:
        (beside / "file").write_text("whole")
        assert not any(name.isdecimal() for name in os.listdir(tmp_path))
    assert (tmp_path / "12" / "file").read_text() == "whole"
    assert os.listdir(tmp_path) == ["12"]
    # A server runs as another user.
    assert (tmp_path / "12").stat().st_mode & 0o777 == 0o777 & ~current_umask()


def current_umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_a_failure_leaves_nothing_and_passes_on(tmp_path, atomic, error):
    def fail():
        with atomic(tmp_path / "new") as beside:
            (beside if atomic is atomic_file else beside / "file").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == []


def test_a_failure_keeps_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")

    def fail():
        with atomic_file(path) as beside:
            beside.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"^cannot write .*file: No space left on device\.$"):
        fail()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_may_be_one_of_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "images").mkdir()
    check_folder(path_of("~/images"), "input")
    with pytest.raises(FileNotFoundError, match=r"^`input`: there is no folder ~/none\.$"):
        check_folder(path_of("~/none"), "input")


def test_what_a_killed_process_has_left_goes_when_the_folder_is_made_anew(tmp_path):
    """What others are writing stays: a running process of this machine, or any of another one."""
    code = """if True:
        import os, pathlib, signal, sys
        from keras_gen.files import make_once

        def write(folder):
            (folder / "rows.bin").write_bytes(bytes(1000))
            os.kill(os.getpid(), signal.SIGKILL)

        make_once(pathlib.Path(sys.argv[1]), write)
    """
    folder = tmp_path / "table-with-hyphens.csv.rows"
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    machine, process = left.name.split("-")[-3:-1]
    elsewhere = left.with_name(left.name.replace(machine, "0" * len(machine)))
    shutil.copytree(left, elsewhere)
    running = left.with_name(left.name.replace(f"-{process}-", f"-{os.getppid()}-"))
    shutil.copytree(left, running)

    make_once(folder, lambda beside: (beside / "rows.bin").write_bytes(b"all"))
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, elsewhere.name, running.name}
    assert (folder / "rows.bin").read_bytes() == b"all"


def test_the_longest_name_of_a_file_can_be_written(tmp_path):
    path = tmp_path / ("ü" * 127)
    with atomic_file(path) as beside:
        beside.write_text("whole", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "whole"


def test_the_next_part_is_read_while_the_last_one_is_worked_on():
    begun = [threading.Event() for _ in range(4)]

    def parts():
        for number, event in enumerate(begun):
            event.set()
            yield number
        raise OSError("the fifth part is missing")

    found = []

    def work():
        for number in read_ahead(parts()):
            found.append(number)
            assert all(event.wait(10) for event in begun[: number + 2])

    with pytest.raises(OSError, match="the fifth part is missing"):
        work()
    assert found == [0, 1, 2, 3]
    assert list(read_ahead(iter(()))) == []


def test_a_folder_is_told_by_the_names_and_sizes_of_its_files(tmp_path):
    folder = tmp_path / "data"
    for name in ("a/x.png", "a/.hidden/y.png", ".z"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")
    (folder / "link.png").symlink_to(folder / "a" / "x.png")
    (folder / "nowhere").symlink_to(folder / "none")
    found = fingerprint(folder)
    # Hidden files do not count, nor do links that lead nowhere.
    (folder / ".z").write_text("22")
    (folder / "nowhere").unlink()
    assert fingerprint(str(folder)) == found
    (folder / "a" / "x.png").write_text("22")
    assert fingerprint(folder) != found
    (folder / "a" / "x.png").write_text("1")
    assert fingerprint(folder) == found
    (folder / "a" / "x.png").rename(folder / "a" / "w.png")
    assert fingerprint(folder) != found
    assert fingerprint(tmp_path / "none") is None
