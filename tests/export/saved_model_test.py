"""Tests of SavedModels: what is inside, who can load them, and what a failure leaves behind."""

import contextlib
import json
import os
import re
import resource
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import randomise

from keras_gen import export
from keras_gen.autoregressive import MADE
from keras_gen.core import NoiseDriven
from keras_gen.energy import RBM

tfd = tfp.distributions

ALONE = """
import sys
for name in ("keras_gen", "keras", "tf_keras", "tensorflow_probability"):
    sys.modules[name] = None  # Python then fails to import it.
import json
import numpy as np
import tensorflow as tf

plain, with_options, results = sys.argv[1:]
given = np.load(results)
signatures = tf.saved_model.load(plain).signatures
found = {"default": signatures["serving_default"](num_samples=tf.constant(4), seed=tf.constant(2))["x"]}
for num_samples in (1, 3):
    x = signatures["sample"](num_samples=tf.constant(num_samples), seed=tf.constant(2))["x"]
    found[f"sample{num_samples}"] = x
    found[f"log_prob{num_samples}"] = signatures["log_prob"](x=x)["log_prob"]
found["generate"] = signatures["generate"](uniform=tf.constant(given["uniform"]))["x"]

calls = json.loads(given["calls"].item())
loaded = tf.saved_model.load(with_options)
for name, options in calls.items():
    found[f"function {name}"] = loaded.sample(num_samples=5, seed=2, **options)["x"]
# As TF Serving runs it: what is not fed has its default.
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    signature = tf.compat.v1.saved_model.load(session, ["serve"], with_options).signature_def["sample"]
    for name, options in calls.items():
        fed = {"num_samples": 5, "seed": 2, **options}
        fed = {signature.inputs[key].name: value for key, value in fed.items()}
        found[f"served {name}"] = session.run(signature.outputs["x"].name, fed)
found["inputs"] = sorted(loaded.signatures["sample"].structured_input_signature[1])
for name, value in signature.defaults.items():
    found[f"default {name}"] = tf.make_ndarray(value)
np.savez(results, **found)
"""

#: Options of sampling that are given, by a name.
CALLS = {"none": {}, "one": {"truncation": 0.5}, "both": {"factor": 7, "truncation": 3.0}}


class Truncated(NoiseDriven):
    """A normal of standard deviation `factor`, cut off at the truncation."""

    def sampling_options(self):
        return {"truncation": 2.0, "factor": 1}

    def noise_distributions(self, truncation=2.0, factor=1):
        return {"z": tfd.Sample(tfd.TruncatedNormal(0.0, tf.cast(factor, tf.float32), -truncation, truncation), 3)}

    def generate(self, noise, condition=None):
        return noise["z"]


@pytest.fixture(scope="module")
def model():
    model = randomise(MADE((2, 3), hidden_units=(9,), levels=4, seed=3))
    model.compile("adam")
    return model


@pytest.fixture(scope="module")
def graphs(model):
    return export.Graphs(model)


@pytest.fixture(scope="module")
def alone(model, graphs, tmp_path_factory):
    """What a process with TensorFlow alone computes from two models."""
    folder = tmp_path_factory.mktemp("alone")
    plain = export.saved_model(graphs, folder / "made")
    with_options = export.saved_model(Truncated((3,)), folder / "truncated")
    results = folder / "results.npz"
    np.savez(results, calls=json.dumps(CALLS), **model.noise(5, 7))
    command = [sys.executable, "-c", ALONE, str(plain), str(with_options), str(results)]
    subprocess.run(command, check=True, timeout=300, cwd=folder)
    return np.load(results)


def test_tensorflow_alone_serves_it(model, alone):
    np.testing.assert_array_equal(alone["default"], model.sample(4, seed=2))
    np.testing.assert_array_equal(alone["generate"], model.generate(model.noise(5, 7)))
    for num_samples in (1, 3):
        np.testing.assert_array_equal(alone[f"sample{num_samples}"], model.sample(num_samples, seed=2))
        log_prob = model.log_prob(alone[f"sample{num_samples}"])
        np.testing.assert_allclose(alone[f"log_prob{num_samples}"], log_prob, rtol=1e-5)


def test_options_of_sampling_may_be_left_out(alone):
    model = Truncated((3,))
    assert {name: alone[f"default {name}"] for name in ("truncation", "factor")} == model.sampling_options()
    for name, options in CALLS.items():
        expected = model.sample(5, seed=2, **options)
        assert np.max(np.abs(expected)) < options.get("truncation", 2.0)
        for how in ("function", "served"):
            np.testing.assert_allclose(alone[f"{how} {name}"], expected, rtol=1e-6)
    assert np.max(np.abs(alone["served none"])) > 0.5
    # In Python, a signature takes all inputs that it lists.
    assert alone["inputs"].tolist() == ["factor", "num_samples", "seed", "truncation"]


def test_columns_of_another_shape_are_not_broadcast(graphs, tmp_path):
    served = tf.saved_model.load(str(export.saved_model(graphs, tmp_path))).signatures
    for shape in ((2, 1, 1), (2, 1, 3), (2, 6), (2,), (), (4, 2, 3, 1)):
        shown = re.escape(str(shape))
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=rf"`x` must have shape \(batch, 2, 3\), received {shown}\."
        ):
            served["log_prob"](x=tf.zeros(shape))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"`uniform` must have shape \(batch, 2, 3\)"):
            served["generate"](uniform=tf.zeros(shape))


def test_noise_of_a_chain_has_one_number_of_steps(tmp_path):
    rbm = RBM((3,), 4)
    served = tf.saved_model.load(str(export.saved_model(rbm, tmp_path))).signatures["gibbs"]
    x, noise = tf.zeros((2, 3)), {"hidden_noise": tf.fill((2, 2, 4), 0.5), "visible_noise": tf.fill((2, 2, 3), 0.5)}
    np.testing.assert_array_equal(served(x=x, **noise)["x"], rbm.gibbs(x, **noise))
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"columns must have equally many steps, received \{hidden_noise: 1, visible_noise: 2\}",
    ):
        served(x=x, **{**noise, "hidden_noise": tf.fill((2, 1, 4), 0.5)})


def test_inputs_and_outputs_have_names_and_the_batch_is_free(graphs, tmp_path):
    signatures = tf.saved_model.load(str(export.saved_model(graphs, tmp_path))).signatures
    specs = {name: (f.structured_input_signature[1], f.structured_outputs) for name, f in signatures.items()}
    assert {name: spec.shape.as_list() for name, spec in specs["sample"][0].items()} == {"num_samples": [], "seed": []}
    for name in ("generate", "log_prob"):
        (spec,) = specs[name][0].values()
        assert spec.shape.as_list() == [None, 2, 3]
    assert list(specs["log_prob"][1]) == ["log_prob"]
    assert specs["sample"][1]["x"].shape.as_list() == [None, 2, 3]


def test_holds_the_weights_of_inference_alone(model, graphs, tmp_path):
    folder = export.saved_model(graphs, tmp_path)
    variables = tf.train.list_variables(str(folder / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in variables if "OBJECT_GRAPH" not in name)
    assert shapes == sorted(tuple(weight.shape) for weight in model.trainable_weights)


def test_versions_are_numbered_and_kept(graphs, tmp_path):
    assert export.saved_model(graphs, tmp_path) == tmp_path / "1"
    assert export.saved_model(graphs, tmp_path, version=7) == tmp_path / "7"
    assert export.saved_model(graphs, tmp_path) == tmp_path / "8"
    with pytest.raises(FileExistsError, match=r"`version` 7 exists in .*; choose another, or none for the next one\."):
        export.saved_model(graphs, tmp_path, version=7)
    with pytest.raises(ValueError, match="`version` must be at least 1, received 0"):
        export.saved_model(graphs, tmp_path, version=0)
    assert sorted(os.listdir(tmp_path)) == ["1", "7", "8"]


def test_a_folder_may_have_any_name(graphs, tmp_path):
    """TensorFlow takes what stands in brackets for a pattern."""
    folder = export.saved_model(graphs, tmp_path / "run [1]*")
    assert folder == tmp_path / "run [1]*" / "1"
    assert (folder / "saved_model.pb").stat().st_size > 1000
    # A server runs as another user.
    assert folder.stat().st_mode & 0o055 == 0o055


def test_graphs_are_traced_once_for_all_exports(tmp_path):
    class Counted(MADE):
        """A model that counts how often a graph of its density is made."""

        traces = 0

        def log_prob(self, x, condition=None):
            self.traces += 1
            return super().log_prob(x, condition)

    model = Counted((4,), (3,))
    graphs = export.Graphs(model)
    first, second = (export.saved_model(graphs, tmp_path / name) for name in "ab")
    report = export.litert(graphs, tmp_path / "model.tflite")
    assert model.traces == 1
    assert set(report) == {"generate", "log_prob"}
    assert [path.read_bytes() for path in (first / "saved_model.pb", second / "saved_model.pb")] == [
        (graphs.folder() / "saved_model.pb").read_bytes()
    ] * 2
    folder = graphs.folder()
    del graphs
    assert not folder.exists()


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


def test_interruption_leaves_nothing(graphs, tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(tf.saved_model, "load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export.saved_model(graphs, tmp_path)
    assert os.listdir(tmp_path) == []


def test_mixed_precision_is_served_in_float32(tmp_path):
    model = randomise(MADE((5,), hidden_units=(8,), dtype=keras.DTypePolicy("mixed_bfloat16")))
    signatures = tf.saved_model.load(str(export.saved_model(model, tmp_path))).signatures
    x = model.sample(6, seed=0)
    log_prob = signatures["log_prob"](x=x)["log_prob"]
    assert log_prob.dtype == tf.float32
    np.testing.assert_allclose(log_prob, model.log_prob(x), rtol=1e-2)
