"""Initial weights, each layer's from a stream of its own."""

import keras
import numpy as np


def glorot(seed: tuple[int, ...], scale: float = 1.0) -> keras.initializers.Initializer:
    """Returns the uniform distribution of Glorot and Bengio, its standard deviation multiplied by `scale`."""
    return keras.initializers.VarianceScaling(scale**2, "fan_avg", "uniform", seed=initializer_seed(seed))


def uniform(scale: float, seed: tuple[int, ...]) -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-scale, scale, seed=initializer_seed(seed))


def initializer_seed(seed: tuple[int, ...]) -> int:
    """Returns one number for several: layers' weights come from streams of their own."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
