"""Settings of every test: no GPU, two logical CPUs for replicas, and none of the libraries' lines about it."""

import gc
import os

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

pytest.register_assert_rewrite("contracts")

# Devices are made once, before anything is computed.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_addoption(parser):
    parser.addoption("--slow", default="all", help="ignored: every test runs")


def pytest_collection_finish():
    # What the libraries made when they were imported stays: collections of garbage need not go through it each time.
    gc.freeze()
