"""Plots: where the density is, and what of it is seen."""

import numpy as np
import tensorflow as tf

from keras_gen import pictures
from keras_gen.data import toy


class Truth:
    """What `density_plot` asks of a model, with the density of a toy set."""

    def __init__(self, name: str):
        self.density = toy.get(name)

    def sample(self, num_samples, *, seed):
        return tf.constant(self.density.sample(num_samples, seed=seed))

    def predict(self, x, *args, **kwargs):
        return self.density.log_density(x)


def test_the_same_density_looks_the_same_and_another_does_not():
    moons = toy.get("two_moons")
    models = {"first": Truth("two_moons"), "second": Truth("two_moons"), "other": Truth("rings")}
    image = np.asarray(pictures.density_plot(models, moons.log_density, moons.sample(500), resolution=50), float)
    # Four columns; titles and the numbers at the axes are left out.
    height, width = image.shape[0] // 2, image.shape[1] // 4
    truth, first, second, other = (
        image[height // 4 : height * 3 // 4, column * width + width // 4 : column * width + width * 3 // 4].mean(
            axis=-1
        )
        for column in range(4)
    )
    for same in (first, second):
        assert np.corrcoef(truth.ravel(), same.ravel())[0, 1] > 0.9
    assert np.corrcoef(truth.ravel(), other.ravel())[0, 1] < 0.7


def test_one_model_needs_no_truth():
    image = np.asarray(pictures.density_plot(Truth("two_moons"), resolution=20))
    assert image.shape[0] > image.shape[1]
    assert image.std() > 0
