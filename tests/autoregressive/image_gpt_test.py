"""Tests of the transformer: the network in NumPy, attention in blocks, dropout, conditions."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract, randomise
from small_data import rows_of_levels

from keras_gen.autoregressive import TransformerAR
from keras_gen.core import Step
from keras_gen.networks import transformer

LEVELS = {
    "event_shape": (2, 3),
    "levels": 3,
    "num_layers": 1,
    "width": 12,
    "num_heads": 3,
    "feedforward_units": 7,
    "dropout": 0.1,
    "num_classes": 4,
    "seed": 5,
    "name": "transformer",
}


class TestLevels(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    """Three levels given a class, every argument away from its default."""

    def make_model(self, **changes):
        return TransformerAR(**{**LEVELS, **changes})

    def make_data(self):
        return rows_of_levels()

    def make_enumerable(self):
        return self.make_model()


class TestBits(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self):
        return TransformerAR((3, 4, 1), num_layers=2, width=8, num_heads=2)

    def make_enumerable(self):
        return self.make_model()


def normalised(x, layer):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * layer.gamma.numpy() + layer.beta.numpy()


def affine(x, layer):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def test_network_is_that_of_the_paper():
    model = randomise(TransformerAR((5,), 3, num_layers=2, width=6, num_heads=2, num_classes=2))
    x = np.array([2, 0, 1, 1, 2])
    h = np.concatenate([model.first_token.numpy()[1:], affine(np.eye(3)[x[:-1]], model.entry_embedding)])
    h = h + model.position_embedding.numpy()
    for block in model.blocks:
        attention, heads = block.attention, []
        queries, keys, values = np.split(affine(normalised(h, block.norms[0]), attention.input_map), 3, axis=-1)
        for head in range(2):
            part = slice(3 * head, 3 * head + 3)
            weights = np.tril(np.exp(queries[:, part] @ keys[:, part].T / np.sqrt(3)))
            heads.append(weights / weights.sum(axis=-1, keepdims=True) @ values[:, part])
        h = h + affine(np.concatenate(heads, axis=-1), attention.output_map)
        y = affine(normalised(h, block.norms[1]), block.expansion)
        y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
        h = h + affine(y, block.contraction)
    logits = affine(normalised(h, model.norm), model.head)
    expected = np.sum((logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))[np.arange(5), x])
    np.testing.assert_allclose(model.log_prob(x[np.newaxis], [1])[0], expected, rtol=1e-4)


def test_attention_in_blocks_is_attention_at_once(monkeypatch):
    model = randomise(TransformerAR((11,), num_layers=2, width=8, num_heads=2))
    x = np.random.default_rng(0).integers(0, 2, (4, 11))
    whole = model.log_prob(x)
    monkeypatch.setattr(transformer, "BLOCK", 4)
    np.testing.assert_allclose(model.log_prob(x), whole, rtol=1e-5)


def test_dropout_changes_what_blocks_add_in_training():
    model = randomise(TransformerAR((4,), num_layers=1, width=8, num_heads=2, dropout=0.5))
    x = tf.constant(np.random.default_rng(0).integers(0, 2, (6, 4)).astype(np.float32))
    steps = (Step(tf.constant([0, seed]), training=True) for seed in (1, 1, 2))
    first, again, other = (model.parameters(x, step=step) for step in steps)
    np.testing.assert_array_equal(first, again)
    assert np.all(first != other)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"num_layers": 0}, ValueError, "`num_layers` must be at least 1, received 0"),
        ({"width": 8}, ValueError, "`width` must be a multiple of the 3 heads, received 8"),
        ({"num_heads": 0}, ValueError, "`num_heads` must be at least 1, received 0"),
        ({"feedforward_units": 0}, ValueError, "`feedforward_units` must be at least 1, received 0"),
        ({"dropout": 1.0}, ValueError, "`dropout` must be at least 0 and less than 1, received 1.0"),
        ({"num_classes": 0}, ValueError, "`num_classes` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        TransformerAR(**{**LEVELS, **arguments})
