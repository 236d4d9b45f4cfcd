"""The gradient descent of the first papers: a falling rate and a rising momentum."""

import keras
import numpy as np
import pytest

from keras_gen.adversarial.optimizers import FallingRate, RisingMomentum


@pytest.mark.parametrize("step", [0, 1, 500, 250_000, 10_000_000])
def test_the_rate_is_divided_after_each_step_down_to_a_floor(step):
    rate = FallingRate(0.1, 1.000004, 1e-6)
    assert float(rate(step)) == pytest.approx(max(0.1 * 1.000004 ** -float(step), 1e-6), rel=1e-5)
    assert FallingRate.from_config(rate.get_config()).get_config() == rate.get_config()


def test_steps_are_those_of_momentum_that_rises():
    optimizer = RisingMomentum(FallingRate(0.1, 1.5), 0.5, final_momentum=0.8, momentum_steps=3)
    variable = keras.Variable([1.0, -2.0])
    value, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for step, momentum in enumerate((0.5, 0.6, 0.7, 0.8, 0.8)):
        # The gradient of half the square is the value.
        optimizer.apply([keras.ops.convert_to_tensor(variable)], [variable])
        velocity = momentum * velocity - 0.1 / 1.5**step * value
        value = value + velocity
        np.testing.assert_allclose(variable, value, rtol=1e-5)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, RisingMomentum)
    assert copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FallingRate(0.0), "`learning_rate` must be greater than 0, received 0.0"),
        (lambda: FallingRate(0.1, 0.9), "`factor` must be at least 1, received 0.9"),
        (lambda: RisingMomentum(0.1, 0.0), "`momentum` must be greater than 0, received 0.0"),
        (lambda: RisingMomentum(0.1, final_momentum=1.0), "`final_momentum` must be at least 0 and less than 1"),
        (lambda: RisingMomentum(0.1, momentum_steps=0), "`momentum_steps` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
