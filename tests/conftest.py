"""Settings of every test: no GPU, two logical CPUs for replicas, and none of the libraries' lines about it."""

import gc
import os

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cheaper_tracing  # noqa: F401
import pytest
import tensorflow as tf

pytest.register_assert_rewrite("contracts")

# Tests compute little: handing it to other threads takes longer than to do it.
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)
# Devices are made once, before anything is computed.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

#: What takes long and cannot be divided comes first: no process is then left alone with it at the end.
FIRST = ("tests/distribution/", "tests/training/", "tests/docs_test.py")


def pytest_xdist_auto_num_workers():
    # One more than there are cores: a process waits at times for others that it has started, or for files.
    return os.cpu_count() + 1


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish():
    # What the libraries made when they were imported stays: collections of garbage need not go through it each time.
    gc.freeze()
    # The rest is mostly graphs, whose circles of objects are many and small: all of it is gone through less often.
    gc.set_threshold(700, 10, 50)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """What is kept of data for a next run is kept for these tests alone."""
    os.environ["KERAS_GEN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
