"""Codes: on a model whose codes are a rotation, and on one whose codes are whole numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import CodesContract, ConditionContract, ModelContract

from keras_gen import export
from keras_gen.core import Codes, DensityModel, GenerativeModel
from keras_gen.spaces import Levels, Reals, class_or_vector

tfd = tfp.distributions


class Shifted(Codes, DensityModel):
    """A normal with a mean for each class, whose code is the distance to it: a flow of one layer."""

    reconstructs = False

    def __init__(self, event_shape, *, num_classes=2, seed=0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.num_classes = num_classes
        self.condition_space = class_or_vector(num_classes, None)
        normal = keras.initializers.RandomNormal(seed=seed)
        self.means = self.add_weight((num_classes, *self.event_shape), normal, name="means")

    @property
    def code_space(self):
        return Reals(self.event_shape)

    def mean(self, condition):
        return tf.gather(tf.convert_to_tensor(self.means), condition)

    def code_of(self, x, condition):
        return x - self.mean(condition)

    def mean_of(self, z, condition):
        return z + self.mean(condition)

    def log_prob(self, x, condition=None):
        z = self.encode(x, condition)
        return tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(z), axis=-1)

    def noise_distributions(self):
        return {"z": tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)}

    def generate(self, noise, condition=None):
        return self.decode(noise["z"], condition)


class TestShifted(ModelContract, CodesContract, ConditionContract):
    """Codes that depend on a condition, and that decoding inverts."""

    def make_model(self, **changes):
        return Shifted((3,), **{"num_classes": 3, "seed": 2, "name": "shifted", **changes})

    def make_data(self):
        return (np.random.default_rng(0).standard_normal((36, 3)) + 4.0).astype(np.float32)

    def load(self, path):
        return keras.saving.load_model(path, custom_objects={"Shifted": Shifted})


class Rounded(Codes, GenerativeModel):
    """Codes that are one of few whole numbers for each entry, whatever the class."""

    code_name = "codes"
    codes_take_condition = False

    def __init__(self, event_shape, *, num_codes=4, num_classes=2, seed=0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.num_codes = num_codes
        self.num_classes = num_classes
        self.condition_space = class_or_vector(num_classes, None)
        self.step = self.add_weight((), "ones", name="step")

    @property
    def code_space(self):
        return Levels(self.event_shape, self.num_codes)

    def code_of(self, x, condition):
        return self.code_space.nearest(x / self.step)

    def mean_of(self, z, condition):
        return z * self.step

    def loss_terms(self, batch, step):
        return {"loss": tf.reduce_sum(tf.square(batch["x"] - self.mean_of(self.code_of(batch["x"], None), None)), -1)}

    def draw(self, num_samples, condition, seed):
        codes = tf.random.stateless_uniform((num_samples, *self.event_shape), seed, maxval=self.num_codes)
        return self.mean_of(tf.floor(codes), condition) + 0.0 * tf.cast(condition, tf.float32)[:, tf.newaxis]


class TestRounded(ModelContract, CodesContract):
    """Codes that do not depend on the condition of a conditional model, and are rounded."""

    passes = 5

    def make_model(self, **changes):
        return Rounded((3,), **{"num_codes": 5, "num_classes": 3, "seed": 2, "name": "rounded", **changes})

    def make_data(self):
        return (2.3 * np.random.default_rng(0).integers(0, 5, (36, 3))).astype(np.float32)

    def load(self, path):
        return keras.saving.load_model(path, custom_objects={"Rounded": Rounded})

    def test_codes_refuse_a_condition_that_they_do_not_depend_on(self, model, batch):
        sentence = r"^`condition` must be None: codes of Rounded do not depend on it\.$"
        for verb in (model.encode, model.reconstruct):
            with pytest.raises(ValueError, match=sentence):
                verb(batch["x"], batch["condition"])
        with pytest.raises(ValueError, match=sentence):
            model.decode(np.zeros((2, 3)), [0, 1])

    def test_codes_are_whole(self, model):
        with pytest.raises(ValueError, match=r"^`codes` holds the value 0\.5; expected whole levels from 0 to 4\.$"):
            model.decode(np.full((2, 3), 0.5))
        with pytest.raises(ValueError, match=r"^`codes` holds the value 5; expected whole levels from 0 to 4\.$"):
            model.decode(np.full((2, 3), 5))


def test_codes_that_need_a_condition_say_so():
    model = Shifted((3,))
    for verb in (model.encode, model.decode, model.reconstruct):
        with pytest.raises(ValueError, match=r"^`condition` must be given: this Shifted is conditional\.$"):
            verb(np.zeros((2, 3)))


def test_exported_codes_are_named(tmp_path):
    model = Rounded((3,), num_codes=3)
    served = tf.saved_model.load(str(export.saved_model(model, tmp_path / "served"))).signatures
    found = served["encode"](x=tf.constant([[0.2, 1.4, 9.0]]))
    np.testing.assert_array_equal(found["codes"], [[0, 1, 2]])
    np.testing.assert_array_equal(served["decode"](codes=found["codes"])["x"], [[0, 1, 2]])
