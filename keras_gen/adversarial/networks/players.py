"""The networks of the two players: dense, maxout, convolutional and residual ones.

A generator maps noise vectors, and condition vectors if there are any, to examples before a tanh; a discriminator maps
examples, where levels are spread over [-1, 1], and condition vectors to one number. Any generator plays against any
discriminator.
"""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial.networks.blocks import EnlargingBlock, ShrinkingBlock, affine, batch_normalization
from keras_gen.layers import Maxout, SpectralNormalization
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.convolution import convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.dropout import apply_dropout
from keras_gen.layers.initializers import glorot, initializer_seed

#: A strided layer halves the sides longer than this; the generator of DCGAN starts from 4×4.
SMALLEST_SIDE = 4


class Generator(keras.layers.Layer):
    """From noise to an example, on the scale before a tanh."""

    def call(self, z, condition=None, *, training=False):
        """Takes noise of shape `(batch, latent_size)` and vectors; returns shape `(batch, *event_shape)`."""
        raise NotImplementedError


class Discriminator(keras.layers.Layer):
    r"""From an example to a number: an affine function, `head`, of features φ(x).

    A condition joins the network where its class says, or in the end by a projection (Miyato and Koyama, 2018,
    https://arxiv.org/abs/1802.05637): $f(x, y) = y^\top V φ(x) + ψ(φ(x))$.
    """

    #: The layer V of a projection, from condition vectors to as many entries as there are features.
    projection: keras.layers.Layer | None = None
    head: keras.layers.Layer
    #: Number of features.
    num_features: int

    def features(self, x: tf.Tensor, condition: tf.Tensor | None, *, training: bool, seed) -> tf.Tensor:
        """Returns φ(x), of shape `(batch, num_features)`.

        Args:
            x: scaled examples of shape `(batch, *event_shape)`.
            condition: vectors of shape `(batch, condition_size)`; None also for a projection.
            training: whether this is a training step.
            seed: int32 tensor of shape (2,), of the dropout; None outside of a training step.
        """
        raise NotImplementedError

    def call(self, x, condition=None, *, training=False, seed=None):
        """Returns the number that is said of each example, of shape `(batch, 1)`."""
        return self.said_of(self.all_features(x, condition, training=training, seed=seed), condition)

    def all_features(self, x, condition=None, *, training=False, seed=None) -> tf.Tensor:
        """As `features`, whatever becomes of the condition."""
        x = tf.cast(x, self.compute_dtype)
        return self.features(x, None if self.projection else condition, training=training, seed=seed)

    def said_of(self, features, condition=None) -> tf.Tensor:
        """Returns the number that is said of features, of shape `(batch, 1)`."""
        said = self.head(features)
        if self.projection is not None:
            said += tf.reduce_sum(features * self.projection(tf.cast(condition, features.dtype)), -1, keepdims=True)
        return said

    def project(self, condition_size: int, initializer, spectral: bool, seed: tuple[int, ...]) -> None:
        """Adds the projection, if there is a condition to project."""
        if condition_size:
            self.projection = affine(
                (condition_size, self.num_features), initializer, self.dtype_policy, spectral, seed, use_bias=False
            )


class DenseGenerator(Generator):
    """Dense layers.

    Args:
        latent_size: length of the noise.
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none.
        hidden_units: width of each hidden layer.
        activation: activation of the hidden layers.
        noise_units: width of a hidden layer that the noise goes through before it meets the condition; 0 for none.
        condition_units: the same for the condition.
        batch_norm: whether hidden layers have batch normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        hidden_units=(256, 256),
        activation="relu",
        noise_units: int = 0,
        condition_units: int = 0,
        batch_norm: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.event_shape = event_shape
        self.activation_function = keras.activations.get(activation)
        self.noise_layer = self.condition_layer = None
        if noise_units:
            self.noise_layer = dense(latent_size, noise_units, glorot((*seed, 0)), self.dtype_policy)
        if condition_units and condition_size:
            self.condition_layer = dense(condition_size, condition_units, glorot((*seed, 1)), self.dtype_policy)
        inputs = noise_units or latent_size
        inputs += condition_units if self.condition_layer else condition_size
        self.dense_layers = [
            dense(a, b, glorot((*seed, 2, index)), self.dtype_policy)
            for index, (a, b) in enumerate(itertools.pairwise((inputs, *hidden_units, math.prod(event_shape))))
        ]
        self.norms = [
            batch_normalization((None, units), self.dtype_policy) for units in (hidden_units if batch_norm else ())
        ]
        self.built = True

    def call(self, z, condition=None, *, training=False):
        h = tf.cast(z, self.compute_dtype)
        if self.noise_layer is not None:
            h = self.activation_function(self.noise_layer(h))
        if self.condition_layer is not None:
            condition = self.activation_function(self.condition_layer(tf.cast(condition, self.compute_dtype)))
        h = append_condition(h, condition)
        for index, layer in enumerate(self.dense_layers[:-1]):
            h = layer(h)
            h = self.activation_function(self.norms[index](h, training=training) if self.norms else h)
        return tf.reshape(self.dense_layers[-1](h), (-1, *self.event_shape))


class DenseDiscriminator(Discriminator):
    """Dense layers; the condition joins the example at the input, or in a projection.

    Args:
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none.
        hidden_units: width of each hidden layer.
        activation: activation of the hidden layers.
        dropout: share of the hidden units that a training step leaves out.
        spectral_norm: whether all layers have spectral normalization.
        projection: whether the condition joins in a projection.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        hidden_units=(256, 256),
        activation="leaky_relu",
        dropout: float = 0.0,
        spectral_norm: bool = False,
        projection: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.activation_function = keras.activations.get(activation)
        self.dropout = checks.rate("dropout", dropout)
        widths = (math.prod(event_shape) + condition_size * (not projection), *hidden_units, 1)
        *self.dense_layers, self.head = [
            affine((a, b), glorot((*seed, index)), self.dtype_policy, spectral_norm, (*seed, index))
            for index, (a, b) in enumerate(itertools.pairwise(widths))
        ]
        self.num_features = widths[-2]
        if projection:
            self.project(condition_size, glorot((*seed, len(widths))), spectral_norm, (*seed, len(widths)))
        self.built = True

    def features(self, x, condition, *, training, seed):
        h = append_condition(tf.reshape(x, (-1, math.prod(x.shape[1:]))), condition)
        for index, layer in enumerate(self.dense_layers):
            h = self.activation_function(layer(h))
            h = dropped(h, self.dropout, training, seed, index)
        return h


class MaxoutDiscriminator(Discriminator):
    """Maxout layers with dropout, as in Goodfellow et al. (2014); a condition enters as in Mirza and Osindero (2014).

    Args:
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none.
        units: units of each hidden layer; the condition joins after the first one.
        pieces: affine functions of each unit, for each hidden layer.
        condition_units: units of the maxout layer that the condition goes through.
        condition_pieces: affine functions of each of these.
        condition_scale: factor of their initial weights. A class enters as one number among zeros; with 10, it weighs
            from the start about as much as an image does.
        dropout: share of the hidden units that a training step leaves out.
        input_dropout: share of the entries of an example that a training step leaves out.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        units=(240, 240),
        pieces=(5, 5),
        condition_units: int = 50,
        condition_pieces: int = 5,
        condition_scale: float = 1.0,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        units, pieces = checks.positive_ints("units", units), checks.positive_ints("pieces", pieces)
        if not units or len(units) != len(pieces):
            raise ValueError(f"`pieces` must have one entry for each of `units` {units}, received {pieces}.")
        self.dropout = checks.rate("dropout", dropout)
        self.input_dropout = checks.rate("input_dropout", input_dropout)
        self.condition_layer = None
        if condition_size:
            self.condition_layer = Maxout(
                condition_size,
                condition_units,
                condition_pieces,
                initializer=glorot((*seed, 0), checks.positive("condition_scale", condition_scale)),
                dtype=self.dtype_policy,
            )
        inputs, self.maxout_layers = math.prod(event_shape), []
        for index, (width, count) in enumerate(zip(units, pieces, strict=True)):
            layer = Maxout(inputs, width, count, initializer=glorot((*seed, 1, index)), dtype=self.dtype_policy)
            self.maxout_layers.append(layer)
            inputs = width + (condition_units if condition_size and index == 0 else 0)
        self.num_features = inputs
        self.head = dense(inputs, 1, glorot((*seed, 2)), self.dtype_policy)
        self.built = True

    def features(self, x, condition, *, training, seed):
        h = tf.reshape(x, (-1, math.prod(x.shape[1:])))
        h = dropped(h, self.input_dropout, training, seed, 0)
        for index, layer in enumerate(self.maxout_layers):
            h = layer(h)
            if index == 0 and self.condition_layer is not None:
                h = append_condition(h, self.condition_layer(tf.cast(condition, h.dtype)))
            h = dropped(h, self.dropout, training, seed, 1 + index)
        return h


class ConvolutionalGenerator(Generator):
    """The generator of DCGAN: transposed convolutions of 5×5, each after batch normalization and ReLU.

    Args:
        latent_size: length of the noise.
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector, which joins the noise; 0 for none.
        filters: channels of each strided layer of the mirrored discriminator, from the image inwards. None takes 64,
            128, 256, …, as many as bring both sides down to 4.
        batch_norm: whether there is batch normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=None,
        batch_norm: bool = True,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided(event_shape, filters)
        initializers = normals(seed)
        self.layers = []
        x = keras.Input((latent_size + condition_size,))

        def add(layer, *args, **options):
            nonlocal x
            self.layers.append(layer(*args, dtype=self.dtype_policy, **options))
            x = self.layers[-1](x)

        size = math.prod(sizes[-1]) * filters[-1]
        add(keras.layers.Dense, size, use_bias=not batch_norm, kernel_initializer=next(initializers))
        add(keras.layers.Reshape, (*sizes[-1], filters[-1]))
        for layer in reversed(range(len(filters))):
            if batch_norm:
                self.layers.append(batch_normalization(None, self.dtype_policy))
                x = self.layers[-1](x)
            add(keras.layers.ReLU)
            strides = strides_between(sizes[layer], sizes[layer + 1])
            add(
                keras.layers.Conv2DTranspose,
                filters[layer - 1] if layer else event_shape[-1],
                5,
                strides=strides,
                padding="same",
                # Two lengths round up to the same half; this tells which of them to return to.
                output_padding=tuple(
                    side - ((half - 1) * stride + 1)
                    for side, half, stride in zip(sizes[layer], sizes[layer + 1], strides, strict=True)
                ),
                # Batch normalization follows, and has a bias of its own, but at the image.
                use_bias=layer == 0 or not batch_norm,
                kernel_initializer=next(initializers),
            )
        self.built = True

    def call(self, z, condition=None, *, training=False):
        return through(self.layers, append_condition(tf.cast(z, self.compute_dtype), condition), training)


class ConvolutionalDiscriminator(Discriminator):
    """The discriminator of DCGAN: strided convolutions of 5×5 with batch normalization and LeakyReLU of slope 0.2.

    A condition joins the image as one plane for each entry of its vector, or in a projection.

    Args:
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector; 0 for none.
        filters: channels of each strided layer, as in `ConvolutionalGenerator`.
        batch_norm: whether there is batch normalization, but at the input.
        spectral_norm: whether all layers have spectral normalization.
        projection: whether the condition joins in a projection.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=None,
        batch_norm: bool = True,
        spectral_norm: bool = False,
        projection: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided(event_shape, filters)
        initializers = normals(seed)
        self.layers = []
        channels = event_shape[-1] + condition_size * (not projection)
        x = keras.Input((*sizes[0], channels))

        def add(layer):
            nonlocal x
            self.layers.append(layer)
            x = layer(x)

        for layer, units in enumerate(filters):
            strides = strides_between(sizes[layer], sizes[layer + 1])
            use_bias = layer == 0 or not batch_norm
            if spectral_norm:
                add(
                    SpectralNormalization(
                        (5, 5, x.shape[-1], units),
                        stride=strides,
                        use_bias=use_bias,
                        initializer=next(initializers),
                        seed=(*seed, layer),
                        dtype=self.dtype_policy,
                    )
                )
            else:
                options = {"strides": strides, "padding": "same", "use_bias": use_bias, "dtype": self.dtype_policy}
                add(keras.layers.Conv2D(units, 5, kernel_initializer=next(initializers), **options))
            if layer > 0 and batch_norm:
                add(batch_normalization(None, self.dtype_policy))
            add(keras.layers.LeakyReLU(0.2, dtype=self.dtype_policy))
        add(keras.layers.Flatten(dtype=self.dtype_policy))
        self.num_features = x.shape[-1]
        shape = (self.num_features, 1)
        add(affine(shape, next(initializers), self.dtype_policy, spectral_norm, (*seed, len(filters))))
        if projection:
            self.project(condition_size, next(initializers), spectral_norm, (*seed, len(filters) + 1))
        self.built = True

    @property
    def head(self):
        return self.layers[-1]

    def features(self, x, condition, *, training, seed):
        if condition is not None:
            planes = tf.cast(condition, x.dtype)[:, tf.newaxis, tf.newaxis]
            x = tf.concat([x, tf.tile(planes, (1, *x.shape[1:3], 1))], axis=-1)
        return through(self.layers[:-1], x, training)


class ResidualGenerator(Generator):
    """Residual blocks of 3×3 convolutions, each of which doubles the image, as in Gulrajani et al. (2017).

    Args:
        latent_size: length of the noise.
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector, which joins the noise; 0 for none.
        filters: channels of each block of the mirrored discriminator, from the image inwards.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=(64, 64),
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided(event_shape, filters)
        policy = self.dtype_policy
        self.smallest = (*sizes[-1], filters[-1])
        self.dense_layer = dense(latent_size + condition_size, math.prod(self.smallest), glorot((*seed, 0)), policy)
        self.blocks = [
            EnlargingBlock(inputs, outputs, size, seed=(*seed, 1, index), dtype=policy)
            for index, ((inputs, outputs), size) in enumerate(
                zip(itertools.pairwise((*filters[::-1], filters[0])), sizes[-2::-1], strict=True)
            )
        ]
        self.norm = batch_normalization((None, None, None, filters[0]), policy)
        self.last = convolution(filters[0], event_shape[-1], 3, 1, glorot((*seed, 2)), policy)
        self.built = True

    def call(self, z, condition=None, *, training=False):
        h = self.dense_layer(append_condition(tf.cast(z, self.compute_dtype), condition))
        h = tf.reshape(h, (-1, *self.smallest))
        for block in self.blocks:
            h = block(h, training=training)
        return self.last(tf.nn.relu(self.norm(h, training=training)))


class ResidualDiscriminator(Discriminator):
    """Residual blocks of 3×3 convolutions, each of which halves the image, and the sum over what is left of it.

    A condition joins in a projection.

    Args:
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector; 0 for none.
        filters: channels of each block, from the image inwards; a last block keeps size and channels.
        spectral_norm: whether all layers have spectral normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=(64, 64),
        spectral_norm: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided(event_shape, filters)

        options = {"spectral_norm": spectral_norm, "dtype": self.dtype_policy}
        # The last block keeps size and channels; it needs no shortcut.
        strides = [strides_between(*pair) for pair in itertools.pairwise(sizes)] + [(1, 1)]
        widths = (event_shape[-1], *filters, filters[-1])
        self.blocks = [
            ShrinkingBlock(*pair, stride, first=index == 0, seed=(*seed, 0, index), **options)
            for index, (pair, stride) in enumerate(zip(itertools.pairwise(widths), strides, strict=True))
        ]
        self.num_features = filters[-1]
        self.head = affine((filters[-1], 1), glorot((*seed, 1)), self.dtype_policy, spectral_norm, (*seed, 1))
        self.project(condition_size, glorot((*seed, 2)), spectral_norm, (*seed, 2))
        self.built = True

    def features(self, x, condition, *, training, seed):
        for block in self.blocks:
            x = block(x)
        return tf.reduce_sum(tf.nn.relu(x), axis=(1, 2))


#: The networks that a model can be asked for by name.
GENERATORS = {"dense": DenseGenerator, "convolutional": ConvolutionalGenerator, "residual": ResidualGenerator}
DISCRIMINATORS = {
    "dense": DenseDiscriminator,
    "maxout": MaxoutDiscriminator,
    "convolutional": ConvolutionalDiscriminator,
    "residual": ResidualDiscriminator,
}


def through(layers: list[keras.layers.Layer], x: tf.Tensor, training: bool) -> tf.Tensor:
    """Returns what layers make of a tensor, one after the other."""
    for layer in layers:
        statistics = isinstance(layer, keras.layers.BatchNormalization)
        x = layer(x, training=training) if statistics else layer(x)
    return x


def dropped(h: tf.Tensor, rate: float, training: bool, seed, index: int) -> tf.Tensor:
    """Returns features of which a training step has left out a share, drawn for each example."""
    if not training or rate == 0.0:
        return h
    return apply_dropout(h, rate, tf.random.experimental.stateless_fold_in(seed, index))


def normals(seed: tuple[int, ...]):
    """Yields N(0, 0.02) for one layer after another, each from a stream of its own."""
    for layer in itertools.count():
        yield keras.initializers.RandomNormal(stddev=0.02, seed=initializer_seed((*seed, layer)))


def strided(event_shape: tuple[int, ...], filters) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Returns the channels of strided layers, and the height and width before each of them and after the last.

    Raises:
        ValueError: if the examples are no images, or `filters` is empty.
    """
    if len(event_shape) != 3:
        raise ValueError(f"`event_shape` must be (height, width, channels), received {event_shape}.")
    filters = None if filters is None else checks.positive_ints("filters", filters)
    if filters == ():
        raise ValueError("`filters` must have at least one entry, received ().")
    sides = event_shape[:2]
    filters = filters or tuple(64 * 2**layer for layer in range(max(1, *map(halvings, sides))))
    sizes = [tuple(sides)]
    for _ in filters:
        sizes.append(tuple(halved(side) for side in sizes[-1]))
    return filters, sizes


def halved(side: int) -> int:
    """Returns the length of a side after a strided layer."""
    return math.ceil(side / 2) if side > SMALLEST_SIDE else side


def halvings(side: int) -> int:
    """Returns how many strided layers bring a side down to `SMALLEST_SIDE`."""
    return 0 if side <= SMALLEST_SIDE else 1 + halvings(halved(side))


def strides_between(size: tuple[int, int], half: tuple[int, int]) -> tuple[int, int]:
    """Returns the strides of the layer between an image's size and the next smaller one."""
    return tuple(1 if a == b else 2 for a, b in zip(size, half, strict=True))
