"""Promises that models keep, each stated once.

The test of a model subclasses the contracts that apply to it and says how to make a small model and its data.
"""

import inspect
import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from scipy import stats

import keras_gen
from keras_gen import export, saving


def randomise(model, scale=0.5, seed=0):
    """Moves every trainable weight away from its initial value, so that no test passes because a model is simple."""
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign_add(scale * random.standard_normal(weight.shape) / max(1, weight.shape[0]) ** 0.5)
    return model


def values(variables):
    return [variable.numpy() for variable in variables]


def assert_same_weights(first, second, **tolerance):
    for ours, theirs in zip(values(first), values(second), strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 0, "atol": 0, **tolerance})


class ModelContract:
    """What every model promises.

    A test class provides `make_model` and `make_data`.
    """

    #: The term that training brings down, and the epochs that it may take.
    falling_term = "loss"
    epochs = 15

    def make_model(self, **changes):
        """Returns a small model in which no argument has its default value, unless `changes` says so."""
        raise NotImplementedError

    def make_data(self) -> np.ndarray:
        """Returns at least 32 examples that a model can learn something from."""
        raise NotImplementedError

    def compile(self, model, **arguments):
        """Compiles a model for training on so few examples."""
        model.compile(keras.optimizers.Adam(0.02), **arguments)
        return model

    def optimizers(self, model):
        return [model.optimizer]

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls):
        return cls().make_data()

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        """A model whose weights are not those that it starts with; no test changes it."""
        return randomise(cls().make_model())

    @pytest.fixture(scope="class")
    @classmethod
    def training(cls, data):
        """A model that was trained, its weights before and its history; a test may train it further."""
        model = cls().compile(cls().make_model())
        before = values(model.trainable_weights)
        history = model.fit(data, batch_size=8, epochs=cls().epochs, verbose=0).history
        return model, before, history

    # Saving

    def test_every_argument_is_tested_with_another_value_than_its_default(self, model):
        parameters = inspect.signature(type(model).__init__).parameters.values()
        config = model.get_config()
        same = [p.name for p in parameters if p.name in config and config[p.name] == p.default]
        assert same == []

    def test_config_makes_the_same_model(self, model):
        config = json.loads(json.dumps(model.get_config()))
        copy = type(model).from_config(config)
        assert copy.get_config() == model.get_config()
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy.sample(3, seed=2), model.sample(3, seed=2))

    def test_a_file_keeps_weights_optimizers_and_the_next_step(self, training, data, tmp_path):
        model, _, _ = training
        saving.save_model(model, tmp_path / "model.keras")
        copy = keras_gen.load_model(tmp_path / "model.keras")
        assert type(copy) is type(model)
        assert_same_weights(copy.weights, model.weights)
        for ours, theirs in zip(self.optimizers(copy), self.optimizers(model), strict=True):
            assert ours.iterations > 0
            assert_same_weights(ours.variables, theirs.variables)
        np.testing.assert_array_equal(copy.sample(3, seed=2), model.sample(3, seed=2))

        for each in (copy, model):
            each.train_on_batch(data[:8])
        assert_same_weights(copy.weights, model.weights, atol=1e-6)

    # Sampling

    def test_samples_follow_the_seed(self, model):
        samples = model.sample(8, seed=3)
        assert samples.shape == (8, *model.event_shape)
        assert np.all(model.domain.contains(samples))
        np.testing.assert_array_equal(samples, model.sample(8, seed=3))
        assert np.any(samples != model.sample(8, seed=4))
        assert np.any(samples != model.sample(8, seed=(1, 3)))
        assert np.any(model.sample(8) != model.sample(8))

    def test_a_sample_is_noise_made_into_an_example(self, model):
        np.testing.assert_allclose(model.generate(model.noise(6, 5)), model.sample(6, seed=5), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("arguments", "error", "sentence"),
        [
            ({"num_samples": 0}, ValueError, "`num_samples` must be at least 1, received 0."),
            ({"num_samples": -1}, ValueError, "`num_samples` must be at least 1, received -1."),
            ({"num_samples": 1.5}, TypeError, "`num_samples` must be a whole number, received 1.5."),
            ({"num_samples": 1, "seed": "a"}, TypeError, "`seed` must be an integer or a pair .*, received 'a'."),
            ({"num_samples": 1, "seed": 0.5}, TypeError, "`seed` must be an integer or a pair .*, received 0.5."),
        ],
    )
    def test_wrong_number_of_samples_or_seed(self, model, arguments, error, sentence):
        with pytest.raises(error, match=f"^{sentence}$"):
            model.sample(**arguments)

    # Training

    def test_training_reaches_every_weight_and_brings_the_loss_down(self, training):
        model, before, history = training
        for weight, start in zip(model.trainable_weights, before, strict=True):
            assert np.any(weight.numpy() != start), weight.path
        assert all(np.all(np.isfinite(series)) for series in history.values())
        assert history[self.falling_term][-1] < history[self.falling_term][0]

    def test_fit_takes_any_numeric_dtype_data_sets_and_a_batch_of_one(self, training, data):
        model, _, _ = training
        other = data.astype(np.uint8 if model.levels else np.float64)
        batches = tf.data.Dataset.from_tensor_slices(data).batch(8)
        histories = [
            model.fit(data[:1], epochs=2, verbose=0),
            model.fit(other[:16], batch_size=8, validation_data=(data[:8],), verbose=0),
            model.fit(batches, validation_data=batches, verbose=0),
        ]
        for series in itertools.chain.from_iterable(history.history.values() for history in histories):
            assert np.all(np.isfinite(series))
        assert f"val_{self.falling_term}" in histories[-1].history
        assert np.isfinite(model.evaluate(batches, verbose=0, return_dict=True)[self.falling_term])

    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains(self, data, policy):
        model = self.compile(self.make_model(dtype=policy), run_eagerly=True)
        assert model.dtype_policy.name == policy
        for _ in range(2):
            logs = model.train_on_batch(data[:8], return_dict=True)
            assert np.all(np.isfinite(list(logs.values())))
        assert all(np.all(np.isfinite(weight)) for weight in values(model.weights))
        assert model.sample(2, seed=0).dtype == tf.float32

    def test_event_shape_is_enough(self, model):
        plain = type(model)(model.event_shape)
        assert plain.sample(2, seed=0).shape == (2, *model.event_shape)

    # Wrong data

    @pytest.mark.parametrize("verb", ["fit", "fit a data set", "log_prob"])
    @pytest.mark.parametrize("fault", ["shape", "nan", "inf", "beyond", "between", "empty", "dtype"])
    def test_wrong_data_gets_one_sentence(self, training, data, verb, fault):
        model, _, _ = training
        x = data[:4].astype(np.float32)
        if fault in ("beyond", "between") and model.levels is None:
            fault = "inf"
        wrong = {"nan": np.nan, "inf": np.inf, "beyond": model.levels, "between": 0.5}
        error, sentence = ValueError, "`x` holds the value .*; expected .*"
        if fault == "shape":
            x, sentence = x[:, :1, ..., np.newaxis], r"`x` must have shape \(batch, .*\), received .*"
        elif fault == "empty":
            x, sentence = x[:0], "`x` holds no examples; at least one is expected"
        elif fault == "dtype":
            x, error, sentence = x.astype(str), TypeError, "`x` must hold numbers, received dtype .*"
        else:
            x.flat[5 % x.size] = wrong[fault]
        if verb == "fit a data set":
            x = tf.data.Dataset.from_tensor_slices(x).batch(4)
        call = getattr(model, verb.split()[0], model.fit)
        with pytest.raises(error, match=f"^{sentence}\\.$") as raised:
            call(x)
        assert "\n" not in str(raised.value)

    # Export

    def test_exports_give_the_same_examples(self, model, tmp_path):
        folder = export.saved_model(model, tmp_path / "served")
        signatures = tf.saved_model.load(str(folder)).signatures
        assert set(signatures) == {*model.signatures(), "serving_default"}
        drawn = signatures["sample"](num_samples=tf.constant(5), seed=tf.constant(7))["x"]
        np.testing.assert_allclose(drawn, model.sample(5, seed=7), rtol=1e-4, atol=1e-5)
        if hasattr(model, "log_prob"):
            x = model.sample(5, seed=8)
            np.testing.assert_allclose(signatures["log_prob"](x=x)["log_prob"], model.log_prob(x), rtol=1e-4, atol=1e-5)

        report = export.litert(model, tmp_path / "model.tflite")
        interpreter = Interpreter(str(tmp_path / "model.tflite"))
        deterministic = {name for name, signature in model.signatures().items() if signature.deterministic}
        assert set(interpreter.get_signature_list()) == set(report) == deterministic
        noise = model.noise(16, seed=9)
        drawn = interpreter.get_signature_runner("generate")(**{name: part.numpy() for name, part in noise.items()})
        # Rounding may move a number across the border between two levels.
        close = np.isclose(drawn["x"], model.generate(noise), rtol=1e-3, atol=1e-4)
        assert np.mean(close) > 0.95


class DiscreteDensityContract:
    """A model over levels is a distribution, and samples follow it.

    A test class provides `make_enumerable`.
    """

    def make_enumerable(self):
        """Returns a model whose space has at most a few thousand points."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def enumerated(cls):
        model = randomise(cls().make_enumerable(), scale=1.5)
        points = np.array(list(itertools.product(range(model.levels), repeat=model.event_size)), np.float32)
        log_prob = model.log_prob(points.reshape(-1, *model.event_shape))
        assert log_prob.dtype == tf.float32
        return model, log_prob.numpy().astype(np.float64)

    def test_masses_of_all_points_sum_to_one(self, enumerated):
        _, log_prob = enumerated
        assert np.exp(log_prob).std() > 0
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, atol=1e-5)

    def test_samples_follow_log_prob(self, enumerated):
        model, log_prob = enumerated
        num_samples = 20_000
        samples = model.sample(num_samples, seed=11).numpy().reshape(num_samples, -1).astype(int)
        index = samples @ model.levels ** np.arange(model.event_size)[::-1]
        counts = np.bincount(index, minlength=len(log_prob))
        expected = np.exp(log_prob) * num_samples
        assert chi_square(counts, expected) > 1e-4


class ContinuousDensityContract:
    """A density over the plane integrates to one, and samples follow it.

    A test class provides `make_plane`.
    """

    def make_plane(self):
        """Returns a model of `event_shape` (2,)."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def cells(cls):
        """A model, the edges of a grid that holds all but a negligible part of its density, and the cells' masses."""
        model = cls().make_plane()
        samples = model.sample(2000, seed=0).numpy()
        centre, half = samples.mean(axis=0), 12.0 * samples.std(axis=0)
        edges = np.linspace(centre - half, centre + half, 601)
        middle = (edges[1:] + edges[:-1]) / 2.0
        points = np.stack(np.meshgrid(*middle.T, indexing="ij"), axis=-1).reshape(-1, 2)
        masses = np.exp(model.predict(points, batch_size=20_000, verbose=0).astype(np.float64))
        return model, edges, masses.reshape(600, 600) * np.prod(2.0 * half / 600)

    def test_density_integrates_to_one(self, cells):
        _, _, masses = cells
        np.testing.assert_allclose(masses.sum(), 1.0, atol=1e-3)

    def test_samples_follow_the_density(self, cells):
        model, edges, masses = cells
        num_samples = 20_000
        counts, _, _ = np.histogram2d(*model.sample(num_samples, seed=1).numpy().T, bins=list(edges[::20].T))
        coarse = masses.reshape(30, 20, 30, 20).sum(axis=(1, 3))
        assert chi_square(counts.ravel(), coarse.ravel() * num_samples) > 1e-4


class AutoregressiveContract:
    """The parameters of each conditional depend on every entry before it in the ordering, and on nothing else.

    A test class provides `make_model` and `conditionals`.
    """

    def conditionals(self, model):
        """Yields, for each ordering in the model, the indices of the entries in order and a function.

        The function takes float32 examples and returns the parameters of all conditionals, an array of shape
        `(batch, event_size, ...)`.
        """
        raise NotImplementedError

    def test_no_leak_and_no_missing_dependence(self):
        model = randomise(self.make_model())
        random = np.random.default_rng(0)
        size = model.event_size
        x = random.integers(0, model.levels, (64, size)).astype(np.float32)
        for order, parameters in self.conditionals(model):
            position = np.argsort(order)
            before = parameters(x.reshape(-1, *model.event_shape))
            for entry in range(size):
                flipped = x.copy()
                flipped[:, entry] = (x[:, entry] + random.integers(1, model.levels, len(x))) % model.levels
                after = parameters(flipped.reshape(-1, *model.event_shape))
                changed = np.any((after != before).reshape(len(x), size, -1), axis=(0, 2))
                np.testing.assert_array_equal(changed, position > position[entry], err_msg=f"flipping entry {entry}")


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """Returns the p-value of counts, all cells that expect fewer than 10 taken together."""
    frequent = expected >= 10
    assert frequent.sum() > 10
    total = counts.sum()
    observed = np.append(counts[frequent], total - counts[frequent].sum())
    expected = np.append(expected[frequent], total - expected[frequent].sum())
    # An empty rest cannot be compared with anything.
    keep = expected > 1e-6 * total
    return stats.chisquare(observed[keep], expected[keep], sum_check=False).pvalue
