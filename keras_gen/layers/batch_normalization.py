"""Batch normalization whose moving statistics a step updates."""

import keras


class BatchNormalization(keras.layers.BatchNormalization):
    """Uses statistics of the global batch on any number of devices; the moving ones average about ten batches.

    Args:
        shape: shape of the input; only the last entry, the number of features, must be known.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, shape: tuple[int | None, ...], **kwargs):
        super().__init__(momentum=0.9, epsilon=1e-5, synchronized=True, **kwargs)
        self.build(shape)

    def call(self, x, step=None):
        """Uses the statistics of the batch in a training step, and the moving ones otherwise."""
        if step is None or not step.training:
            return super().call(x, training=False)
        return step.record(lambda: super(BatchNormalization, self).call(x, training=True), self.non_trainable_variables)
