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


class Standardised(Truth):
    """The same density in another unit."""

    unit = (np.array([3.0, -1.0]), np.array([0.5, 20.0]))

    def sample(self, num_samples, *, seed):
        return (super().sample(num_samples, seed=seed) - self.unit[0]) / self.unit[1]

    def predict(self, x, *args, **kwargs):
        return super().predict(x * self.unit[1] + self.unit[0]) + np.log(self.unit[1]).sum()


def test_points_that_were_standardised_are_shown_as_they_were():
    shown = pictures.density_plot(Standardised("two_moons"), unit=Standardised.unit, resolution=20)
    expected = pictures.density_plot(Truth("two_moons"), resolution=20)
    assert np.abs(np.asarray(shown, float) - np.asarray(expected, float)).mean() < 0.5


def test_one_model_needs_no_truth():
    image = np.asarray(pictures.density_plot(Truth("two_moons"), resolution=20))
    assert image.shape[0] > image.shape[1]
    assert image.std() > 0


def test_curves_are_drawn_where_their_values_are():
    """A curve that rises moves up from left to right, one that falls moves down."""
    for values, sign in (([0.0, 0.5, 1.0], -1), ([1.0, 0.5, 0.0], 1)):
        image = pictures.line_plots([0.0, 1.0, 2.0], {"share": {"a": values}}, label="strength")
        red, _, blue = np.moveaxis(np.asarray(image, float), -1, 0)
        rows = [np.median(np.nonzero(column)[0]) for column in ((blue - red) > 60.0).T if column.any()]
        assert sign * (rows[2 * len(rows) // 3] - rows[len(rows) // 3]) > image.size[1] / 6
    two = pictures.line_plots([0.0, 1.0], {"a": {"x": [0, 1]}, "b": {"x": [0, 1]}}, label="strength")
    assert two.size[0] > 1.8 * image.size[0]
