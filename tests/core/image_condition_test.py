"""A model whose condition is an image: conditions need no vector, anywhere."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import ConditionContract, DiscreteDensityContract, ModelContract, randomise

from keras_gen.core import DensityModel
from keras_gen.spaces import Levels

tfd = tfp.distributions


class Negative(DensityModel):
    """Independent levels of each pixel, given an image of other levels.

    Args:
        event_shape: (height, width, channels) of an example and of its condition.
        levels: number of levels of an example.
        condition_levels: number of levels of the condition.
        filters: channels of the hidden layer.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(self, event_shape, levels=2, *, condition_levels=4, filters=8, seed=0, **kwargs):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.condition_levels = condition_levels
        self.filters = filters
        self.condition_space = Levels(self.event_shape, condition_levels)
        self.network = keras.Sequential(
            [
                keras.Input(self.event_shape),
                *(
                    keras.layers.Conv2D(size, 3, padding="same", activation=activation, kernel_initializer=initializer)
                    for size, activation, initializer in (
                        (filters, "relu", keras.initializers.GlorotUniform(seed)),
                        (self.event_shape[-1] * levels, None, keras.initializers.GlorotUniform(seed + 1)),
                    )
                ),
            ]
        )

    def logits(self, condition):
        logits = tf.cast(self.network(self.condition_space.scaled(condition)), tf.float32)
        return tf.nn.log_softmax(tf.reshape(logits, (-1, *self.event_shape, self.levels)))

    def log_prob(self, x, condition=None):
        x, condition = self.validated_pair(x, condition)
        chosen = tf.one_hot(tf.cast(x, tf.int32), self.levels) * self.logits(condition)
        return tf.reduce_sum(chosen, axis=(1, 2, 3, 4))

    def noise_distributions(self):
        return {"gumbel": tfd.Sample(tfd.Gumbel(0.0, 1.0), (*self.event_shape, self.levels))}

    def generate(self, noise, condition=None):
        logits = self.logits(self.validated_condition(condition, **noise))
        return tf.cast(tf.argmax(logits + noise["gumbel"], axis=-1), tf.float32)


class TestContracts(ModelContract, ConditionContract, DiscreteDensityContract):
    def make_model(self, **changes):
        arguments = {"levels": 3, "condition_levels": 5, "filters": 4, "seed": 2, "name": "negative"}
        return Negative((3, 2, 1), **{**arguments, **changes})

    def make_data(self):
        """What is dark in the condition is bright in the example."""
        condition = np.random.default_rng(0).integers(0, 5, (40, 3, 2, 1))
        return {"x": 2 - condition // 2, "condition": condition}

    def make_enumerable(self):
        return self.make_model()

    def load(self, path):
        # Only models of the package itself are loaded by their name.
        return keras.saving.load_model(path, custom_objects={"Negative": Negative})


@pytest.fixture(scope="module")
def model():
    return randomise(Negative((3, 2, 1)))


def test_a_model_without_vectors_says_so(model):
    assert model.vector_size is None
    with pytest.raises(ValueError, match=r"^Levels has no vectors; a network of its own must embed it\.$"):
        model.condition_vectors(model.condition_space.examples(2))


def test_a_condition_of_another_shape(model):
    sentence = r"^`condition` must have shape \(batch, 3, 2, 1\), received \(2, 3, 2\)\.$"
    for call in (
        lambda condition: model.sample(2, condition=condition),
        lambda condition: model.log_prob(np.zeros((2, 3, 2, 1)), condition),
        lambda condition: model.fit(np.zeros((2, 3, 2, 1)), condition, verbose=0),
    ):
        with pytest.raises(ValueError, match=sentence):
            call(np.zeros((2, 3, 2)))


def test_as_many_conditions_as_samples(model):
    with pytest.raises(ValueError, match=r"^`condition` must hold one entry per example, 3; received 2\.$"):
        model.sample(3, condition=model.condition_space.examples(2))
