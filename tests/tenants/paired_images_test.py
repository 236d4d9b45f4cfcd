"""A tenant: two players without noise that turn one image into another, in a file of its own.

It shows that the base is wide enough for translation, and needs nothing but `TwoPlayer` and the core.
"""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import keras_gen
from keras_gen import checks, export, seeds
from keras_gen.adversarial.two_player import TwoPlayer
from keras_gen.core import Model, Signature, Step
from keras_gen.spaces import Levels

SHAPE, LEVELS = (4, 6, 1), 9


class PairedImages(TwoPlayer, Model):
    r"""An image y of each image x, in the manner of Isola et al. (2017), https://arxiv.org/abs/1611.07004.

    $$L_D = -\log D(x, y) - \log(1 - D(x, G(x))), \qquad L_G = -\log D(x, G(x)) + λ ‖y - G(x)‖_1$$

    D sees both images and returns a logit for each pixel; losses are means over pixels.

    Args:
        image_shape: height, width and channels of both images.
        levels: number of levels of a channel.
        filters: channels of the hidden layers.
        distance_weight: λ.
        seed: as in `Model`.
        **kwargs: as in `Model`.
    """

    terms = (*TwoPlayer.terms, "distance")

    def __init__(self, image_shape, levels: int = 256, *, filters=8, distance_weight=10.0, seed: int = 0, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.image_shape = checks.positive_ints("image_shape", image_shape)
        self.levels = checks.levels(levels)
        self.filters = checks.positive_int("filters", filters)
        self.distance_weight = distance_weight
        *sides, channels = self.image_shape
        self.generator = self.network("generator", (*sides, channels), channels)
        self.discriminator = self.network("discriminator", (*sides, 2 * channels), 1)

    def network(self, name: str, shape: tuple[int, ...], outputs: int) -> keras.Sequential:
        """Returns convolutions with batch normalization, plain layers of Keras."""
        layers = [
            keras.layers.Conv2D(self.filters, 3, padding="same", kernel_initializer=self.initializer(name, 0)),
            keras.layers.BatchNormalization(synchronized=True),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Conv2D(outputs, 3, padding="same", kernel_initializer=self.initializer(name, 1)),
        ]
        return keras.Sequential([keras.Input(shape), *layers], name=name)

    def initializer(self, name: str, index: int) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=100 * self.seed + 10 * len(name) + index)

    @property
    def spaces(self):
        return dict.fromkeys(("source", "target"), Levels(self.image_shape, self.levels))

    def scaled(self, batch):
        return {name: self.spaces[name].scaled(column) for name, column in batch.items()}

    def fakes(self, batch, step):
        source = self.spaces["source"].scaled(batch["source"])
        return {"target": tf.tanh(self.generator(source, training=step.training))}

    def pixel_logits(self, source, target, step):
        return self.discriminator(tf.concat([source, target], axis=-1), training=step.training)

    def discriminator_terms(self, batch, fakes, step):
        x = self.scaled(batch)
        real = self.pixel_logits(x["source"], x["target"], step)
        fake = self.pixel_logits(x["source"], fakes["target"], step)
        return {"discriminator_loss": mean_over_pixels(tf.nn.softplus(-real) + tf.nn.softplus(fake))}

    def generator_terms(self, batch, fakes, step):
        x = self.scaled(batch)
        distance = mean_over_pixels(tf.abs(x["target"] - fakes["target"]))
        loss = mean_over_pixels(tf.nn.softplus(-self.pixel_logits(x["source"], fakes["target"], step)))
        return {"generator_loss": loss + self.distance_weight * distance, "distance": distance}

    def translate(self, source):
        """Returns images of shape `(batch, *image_shape)`, whole levels."""
        space = self.spaces["source"]
        source = space.scaled(space.validate(source, "source"))
        return space.nearest(space.unscaled(tf.tanh(self.generator(source, training=False))))

    def call(self, source):
        return self.translate(source)

    def preview(self, batch, *, seed):
        rows = {"input": batch["source"], "output": self.translate(batch["source"]), "target": batch["target"]}
        return {name: (self.spaces["target"], images) for name, images in rows.items()}

    def signatures(self):
        def translate(source):
            return {"target": self.translate(source)}

        return {"translate": Signature(translate, self.specs("source"))}


def mean_over_pixels(values):
    return tf.reduce_mean(values, axis=(1, 2, 3))


def make(**options):
    return PairedImages(SHAPE, LEVELS, **{"filters": 3, "distance_weight": 5.0, "seed": 4, **options})


def compiled(model, rate=0.05):
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.Adam(1e-3), run_eagerly=True)
    return model


def training_step():
    return Step(seeds.as_pair(0), training=True)


@pytest.fixture(scope="module")
def pairs():
    """Images and their negatives."""
    source = np.random.default_rng(0).integers(0, LEVELS, (12, *SHAPE)).astype(np.float32)
    return {"source": source, "target": LEVELS - 1 - source}


def assert_equal(before, after):
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_takes_columns_by_name_in_any_form(pairs):
    model, other = compiled(make()), compiled(make())
    history = model.fit(pairs, batch_size=4, shuffle=False, epochs=2, verbose=0, validation_data=(pairs,)).history
    other.fit(tf.data.Dataset.from_tensor_slices(pairs).batch(4), epochs=2, verbose=0)
    assert_equal(model.get_weights(), other.get_weights())
    names = {"loss", "generator_loss", "discriminator_loss", "distance"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert history["distance"][1] < history["distance"][0]


def test_evaluation_is_the_objective(pairs):
    model = compiled(make())
    before = model.get_weights()
    logs = model.evaluate(pairs, batch_size=4, verbose=0, return_dict=True)
    assert_equal(before, model.get_weights())
    x, y = (pairs[name] / 4.0 - 1.0 for name in ("source", "target"))
    fakes = np.tanh(model.generator(x, training=False))
    real, fake = (model.discriminator(np.concatenate([x, image], axis=-1)).numpy() for image in (y, fakes))
    distance = np.abs(y - fakes).mean()
    expected = {
        "discriminator_loss": np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean(),
        "generator_loss": np.log1p(np.exp(-fake)).mean() + 5.0 * distance,
        "distance": distance,
    }
    expected["loss"] = expected["discriminator_loss"] + expected["generator_loss"]
    assert logs == pytest.approx(expected, rel=1e-5)


def test_the_generator_descends_a_loss_that_sees_its_target(pairs):
    model, other = compiled(make(), rate=0.1), make()
    batch = {name: tf.constant(column) for name, column in pairs.items()}
    x, y = (batch[name] / 4.0 - 1.0 for name in ("source", "target"))
    with tf.GradientTape() as tape:
        fakes = tf.tanh(other.generator(x, training=True))
        logits = other.discriminator(tf.concat([x, fakes], axis=-1), training=True)
        loss = -tf.reduce_mean(tf.math.log_sigmoid(logits)) + 5.0 * tf.reduce_mean(tf.abs(y - fakes))
    gradients = tape.gradient(loss, other.generator.trainable_variables)
    expected = [
        weight - 0.1 * gradient for weight, gradient in zip(model.generator.trainable_variables, gradients, strict=True)
    ]
    model.take_generator_step(batch, training_step())
    for weight, value in zip(model.generator.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_step_of_one_player_leaves_the_other(pairs, player):
    model = compiled(make())
    other = {"generator": "discriminator", "discriminator": "generator"}[player]
    before = {name: getattr(model, name).get_weights() for name in (player, other)}
    batch = {name: tf.constant(column) for name, column in pairs.items()}
    getattr(model, f"take_{player}_step")(batch, training_step())
    assert_equal(before[other], getattr(model, other).get_weights())
    # Moving statistics are among the weights; a bias before batch normalization moves only by rounding.
    moved = [
        not np.array_equal(a, b) for a, b in zip(before[player], getattr(model, player).get_weights(), strict=True)
    ]
    assert sum(moved) >= len(moved) - 1


def test_it_learns_what_the_pairs_show(pairs):
    model = make(filters=6)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(1e-3))
    model.fit(pairs, batch_size=6, epochs=60, verbose=0)
    assert np.abs(model.predict(pairs["source"], verbose=0) - pairs["target"]).mean() < 1.0


def test_a_preview_has_input_output_and_target(pairs):
    model = make()
    rows = model.preview({name: tf.constant(column[:3]) for name, column in pairs.items()}, seed=0)
    assert list(rows) == ["input", "output", "target"]
    assert all(space == Levels(SHAPE, LEVELS) for space, _ in rows.values())
    np.testing.assert_array_equal(rows["input"][1], pairs["source"][:3])
    np.testing.assert_array_equal(rows["output"][1], model.translate(pairs["source"][:3]))
    np.testing.assert_array_equal(rows["target"][1], pairs["target"][:3])


def test_exports_translate(pairs, tmp_path):
    model = make()
    served = tf.saved_model.load(str(export.saved_model(model, tmp_path / "served")))
    found = served.signatures["translate"](source=tf.constant(pairs["source"]))["target"]
    np.testing.assert_allclose(found, model.translate(pairs["source"]), atol=1e-4)
    assert set(export.litert(model, tmp_path / "model.tflite", batch_size=len(pairs["source"]))) == {"translate"}
    runner = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner("translate")
    np.testing.assert_allclose(runner(source=pairs["source"])["target"], found, atol=1e-3)


def test_training_goes_on_from_a_file(pairs, tmp_path):
    model = compiled(make())
    model.fit(pairs, batch_size=4, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"PairedImages": PairedImages})
    model.save_weights(tmp_path / "model.weights.h5")
    copy = compiled(PairedImages.from_config(json.loads(json.dumps(model.get_config()))))
    copy.load_weights(tmp_path / "model.weights.h5")
    loaded.run_eagerly = True
    for each in (model, loaded, copy):
        assert each.get_config() == model.get_config()
        each.fit(pairs, batch_size=4, verbose=0, shuffle=False)
        assert int(each.discriminator_optimizer.iterations) == 6
        assert_equal(model.get_weights(), each.get_weights())
    # Only models of the package itself are loaded by their name.
    with pytest.raises(ValueError, match="which is not a model of keras_gen"):
        keras_gen.load_model(tmp_path / "model.keras")


def test_wrong_columns_get_one_sentence(pairs):
    model = compiled(make())
    with pytest.raises(ValueError, match=r"^`target` must be given: this PairedImages is trained on source, target\.$"):
        model.fit({"source": pairs["source"]}, verbose=0)
    with pytest.raises(ValueError, match=r"^`label` is no column of this PairedImages, which takes source, target\.$"):
        model.fit({**pairs, "label": np.zeros(12)}, verbose=0)
    wrong = {**pairs, "target": pairs["target"] + 0.5}
    for data in (wrong, tf.data.Dataset.from_tensor_slices(wrong).batch(4)):
        with pytest.raises(ValueError, match=r"^`target` holds the value .*\.5; expected whole levels from 0 to 8\.$"):
            model.fit(data, verbose=0)
    with pytest.raises(ValueError, match=r"^`source` must have shape \(batch, 4, 6, 1\), received \(12, 4, 5, 1\)\.$"):
        model.translate(pairs["source"][:, :, 1:])
