"""The joint embedding: its loss by hand, and captions that find their images."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import TrainingContract, randomise, rows_of, values

from keras_gen.core import Step
from keras_gen.networks import JointEmbedding

SHAPE, LEVELS = (6, 5, 1), 9
WORDS = ("a", "dark", "light", "image")


def make(**options):
    defaults = {"num_tokens": 5, "code_size": 6, "text_features": 8, "filters": (3, 4), "seed": 4}
    return JointEmbedding(SHAPE, **{"words": WORDS, "levels": LEVELS, **defaults, **options})


def images(num, seed=0):
    return np.random.default_rng(seed).integers(0, LEVELS, (num, *SHAPE)).astype(np.float32)


class TestContract(TrainingContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        return make(**{"name": "codes", **changes})

    def make_data(self):
        x = images(32)
        dark = np.arange(32) % 2 == 0
        x[dark] //= 4
        captions = [f"a {'dark' if is_dark else 'light'} image {index}" for index, is_dark in enumerate(dark)]
        return {"x": x, "condition": np.array(captions, object)}

    def test_a_batch_of_one_trains(self, batch):
        """It has no mismatch: its loss is 0, and it leaves all weights as they are."""
        learner = self.compile(self.make_model(), run_eagerly=True)
        before = values(learner.trainable_weights)
        logs = learner.train_on_batch(rows_of(batch, slice(1)), return_dict=True)
        assert logs == {"loss": 0.0, "accuracy": 1.0}
        for ours, theirs in zip(values(learner.trainable_weights), before, strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def outputs(self, model, seed):
        return tf.concat(
            [model.image_codes(images(3, seed)), model.text_codes(tf.constant(["a dark", "image", ""]))], 1
        )


def test_the_loss_is_its_formula():
    """The caption that two images share is no mismatch of either."""
    model = randomise(make())
    captions = tf.constant(["a dark image", "light", "a dark image", "image a light"])
    x = tf.constant(images(4))
    found = model.loss_terms({"x": x, "condition": captions}, Step(tf.constant([0, 1]), training=False))
    scale = min(np.exp(model.log_scale.numpy()), 100.0)
    logits = scale * model.image_codes(x).numpy() @ model.text_codes(captions).numpy().T
    logits[0, 2] = logits[2, 0] = -np.inf
    expected = [
        -0.5 * np.log(np.exp(logits[i, i]) / np.exp(logits[i]).sum())
        - 0.5 * np.log(np.exp(logits[i, i]) / np.exp(logits[:, i]).sum())
        for i in range(4)
    ]
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-4)
    np.testing.assert_array_equal(found["accuracy"], logits.argmax(axis=1) == np.arange(4))


def test_similarity_is_a_cosine_of_strings_or_tokens():
    model = randomise(make())
    captions = ["a dark image", "light"]
    found = model.similarity(images(2), captions)
    np.testing.assert_array_equal(found, model.similarity(images(2), model.tokenizer(captions)))
    image, text = model.image_codes(images(2)).numpy(), model.text_codes(tf.constant(captions)).numpy()
    np.testing.assert_allclose(np.linalg.norm(image, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(text, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(found, (image * text).sum(axis=1), rtol=1e-5)
    with pytest.raises(ValueError, match="`condition` holds the value 6; expected whole token ids from 0 to 5"):
        model.similarity(images(1), [[6, 0, 0, 0, 0]])
    with pytest.raises(TypeError, match="`condition` must hold strings, received"):
        model.similarity(images(1), [0.5])


def test_captions_find_images_that_they_were_not_trained_on():
    """Where the upper half is dark or light, and the lower one, too."""
    random = np.random.default_rng(0)

    def drawn(num):
        upper, lower = random.integers(2, size=(2, num))
        x = np.concatenate([np.repeat(upper, 3), np.repeat(lower, 3)]).reshape(2, num, 3)
        x = 7.0 * np.moveaxis(x, 0, 1).reshape(num, 6, 1, 1) + random.integers(0, 2, (num, *SHAPE))
        words = ("dark", "light")
        return x.astype(np.float32), [f"a {words[u]} image, {words[v]}" for u, v in zip(upper, lower, strict=True)]

    model = make(seed=0)
    model.compile(keras.optimizers.Adam(0.01))
    x, captions = drawn(400)
    model.fit(x, np.array(captions, object), batch_size=50, epochs=6, verbose=0)
    x, captions = drawn(100)
    every = ("a dark image, dark", "a dark image, light", "a light image, dark", "a light image, light")
    similarity = np.stack([model.similarity(x, [caption] * 100) for caption in every], axis=1)
    assert np.mean(similarity.argmax(axis=1) == [every.index(caption) for caption in captions]) > 0.97


def test_xla_is_refused_where_captions_are_strings():
    with pytest.raises(ValueError, match="`jit_compile` must be False: XLA reads no strings"):
        make().compile("adam", jit_compile=True)
