"""Tests of PixelCNN++: no blind spot, several resolutions, and the network against the paper's equations."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract, changed_by_entries, randomise
from small_data import colours

from keras_gen import export
from keras_gen.autoregressive import PixelCNNPlusPlus
from keras_gen.core import Step

COLOURS = {
    "event_shape": (2, 2, 3),
    "levels": 3,
    "filters": 5,
    "num_blocks": 1,
    "num_resolutions": 1,
    "num_components": 3,
    "dropout": 0.1,
    "num_classes": 4,
    "seed": 5,
    "name": "pixels",
}


class TestColours(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    """Red, green and blue in three levels given a class, every argument away from its default."""

    def make_model(self, **changes):
        return PixelCNNPlusPlus(**{**COLOURS, **changes})

    def make_data(self):
        return colours()

    def make_enumerable(self):
        return self.make_model(event_shape=(1, 2, 3))

    def test_event_shape_is_enough(self):
        """Three resolutions, as many as there are by default, halve a height and a width of four twice."""
        assert PixelCNNPlusPlus((4, 4, 3)).sample(2, seed=0).shape == (2, 4, 4, 3)


class TestThreeResolutions(AutoregressiveContract):
    """An image of which the lowest resolution has two pixels, given a class."""

    # Imputation, which `TestColours` tests, does not depend on resolutions.
    test_imputation_keeps_what_is_known_and_draws_what_follows = None
    test_imputation_of_what_precedes_is_refused = None

    def make_model(self):
        return PixelCNNPlusPlus(
            (4, 8, 1), 4, filters=6, num_blocks=1, num_resolutions=3, num_components=2, num_classes=3
        )

    def sees(self, model):
        """An odd row sees only at full resolution what lower resolutions do not have yet.

        These are the pixels on the left and, on the right, those of the row above. The input, two blocks with two
        convolutions each and, after a skip, one more convolution reach 6 columns far.
        """
        row, column = np.divmod(np.arange(model.num_positions), model.event_shape[1])
        up, left = row[:, np.newaxis] - row, column[:, np.newaxis] - column
        beyond = ((up == 0) & (left > 6)) | ((up == 1) & (left < -6))
        return super().sees(model) & ~(beyond & (row[:, np.newaxis] % 2 == 1))


class TestTwoResolutions(DiscreteDensityContract):
    def make_enumerable(self, **changes):
        arguments = {"filters": 6, "num_blocks": 1, "num_resolutions": 2, "num_components": 2}
        return PixelCNNPlusPlus((2, 2, 3), 2, **arguments, **changes)

    def test_export_gives_the_same_masses_and_draws(self, tmp_path):
        model = randomise(self.make_enumerable())
        report = export.litert(model, tmp_path / "model.tflite")
        assert report["generate"]["x"]["equal_share"] > 0.9
        assert report["log_prob"]["log_prob"]["value"] < 1e-3

    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision(self, policy):
        model, exact = randomise(self.make_enumerable(dtype=policy)), randomise(self.make_enumerable())
        x = exact.sample(50, seed=0)
        np.testing.assert_allclose(model.log_prob(x), exact.log_prob(x), atol=0.3)
        assert np.mean(model.generate(model.noise(50, seed=0)) == x) > 0.9


def test_one_resolution_has_no_blind_spot_within_reach():
    """Each convolution of a block reaches one pixel further: up and left, and above also to the right."""
    model = randomise(PixelCNNPlusPlus((9, 7, 1), 4, filters=6, num_blocks=1, num_resolutions=1, num_components=2))
    row, column = np.divmod(np.arange(model.num_positions), 7)
    up, left = row[:, np.newaxis] - row, column[:, np.newaxis] - column
    reach = 1 + 2 * 2
    above = (up >= 1) & (up <= reach + 2) & (left >= -reach) & (left <= reach + 1)
    expected = above | ((up == 0) & (left >= 1) & (left <= reach))
    np.testing.assert_array_equal(changed_by_entries(model), expected)


def convolved(maps, taps, kernel, bias=0.0, stride=1):
    """A convolution written as a sum over its taps, (rows up, columns left), of one image."""
    rows, columns, _ = maps.shape
    y = np.zeros((rows // stride, columns // stride, kernel.shape[-1]))
    for (up, left), weights in zip(taps, kernel.reshape(len(taps), -1, kernel.shape[-1]), strict=True):
        for i in range(rows // stride):
            for j in range(columns // stride):
                a, b = stride * i - up, stride * j - left
                if 0 <= a < rows and 0 <= b < columns:
                    y[i, j] += maps[a, b] @ weights
    return y + bias


def transposed(maps, taps, kernel, bias):
    """The transpose of `convolved` with stride 2: each pixel gives to those it would be computed from, mirrored."""
    rows, columns, _ = maps.shape
    y = np.zeros((2 * rows, 2 * columns, kernel.shape[-1]))
    for (down, right), weights in zip(taps, kernel.reshape(len(taps), *kernel.shape[-2:]), strict=True):
        for i in range(rows):
            for j in range(columns):
                if 0 <= 2 * j + right < 2 * columns:
                    y[2 * i + down, 2 * j + right] += maps[i, j] @ weights
    return y + bias


DOWN = [(up, left) for up in (1, 0) for left in (1, 0, -1)]
ACROSS = [(up, left) for up in (1, 0) for left in (1, 0)]


def layer_of(layer, taps, maps, stride=1):
    return convolved(maps, taps, layer.kernel.numpy(), layer.bias.numpy(), stride)


def f(x):
    x = np.concatenate([x, -x], axis=-1)
    return np.where(x > 0.0, x, np.expm1(x))


def block_of(block, down, across, skips=()):
    """A block given the second of two classes."""
    for_down, for_across = np.split(block.condition_kernel.numpy()[1], 2)

    def residual(x, first, second, taps, linked, given):
        h = layer_of(first, taps, f(x)) + linked
        a, b = np.split(layer_of(second, taps, f(h)) + given, 2, axis=-1)
        return x + a / (1.0 + np.exp(-b))

    linked = f(skips[0]) @ block.down_skip_link.numpy() if skips else 0.0
    down = residual(down, block.down_first, block.down_second, DOWN, linked, for_down)
    linked = f(down) @ block.across_link.numpy()
    linked += f(skips[1]) @ block.across_skip_link.numpy() if skips else 0.0
    return down, residual(across, block.across_first, block.across_second, ACROSS, linked, for_across)


def test_network_is_that_of_the_paper():
    model = randomise(
        PixelCNNPlusPlus((4, 6, 1), 3, filters=3, num_blocks=1, num_resolutions=2, num_components=2, num_classes=2)
    )
    x = np.random.default_rng(0).integers(0, 3, (4, 6, 1)).astype(np.float32)
    maps = np.concatenate([x - 1.0, np.ones_like(x)], axis=-1)
    above = [(up, left) for up in (2, 1) for left in (1, 0, -1)]
    down = layer_of(model.down_input, above, maps)
    entry = model.across_input
    across = convolved(maps, [(1, 1), (1, 0), (1, -1)], entry.above.numpy())
    across += convolved(maps, [(0, 1)], entry.row.numpy(), entry.bias.numpy())

    fine = model.network
    coarse = fine.coarser
    skips = [(down, across)]
    skips.append(block_of(fine.blocks[0], *skips[-1]))
    lower = (layer_of(fine.shrink_down, DOWN, skips[-1][0], 2), layer_of(fine.shrink_across, ACROSS, skips[-1][1], 2))
    down, across = block_of(coarse.blocks[0], *lower)
    down, across = block_of(coarse.skip_blocks[0], down, across, lower)
    # The kernel of 3 columns has its middle at a pixel's own place.
    shifts = [(low, right) for low in (0, 1) for right in (-1, 0, 1)]
    down = transposed(down, shifts, fine.grow_down.kernel.numpy(), fine.grow_down.bias.numpy())
    shifts = [(low, right) for low in (0, 1) for right in (0, 1)]
    across = transposed(across, shifts, fine.grow_across.kernel.numpy(), fine.grow_across.bias.numpy())
    for block in fine.skip_blocks:
        down, across = block_of(block, down, across, skips.pop())
    expected = np.where(across > 0.0, across, np.expm1(across)) @ model.output_layer.kernel.numpy()
    expected += model.output_layer.bias.numpy()

    found = model.parameters(tf.constant(x[np.newaxis]), tf.constant([1]))
    np.testing.assert_allclose(found[0], expected.reshape(24, -1), rtol=1e-4, atol=1e-4)


def test_dropout_follows_the_seed_and_only_in_training():
    model = randomise(PixelCNNPlusPlus((2, 4, 1), 4, filters=8, num_blocks=1, num_resolutions=2, dropout=0.5))
    plain = randomise(PixelCNNPlusPlus((2, 4, 1), 4, filters=8, num_blocks=1, num_resolutions=2))
    x = tf.ones((2, 2, 4, 1))
    steps = [Step(tf.constant(seed), training=True) for seed in ([0, 1], [0, 1], [0, 2])]
    first, again, other = (model.parameters(x, step=step).numpy() for step in steps)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    # Two equal examples lose different features.
    assert np.any(first[0] != first[1])
    np.testing.assert_array_equal(model.parameters(x), plain.parameters(x, step=steps[0]))
    assert np.any(first != model.parameters(x).numpy())


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"event_shape": (4, 4)}, ValueError, r"`event_shape` must be \(height, width, channels\), received \(4, 4\)"),
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"filters": 0}, ValueError, "`filters` must be at least 1, received 0"),
        ({"num_blocks": 0}, ValueError, "`num_blocks` must be at least 1, received 0"),
        ({"num_components": 0}, ValueError, "`num_components` must be at least 1, received 0"),
        ({"num_resolutions": 0}, ValueError, "`num_resolutions` must be at least 1, received 0"),
        (
            {"event_shape": (4, 6, 3), "num_resolutions": 3},
            ValueError,
            "`num_resolutions` 3 must go with a height and width that 4 divides, received 4 and 6",
        ),
        ({"dropout": 1.0}, ValueError, "`dropout` must be at least 0 and less than 1, received 1.0"),
        ({"num_classes": 0}, ValueError, "`num_classes` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        PixelCNNPlusPlus(**{**COLOURS, **arguments})
