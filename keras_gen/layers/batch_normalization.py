"""Batch normalization whose moving statistics a step updates."""

import keras


class BatchNormalization(keras.layers.BatchNormalization):
    """Statistics of the global batch, whatever the number of devices; the moving ones go over some ten batches.

    Args:
        shape: shape of the input; only the number of features, its last entry, has to be known.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, shape: tuple[int | None, ...], **kwargs):
        super().__init__(momentum=0.9, epsilon=1e-5, synchronized=True, **kwargs)
        self.build(shape)

    def call(self, x, step=None):
        """Takes the statistics of the batch in a step of training, otherwise the moving ones."""
        if step is None or not step.training:
            return super().call(x, training=False)
        return step.record(lambda: super(BatchNormalization, self).call(x, training=True), self.non_trainable_variables)
