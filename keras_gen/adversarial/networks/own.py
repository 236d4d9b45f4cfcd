"""Custom players: any Keras layer or model."""

from keras_gen.networks import KerasNetwork, OwnNetwork


class OwnGenerator(KerasNetwork):
    """A Keras layer or model, from noise to examples on the scale before a tanh or a sigmoid.

    Args:
        latent_size: length of the noise.
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none. With a condition, the network gets a list of two
            tensors.
        layer: the layer or model, or what `keras.saving.serialize_keras_object` returns for it.
        seed: not needed, since its initializers have their own seeds.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        layer: OwnNetwork,
        seed: tuple[int, ...],
        **kwargs,
    ):
        inputs = [(latent_size,), *([(condition_size,)] if condition_size else [])]
        super().__init__("generator_network", layer, inputs, [event_shape], **kwargs)


class OwnDiscriminator(KerasNetwork):
    """A Keras layer or model, from an example to its logit or score.

    Args:
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none. With a condition, the network gets a list of two
            tensors.
        layer: as in `OwnGenerator`.
        seed: not needed either.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self, event_shape: tuple[int, ...], condition_size: int, *, layer: OwnNetwork, seed: tuple[int, ...], **kwargs
    ):
        inputs = [event_shape, *([(condition_size,)] if condition_size else [])]
        super().__init__("discriminator_network", layer, inputs, [(1,), ()], linear=True, **kwargs)
