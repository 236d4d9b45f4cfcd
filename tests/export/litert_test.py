"""Tests of LiteRT files: every kind of number, every batch size, and what is refused."""

import os

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter
from contracts import randomise

from keras_gen import export
from keras_gen.adversarial import GAN
from keras_gen.autoregressive import MADE
from keras_gen.energy import DBM
from keras_gen.export import agreement, conversion, converter, flatbuffer
from keras_gen.export.agreement import Tolerance, compare
from keras_gen.flows import NICE
from keras_gen.latent import VQVAE


@pytest.fixture(scope="module")
def model():
    """Wide enough for its weights to be what a file holds, and for the rounding of them to matter."""
    return randomise(MADE((6, 6), hidden_units=(1000,), seed=3), scale=2.0)


@pytest.fixture(scope="module")
def graphs(model):
    return export.Graphs(model)


@pytest.fixture(scope="module")
def files(graphs, tmp_path_factory):
    """Files for any number of examples."""
    folder = tmp_path_factory.mktemp("litert")
    kinds = (None, "float16", "int8")
    reports = {kind: export.litert(graphs, folder / f"{kind}.tflite", batch_size=None, quantize=kind) for kind in kinds}
    assert sorted(os.listdir(folder)) == ["None.tflite", "float16.tflite", "int8.tflite"]
    return {kind: folder / f"{kind}.tflite" for kind in kinds}, reports


@pytest.mark.parametrize(("kind", "relative"), [(None, 1e-5), ("float16", 1e-3), ("int8", 2e-2)])
def test_log_prob_agrees_with_keras(model, files, kind, relative):
    interpreter = Interpreter(str(files[0][kind]))
    runner = interpreter.get_signature_runner("log_prob")
    for num_samples in (1, 2, 17, 1):
        x = model.sample(num_samples, seed=num_samples).numpy()
        np.testing.assert_allclose(runner(x=x)["log_prob"], model.log_prob(x), rtol=relative)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_model_of_mixed_precision_becomes_a_file_that_computes_in_float32(policy, tmp_path):
    arguments = {"latent_size": 2, "generator_network": {"name": "dense", "hidden_units": [5]}}
    model = randomise(GAN((3,), levels=None, dtype=policy, **arguments))
    report = export.litert(model, tmp_path / "model.tflite", batch_size=50)
    assert set(report) == {"generate", "discriminate"}
    full = GAN((3,), levels=None, **arguments)
    full.set_weights(model.get_weights())
    noise = model.noise(50, seed=0)
    runner = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner("generate")
    found = runner(**{name: values.numpy() for name, values in noise.items()})["x"]
    np.testing.assert_allclose(found, full.generate(noise), rtol=1e-5, atol=1e-6)
    # The model itself rounds.
    assert np.abs(found - model.generate(noise)).max() > 1e-5


@pytest.mark.parametrize("kind", [None, "float16", "int8"])
def test_draws_follow_the_model_with_any_batch_size(model, files, kind):
    interpreter = Interpreter(str(files[0][kind]))
    runner = interpreter.get_signature_runner("generate")
    for num_samples in (1, 200, 3):
        noise = model.noise(num_samples, num_samples)["uniform"].numpy()
        draws, expected = runner(uniform=noise)["x"], model.generate({"uniform": tf.constant(noise)})
        if kind is None:
            np.testing.assert_array_equal(draws, expected)
        # One row after the other is what the batch gives: no entry depends on other examples, nor on later ones.
        np.testing.assert_array_equal(runner(uniform=noise[:1])["x"], draws[:1])
        if num_samples == 200:
            ours, theirs = model.log_prob(expected).numpy(), model.log_prob(draws).numpy()
            assert abs(ours.mean() - theirs.mean()) < 4 * np.hypot(ours.std(), theirs.std()) / np.sqrt(num_samples)


@pytest.mark.parametrize(("kind", "num_bytes"), [(None, 4), ("float16", 2), ("int8", 1)])
def test_each_weight_stands_once_in_a_file_in_few_bits(model, graphs, files, kind, num_bytes, tmp_path):
    """The density multiplies with masked kernels, transposed and in blocks; the loop that draws takes rows of them."""
    weights = num_bytes * sum(weight.numpy().size for weight in model.trainable_weights)
    export.litert(graphs, tmp_path / "fixed.tflite", quantize=kind)
    for path in (tmp_path / "fixed.tflite", files[0][kind]):
        # Operators, and what says which units have which degree.
        assert weights < path.stat().st_size < weights + 60_000


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_file_has_the_batch_size_that_was_asked_for(model, graphs, batch_size, tmp_path):
    """In both runtimes: `CompiledModel`, which drives accelerators, wants to know every shape."""
    arguments = {} if batch_size == 1 else {"batch_size": batch_size}
    export.litert(graphs, tmp_path / "model.tflite", **arguments)
    noise = model.noise(batch_size, 4)["uniform"].numpy()
    expected = model.generate({"uniform": tf.constant(noise)})
    runner = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner("generate")
    assert runner.get_input_details()["uniform"]["shape_signature"].tolist() == [batch_size, 6, 6]
    np.testing.assert_array_equal(runner(uniform=noise)["x"], expected)

    compiled = CompiledModel.from_file(str(tmp_path / "model.tflite"))
    given, drawn = compiled.create_input_buffer_by_name("generate", "uniform"), None
    given.write(noise)
    drawn = compiled.create_output_buffer_by_name("generate", "x")
    compiled.run_by_name("generate", {"uniform": given}, {"x": drawn})
    np.testing.assert_array_equal(drawn.read(noise.size, np.float32).reshape(noise.shape), expected)


def test_the_process_that_converts_is_replaced_when_it_ends_or_has_done_enough(monkeypatch):
    converter.start()
    first = converter._current[0]
    converter.start()
    assert converter._current[0] is first
    first.process.kill()
    first.process.wait()
    converter.start()
    second = converter._current[0]
    assert second.process.pid != first.process.pid
    second.num_conversions = converter.CONVERSIONS
    converter.start()
    third = converter._current[0]
    assert third is not second
    del second
    assert third.process.poll() is None


def test_a_process_that_ends_while_it_converts_is_a_sentence(graphs, tmp_path, monkeypatch):
    graphs.flatbuffer(1)
    (tmp_path / "script.py").write_text("import sys\nsys.stdin.readline()\nsys.exit(3)\n")
    monkeypatch.setattr(conversion, "__file__", str(tmp_path / "script.py"))
    monkeypatch.setattr(converter, "_current", [])
    with pytest.raises(
        RuntimeError, match=r"^`model` was not converted: the process of LiteRT's converter ended \(3\)\.$"
    ):
        export.litert(graphs, tmp_path / "model.tflite", batch_size=2)
    # This one is converted, and ends what runs it.
    monkeypatch.setattr(converter, "_current", [])
    with pytest.raises(
        RuntimeError, match=r"^`model` cannot be run by LiteRT's CompiledModel: its process ended \(3\)\.$"
    ):
        export.litert(graphs, tmp_path / "model.tflite")
    assert os.listdir(tmp_path) == ["script.py"]


def test_the_report_says_how_far_each_output_is(files):
    for kind, report in files[1].items():
        assert set(report) == {"generate", "log_prob"}
        figures = report["log_prob"]["log_prob"]
        assert 0 <= figures["value"] <= figures["bound"]
        if kind is None:
            assert report["generate"]["x"]["equal_share"] == 1.0
        else:
            assert figures["largest_difference"] > files[1][None]["log_prob"]["log_prob"]["largest_difference"]


def test_ensembles_and_levels_convert(tmp_path):
    model = randomise(MADE((2, 3), hidden_units=(9,), levels=5, num_masks=3, ordering="random"))
    export.litert(model, tmp_path / "model.tflite", batch_size=4, quantize="int8")
    runner = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner("generate")
    # A batch in which some mask is chosen by no example at all.
    noise = {"uniform": model.noise(4, 0)["uniform"].numpy(), "mask": np.array([0.1, 0.1, 0.9, 0.2], np.float32)}
    assert np.mean(runner(**noise)["x"] == model.generate({k: tf.constant(v) for k, v in noise.items()})) > 0.8


def test_an_operator_that_litert_lacks_is_named(tmp_path):
    class Sorted(MADE):
        """A model that solves equations, which LiteRT cannot."""

        def log_prob(self, x, condition=None):
            x = self.validated(x)
            return tf.linalg.slogdet(x[:, tf.newaxis] * x[:, :, tf.newaxis] + tf.eye(4)).log_abs_determinant

    with pytest.raises(
        RuntimeError, match=r"`model` needs operators that LiteRT lacks: .*LogMatrixDeterminant"
    ) as raised:
        export.litert(Sorted((4,), (3,)), tmp_path / "model.tflite")
    assert "\n" not in str(raised.value)
    assert os.listdir(tmp_path) == []


def test_a_file_that_disagrees_never_appears_and_the_one_before_stays(tmp_path, monkeypatch):
    model = randomise(MADE((4,), (3,)))
    (tmp_path / "model.tflite").write_bytes(b"the one before")
    monkeypatch.setattr(
        Interpreter,
        "get_signature_runner",
        lambda *_: (
            lambda uniform=None, x=None: {"x": uniform, "log_prob": None if x is None else np.zeros(len(x), np.float32)}
        ),
    )
    with pytest.raises(RuntimeError, match=r"^`generate` in LiteRT disagrees with Keras: share outside whole levels"):
        export.litert(model, tmp_path / "model.tflite")
    assert (tmp_path / "model.tflite").read_bytes() == b"the one before"
    assert os.listdir(tmp_path) == ["model.tflite"]


def test_unknown_kinds_and_folders(model, tmp_path):
    with pytest.raises(ValueError, match="`quantize` 'int9' is unknown; did you mean int8"):
        export.litert(model, tmp_path / "model.tflite", quantize="int9")
    with pytest.raises(ValueError, match="`batch_size` must be at least 1, received 0"):
        export.litert(model, tmp_path / "model.tflite", batch_size=0)
    with pytest.raises(TypeError, match="`batch_size` must be a whole number, received 'any'"):
        export.litert(model, tmp_path / "model.tflite", batch_size="any")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OSError, match=r"cannot write .*: (File exists|Not a directory)\.$"):
        export.litert(model, tmp_path / "file" / "model.tflite")
    assert os.listdir(tmp_path) == ["file"]


# Constants that follow from others

RANDOM = np.random.default_rng(0)
MATRIX, KERNEL = (RANDOM.standard_normal(shape, np.float32) for shape in ((7, 9), (3, 3, 4, 6)))
DEGREES = np.arange(7)[:, np.newaxis] <= np.arange(9) % 5


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (MATRIX, MATRIX),
        (MATRIX, MATRIX.T),
        (MATRIX, MATRIX[2:5, 1:].T[:, np.newaxis]),
        (MATRIX, np.where(DEGREES, MATRIX, 0.0).T),
        (MATRIX, np.where(DEGREES, MATRIX, 0.0)[1:4]),
        (KERNEL, KERNEL.transpose(3, 0, 1, 2)),
        (KERNEL, KERNEL[1, 2].T),
        (KERNEL, KERNEL[2:, :, 1:3]),
        (KERNEL.reshape(36, 6), np.where(KERNEL > 0.0, KERNEL, 0.0).transpose(3, 0, 1, 2)),
        (KERNEL, KERNEL.reshape(36, 6).T),
        (KERNEL, KERNEL[::-1, ::-1].transpose(3, 0, 1, 2)),
        # The pixels above and those on the left, of a kernel for maps turned by 180 degrees.
        (KERNEL.transpose(3, 0, 1, 2), KERNEL[::-1, ::-1][1:].reshape(24, 6).T),
        (KERNEL.transpose(3, 0, 1, 2), KERNEL[::-1, ::-1][:1, :2].reshape(8, 6)),
        (KERNEL.reshape(36, 6), KERNEL[1:2].transpose(3, 0, 1, 2)),
    ],
)
def test_a_constant_is_found_in_another_one(source, target):
    how = next(flatbuffer.derived(target, 0, source))
    found = how.block(source)
    found = found if how.mask is None else np.where(how.mask, found, 0.0)
    np.testing.assert_array_equal(found.reshape(-1), target.reshape(-1))


def test_a_constant_that_differs_anywhere_is_not_found_in_another_one():
    changed = MATRIX.T.copy()
    changed[3, 4] += 0.1
    assert list(flatbuffer.derived(changed, 0, MATRIX)) == []
    assert list(flatbuffer.derived(MATRIX[[1, 0, 2, 3, 4, 5, 6]], 0, MATRIX)) == []
    assert list(flatbuffer.derived(np.ones((7, 9), np.float32), 0, np.ones((8, 9), np.float32))) == []


def test_whole_numbers_have_a_scale_for_each_output():
    wide = MATRIX * np.float32(10.0) ** np.arange(9, dtype=np.float32)
    for array, axis in ((wide, 1), (wide.T, 0)):
        numbers, scale, found = flatbuffer.whole_numbers(array)
        assert (numbers.dtype, found) == (np.int8, axis)
        assert np.max(np.abs(numbers * scale - array) / scale) <= 0.5001
        assert np.max(np.abs(numbers)) == 127


# What counts as agreement


@pytest.fixture(scope="module")
def draws(model):
    return model.sample(40, seed=0).numpy()


def agrees(model, expected, actual, tolerance, output="x"):
    return compare(model, "generate", output, np.asarray(expected), np.asarray(actual), tolerance).holds


def test_real_numbers_agree_within_their_magnitude(model):
    tolerance = Tolerance(relative=1e-3)
    assert agrees(model, [-100.0, 3.0], [-100.09, 3.09], tolerance, "log_prob")
    assert not agrees(model, [-100.0, 3.0], [-100.11, 3.0], tolerance, "log_prob")
    assert not agrees(model, [0.0, 0.001], [0.0, 0.003], tolerance, "log_prob")
    assert not agrees(model, [-100.0, 3.0], [-100.0, np.nan], tolerance, "log_prob")


def test_levels_may_diverge_in_few_examples(model, draws):
    diverged = draws.copy()
    diverged[:4] = 1 - diverged[:4]
    assert agrees(model, draws, diverged, agreement.FLOAT32)
    diverged[4] = 1 - diverged[4]
    assert not agrees(model, draws, diverged, agreement.FLOAT32)
    assert not agrees(model, draws, draws + 0.5, agreement.FLOAT32)
    assert not agrees(model, draws, draws * 2, agreement.FLOAT32)


def test_rounded_levels_are_judged_by_their_mass(model, draws):
    tolerance = Tolerance(relative=0.01)
    assert agrees(model, draws, model.sample(40, seed=1), tolerance)
    assert not agrees(model, draws, np.random.default_rng(0).integers(0, 2, draws.shape), tolerance)
    # Examples that are all too likely are as wrong as unlikely ones.
    likely = draws[np.argmax(model.log_prob(draws))]
    assert not agrees(model, draws, np.repeat(likely[np.newaxis], 40, axis=0), tolerance)


def test_rounded_levels_of_a_model_with_a_bound_are_judged_by_their_distance(draws):
    flow = NICE((6, 6), 2, (4,), levels=2)
    tolerance = Tolerance(relative=0.01, levels=0.05)
    diverged = draws.copy()
    diverged.flat[:60] = 1 - diverged.flat[:60]
    assert agrees(flow, draws, diverged, tolerance)
    diverged.flat[60:90] = 1 - diverged.flat[60:90]
    assert not agrees(flow, draws, diverged, tolerance)


def test_rounded_whole_codes_are_judged_by_how_many_are_others():
    """What follows from them is judged by its mean difference: one other code changes a part of an image by far."""
    vq_vae = VQVAE((8, 8, 1), 16, code_size=2, filters=(4,), prior={"filters": 2, "num_layers": 1})
    tolerance = Tolerance(relative=0.01, levels=0.02, codes=0.1)

    def judged(signature, output, expected, changed, by):
        actual = expected.copy()
        actual.flat[:changed] += by
        return compare(vq_vae, signature, output, expected, actual, tolerance)

    codes, x = np.zeros((5, 4, 4)), np.ones((5, 8, 8, 1))
    assert judged("encode", "codes", codes, 8, 15).holds
    assert judged("encode", "codes", codes, 8, 15).value == 0.1
    assert not judged("encode", "codes", codes, 9, 1).holds
    assert judged("reconstruct", "x", x, 6, 1.0).holds
    assert not judged("reconstruct", "x", x, 7, 1.0).holds
    # Decoding makes no codes.
    assert not judged("decode", "x", x, 1, 0.02).holds


def test_bits_of_chains_are_judged_by_their_share():
    machine = DBM((3, 3), (20, 4))
    state = np.random.default_rng(0).integers(0, 2, (10, 20)).astype(np.float64)
    flipped = np.array(state)
    flipped.flat[:10] = 1 - flipped.flat[:10]

    def holds(actual, tolerance):
        return compare(machine, "gibbs", "state", state, actual, tolerance).holds

    assert holds(flipped, Tolerance(relative=0.01, levels=0.05, codes=0.1))
    assert not holds(flipped, Tolerance(relative=0.01, levels=0.04, codes=0.1))
    assert not holds(state + 0.5, Tolerance(relative=1.0, levels=1.0, codes=1.0))
    # Of ten chains, one may go another way in float32.
    assert holds(flipped, agreement.FLOAT32)
    flipped.flat[-1] = 1 - flipped.flat[-1]
    assert not holds(flipped, agreement.FLOAT32)


def test_an_output_of_another_shape(model, draws):
    with pytest.raises(
        RuntimeError, match=r"`generate` gives `x` of shape \(39, 6, 6\), where Keras gives \(40, 6, 6\)"
    ):
        agrees(model, draws, draws[1:], agreement.FLOAT32)
