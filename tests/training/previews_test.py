"""Pictures during training: always of the same noise, and never more than a small share of its time."""

import numpy as np
import PIL.Image
import pytest

from keras_gen.spaces import Levels
from keras_gen.training.callbacks import Previews

SPACE = Levels((2, 2, 1), 2)


class Clock:
    """A clock that stands still unless it is told otherwise."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


class Model:
    """A model whose pictures take a known time; it makes the opposite of what it sees."""

    def __init__(self, clock, cost):
        self.clock = clock
        self.cost = cost
        self.seeds = []

    def preview(self, batch, *, seed):
        self.clock.seconds += self.cost
        self.seeds.append(seed)
        return {"input": (SPACE, batch["x"]), "output": (SPACE, 1.0 - batch["x"])}


def train(folder, *, cost, epoch_seconds, epochs, every=1):
    """Goes through epochs; returns those that have a picture, and the model."""
    clock = Clock()
    model = Model(clock, cost)
    previews = Previews(folder, {"x": np.eye(4, dtype=np.float32).reshape(4, 2, 2, 1)}, every=every, clock=clock)
    previews.set_model(model)
    previews.on_train_begin()
    for epoch in range(epochs):
        clock.seconds += epoch_seconds
        previews.on_epoch_end(epoch)
    return [int(path.stem.removeprefix("epoch-")) for path in sorted((folder / "samples").glob("*.png"))], model


def test_pictures_wait_until_they_take_a_twentieth_of_the_training(tmp_path):
    # Two pictures of 1 s need 40 s of training, and three need 60 s.
    epochs, _ = train(tmp_path, cost=1.0, epoch_seconds=8.0, epochs=10)
    assert epochs == [1, 5, 8, 10]
    assert all(number <= Previews.SHARE * 8.0 * epoch for number, epoch in enumerate(epochs[1:], 2))


def test_cheap_pictures_come_after_as_many_epochs_as_they_should(tmp_path):
    epochs, model = train(tmp_path, cost=0.01, epoch_seconds=8.0, epochs=10, every=3)
    assert epochs == [3, 6, 9]
    assert model.seeds == [0, 0, 0]


def test_a_picture_has_a_row_for_what_goes_in_and_one_for_what_comes_out(tmp_path):
    train(tmp_path, cost=0.0, epoch_seconds=1.0, epochs=2)
    first, second = (np.asarray(PIL.Image.open(tmp_path / "samples" / f"epoch-0000{n}.png")) for n in (1, 2))
    np.testing.assert_array_equal(first, second)
    assert first.ndim == 3
    assert list((tmp_path / "tensorboard" / "samples").glob("events*"))
    assert pytest.approx(0.05) == Previews.SHARE
