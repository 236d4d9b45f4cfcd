"""Settings of every test: no GPU, none of the libraries' lines about it, and the slow checks that a run takes."""

import datetime
import gc
import os
import zlib

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

#: A run takes one of this many parts of the slow checks.
NUM_PARTS = 10


def pytest_addoption(parser):
    # One date for all processes of a run.
    today = datetime.date.today().toordinal() % NUM_PARTS + 1
    parser.addoption(
        "--slow",
        choices=["all", "none", *map(str, range(1, NUM_PARTS + 1))],
        default=str(today),
        help=f"slow checks to run: all, none, or one of {NUM_PARTS} parts; by default the parts take turns by day",
    )


def pytest_collection_finish():
    # What the libraries made when they were imported stays: collections of garbage need not go through it each time.
    gc.freeze()


def pytest_report_header(config):
    return f"slow checks: {config.getoption('--slow')}"


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--slow")
    if wanted == "all":
        return

    def left_out(item):
        part = zlib.crc32(item.nodeid.encode()) % NUM_PARTS + 1
        return item.get_closest_marker("slow") is not None and str(part) != wanted

    config.hook.pytest_deselected(items=[item for item in items if left_out(item)])
    items[:] = [item for item in items if not left_out(item)]
