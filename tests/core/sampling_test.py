"""Sampling: seeds, options that a model declares, and models without noise."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tiny_models import Bits

from keras_gen import export, seeds
from keras_gen.core import GenerativeModel
from keras_gen.core.sampling import dtype_of

tfd = tfp.distributions


class Tempered(Bits):
    """Bits whose logits are divided by a temperature, and of which a number may be zeroed."""

    def sampling_options(self):
        return {"temperature": 1.0, "num_zeros": 0}

    def noise_distributions(self, *, temperature=1.0, num_zeros=0):
        # Options of the noise are scalars.
        return {"noise": tfd.Sample(tfd.Logistic(0.0, temperature), self.event_shape)}

    def generate(self, noise, condition=None):
        logits = self.logits(self.validated_condition(condition), tf.shape(noise["noise"])[0])
        return tf.cast(noise["noise"] < logits, tf.float32)

    def draw(self, num_samples, condition, seed, *, temperature, num_zeros):
        x = self.generate(self.noise(num_samples, seed, temperature=temperature), condition)
        return tf.where(tf.range(self.event_size) < num_zeros, 0.0, x)


class Walk(GenerativeModel):
    """Examples from an algorithm of their own: the places of a random walk."""

    def __init__(self, event_shape, *, seed=0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)

    def draw(self, num_samples, condition, seed):
        return tf.cumsum(seeds.normal((num_samples, *self.event_shape), seed), axis=-1)


@pytest.fixture(scope="module")
def model():
    model = Tempered((3,))
    model.table.assign([[3.0, -3.0, 3.0]])
    return model


def test_options_reach_the_draws(model):
    plain = model.sample(4000, seed=1).numpy()
    np.testing.assert_allclose(plain.mean(axis=0), 1.0 / (1.0 + np.exp([-3.0, 3.0, -3.0])), atol=0.03)
    hot = model.sample(4000, seed=1, temperature=3.0).numpy()
    np.testing.assert_allclose(hot.mean(axis=0), 1.0 / (1.0 + np.exp([-1.0, 1.0, -1.0])), atol=0.03)
    zeroed = model.sample(4000, seed=1, num_zeros=2).numpy()
    np.testing.assert_array_equal(zeroed[:, :2], 0.0)
    np.testing.assert_array_equal(zeroed[:, 2], plain[:, 2])
    # What is a whole number may be given for a real one.
    np.testing.assert_array_equal(model.sample(5, seed=1, temperature=1), plain[:5])


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        (
            {"temprature": 1.0},
            TypeError,
            "`temprature` is no option of Tempered.sample; it takes temperature, num_zeros.",
        ),
        ({"temperature": "hot"}, TypeError, "`temperature` must be a real number, received 'hot'."),
        ({"temperature": None}, TypeError, "`temperature` must be a real number, received None."),
        ({"temperature": True}, TypeError, "`temperature` must be a real number, received True."),
        ({"temperature": np.nan}, ValueError, "`temperature` must be a number, received nan."),
        ({"num_zeros": 1.5}, TypeError, "`num_zeros` must be a whole number, received 1.5."),
    ],
)
def test_wrong_options(model, options, error, sentence):
    with pytest.raises(error) as raised:
        model.sample(1, **options)
    assert str(raised.value) == sentence


def test_a_model_without_options_says_so():
    with pytest.raises(TypeError, match=r"^`temperature` is no option of Bits\.sample; it has no sampling options\.$"):
        Bits().sample(1, temperature=1.0)


def test_options_are_optional_inputs_of_the_signature(model, tmp_path):
    signature = model.signatures()["sample"]
    assert signature.defaults == {"temperature": 1.0, "num_zeros": 0}
    assert signature.inputs["temperature"].dtype == dtype_of(1.0) == tf.float32
    assert signature.inputs["num_zeros"].dtype == dtype_of(0) == tf.int32
    served = tf.saved_model.load(str(export.saved_model(model, tmp_path / "served")))
    np.testing.assert_array_equal(served.sample(num_samples=50, seed=3)["x"], model.sample(50, seed=3))
    found = served.sample(num_samples=50, seed=3, temperature=2.0, num_zeros=1)["x"]
    np.testing.assert_array_equal(found, model.sample(50, seed=3, temperature=2.0, num_zeros=1))


def test_a_model_that_draws_without_noise():
    model = Walk((50,))
    x = model.sample(2000, seed=4).numpy()
    assert x.shape == (2000, 50)
    np.testing.assert_allclose(x.var(axis=0), np.arange(1, 51), rtol=0.15)
    np.testing.assert_array_equal(x, model.sample(2000, seed=4))
    assert list(model.signatures()) == ["sample"]
    assert model.likelihood_kind is None


def test_draws_of_another_shape_are_an_error_of_the_model():
    class Wrong(Walk):
        def draw(self, num_samples, condition, seed):
            return tf.zeros((num_samples, 7))

    with pytest.raises(ValueError, match="EnsureShape"):
        Wrong((3,)).sample(2)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"num_samples": 0}, ValueError, "`num_samples` must be at least 1, received 0."),
        ({"num_samples": 1.5}, TypeError, "`num_samples` must be a whole number, received 1.5."),
        ({"num_samples": 1, "seed": "a"}, TypeError, "`seed` must be an integer or a pair of integers, received 'a'."),
        ({"num_samples": 1, "condition": [1]}, ValueError, "`condition` must be None: this Bits is not conditional."),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error) as raised:
        Bits().sample(**arguments)
    assert str(raised.value) == sentence


def test_one_condition_for_each_example():
    model = Bits(num_classes=4)
    model.table.assign(np.repeat(np.array([[-9.0], [9.0], [-9.0], [9.0]]), 3, axis=1))
    np.testing.assert_array_equal(model.sample(4, condition=[1, 0, 2, 3], seed=0)[:, 0], [1, 0, 0, 1])
    with pytest.raises(ValueError, match=r"^`condition` must hold one entry per example, 3; received 2\.$"):
        model.sample(3, condition=[0, 1])
    with pytest.raises(ValueError, match=r"^`condition` must be given: this Bits is conditional\.$"):
        model.sample(3)
    # Without any, examples of the condition stand in.
    np.testing.assert_array_equal(model.sample_on_examples(4, seed=0)[:, 0], [0, 1, 0, 1])


def test_the_models_own_stream_of_seeds_is_part_of_its_weights():
    model = Bits()
    draws = [model.sample(20).numpy() for _ in range(2)]
    assert np.any(draws[0] != draws[1])
    copy = Bits()
    np.testing.assert_array_equal(copy.sample(20), draws[0])
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy.sample(20), model.sample(20))


def test_a_preview_shows_as_many_samples_as_the_batch_has_examples():
    model = Bits(num_classes=4)
    rows = model.preview({"x": np.zeros((5, 3)), "condition": np.zeros(5, int)}, seed=2)
    assert list(rows) == ["samples"]
    space, values = rows["samples"]
    assert space == model.event_space
    np.testing.assert_array_equal(values, model.sample(5, condition=[0, 1, 2, 3, 0], seed=2))


def test_other_numbers_of_samples_take_the_same_graph(model):
    traces = []

    class Counted(Bits):
        def generate(self, noise, condition=None):
            traces.append(1)
            return super().generate(noise, condition)

    counted = Counted()
    for num_samples in (1, 2, 7, 30):
        counted.sample(num_samples, seed=0)
    assert len(traces) == 1


def test_training_does_not_change_what_a_seed_draws_from():
    """The graph reads the weights anew at each call."""
    model = Bits()
    model.compile(keras.optimizers.SGD(50.0))
    before = model.sample(100, seed=1).numpy()
    model.fit(np.ones((16, 3)), verbose=0)
    after = model.sample(100, seed=1).numpy()
    assert after.mean() > before.mean() + 0.3
