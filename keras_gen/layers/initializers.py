"""Initial weights, with a separate random stream for each layer."""

import keras
import numpy as np


def glorot(seed: tuple[int, ...], scale: float = 1.0) -> keras.initializers.Initializer:
    """Returns the uniform distribution of Glorot and Bengio, with its standard deviation multiplied by `scale`."""
    return keras.initializers.VarianceScaling(scale**2, "fan_avg", "uniform", seed=initializer_seed(seed))


def uniform(scale: float, seed: tuple[int, ...]) -> keras.initializers.Initializer:
    """Returns the uniform distribution from `-scale` to `scale`."""
    return keras.initializers.RandomUniform(-scale, scale, seed=initializer_seed(seed))


def normal(deviation: float, seed: tuple[int, ...]) -> keras.initializers.Initializer:
    """Returns the normal distribution with mean 0 and the given standard deviation."""
    return keras.initializers.RandomNormal(stddev=deviation, seed=initializer_seed(seed))


def initializer_seed(seed: tuple[int, ...]) -> int:
    """Returns one seed derived from several numbers, such as the model's seed and the index of a layer."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
