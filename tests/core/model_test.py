"""What every model has from the base: its configuration, its step, its figures and its signatures."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import Bits, bits

from keras_gen import evaluation, flows, latent, mixtures, seeds
from keras_gen.core import DensityModel, EventModel, Model, Signature, Step
from keras_gen.spaces import Levels, Reals


def compiled(model, rate=0.1, **arguments):
    model.compile(keras.optimizers.SGD(rate), **{"run_eagerly": True, **arguments})
    return model


# Configuration


class Weighted(Bits):
    """A user's model with one argument more, whose other arguments go through `**kwargs`."""

    def __init__(self, event_shape, *, gamma=1.0, **kwargs):
        super().__init__(event_shape, **kwargs)
        self.gamma = gamma


class TwiceWeighted(Weighted):
    """A model of the third generation."""

    def __init__(self, *args, delta=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.delta = delta


class Pairs(Bits):
    """A model that fixes an argument of its base."""

    def __init__(self, *, seed=0, **kwargs):
        super().__init__((2,), seed=seed, **kwargs)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Bits((2, 3), num_classes=4, seed=7, name="a"), {"event_shape": (2, 3), "num_classes": 4, "seed": 7}),
        (lambda: Weighted((3,), gamma=2.0, num_classes=4), {"event_shape": (3,), "gamma": 2.0, "num_classes": 4}),
        (lambda: Weighted((3,), seed=5), {"event_shape": (3,), "gamma": 1.0, "seed": 5}),
        (lambda: TwiceWeighted((3,), delta=0.5, gamma=2.0, seed=5), {"delta": 0.5, "gamma": 2.0, "seed": 5}),
        (lambda: TwiceWeighted(event_shape=(3,)), {"event_shape": (3,), "delta": 0.0}),
        (lambda: Pairs(seed=4, num_classes=2), {"seed": 4, "num_classes": 2}),
    ],
)
def test_a_configuration_holds_all_arguments_also_those_that_were_passed_on(make, expected):
    model = make()
    config = json.loads(json.dumps(model.get_config()))
    assert {name: model.get_config()[name] for name in expected} == expected
    copy = type(model).from_config(config)
    assert copy.get_config() == model.get_config()
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]
    np.testing.assert_array_equal(copy.table, model.table)


def test_an_argument_that_a_model_lacks_gets_one_sentence():
    with pytest.raises(ValueError, match=r"^`gama` is no argument of TwiceWeighted; did you mean gamma\?$"):
        TwiceWeighted((3,), gama=2.0)
    known = "delta, event_shape, gamma, .*seed, .*standardize, name, dtype"
    with pytest.raises(ValueError, match=rf"^`zzz` is no argument of TwiceWeighted; it takes {known}\.$"):
        TwiceWeighted((3,), zzz=2.0)
    with pytest.raises(
        ValueError, match=r"^`net` must not be given: Bits takes no network of one's own; received <Dense"
    ):
        Bits((3,), net=keras.layers.Dense(3))


def test_a_users_model_comes_back_from_a_file_with_its_arguments(tmp_path):
    model = compiled(TwiceWeighted((3,), delta=0.5, gamma=2.0, num_classes=4, seed=5))
    model.save(tmp_path / "model.keras")
    classes = {"TwiceWeighted": TwiceWeighted}
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects=classes)
    assert loaded.get_config() == model.get_config()
    assert (loaded.delta, loaded.gamma, loaded.num_classes) == (0.5, 2.0, 4)


# A step


class Everything(Model):
    """A model with terms of all kinds, and variables that learn without a gradient."""

    terms = ("loss", "pair", "scalar")

    def __init__(self, *, penalty=0.0, seed=0, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.penalty = penalty
        self.slope = self.add_weight((), "ones", name="slope")
        self.average = self.add_weight((), "zeros", trainable=False, name="average")
        self.largest = self.add_weight((), "zeros", trainable=False, name="largest")
        if penalty:
            self.penalized = self.add_weight(
                (), "ones", regularizer=lambda weight: penalty * weight**2, name="penalized"
            )

    @property
    def spaces(self):
        return {"a": Reals(()), "b": Reals(())}

    def loss_terms(self, batch, step):
        a, b = batch["a"], batch["b"]
        if step.training:
            step.update(self.average, lambda: 0.5 * (self.average + self.slope))
            step.update(self.largest, tf.reduce_max(step.gather(a)))
        loss = tf.square(self.slope * a - b)
        return {"loss": loss, "pair": (b, tf.cast(b > 0.0, tf.float32)), "scalar": step.mean(a)}


A, B = np.array([1.0, 2.0, -1.0], np.float32), np.array([3.0, -1.0, 2.0], np.float32)


def test_a_step_follows_the_gradient_and_then_applies_its_updates():
    model = compiled(Everything())
    logs = model.train_on_batch({"a": A, "b": B}, return_dict=True)
    slope = 1.0 - 0.1 * np.mean(2.0 * (A - B) * A)
    assert float(model.slope) == pytest.approx(slope, rel=1e-6)
    # The average is of the slope after the step.
    assert float(model.average) == pytest.approx(0.5 * slope, rel=1e-6)
    assert float(model.largest) == 2.0
    assert logs == pytest.approx({"loss": np.mean((A - B) ** 2), "pair": 2.5, "scalar": np.mean(A)}, rel=1e-6)


def test_evaluation_changes_nothing():
    model = compiled(Everything())
    before = model.get_weights()
    logs = model.evaluate({"a": A, "b": B}, verbose=0, return_dict=True)
    assert logs == pytest.approx({"loss": np.mean((A - B) ** 2), "pair": 2.5, "scalar": np.mean(A)}, rel=1e-6)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_figures_of_an_epoch_are_means_over_its_examples():
    """The last batch is smaller, and what has weights of its own counts by these."""
    model = compiled(Everything(), rate=0.0)
    history = model.fit({"a": A, "b": B}, batch_size=2, shuffle=False, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.mean((A - B) ** 2), rel=1e-6)
    assert history["pair"][0] == pytest.approx(2.5, rel=1e-6)


def test_regularization_counts_once():
    model = compiled(Everything(penalty=3.0))
    model.train_on_batch({"a": A, "b": B})
    assert float(model.penalized) == pytest.approx(1.0 - 0.1 * 6.0, rel=1e-6)


def test_a_loss_that_is_a_scalar_or_has_weights_of_its_own():
    class Scalar(Everything):
        def loss_terms(self, batch, step):
            terms = super().loss_terms(batch, step)
            return {**terms, "loss": tf.reduce_sum(terms["loss"])}

    class OwnWeights(Everything):
        def loss_terms(self, batch, step):
            terms = super().loss_terms(batch, step)
            return {**terms, "loss": (terms["loss"], tf.constant([1.0, 0.0, 3.0]))}

    gradients = 2.0 * (A - B) * A
    for model, gradient in ((Scalar(), gradients.sum()), (OwnWeights(), np.average(gradients, weights=[1, 0, 3]))):
        compiled(model, rate=0.01).train_on_batch({"a": A, "b": B})
        assert float(model.slope) == pytest.approx(1.0 - 0.01 * gradient, rel=1e-5)


def test_without_any_weight_nothing_is_learnt():
    model = compiled(Everything())
    logs = model.train_on_batch({"a": A, "b": B, "sample_weight": np.zeros(3)}, return_dict=True)
    assert float(model.slope) == 1.0
    assert logs["loss"] == 0.0


@pytest.mark.parametrize("arguments", [{"run_eagerly": True}, {"run_eagerly": False}, {"jit_compile": True}], ids=str)
def test_steps_are_the_same_eagerly_in_graphs_and_under_xla(arguments):
    model = Everything()
    model.compile(keras.optimizers.SGD(0.1), **arguments)
    for _ in range(2):
        model.train_on_batch({"a": A, "b": B})
    first = 1.0 - 0.1 * np.mean(2.0 * (A - B) * A)
    second = first - 0.1 * np.mean(2.0 * (first * A - B) * A)
    assert float(model.slope) == pytest.approx(second, rel=1e-5)
    assert float(model.average) == pytest.approx(0.25 * first + 0.5 * second, rel=1e-5)


class Normalized(DensityModel):
    """A model with a layer of Keras that assigns its statistics in a forward pass."""

    def __init__(self, event_shape, *, seed=0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.layer = keras.layers.BatchNormalization(momentum=0.5)
        self.layer.build((None, *self.event_shape))

    def loss_terms(self, batch, step):
        nll = tf.reduce_sum(tf.square(self.layer(batch["x"], training=step.training)), axis=-1)
        return {"loss": nll, **self.likelihood_terms(nll)}

    def log_prob(self, x, condition=None):
        return -tf.reduce_sum(tf.square(self.layer(self.validated(x), training=False)), axis=-1)


def test_layers_of_keras_learn_their_statistics_while_training_and_at_no_other_time():
    model = compiled(Normalized((2,)))
    x = np.array([[1.0, 3.0], [5.0, -1.0]], np.float32)
    model.evaluate(x, verbose=0)
    model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.layer.moving_mean, [0.0, 0.0])
    model.train_on_batch(x)
    np.testing.assert_allclose(model.layer.moving_mean, 0.5 * x.mean(axis=0))
    # A pass by hand is forgotten, whatever it assigns.
    step = Step(seeds.as_pair(0), training=True)
    step.record(lambda: model.loss_terms({"x": tf.constant(x)}, step), [])
    np.testing.assert_allclose(model.layer.moving_mean, 0.5 * x.mean(axis=0))


class Noisy(Everything):
    """A model whose loss is noise."""

    def loss_terms(self, batch, step):
        noise = step.normal(tf.shape(batch["a"]))
        return {"loss": noise + 0.0 * self.slope, "pair": noise, "scalar": tf.cast(step.iteration, tf.float32)}


def test_every_step_of_training_has_other_randomness_and_all_evaluations_the_same():
    model = compiled(Noisy(seed=3))
    losses = [model.train_on_batch({"a": A, "b": B}) for _ in range(3)]
    assert len({loss[0] for loss in losses}) == 3
    assert [loss[2] for loss in losses] == [0.0, 1.0, 2.0]
    evaluations = [model.evaluate({"a": A, "b": B}, verbose=0)[0] for _ in range(2)]
    assert evaluations[0] == evaluations[1]
    again = compiled(Noisy(seed=3))
    assert [again.train_on_batch({"a": A, "b": B}) for _ in range(3)] == losses
    assert compiled(Noisy(seed=4)).train_on_batch({"a": A, "b": B}) != losses[0]


def test_the_stream_of_seeds_goes_on_from_a_file(tmp_path):
    model = compiled(Noisy())
    model.train_on_batch({"a": A, "b": B})
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"Noisy": Noisy})
    assert loaded.train_on_batch({"a": A, "b": B}) == model.train_on_batch({"a": A, "b": B})


def test_learning_goes_on_from_a_file_with_the_optimizers_state(tmp_path):
    model = Everything()
    model.compile(keras.optimizers.Adam(0.1), run_eagerly=True)
    model.train_on_batch({"a": A, "b": B})
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"Everything": Everything})
    for each in (model, loaded):
        each.train_on_batch({"a": A, "b": B})
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("name", ["loss", "metrics", "weighted_metrics", "loss_weights"])
def test_a_loss_of_its_own_is_the_only_one(name):
    with pytest.raises(ValueError, match=rf"^`{name}` must be None: Bits has a loss and figures of its own; received"):
        Bits().compile("adam", **{name: "mse"})


def test_columns_that_call_does_not_take_are_not_needed_to_predict():
    class OneColumn(Everything):
        def call(self, b):
            return 2.0 * b

    model = compiled(OneColumn())
    np.testing.assert_array_equal(model.predict({"b": B}, verbose=0), 2.0 * B)
    np.testing.assert_array_equal(model.predict({"a": A, "b": B}, verbose=0), 2.0 * B)
    np.testing.assert_array_equal(model.predict_on_batch((A, B)), 2.0 * B)
    with pytest.raises(ValueError, match=r"^`b` must be given: this OneColumn is trained on a, b\.$"):
        model.predict({"a": A}, verbose=0)


# Events


def test_shapes_and_levels_of_events():
    model = Bits((2, 3), num_classes=4)
    assert model.event_size == 6
    assert model.event_space == Levels((2, 3), 2)
    assert list(model.spaces) == ["x", "condition"]
    assert model.vector_size == 4
    np.testing.assert_array_equal(model.condition_vectors(tf.constant([2])), [[0, 0, 1, 0]])
    plain = Bits((3,))
    assert list(plain.spaces) == ["x"]
    assert plain.vector_size == 0
    assert plain.condition_vectors(None) is None
    for event_shape, error in (((), ValueError), (4, TypeError), ((2, 0), ValueError)):
        with pytest.raises(error, match=r"^`event_shape` must "):
            EventModel(event_shape)
    with pytest.raises(ValueError, match=r"^`levels` must be at least 2, received 1\.$"):
        EventModel((2,), levels=1)


def test_conditions_are_given_where_they_belong():
    assert Bits().validated_condition(None) is None
    np.testing.assert_array_equal(Bits(num_classes=4).validated_condition([1, 3]), [1, 3])
    with pytest.raises(ValueError, match=r"^`condition` must be None: this Bits is not conditional\.$"):
        Bits().validated_condition([1])
    with pytest.raises(ValueError, match=r"^`condition` must be given: this Bits is conditional\.$"):
        Bits(num_classes=4).validated_condition(None)


def test_likelihoods_in_nats_and_in_bits_per_dimension():
    model = compiled(Bits((3,)))
    logs = model.evaluate(bits(16), verbose=0, return_dict=True)
    expected = -np.mean(model.log_prob(bits(16)))
    assert logs == pytest.approx(
        {"loss": expected, "nll": expected, "bits_per_dim": expected / (3.0 * np.log(2.0))}, rel=1e-5
    )
    assert model.likelihood_kind == "exact"
    assert Model.likelihood_kind is None


def test_real_numbers_have_no_bits_per_dimension():
    """Measured in another unit, they would be others."""
    reals, levels = latent.VAE((3,), 2, levels=None), latent.VAE((3,), 2, levels=2)
    for model in (reals, flows.MAF((3,), 1, (4,)), latent.IWAE((3,), 2, levels=None), mixtures.GaussianMixture((3,))):
        assert not {"bits_per_dim"} & {*model.terms, *model.in_bits(tf.constant([1.0]))}
        x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
        model.compile("sgd", run_eagerly=True)
        assert not [name for name in model.evaluate(x, verbose=0, return_dict=True) if name.startswith("bits")]
        assert not [name for name in evaluation.likelihood(model, tf.data.Dataset.from_tensors(x)) if "bits" in name]
    assert "bits_per_dim" in levels.terms
    np.testing.assert_allclose(levels.in_bits(tf.constant([6.0]))["bits_per_dim"], 2.0 / np.log(2.0), rtol=1e-6)


# Signatures


def test_examples_of_inputs_are_those_of_their_kind():
    model = Bits((3,), num_classes=4)
    for name in ("sample", "generate", "log_prob"):
        for key, spec in model.signatures()[name].inputs.items():
            value = model.example_input(key, spec, 6, 1)
            assert value.dtype == spec.dtype
            assert spec.shape.is_compatible_with(value.shape)
    np.testing.assert_array_equal(
        model.example_input("condition", tf.TensorSpec((None,), tf.int32), 6, 1), np.arange(6) % 4
    )
    assert np.all(np.isin(model.example_input("x", tf.TensorSpec((None, 3), tf.float32), 6, 1), [0.0, 1.0]))
    normal = Everything().example_input("z", tf.TensorSpec((None, 500), tf.float32), 4, 0)
    np.testing.assert_allclose([np.mean(normal), np.std(normal)], [0.0, 1.0], atol=0.1)


def test_specs_are_of_the_columns_that_there_are():
    assert list(Bits().specs("x", "condition")) == ["x"]
    specs = Bits(num_classes=4).specs("x", "condition")
    assert specs == {
        "x": tf.TensorSpec((None, 3), tf.float32, "x"),
        "condition": tf.TensorSpec((None,), tf.int32, "condition"),
    }


def test_a_signature_is_deterministic_unless_it_says_otherwise():
    assert [parameter.name for parameter in inspect.signature(Signature).parameters.values()][:2] == [
        "function",
        "inputs",
    ]
    verbs = Bits().signatures()
    assert list(verbs) == ["sample", "generate", "log_prob"]
    assert [verb.deterministic for verb in verbs.values()] == [False, True, True]
