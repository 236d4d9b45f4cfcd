"""Maxout against its formula."""

import keras
import numpy as np

from keras_gen.layers import Maxout


def test_a_unit_is_the_largest_of_its_pieces():
    layer = Maxout(3, 4, 5, initializer=keras.initializers.RandomNormal(seed=0))
    layer.affine.bias.assign(np.random.default_rng(1).standard_normal(20))
    x = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    pieces = (x @ layer.affine.kernel.numpy() + layer.affine.bias.numpy()).reshape(7, 4, 5)
    np.testing.assert_allclose(layer(x), pieces.max(axis=-1), rtol=1e-5)


def test_two_pieces_make_an_absolute_value():
    layer = Maxout(1, 1, 2, initializer="zeros")
    layer.affine.kernel.assign([[1.0, -1.0]])
    np.testing.assert_array_equal(layer(np.array([[-3.0], [0.0], [2.0]], np.float32)), [[3.0], [0.0], [2.0]])
