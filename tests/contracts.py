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
from keras_gen import export
from keras_gen.core import saving


def randomise(model, scale=0.5, seed=0):
    """Moves every trainable weight away from its initial value, so that no test passes because a model is simple."""
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign_add(scale * random.standard_normal(weight.shape) / max(1, weight.shape[0]) ** 0.5)
    return model


def condition_for(model, num):
    """Returns conditions of `num` examples, or None for an unconditional model."""
    return None if model.condition_space is None else model.condition_space.examples(num)


def draw(model, num, **arguments):
    """Draws `num` examples, of a conditional model on conditions of every kind."""
    return model.sample(num, condition=condition_for(model, num), **arguments)


def values(variables):
    return [variable.numpy() for variable in variables]


def assert_same_weights(first, second, **tolerance):
    for ours, theirs in zip(values(first), values(second), strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 0, "atol": 0, **tolerance})


class TrainingContract:
    """What every model promises, whether or not it draws examples.

    A test class provides `make_model`, `make_data` and `outputs`.
    """

    #: The term that training brings down, and the epochs that it may take.
    falling_term = "loss"
    epochs = 15
    #: Arguments that exclude one that the class tests; another class has to test them.
    excluded_arguments: tuple[str, ...] = ()

    def make_model(self, **changes):
        """Returns a small model in which no argument has its default value, unless `changes` says so."""
        raise NotImplementedError

    def make_data(self) -> np.ndarray:
        """Returns at least 32 examples that a model can learn something from."""
        raise NotImplementedError

    def outputs(self, model, seed: int) -> tf.Tensor:
        """Returns float32 outputs that show every weight of a model, the same for the same seed."""
        raise NotImplementedError

    def compile(self, model, **arguments):
        """Compiles a model for training on so few examples."""
        model.compile(keras.optimizers.Adam(0.02), **arguments)
        return model

    def optimizers(self, model):
        """Returns the optimizers whose state a file keeps."""
        return model.optimizers

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
        condition = condition_for(model, len(data))
        history = model.fit(data, condition, batch_size=8, epochs=cls().epochs, verbose=0).history
        return model, before, history

    # Saving

    def test_every_argument_is_tested_with_another_value_than_its_default(self, model):
        parameters = inspect.signature(type(model).__init__).parameters.values()
        config = model.get_config()
        same = [p.name for p in parameters if p.name in config and config[p.name] == p.default]
        assert same == list(self.excluded_arguments)

    def test_config_makes_the_same_model(self, model):
        config = json.loads(json.dumps(model.get_config()))
        copy = type(model).from_config(config)
        assert copy.get_config() == model.get_config()
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(self.outputs(copy, 2), self.outputs(model, 2))

    @pytest.mark.slow
    def test_a_file_keeps_weights_optimizers_and_the_next_step(self, training, data, tmp_path):
        model, _, _ = training
        saving.save_model(model, tmp_path / "model.keras")
        copy = keras_gen.load_model(tmp_path / "model.keras")
        assert type(copy) is type(model)
        assert_same_weights(copy.weights, model.weights)
        for ours, theirs in zip(self.optimizers(copy), self.optimizers(model), strict=True):
            assert ours.iterations > 0
            assert_same_weights(ours.variables, theirs.variables)
        np.testing.assert_array_equal(self.outputs(copy, 2), self.outputs(model, 2))

        for each in (copy, model):
            each.train_on_batch(data[:8], condition_for(each, 8))
        assert_same_weights(copy.weights, model.weights, atol=1e-6)

    # Training

    def test_training_reaches_every_weight_and_brings_the_loss_down(self, training):
        model, before, history = training
        for weight, start in zip(model.trainable_weights, before, strict=True):
            assert np.any(weight.numpy() != start), weight.path
        assert all(np.all(np.isfinite(series)) for series in history.values())
        assert history[self.falling_term][-1] < history[self.falling_term][0]

    @pytest.mark.slow
    def test_fit_takes_any_numeric_dtype_data_sets_and_a_batch_of_one(self, training, data):
        model, _, _ = training
        other = data.astype(np.uint8 if model.levels else np.float64)
        condition = condition_for(model, len(data))
        labelled = (lambda x: x) if condition is None else (lambda x: (x, condition[: len(x)]))
        batches = tf.data.Dataset.from_tensor_slices(labelled(data)).batch(8)
        y = [None if condition is None else condition[:num] for num in (1, 16)]
        histories = [
            model.fit(data[:1], y[0], epochs=2, verbose=0),
            model.fit(
                other[:16],
                y[1],
                batch_size=8,
                validation_data=(data[:8],) if condition is None else labelled(data[:8]),
                verbose=0,
            ),
            model.fit(batches, validation_data=batches, verbose=0),
        ]
        for series in itertools.chain.from_iterable(history.history.values() for history in histories):
            assert np.all(np.isfinite(series))
        assert f"val_{self.falling_term}" in histories[-1].history
        assert np.isfinite(model.evaluate(batches, verbose=0, return_dict=True)[self.falling_term])

    @pytest.mark.slow
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains(self, data, policy):
        model = self.compile(self.make_model(dtype=policy), run_eagerly=True)
        assert model.dtype_policy.name == policy
        for _ in range(2):
            logs = model.train_on_batch(data[:8], condition_for(model, 8), return_dict=True)
            assert np.all(np.isfinite(list(logs.values())))
        assert all(np.all(np.isfinite(weight)) for weight in values(model.weights))
        assert self.outputs(model, 0).dtype == tf.float32

    def test_a_condition_is_given_where_and_only_where_there_is_one(self, training, data):
        model, _, _ = training
        kind = model.condition_space
        wrong, sentence = (np.zeros(4, int), "`condition` must be None") if kind is None else (None, "must be given")
        with pytest.raises(ValueError, match=sentence):
            model.fit(data[:4], wrong, verbose=0)
        if hasattr(model, "sample"):
            with pytest.raises(ValueError, match=sentence):
                model.sample(4, condition=wrong)
            with pytest.raises(ValueError, match=sentence):
                model.generate(model.noise(4, 0), wrong)

    # Wrong data

    @pytest.mark.slow
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
        condition = condition_for(model, len(x))
        if verb == "fit a data set":
            columns = x if condition is None else (x, condition)
            x, condition = tf.data.Dataset.from_tensor_slices(columns).batch(4), None
        call = getattr(model, verb, model.fit) if verb in model.signatures() else model.fit
        with pytest.raises(error, match=f"^{sentence}\\.$") as raised:
            call(x) if condition is None else call(x, condition)
        assert "\n" not in str(raised.value)

    # Export

    @pytest.mark.slow
    def test_exports_hold_the_signatures(self, model, tmp_path):
        folder = export.saved_model(model, tmp_path / "served")
        signatures = tf.saved_model.load(str(folder)).signatures
        assert set(signatures) == {*model.signatures(), "serving_default"}
        report = export.litert(model, tmp_path / "model.tflite")
        deterministic = {name for name, signature in model.signatures().items() if signature.deterministic}
        assert deterministic
        assert set(report) == deterministic


class ModelContract(TrainingContract):
    """What every model that draws examples promises.

    A test class provides `make_model` and `make_data`.
    """

    def outputs(self, model, seed):
        return draw(model, 3, seed=seed)

    # Sampling

    def test_samples_follow_the_seed(self, model):
        samples = draw(model, 8, seed=3)
        assert samples.shape == (8, *model.event_shape)
        assert np.all(model.event_space.contains(samples))
        np.testing.assert_array_equal(samples, draw(model, 8, seed=3))
        assert np.any(samples != draw(model, 8, seed=4))
        assert np.any(samples != draw(model, 8, seed=(1, 3)))
        assert np.any(draw(model, 8) != draw(model, 8))

    def test_a_sample_is_noise_made_into_an_example(self, model):
        generated = model.generate(model.noise(6, 5), condition_for(model, 6))
        np.testing.assert_allclose(generated, draw(model, 6, seed=5), rtol=1e-4, atol=1e-5)

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
            model.sample(**arguments, condition=condition_for(model, 1))

    @pytest.mark.slow
    def test_event_shape_is_enough(self, model):
        plain = type(model)(model.event_shape)
        assert draw(plain, 2, seed=0).shape == (2, *model.event_shape)

    # Export

    @pytest.mark.slow
    def test_exports_hold_the_signatures(self, model, tmp_path):
        folder = export.saved_model(model, tmp_path / "served")
        signatures = tf.saved_model.load(str(folder)).signatures
        assert set(signatures) == {*model.signatures(), "serving_default"}
        condition = condition_for(model, 5)
        given = {} if condition is None else {"condition": condition}
        number = given or {"num_samples": tf.constant(5)}
        drawn = signatures["sample"](**number, seed=tf.constant(7))["x"]
        np.testing.assert_allclose(drawn, draw(model, 5, seed=7), rtol=1e-4, atol=1e-5)
        if "log_prob" in model.signatures():
            x = draw(model, 5, seed=8)
            log_prob = signatures["log_prob"](x=x, **given)["log_prob"]
            np.testing.assert_allclose(log_prob, model.log_prob(x, condition), rtol=1e-4, atol=1e-5)

        report = export.litert(model, tmp_path / "model.tflite")
        interpreter = Interpreter(str(tmp_path / "model.tflite"))
        deterministic = {name for name, signature in model.signatures().items() if signature.deterministic}
        assert set(interpreter.get_signature_list()) == set(report) == deterministic
        noise = model.noise(16, seed=9)
        condition = condition_for(model, 16)
        inputs = noise if condition is None else {**noise, "condition": condition}
        drawn = interpreter.get_signature_runner("generate")(**{name: part.numpy() for name, part in inputs.items()})
        # Rounding may move a number across the border between two levels.
        close = np.isclose(drawn["x"], model.generate(noise, condition), rtol=1e-3, atol=1e-4)
        assert np.mean(close) > 0.95


class AdversarialContract(ModelContract):
    """What holds for two players; here, of small images with three of nine levels."""

    # Two players chase each other: the generator fools a discriminator less and less while that learns.
    falling_term = "discriminator_loss"
    event_shape = (5, 4, 1)

    def make_data(self):
        return np.random.default_rng(0).integers(0, 9, (32, *self.event_shape)) // 4 * 4

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.Adam(5e-3), **arguments)
        return model


class DiscreteDensityContract:
    """A model over levels is a distribution, and samples follow it.

    A test class provides `make_enumerable`.
    """

    def make_enumerable(self):
        """Returns a model whose space has at most a few thousand points."""
        raise NotImplementedError

    def entry_values(self, model) -> np.ndarray:
        """Returns the values that an entry can have, in increasing order."""
        return np.arange(model.levels)

    @pytest.fixture(scope="class")
    @classmethod
    def enumerated(cls):
        model = randomise(cls().make_enumerable(), scale=1.5)
        entry_values = cls().entry_values(model)
        points = np.array(list(itertools.product(entry_values, repeat=model.event_size)), np.float32)
        # A conditional model is one distribution per condition; the last of three is taken.
        given = None if model.condition_space is None else model.condition_space.examples(3)[2]
        condition = None if given is None else tf.repeat(given[tf.newaxis], len(points), axis=0)
        log_prob = model.log_prob(points.reshape(-1, *model.event_shape), condition)
        assert log_prob.dtype == tf.float32
        return model, log_prob.numpy().astype(np.float64)

    def test_masses_of_all_points_sum_to_one(self, enumerated):
        _, log_prob = enumerated
        assert np.exp(log_prob).std() > 0
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, atol=1e-5)

    def test_samples_follow_log_prob(self, enumerated):
        model, log_prob = enumerated
        num_samples = 20_000
        given = None if model.condition_space is None else model.condition_space.examples(3)[2]
        condition = None if given is None else tf.repeat(given[tf.newaxis], num_samples, axis=0)
        samples = model.sample(num_samples, condition=condition, seed=11).numpy().reshape(num_samples, -1)
        entry_values = self.entry_values(model)
        which = np.argmin(np.abs(samples[..., np.newaxis] - entry_values), axis=-1)
        np.testing.assert_allclose(samples, entry_values[which], atol=1e-6)
        index = which @ len(entry_values) ** np.arange(model.event_size)[::-1]
        counts = np.bincount(index, minlength=len(log_prob))
        expected = np.exp(log_prob) * num_samples
        assert chi_square(counts, expected) > 1e-4


class ContinuousDensityContract:
    """A density over the plane integrates to one, and samples follow it.

    A test class provides `make_plane`.
    """

    #: Cells along each side of the grid, a multiple of 30.
    num_cells = 600

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
        edges = np.linspace(centre - half, centre + half, cls.num_cells + 1)
        middle = (edges[1:] + edges[:-1]) / 2.0
        points = np.stack(np.meshgrid(*middle.T, indexing="ij"), axis=-1).reshape(-1, 2)
        masses = np.exp(model.predict(points, batch_size=20_000, verbose=0).astype(np.float64))
        masses = masses.reshape(cls.num_cells, cls.num_cells) * np.prod(2.0 * half / cls.num_cells)
        return model, edges, masses

    def test_density_integrates_to_one(self, cells):
        _, _, masses = cells
        np.testing.assert_allclose(masses.sum(), 1.0, atol=1e-3)

    def test_samples_follow_the_density(self, cells):
        model, edges, masses = cells
        num_samples = 20_000
        step = self.num_cells // 30
        counts, _, _ = np.histogram2d(*model.sample(num_samples, seed=1).numpy().T, bins=list(edges[::step].T))
        coarse = masses.reshape(30, step, 30, step).sum(axis=(1, 3))
        assert chi_square(counts.ravel(), coarse.ravel() * num_samples) > 1e-4


class FlowContract:
    """A flow is inverted, and its log-determinants are those of automatic differentiation, at weights far from those
    that it starts with.

    A test class provides `make_model`, a model of real numbers, and `make_deep`.
    """

    #: Absolute error of an inverse, in standardised data.
    tolerance = 1e-4
    #: Distance of the weights from the initial ones.
    scale = 0.6

    def make_deep(self):
        """Returns a model of a hundred layers, or of as many as the shape of small examples allows."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def flow(cls):
        """A model of data in other units than the noise, and examples."""
        model = randomise(cls().make_model(), scale=cls.scale, seed=1)
        random = np.random.default_rng(1)
        units = 10.0 ** random.integers(-2, 3, model.event_shape)
        # An offset of many units would leave float32 too few digits for what varies.
        rows = (random.standard_normal((200, *model.event_shape)) + 5.0 * random.standard_normal(units.shape)) * units
        model.adapt(rows, condition_for(model, 200))
        return model, draw(model, 20, seed=5)

    def test_the_inverse_inverts(self, flow):
        model, x = flow
        condition = condition_for(model, len(x))
        z = model.encode(x, condition)
        # TFP remembers what it computed: only a new tensor is really inverted.
        again = model.decode(tf.identity(z), condition)
        scale = model.scale.numpy()
        np.testing.assert_allclose(again / scale, x / scale, atol=self.tolerance)
        z = model.noise(20, seed=6)["z"]
        np.testing.assert_allclose(
            model.encode(tf.identity(model.decode(z, condition)), condition), z, atol=self.tolerance
        )

    @pytest.mark.slow
    def test_log_determinants_agree_with_automatic_differentiation(self, flow):
        model, x = flow
        condition, event_ndims = condition_for(model, len(x)), len(model.event_shape)
        bijector = model.flow(condition)
        forward = log_determinant(lambda x: model.encode(x, condition), x)
        np.testing.assert_allclose(bijector.forward_log_det_jacobian(tf.identity(x), event_ndims), forward, atol=2e-3)
        z = tf.identity(model.encode(x, condition))
        inverse = log_determinant(lambda z: model.decode(z, condition), z)
        np.testing.assert_allclose(inverse, -forward, atol=5e-3)
        np.testing.assert_allclose(bijector.inverse_log_det_jacobian(z, event_ndims), inverse, atol=5e-3)
        expected = model.base_distribution().log_prob(z) + forward
        np.testing.assert_allclose(model.log_prob(x, condition), expected, atol=5e-3)

    @pytest.mark.slow
    def test_a_deep_model_keeps_to_float32(self):
        model = self.make_deep()
        z = model.noise(20, seed=1)["z"]
        condition = condition_for(model, 20)
        x = model.decode(z, condition)
        np.testing.assert_allclose(model.encode(tf.identity(x), condition), z, atol=1e-3)
        assert np.all(np.isfinite(model.log_prob(x, condition)))
        model.compile(keras.optimizers.SGD(1e-6), run_eagerly=True)
        assert np.isfinite(model.train_on_batch(x, condition, return_dict=True)["loss"])
        assert all(np.all(np.isfinite(weight)) for weight in values(model.weights))

    def test_the_density_stays_in_float32_under_mixed_precision(self):
        model = self.make_model(dtype="mixed_bfloat16")
        condition = condition_for(model, 5)
        x = draw(model, 5, seed=0)
        assert x.dtype == model.log_prob(x, condition).dtype == model.encode(x, condition).dtype == tf.float32
        # Nor does the flow round what it passes on: without networks to round, noise comes back to float32.
        z = model.noise(5, seed=1)["z"]
        back = model.encode(tf.identity(model.decode(z, condition)), condition)
        np.testing.assert_allclose(back, z, atol=1e-3)


def log_determinant(function, x) -> np.ndarray:
    """Returns log |det| of the Jacobian of a function at each of several points, in float64."""
    x = tf.identity(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    size = int(np.prod(x.shape[1:]))
    jacobian = tf.reshape(tape.batch_jacobian(y, x), (-1, size, size))
    return np.linalg.slogdet(jacobian.numpy().astype(np.float64)).logabsdet


class AutoregressiveContract:
    """The parameters of each conditional depend on every position before it in the order, and on nothing else;
    drawing with a cache is drawing with a whole pass for every position.

    A test class provides `make_model`.
    """

    def sees(self, model) -> np.ndarray:
        """Returns which position's parameters (rows) depend on which position (columns): on all before it."""
        place = np.argsort(model.positions)
        return place[:, np.newaxis] > place

    @pytest.fixture(scope="class")
    @classmethod
    def random_model(cls):
        return randomise(cls().make_model())

    def test_no_leak_and_no_missing_dependence(self, random_model):
        model = random_model
        np.testing.assert_array_equal(changed_by_entries(model), self.sees(model))

    def test_cached_draws_are_those_of_whole_passes(self, random_model):
        model, num = random_model, 20
        noise, condition = model.noise(num, seed=3), condition_for(random_model, 20)
        cached = model.generate(noise, condition)
        np.testing.assert_allclose(cached, plain_draws(model, noise, condition), rtol=1e-4, atol=1e-5)

    def test_imputation_keeps_what_is_known_and_draws_what_follows(self, random_model):
        model, num = random_model, 20
        condition = condition_for(model, num)
        x = draw(model, num, seed=4).numpy()
        # Each example misses another number of positions at the end of the order.
        place = np.argsort(model.positions)
        missing = place >= np.arange(num)[:, np.newaxis] * (model.num_positions + 1) // num
        mask = np.repeat(missing, model.event_size // model.num_positions, axis=1).reshape(x.shape)
        drawn = model.impute(x, mask, condition=condition, seed=5).numpy()
        np.testing.assert_array_equal(drawn[~mask], x[~mask])
        expected = plain_draws(model, model.noise(num, seed=5), condition, x, missing)
        np.testing.assert_allclose(drawn, expected, rtol=1e-4, atol=1e-5)
        assert np.any(drawn != x)

    def test_imputation_of_what_precedes_is_refused(self, random_model):
        model = random_model
        mask = np.zeros((1, model.num_positions, model.event_size // model.num_positions), bool)
        mask[:, model.positions[0]] = True
        x = draw(model, 2, seed=0)
        with pytest.raises(ValueError, match="`mask` must mark no entry that comes before a known one in the order"):
            model.impute(x, mask.reshape(1, *model.event_shape), condition=condition_for(model, 2))


def changed_by_entries(model, num=64) -> np.ndarray:
    """Finds which position's parameters (rows) change for any of `num` random examples if a position (columns) does."""
    random = np.random.default_rng(0)
    shape, positions = (num, *model.event_shape), model.num_positions
    condition = condition_for(model, num)
    x = random.standard_normal(shape) if model.levels is None else random.integers(0, model.levels, shape)
    x = x.astype(np.float32).reshape(num, positions, -1)
    before = model.parameters(tf.constant(x.reshape(shape)), condition).numpy()
    changed = np.zeros((positions, positions), bool)
    for position in range(positions):
        for channel in range(x.shape[-1]):
            other = x.copy()
            if model.levels is None:
                other[:, position, channel] += 1.0 + random.random(num)
            else:
                other[:, position, channel] += random.integers(1, model.levels, num)
                other[:, position, channel] %= model.levels
            after = model.parameters(tf.constant(other.reshape(shape)), condition).numpy()
            changed[:, position] |= np.any(after != before, axis=(0, 2))
    return changed


def plain_draws(model, noise, condition=None, known=None, missing=None) -> np.ndarray:
    """Draws with one pass over the whole example for every position."""
    num = len(next(iter(noise.values())))
    shape = model.conditional.position_shape
    x = np.zeros((num, model.num_positions, *shape), np.float32)
    noise = {
        name: tf.reshape(noise[name], (num, model.num_positions, *source.event_shape))
        for name, source in model.conditional.noise_distributions().items()
    }
    for position in model.positions:
        parameters = model.parameters(tf.constant(x.reshape(num, *model.event_shape)), condition)[:, position]
        x[:, position] = model.conditional.draw(parameters, {name: part[:, position] for name, part in noise.items()})
        if known is not None:
            kept = ~missing[:, position]
            x[kept, position] = known.reshape(x.shape)[kept, position]
    return x.reshape(num, *model.event_shape)


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
