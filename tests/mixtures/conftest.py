"""Functions run operation by operation: tracing them costs more than such small models do."""

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True)
def functions_run_eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
