"""What every model promises, whether or not it draws examples."""

import inspect
import pickle
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen
from contracts.exports import ExportContract
from contracts.helpers import assert_same_weights, batch_for, randomise, rows_of, traced, values
from contracts.replicas import ReplicasContract
from contracts.sample_weight import SampleWeightContract
from contracts.wrong_data import WrongDataContract
from keras_gen.core import Phases, saving
from keras_gen.core.base import INSTEAD


class TrainingContract(WrongDataContract, SampleWeightContract, ReplicasContract, ExportContract):
    """What every model promises, whether or not it draws examples.

    A test class provides `make_model`, `make_data` and `outputs`.
    """

    #: The term that training brings down, and how often it may see each example for that.
    falling_term = "loss"
    passes = 15
    #: Arguments that exclude one that the class tests; another class has to test them.
    excluded_arguments: tuple[str, ...] = ()
    #: Base classes whose arguments the model passes on; they are tested like its own.
    argument_bases: tuple[type, ...] = ()

    def make_model(self, **changes):
        """Returns a small model in which no argument has its default value, unless `changes` says so."""
        raise NotImplementedError

    def make_data(self) -> np.ndarray | dict[str, np.ndarray]:
        """Returns at least 32 examples that a model can learn something from: one column, or columns by name."""
        raise NotImplementedError

    def outputs(self, model, seed: int) -> tf.Tensor:
        """Returns float32 outputs that show every weight of a model, the same for the same seed."""
        raise NotImplementedError

    def compile(self, model, **arguments):
        """Compiles a model for training on so few examples."""
        model.compile(keras.optimizers.Adam(0.02), **arguments)
        return model

    def compile_with_sgd(self, model):
        """Compiles a model so that its weights after a step show the gradient itself."""
        num_optimizers = len(model.phase_layers()) if isinstance(model, Phases) else 1
        model.compile(*(keras.optimizers.SGD(0.05) for _ in range(num_optimizers)), run_eagerly=True)
        return model

    def load(self, path):
        """Loads a model from a file."""
        return keras_gen.load_model(path)

    def custom_objects(self, model) -> dict[str, type]:
        """Returns what Keras has to be given to make a model: nothing, unless its class is a user's own."""
        kind = type(model)
        return {} if kind.__module__.startswith("keras_gen.") else {kind.__name__: kind}

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
    def batch(cls, model, data):
        """All examples, by name."""
        return batch_for(model, data)

    @pytest.fixture(scope="class")
    @classmethod
    def training(cls, batch):
        """A model that was trained, its weights before and its history; a test may train it further."""
        model = cls().compile(cls().make_model())
        before = values(model.trainable_weights)
        # Two epochs, of several passes each: the start of an epoch takes longer than the steps of so small a model.
        rows = np.tile(np.arange(len(next(iter(batch.values())))), -(-cls.passes // 2))
        # Keras shuffles by this seed.
        keras.utils.set_random_seed(0)
        with traced():
            history = model.fit(rows_of(batch, rows), batch_size=8, epochs=2, verbose=0).history
        return model, before, history

    # Saving

    def test_every_argument_is_tested_with_another_value_than_its_default(self, model):
        signatures = (inspect.signature(cls.__init__) for cls in (type(model), *self.argument_bases))
        parameters = [p for signature in signatures for p in signature.parameters.values() if p.default is not p.empty]
        config = model.get_config()
        # Networks of one's own take the place of named ones: `tests/networks` tests them for all families.
        parameters = [p for p in parameters if not (p.name.endswith("_network") and p.default is None)]
        same = [p.name for p in parameters if config.get(p.name, p.default) == p.default]
        assert same == list(self.excluded_arguments)

    def test_the_code_of_its_card_runs(self, model):
        exec(model.usage, {"model": model})

    def test_a_verb_that_it_lacks_names_those_that_it_has(self, model):
        verbs = model.signatures()
        for verb in set(INSTEAD) - set(verbs):
            if hasattr(type(model), verb):
                continue
            with pytest.raises(AttributeError, match=rf"^{type(model).__name__} has no verb `{verb}`; .*\.$") as error:
                getattr(model, verb)
            named = set(re.findall(r"\w+", str(error.value).split("; ")[1])) & set(verbs)
            assert named or not verbs
        for verb in {"log_prob", "log_prob_bound"} & set(dir(type(model))):
            assert list(inspect.signature(getattr(model, verb)).parameters)[:2] == ["x", "condition"]

    def test_config_makes_the_same_model(self, model):
        copy = keras.models.model_from_json(model.to_json(), custom_objects=self.custom_objects(model))
        assert type(copy) is type(model)
        assert copy.get_config() == model.get_config()
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(self.outputs(copy, 2), self.outputs(model, 2))

    def test_a_file_keeps_weights_optimizers_and_the_next_step(self, training, batch, tmp_path):
        model, _, _ = training
        saving.save_model(model, tmp_path / "model.keras")
        copy = self.load(tmp_path / "model.keras")
        assert type(copy) is type(model)
        assert_same_weights(copy.weights, model.weights)
        for ours, theirs in zip(self.optimizers(copy), self.optimizers(model), strict=True):
            assert ours.iterations > 0
            assert_same_weights(ours.variables, theirs.variables)
        np.testing.assert_array_equal(self.outputs(copy, 2), self.outputs(model, 2))

        for each in (copy, model):
            # One step is sooner taken than traced.
            each.run_eagerly = True
            each.make_train_function(force=True)
            each.train_on_batch(rows_of(batch, slice(8)))
        assert_same_weights(copy.weights, model.weights, atol=1e-6)

    def test_a_pickle_keeps_everything_and_what_was_frozen_meanwhile(self, training):
        """`copy.deepcopy` takes the same way; the optimizers' states belong to weights that are frozen by now."""
        model, _, _ = training
        parts = model._flatten_layers(include_self=False)
        before = [part.trainable for part in parts]
        for part in parts[::2]:
            part.trainable = not part.trainable
        try:
            copy = pickle.loads(pickle.dumps(model))
            assert type(copy) is type(model)
            assert copy.get_config() == model.get_config()
            assert [part.trainable for part in copy._flatten_layers()] == [
                part.trainable for part in model._flatten_layers()
            ]
            assert [weight.trainable for weight in copy.weights] == [weight.trainable for weight in model.weights]
            assert_same_weights(copy.weights, model.weights)
            for ours, theirs in zip(self.optimizers(copy), self.optimizers(model), strict=True):
                assert_same_weights(ours.variables, theirs.variables)
        finally:
            for part, trainable in zip(parts, before, strict=True):
                part.trainable = trainable

    # Training

    def test_training_reaches_every_weight_and_brings_the_loss_down(self, training, batch):
        model, before, history = training
        for weight, start in zip(model.trainable_weights, before, strict=True):
            assert np.any(weight.numpy() != start), weight.path
        assert all(np.all(np.isfinite(series)) for series in history.values())
        assert history[self.falling_term][-1] < history[self.falling_term][0]
        figures = model.evaluate(rows_of(batch, slice(8)), verbose=0, return_dict=True)
        assert self.falling_term in figures
        assert np.all(np.isfinite(list(figures.values())))

    def test_a_batch_of_one_trains(self, batch):
        """The dtypes and forms of data are the base's: `tests/core/inputs_test.py` tests them once."""
        learner = self.compile(self.make_model(), run_eagerly=True)
        # The stream of seeds moves on in any case.
        learned = [weight for weight in learner.weights if weight is not learner.seed_state]
        before = values(learned)
        logs = learner.train_on_batch(rows_of(batch, slice(1)), return_dict=True)
        assert np.all(np.isfinite(list(logs.values())))
        after = values(learned)
        assert all(np.all(np.isfinite(weight)) for weight in after)
        assert any(np.any(ours != theirs) for ours, theirs in zip(after, before, strict=True))

    def test_mixed_precision_trains(self, batch):
        """Of the two kinds, float16 has the smaller range."""
        model = self.compile(self.make_model(dtype="mixed_float16"), run_eagerly=True)
        assert model.dtype_policy.name == "mixed_float16"
        for _ in range(2):
            logs = model.train_on_batch(rows_of(batch, slice(8)), return_dict=True)
            assert np.all(np.isfinite(list(logs.values())))
        assert all(np.all(np.isfinite(weight)) for weight in values(model.weights))
        assert self.outputs(model, 0).dtype == tf.float32
