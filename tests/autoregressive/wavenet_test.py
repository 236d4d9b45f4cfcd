"""Tests of WaveNet."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from contracts import (
    AutoregressiveContract,
    DiscreteDensityContract,
    ModelContract,
    changed_by_entries,
    randomise,
    rows_of,
)

import keras_gen
from keras_gen import evaluation, export
from keras_gen.autoregressive import WaveNet
from keras_gen.core import Step, saving
from keras_gen.distributions.waveforms import Linear, MuLaw
from keras_gen.spaces import Sound


class SoundContract(DiscreteDensityContract, AutoregressiveContract):
    """What holds for both encodings: sounds have few amplitudes, and the model sees its receptive field."""

    def make_enumerable(self):
        return self.make_model(event_shape=(4,))

    def entry_values(self, model):
        return model.codes.decode(tf.range(model.codes.num_codes, dtype=tf.float32)).numpy()

    def sees(self, model):
        """Returns the samples before a position that the two taps of the first layer and the dilations span."""
        back = np.subtract.outer(np.arange(model.num_positions), np.arange(model.num_positions))
        return (back > 0) & (back <= 2 + sum(model.dilations))


class TestMuLaw(ModelContract, SoundContract):
    # A linear encoding is tested below.
    excluded_arguments = ("encoding",)

    def make_model(self, **changes):
        settings = {
            "event_shape": (14,),
            "num_codes": 6,
            "num_components": 3,
            "filters": 5,
            "skip_filters": 7,
            "dilations": (1, 2, 4, 1),
            "num_classes": 3,
            "sample_rate": 8000,
            "seed": 5,
            "name": "speech",
        }
        return WaveNet(**{**settings, **changes})

    def make_data(self):
        random = np.random.default_rng(0)
        phase = random.uniform(0, 2 * np.pi, (40, 1))
        return (0.8 * np.sin(np.arange(14) + phase)).astype(np.float32)

    def test_a_file_is_enough_to_draw_its_sounds(self, model, batch, tmp_path):
        saving.save_model(model, tmp_path / "model.keras")
        copy = keras_gen.load_model(tmp_path / "model.keras")
        space, sounds = copy.preview(rows_of(batch, slice(4)), seed=0)["samples"]
        assert space == Sound((14,), sample_rate=8000, missing=True)
        assert sounds.shape == (4, 14)


class TestLinear(SoundContract):
    def make_model(self, **changes):
        settings = {"event_shape": (12,), "encoding": "linear", "num_codes": 6, "num_components": 3}
        return WaveNet(**{**settings, "filters": 4, "skip_filters": 6, "dilations": (2, 1, 4), **changes})

    def test_an_export_draws_what_keras_draws(self, tmp_path):
        model = randomise(self.make_model(event_shape=(5,), dilations=(2, 1)))
        export.litert(model, tmp_path / "model.tflite", batch_size=16)
        noise = model.noise(16, seed=9)
        run = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner("generate")
        drawn = run(**{name: part.numpy() for name, part in noise.items()})["x"]
        assert np.mean(np.isclose(drawn, model.generate(noise), atol=1e-5)) > 0.95


@pytest.mark.parametrize("encoding", ["mu_law", "linear"])
def test_network_is_that_of_the_paper(encoding):
    """One sample after the other, in NumPy: h by two taps, gates, residuals, and the sum of skips."""
    model = WaveNet(
        (9,),
        encoding=encoding,
        num_codes=6,
        filters=3,
        skip_filters=4,
        dilations=(1, 3),
        num_components=2,
        num_classes=2,
    )
    randomise(model)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 9)).astype(np.float32)
    labels = np.array([1, 0])
    first, layers = model.input_layer, model.dilated_layers
    codes = model.codes.encode(x).numpy().astype(int)
    decoded = model.codes.decode(tf.cast(codes, tf.float32)).numpy()
    inputs = np.eye(6)[codes] if encoding == "mu_law" else decoded[..., np.newaxis]
    newer, older, bias = (weight.numpy() for weight in (first.kernel, first.older_kernel, first.bias))
    given = layers.condition_kernel.numpy().reshape(2, 2, 6)[labels]
    skips, *head = [(layer.kernel.numpy(), layer.bias.numpy()) for layer in model.head]

    def before(h, t):
        return h[t] if t >= 0 else np.zeros_like(h[0])

    for example in range(2):
        u = inputs[example]
        h = [bias + before(u, t - 1) @ newer + before(u, t - 2) @ older for t in range(9)]
        total = skips[1]
        for layer, dilation in enumerate((1, 3)):
            past, present = np.split(layers.kernel.numpy()[layer], 2)
            gates = [before(h, t - dilation) @ past + h[t] @ present for t in range(9)]
            gates = np.array(gates) + layers.bias.numpy()[layer] + given[example, layer]
            z = np.tanh(gates[:, :3]) / (1 + np.exp(-gates[:, 3:]))
            total = total + z @ np.split(skips[0], 2)[layer]
            if layer == 0:
                h = h + z @ layers.residual_kernels[0].numpy() + layers.residual_biases[0].numpy()
        for kernel, offset in head:
            total = np.maximum(total, 0) @ kernel + offset
        np.testing.assert_allclose(model.parameters(x, labels)[example], total, rtol=1e-4, atol=1e-5)

    # The log mass of the codes' amplitudes is that of all amplitudes with the same codes.
    assert np.all(np.abs(decoded - x) > 1e-6)
    np.testing.assert_array_equal(model.log_prob(decoded, labels), model.log_prob(x, labels))


def test_conditionals_of_the_mu_law_are_categorical_over_codes():
    model = randomise(WaveNet((5,), num_codes=8, filters=3, skip_filters=4, dilations=(1, 2)))
    x = np.random.default_rng(1).uniform(-1, 1, (3, 5)).astype(np.float32)
    logits = model.parameters(x).numpy().astype(np.float64)
    log_masses = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    codes = model.codes.encode(x).numpy().astype(int)
    expected = np.take_along_axis(log_masses, codes[..., np.newaxis], axis=-1).sum(axis=(1, 2))
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-5)


@pytest.mark.parametrize("codes", [MuLaw(), MuLaw(5), Linear(), Linear(7)])
def test_codes_stand_for_amplitudes_that_have_them(codes):
    numbers = np.arange(codes.num_codes, dtype=np.float32)
    amplitudes = codes.decode(tf.constant(numbers)).numpy()
    assert np.all(np.diff(amplitudes) > 0)
    assert np.all(np.abs(amplitudes) <= 1)
    np.testing.assert_array_equal(codes.encode(amplitudes), numbers)
    assert codes.encode(tf.constant([-1.0, 1.0])).numpy().tolist() == [0, codes.num_codes - 1]


def test_mu_law_has_the_published_values():
    """For 0.5, ln(1 + 255 · 0.5) / ln 256 = 0.87570, and 127.5 · 1.87570 + 0.5 = 239.65."""
    assert MuLaw().encode(tf.constant([0.0, 0.5, -0.5, 0.01])).numpy().tolist() == [128, 239, 16, 157]
    np.testing.assert_allclose(
        MuLaw().decode(tf.constant([255.0, 239.0])), [1.0, (256 ** (111.5 / 127.5) - 1) / 255], 1e-5
    )
    # Compared with equal steps, a step near silence is 20 to 50 times finer, and one at full volume 5 times coarser.
    steps = np.diff(MuLaw().decode(tf.range(256.0)).numpy()) / (2 / 256)
    assert 20 < 1 / steps[127] < 50
    assert 4 < steps[254] < 6


def test_linear_codes_are_the_amplitudes_of_16_bit_files():
    samples = np.array([-32768, -1, 0, 1, 32767])
    amplitudes = (samples / 32768).astype(np.float32)
    np.testing.assert_array_equal(Linear().encode(amplitudes), samples + 32768)
    np.testing.assert_array_equal(Linear().decode(tf.constant(samples + 32768.0, tf.float32)), amplitudes)


@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4, 8), (1, 2, 1, 2)])
def test_receptive_field_is_all_that_dilations_span(dilations):
    model = randomise(WaveNet((24,), filters=4, skip_filters=4, num_codes=16, dilations=dilations))
    assert model.receptive_field == 2 + sum(dilations)
    back = np.subtract.outer(np.arange(24), np.arange(24))
    np.testing.assert_array_equal(changed_by_entries(model), (back > 0) & (back <= model.receptive_field))


def test_xla_draws_long_sounds_as_the_plain_loop_does():
    model = randomise(WaveNet((300,), filters=4, skip_filters=4, num_codes=16, dilations=(1, 2, 4), num_classes=2))
    assert model.num_positions >= model.xla_positions
    noise, condition = model.noise(4, seed=3), tf.constant([0, 1, 1, 0])
    plain = tf.function(model.draw_positions, autograph=False)(noise, condition)
    np.testing.assert_allclose(model.generate(noise, condition), plain, rtol=1e-4, atol=1e-6)


def recordings_of(lengths, samples: int) -> np.ndarray:
    """Returns sounds of several lengths, NaN behind their ends; the same sounds whatever the number of samples."""
    x = np.random.default_rng(3).uniform(-1.0, 1.0, (len(lengths), 20))[:, :samples].astype(np.float32)
    return np.where(np.arange(samples) < np.reshape(lengths, (-1, 1)), x, np.float32(np.nan))


@pytest.mark.parametrize("encoding", ["mu_law", "linear"])
def test_padding_of_any_length_counts_nowhere(encoding):
    """Loss and gradient are those of recordings of five samples, however many are missing behind them."""
    settings = {"encoding": encoding, "num_codes": 16, "num_components": 2, "filters": 3, "skip_filters": 4}
    found = []
    for samples in (5, 9, 20):
        model = randomise(WaveNet((samples,), dilations=(1, 2), **settings))
        x = recordings_of([5, 5], samples)
        step = Step(tf.constant([0, 0]), training=True)
        with tf.GradientTape() as tape:
            terms = model.loss_terms({"x": tf.constant(x)}, step)
        gradients = tape.gradient(terms["loss"], model.trainable_variables)
        found.append((terms["loss"], [tf.convert_to_tensor(gradient) for gradient in gradients]))
        np.testing.assert_allclose(model.log_prob(x), -terms["loss"], rtol=1e-5)
    for loss, gradients in found[1:]:
        np.testing.assert_allclose(loss, found[0][0], rtol=1e-5)
        for ours, theirs in zip(gradients, found[0][1], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoding", ["mu_law", "linear"])
def test_a_likelihood_is_that_of_the_samples_before_the_end(encoding, monkeypatch):
    """The first factors of a whole sound, whatever follows them; no gradient comes from behind the end."""
    settings = {"encoding": encoding, "num_codes": 16, "num_components": 2, "filters": 3, "skip_filters": 4}
    model = randomise(WaveNet((20,), dilations=(1, 2), **settings))
    whole, lengths = recordings_of([20] * 3, 20), [4, 20, 13]
    x = recordings_of(lengths, 20)
    factors = model.conditional.log_prob(model.parameters(whole), whole).numpy()
    expected = [factors[row, :length].sum() for row, length in enumerate(lengths)]
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-5)

    parameters = model.parameters(x)
    monkeypatch.setattr(model, "parameters", lambda *args, **kwargs: parameters)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        total = tf.reduce_sum(model.log_prob(x))
    reached = np.any(tape.gradient(total, parameters) != 0.0, axis=-1)
    np.testing.assert_array_equal(reached, ~np.isnan(x))


def test_bits_are_those_of_a_sample_that_is_there():
    model = randomise(WaveNet((20,), num_codes=16, filters=3, skip_filters=4, dilations=(1, 2)))
    model.compile()
    x = recordings_of([4, 20, 13], 20)
    nats = -float(np.sum(model.log_prob(x)))
    figures = model.evaluate(x, batch_size=2, verbose=0, return_dict=True)
    assert figures["nll"] == pytest.approx(nats / 3, rel=1e-5)
    assert figures["bits_per_dim"] == pytest.approx(nats / 37 / np.log(2), rel=1e-5)
    found = evaluation.likelihood(model, tf.data.Dataset.from_tensor_slices(x).batch(2))
    assert found["bits_per_dim"] == pytest.approx(figures["bits_per_dim"], rel=1e-5)


def test_defaults_of_the_encodings():
    assert WaveNet((3,)).conditional.num_parameters == 256
    model = WaveNet((3,), encoding="linear")
    assert (model.codes.num_codes, model.conditional.num_parameters) == (65_536, 30)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"event_shape": (4, 1)}, ValueError, r"`event_shape` must be \(samples,\), received \(4, 1\)"),
        ({"encoding": "mu-law"}, ValueError, "`encoding` 'mu-law' is unknown; did you mean mu_law"),
        ({"num_codes": 1}, ValueError, "`num_codes` must be at least 2, received 1"),
        ({"num_components": 0}, ValueError, "`num_components` must be at least 1, received 0"),
        ({"filters": 0}, ValueError, "`filters` must be at least 1, received 0"),
        ({"skip_filters": 2.5}, TypeError, "`skip_filters` must be a whole number, received 2.5"),
        ({"dilations": ()}, ValueError, r"`dilations` must hold the dilation of at least one layer, received \(\)"),
        ({"dilations": (1, 0)}, ValueError, "`dilations` must be at least 1, received 0"),
        ({"dilations": 4}, TypeError, "`dilations` must be a tuple of whole numbers, received 4"),
        ({"num_classes": 0}, ValueError, "`num_classes` must be at least 1, received 0"),
        ({"sample_rate": 0}, ValueError, "`sample_rate` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        WaveNet(**{"event_shape": (4,), "filters": 2, "skip_filters": 2, "dilations": (1,), **arguments})


@pytest.mark.parametrize("value", [1.5, -1.01, np.nan, np.inf])
def test_what_is_no_amplitude_gets_a_sentence(value):
    model = WaveNet((4,), filters=2, skip_filters=2, dilations=(1,))
    with pytest.raises(
        ValueError, match=f"^`x` holds the value {value:g}; expected real numbers from -1 to 1, or NaN behind "
    ):
        model.log_prob(np.full((2, 4), value))
