"""A small convolutional classifier of sounds, such as spoken words, by their spectrograms."""

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.evaluation.classifier.network import Classifier
from keras_gen.layers.convolution import with_rows
from keras_gen.spaces import Sound

#: Level of a full-scale sine above the power that the convolutions receive as 0, in decibels.
DYNAMIC_RANGE = 80.0


class SoundClassifier(Classifier):
    r"""Like `Classifier`, applied to the logarithm of a sound's power at each time and frequency.

    $$s_{t,k} = \max(0,\, 1 + \tfrac{1}{80} 10 \log_{10} |X_{t,k}|^2), \qquad
    X_{t,k} = \tfrac{2}{\sum_n w_n} \sum_{n<N} w_n x_{tM+n} e^{-2πikn/N}$$

    with a Hann window w of N samples, moved by M samples at a time: a full-scale sine is 1, and 80 decibels below it is
    0.

    Example:

    ```python
    classifier = keras_gen.evaluation.SoundClassifier((4096,), sample_rate=8000)
    classifier.compile()
    classifier.fit(x_train, y_train, batch_size=100, epochs=20)    # amplitudes from -1 to 1, labels 0..9
    evaluation.sample_quality(model, x_test, classifier)["score"]
    ```

    Args:
        event_shape: (samples,) of a sound, at least the window's length.
        num_classes: number of classes.
        window: N, an even number.
        hop: M.
        sample_rate: samples per second, in hertz; None if unknown.
        **kwargs: as in `Classifier`, except the levels.
    """

    has_unit = False

    def __init__(
        self,
        event_shape,
        num_classes: int = 10,
        *,
        window: int = 256,
        hop: int = 64,
        sample_rate: int | None = None,
        **kwargs,
    ):
        self.window = checks.positive_int("window", window)
        self.hop = checks.positive_int("hop", hop)
        self.sample_rate = None if sample_rate is None else checks.positive_int("sample_rate", sample_rate)
        super().__init__(event_shape, num_classes, None, **kwargs)

    @property
    def event_space(self):
        return Sound(self.event_shape, sample_rate=self.sample_rate)

    @property
    def image_shape(self):
        """Times, frequencies, and one channel."""
        if len(self.event_shape) != 1 or self.event_shape[0] < self.window:
            raise ValueError(
                f"`event_shape` must be (samples,), at least the window's {self.window}; received {self.event_shape}."
            )
        return 1 + (self.event_shape[0] - self.window) // self.hop, self.window // 2 + 1, 1

    def images(self, x):
        """Returns the spectrograms s."""
        # As a convolution, which every export supports.
        kernels = fourier_kernels(self.window)
        waves = with_rows(lambda x: tf.nn.conv1d(x, kernels, self.hop, "VALID"), x[..., tf.newaxis])
        real, imaginary = tf.split(waves, 2, axis=-1)
        power = tf.maximum(tf.square(real) + tf.square(imaginary), 10.0 ** (-DYNAMIC_RANGE / 10.0))
        return (1.0 + (10.0 / DYNAMIC_RANGE / np.log(10.0)) * tf.math.log(power))[..., tf.newaxis]


def fourier_kernels(window: int) -> np.ndarray:
    """Returns the Hann-windowed waves of each frequency, cosines first, of shape `(window, 1, 2 · num)`."""
    times, frequencies = np.arange(window), np.arange(window // 2 + 1)
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * times / window)
    phases = 2.0 * np.pi * np.outer(times, frequencies) / window
    waves = np.concatenate([np.cos(phases), np.sin(phases)], axis=1)
    return (2.0 / hann.sum() * hann[:, np.newaxis] * waves)[:, np.newaxis].astype(np.float32)
