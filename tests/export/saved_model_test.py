"""Tests of SavedModels: what is inside, who can load them, and what a failure leaves behind."""

import contextlib
import os
import resource
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import randomise

from keras_gen import export
from keras_gen.autoregressive import MADE

ALONE = """
import sys
for name in ("keras_gen", "keras", "tf_keras", "tensorflow_probability"):
    sys.modules[name] = None  # Python then fails to import it.
import numpy as np
import tensorflow as tf

folder, results = sys.argv[1:]
signatures = tf.saved_model.load(folder).signatures
found = {"default": signatures["serving_default"](num_samples=tf.constant(4), seed=tf.constant(2))["x"]}
for num_samples in (1, 3):
    x = signatures["sample"](num_samples=tf.constant(num_samples), seed=tf.constant(2))["x"]
    found[f"sample{num_samples}"] = x
    found[f"log_prob{num_samples}"] = signatures["log_prob"](x=x)["log_prob"]
found["generate"] = signatures["generate"](uniform=tf.constant(np.load(results)["uniform"]))["x"]
np.savez(results, **found)
"""


@pytest.fixture(scope="module")
def model():
    model = randomise(MADE((2, 3), hidden_units=(9,), levels=4, seed=3))
    model.compile("adam")
    return model


def test_tensorflow_alone_serves_it(model, tmp_path):
    folder = export.saved_model(model, tmp_path / "made")
    noise = model.noise(5, 7)
    results = tmp_path / "results.npz"
    np.savez(results, **noise)
    subprocess.run([sys.executable, "-c", ALONE, str(folder), str(results)], check=True, timeout=300, cwd=tmp_path)
    found = np.load(results)
    np.testing.assert_array_equal(found["default"], model.sample(4, seed=2))
    np.testing.assert_array_equal(found["generate"], model.generate(noise))
    for num_samples in (1, 3):
        np.testing.assert_array_equal(found[f"sample{num_samples}"], model.sample(num_samples, seed=2))
        log_prob = model.log_prob(found[f"sample{num_samples}"])
        np.testing.assert_allclose(found[f"log_prob{num_samples}"], log_prob, rtol=1e-5)


def test_inputs_and_outputs_have_names_and_the_batch_is_free(model, tmp_path):
    signatures = tf.saved_model.load(str(export.saved_model(model, tmp_path))).signatures
    specs = {name: (f.structured_input_signature[1], f.structured_outputs) for name, f in signatures.items()}
    assert {name: spec.shape.as_list() for name, spec in specs["sample"][0].items()} == {"num_samples": [], "seed": []}
    for name in ("generate", "log_prob"):
        (spec,) = specs[name][0].values()
        assert spec.shape.as_list() == [None, 2, 3]
    assert list(specs["log_prob"][1]) == ["log_prob"]
    assert specs["sample"][1]["x"].shape.as_list() == [None, 2, 3]


def test_holds_the_weights_of_inference_alone(model, tmp_path):
    folder = export.saved_model(model, tmp_path)
    variables = tf.train.list_variables(str(folder / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in variables if "OBJECT_GRAPH" not in name)
    assert shapes == sorted(tuple(weight.shape) for weight in model.trainable_weights)


def test_versions_are_numbered_and_kept(model, tmp_path):
    assert export.saved_model(model, tmp_path) == tmp_path / "1"
    assert export.saved_model(model, tmp_path, version=7) == tmp_path / "7"
    assert export.saved_model(model, tmp_path) == tmp_path / "8"
    with pytest.raises(FileExistsError, match=r"`version` 7 exists in .*; choose another, or none for the next one\."):
        export.saved_model(model, tmp_path, version=7)
    with pytest.raises(ValueError, match="`version` must be at least 1, received 0"):
        export.saved_model(model, tmp_path, version=0)
    assert sorted(os.listdir(tmp_path)) == ["1", "7", "8"]


def test_a_version_that_disagrees_never_appears(tmp_path):
    class Fickle(MADE):
        """A model whose `generate` differs whenever a graph runs."""

        def generate(self, noise, condition=None):
            return super().generate(noise) + tf.random.uniform((), maxval=1e9)

    with pytest.raises(RuntimeError, match="of the SavedModel disagrees with Keras"):
        export.saved_model(Fickle((4,), (3,), levels=3), tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OSError, match=r"cannot write .*file.1: (File exists|Not a directory)\.$"):
        export.saved_model(model, tmp_path / "file")
    with pytest.raises(OSError, match=r"cannot write .*: (File exists|Not a directory)\.$"):
        export.saved_model(model, tmp_path / "file" / "models")
    assert os.listdir(tmp_path) == ["file"]


@contextlib.contextmanager
def small_disk():
    """Lets no file grow beyond a few blocks, as a full disk would not; for pytest's own log, only for a moment."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_nothing(model, tmp_path):
    with pytest.raises(OSError, match=r"^cannot write .*: File too large\.$"), small_disk():
        export.saved_model(model, tmp_path)
    assert os.listdir(tmp_path) == []


def test_interruption_leaves_nothing(model, tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(tf.saved_model, "load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export.saved_model(model, tmp_path)
    assert os.listdir(tmp_path) == []


def test_mixed_precision_is_served_in_float32(tmp_path):
    model = randomise(MADE((5,), hidden_units=(8,), dtype=keras.DTypePolicy("mixed_bfloat16")))
    signatures = tf.saved_model.load(str(export.saved_model(model, tmp_path))).signatures
    x = model.sample(6, seed=0)
    log_prob = signatures["log_prob"](x=x)["log_prob"]
    assert log_prob.dtype == tf.float32
    np.testing.assert_allclose(log_prob, model.log_prob(x), rtol=1e-2)
