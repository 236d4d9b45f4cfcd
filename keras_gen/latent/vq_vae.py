"""VQ-VAE: an autoencoder whose code is an image of whole numbers, and a PixelCNN that draws such images.

Aäron van den Oord, Oriol Vinyals, Koray Kavukcuoglu (2017), Neural Discrete Representation Learning,
https://arxiv.org/abs/1711.00937
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive import GatedPixelCNN
from keras_gen.core import DrawsFromCodes, NoiseDriven, PointBound
from keras_gen.latent.base import likelihood_of_entries
from keras_gen.latent.networks import halved_sizes, own_decoder
from keras_gen.layers import ResidualBlock, VectorQuantizer
from keras_gen.layers.convolution import Conv2DTranspose, convolution
from keras_gen.layers.initializers import glorot, initializer_seed
from keras_gen.networks import KerasNetwork, OwnNetwork, argument_value
from keras_gen.spaces import Levels

#: Number of examples encoded at once to fit the prior.
ROWS_AT_ONCE = 1000


class Encoder(keras.layers.Layer):
    """From scaled images to a vector at each position of the code.

    4×4 convolutions with stride 2, a 3×3 convolution, residual blocks, and a 1×1 convolution.

    Args:
        event_shape: (height, width, channels) of an image.
        code_size: entries of a vector.
        filters: channels of each convolution with stride 2.
        residual_blocks: number of residual blocks.
        residual_filters: number of features inside them.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        code_size: int,
        *,
        filters: tuple[int, ...],
        residual_blocks: int,
        residual_filters: int,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        channels = (event_shape[-1], *filters)
        self.convolutions = [
            convolution(channels[depth], channels[depth + 1], 4, 2, glorot((*seed, 0, depth)), policy)
            for depth in range(len(filters))
        ]
        self.convolutions.append(convolution(filters[-1], filters[-1], 3, 1, glorot((*seed, 0, len(filters))), policy))
        self.blocks = [
            ResidualBlock(filters[-1], residual_filters, seed=(*seed, 1, index), dtype=policy)
            for index in range(residual_blocks)
        ]
        self.output_layer = convolution(filters[-1], code_size, 1, 1, glorot((*seed, 2)), policy)
        self.built = True

    def call(self, x):
        """Takes images of shape `(batch, *event_shape)`; returns shape `(batch, rows, columns, code_size)`."""
        h = tf.cast(x, self.compute_dtype)
        for layer in self.convolutions[:-1]:
            h = tf.nn.relu(layer(h))
        h = self.convolutions[-1](h)
        for block in self.blocks:
            h = block(h)
        return self.output_layer(tf.nn.relu(h))


class Decoder(keras.layers.Layer):
    """The mirror of an `Encoder`, from vectors to the parameters of each entry of an image.

    Args:
        code_size: entries of a vector.
        event_shape: (height, width, channels) of an image.
        entry_parameters: number of parameters of each entry.
        filters: as in `Encoder`; the decoder has them in reverse.
        residual_blocks: as in `Encoder`.
        residual_filters: as in `Encoder`.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        code_size: int,
        event_shape: tuple[int, ...],
        entry_parameters: int,
        *,
        filters: tuple[int, ...],
        residual_blocks: int,
        residual_filters: int,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.event_shape = event_shape
        self.entry_parameters = entry_parameters
        self.sizes = halved_sizes(event_shape, len(filters))
        self.input_layer = convolution(code_size, filters[-1], 3, 1, glorot((*seed, 0)), policy)
        self.blocks = [
            ResidualBlock(filters[-1], residual_filters, seed=(*seed, 1, index), dtype=policy)
            for index in range(residual_blocks)
        ]
        channels = (event_shape[-1] * entry_parameters, *filters)
        self.convolutions = [
            convolution(
                channels[depth + 1],
                channels[depth],
                4,
                2,
                glorot((*seed, 2, depth)),
                policy,
                Conv2DTranspose,
            )
            for depth in reversed(range(len(filters)))
        ]
        self.built = True

    def call(self, z):
        """Takes vectors of shape `(batch, rows, columns, code_size)`; returns the parameters along the last axis."""
        h = self.input_layer(tf.cast(z, self.compute_dtype))
        for block in self.blocks:
            h = block(h)
        for layer, (height, width) in zip(self.convolutions, self.sizes[-2::-1], strict=True):
            h = layer(tf.nn.relu(h))[:, :height, :width]
        return tf.reshape(h, (-1, *self.event_shape, self.entry_parameters))


class CodeIndices(Levels):
    """Arrays of code indices, which signatures take as int32."""

    def spec(self, name):
        return tf.TensorSpec((None, *self.shape), tf.int32, name)


class VQVAE(PointBound, DrawsFromCodes, NoiseDriven):
    r"""A latent-variable model p(x|k) p(k) whose code k is a small image of whole numbers from 0 to K - 1.

    The encoder outputs a vector $z_e(x)$ at each position of the code, which is rounded to the nearest vector of the
    codebook, $z_q(x) = e_k$ with $k = \operatorname{argmin}_j \|z_e(x) - e_j\|$. The decoder sees only $z_q(x)$:

    $$L = -\log p(x|z_q(x)) + \|\operatorname{sg}[z_e(x)] - e\|^2 + β \|z_e(x) - \operatorname{sg}[e]\|^2$$

    where sg stops the gradient, and squared distances are summed over all positions. The encoder's gradient is the one
    at $z_q$, copied straight through. A "gradient" codebook learns by the second term. An "ema" codebook has no second
    term, and follows the moving average of the vectors that are rounded to it (appendix A.1).

    `fit` trains encoder, decoder and codebook, and leaves the prior p(k), a Gated PixelCNN, unchanged. `fit_prior` is
    the second stage: it fits the prior to the codes of the data. Samples are then draws from p(k), and from p(x|k).
    Since q(k|x) is a single point,

    $$\log p(x) = \log \sum_k p(k)\, p(x|k) ≥ \log p(x|z_q(x)) + \log p(k(x))$$

    Example:

    ```python
    model = keras_gen.latent.VQVAE((28, 28, 1), num_codes=64, levels=256)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(x_train, batch_size=100, epochs=20)                     # x_train holds levels from 0 to 255
    model.fit_prior(x_train, optimizer=keras.optimizers.Adam(1e-3), batch_size=100, epochs=20)
    model.encode(x_test[:16])                                         # (16, 7, 7), whole numbers
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: (height, width, channels) of an image.
        num_codes: number K of vectors in the codebook.
        levels: number of levels of an entry; None for real numbers.
        code_size: entries of a vector.
        filters: channels of each convolution of the encoder with stride 2, at least one; height and width of the code
            are those of the image, halved that many times.
        residual_blocks: number of residual blocks of the encoder, and of the decoder.
        residual_filters: number of features inside them.
        beta: weight β of the commitment of the encoder to its codes.
        codebook: "ema" or "gradient".
        decay: momentum γ of the moving averages of an "ema" codebook.
        restart_after: number of training steps after which an unused code is moved to a vector of the batch; None for
            never.
        likelihood: distribution of an entry given the code: see `VAE`.
        prior: arguments of the `GatedPixelCNN` over codes, such as `{"filters": 32, "num_layers": 8}`.
        encoder_network: a Keras layer or model in place of the encoder, from images, with levels scaled to [0, 1], to
            vectors of shape `(batch, rows, columns, code_size)`; rows and columns are those of the code.
        decoder_network: the same in place of the decoder, from such vectors to the parameters of the likelihood, as in
            `VAE`.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    code_name = "codes"

    @property
    def terms(self) -> tuple[str, ...]:
        """The loss, its parts, the perplexity of the codes and, except for real numbers, bits per dimension."""
        return ("loss", "reconstruction", "commitment", "perplexity", *self.bit_terms)

    def __init__(
        self,
        event_shape,
        num_codes: int = 64,
        levels: int | None = 2,
        *,
        code_size: int = 16,
        filters=(32, 64),
        residual_blocks: int = 2,
        residual_filters: int = 16,
        beta: float = 0.25,
        codebook: str = "ema",
        decay: float = 0.99,
        restart_after: int | None = 50,
        likelihood=None,
        prior=None,
        encoder_network: OwnNetwork | None = None,
        decoder_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        if len(self.event_shape) != 3:
            raise ValueError(f"`event_shape` must be (height, width, channels), received {self.event_shape}.")
        self.num_codes = checks.levels(num_codes, name="num_codes")
        self.code_size = checks.positive_int("code_size", code_size)
        self.filters = checks.positive_ints("filters", filters)
        if not self.filters:
            raise ValueError("`filters` must have at least one entry, received ().")
        self.residual_blocks = checks.not_negative("residual_blocks", residual_blocks, whole=True)
        self.residual_filters = checks.positive_int("residual_filters", residual_filters)
        self.beta = checks.not_negative("beta", beta)
        self.codebook = checks.choice("codebook", codebook, ("ema", "gradient"))
        self.decay = checks.rate("decay", decay)
        self.restart_after = None if restart_after is None else checks.positive_int("restart_after", restart_after)
        self.likelihood = likelihood
        self.conditional = likelihood_of_entries(likelihood, self.levels, self.standardization)
        self.prior = prior

        self.encoder_network = argument_value("encoder_network", encoder_network)
        self.decoder_network = argument_value("decoder_network", decoder_network)
        networks = {
            "filters": self.filters,
            "residual_blocks": self.residual_blocks,
            "residual_filters": self.residual_filters,
            "dtype": self.dtype_policy,
        }
        entry_parameters = self.conditional.num_parameters
        self.code_shape = halved_sizes(self.event_shape, len(self.filters))[-1]
        if encoder_network is None:
            self.encoder = Encoder(self.event_shape, self.code_size, seed=(seed, 0), **networks)
        else:
            # A custom decoder may start from any size.
            sides = self.code_shape if decoder_network is None else (None, None)
            vectors = (*sides, self.code_size)
            self.encoder = KerasNetwork("encoder_network", encoder_network, [self.event_shape], [vectors])
            self.code_shape = self.encoder.event_shape[:2]
        if decoder_network is None:
            self.decoder = Decoder(self.code_size, self.event_shape, entry_parameters, seed=(seed, 1), **networks)
        else:
            vectors = (*self.code_shape, self.code_size)
            self.decoder = own_decoder(
                decoder_network, [vectors], self.event_shape, entry_parameters, linear=self.levels is not None
            )
        self.quantizer = VectorQuantizer(
            self.num_codes,
            self.code_size,
            decay=self.decay if self.codebook == "ema" else None,
            restart_after=self.restart_after,
            seed=(seed, 2),
        )
        arguments = {} if prior is None else prior
        for name in arguments:
            checks.choice("prior", name, ("filters", "num_layers", "head_filters"))
        self.code_prior = GatedPixelCNN(
            (*self.code_shape, 1),
            self.num_codes,
            one_hot=self.num_codes > 2,
            seed=initializer_seed((seed, 3)),
            dtype=self.dtype_policy,
            **arguments,
        )
        # It is trained only in the second stage.
        self.code_prior.trainable = False

    # Codes

    @property
    def code_space(self):
        return CodeIndices(self.code_shape, self.num_codes)

    def code_of(self, x, condition):
        """Whole numbers, int32."""
        return self.quantizer.nearest(self.vectors(x))

    def mean_of(self, z, condition):
        """The mean of the likelihood."""
        return self.conditional.mean(self.parameters(self.quantizer(tf.cast(z, tf.int32))))

    def vectors(self, x: tf.Tensor) -> tf.Tensor:
        """Returns z_e(x), float32 of shape `(batch, *code_shape, code_size)`, for valid examples."""
        return tf.cast(self.encoder(self.event_space.scaled(x, 0.0, 1.0)), tf.float32)

    def parameters(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the parameters of p(x|z), float32 of shape `(batch, *event_shape, parameters of an entry)`."""
        return tf.cast(self.decoder(z), tf.float32)

    def log_likelihood(self, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """Returns log p(x|z) in nats, of shape `(batch,)`."""
        return tf.reduce_sum(self.conditional.log_prob(self.parameters(z), x), axis=(1, 2, 3))

    def log_prob_given(self, x: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        """Returns log p(x|k) in nats, of shape `(batch,)`."""
        return self.log_likelihood(x, self.quantizer(codes))

    def draw_given(self, codes: tf.Tensor, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Turns noise of the likelihood into draws from p(x|k)."""
        return self.conditional.draw(self.parameters(self.quantizer(codes)), noise)

    def call(self, x):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x)

    # Objective

    def loss_terms(self, batch, step):
        """The loss, log p(x|z_q(x)) in nats and in bits per dimension, ‖z_e - e‖², and the codes' perplexity."""
        x = batch["x"]
        z = self.vectors(x)
        codes = self.quantizer.nearest(z)
        if step.training:
            self.quantizer.learn(z, codes, step)
        return {**self.terms_of(x, z, codes), "perplexity": self.quantizer.perplexity(codes, step)}

    def terms_of(self, x: tf.Tensor, z: tf.Tensor, codes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the terms of each example, given z_e(x) and its codes."""
        e = self.quantizer(codes)
        reconstruction = self.log_likelihood(x, z + tf.stop_gradient(e - z))
        commitment = tf.reduce_sum(tf.square(z - tf.stop_gradient(e)), axis=(1, 2, 3))
        loss = self.beta * commitment - reconstruction
        if self.codebook == "gradient":
            loss += tf.reduce_sum(tf.square(tf.stop_gradient(z) - e), axis=(1, 2, 3))
        return {
            "loss": loss,
            "reconstruction": reconstruction,
            "commitment": commitment,
            **self.in_bits(-reconstruction),
        }

    # The second stage

    def fit_prior(
        self, x, *, optimizer="adam", jit_compile: bool = False, validation_data=None, **kwargs
    ) -> keras.callbacks.History:
        """Fits p(k) to the codes of examples; encoder, decoder and codebook stay unchanged.

        Args:
            x: examples of shape `(num, *event_shape)`, or a data set of batches of them.
            optimizer: optimizer of the prior.
            jit_compile: as in `compile`.
            validation_data: examples, like `x`.
            **kwargs: further arguments of `keras.Model.fit`, such as `batch_size` and `epochs`.

        Returns:
            The history, in which "nll" is the negative log mass of a code in nats.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        prior = self.new_prior()
        prior.compile(optimizer, jit_compile=jit_compile)
        if validation_data is not None:
            validation_data = self.code_images(validation_data, "validation_data")
        history = prior.fit(self.code_images(x), validation_data=validation_data, **kwargs)
        self.take_prior(prior)
        return history

    def new_prior(self) -> GatedPixelCNN:
        """Returns a copy of the prior, a separate model that can be compiled and fitted to `code_images`."""
        prior = GatedPixelCNN.from_config(self.code_prior.get_config())
        prior.trainable = True
        prior.set_weights(self.code_prior.get_weights())
        return prior

    def take_prior(self, prior: GatedPixelCNN) -> None:
        """Gives the prior the weights of a fitted copy."""
        self.code_prior.set_weights(prior.get_weights())

    def code_images(self, x, name: str = "x"):
        """Encodes examples as examples of the prior: images of one channel, whose levels are codes.

        Args:
            x: examples of shape `(num, *event_shape)`, or a data set of batches of them.
            name: what errors call them.

        Returns:
            int32 array of shape `(num, *code_shape, 1)`, or a data set of batches of that shape.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        if isinstance(x, tf.data.Dataset):
            return self.input_checks(name).checked(x).map(lambda columns: self._code_images(columns["x"]))
        x = self.validated(x, name)
        batches = (x[start : start + ROWS_AT_ONCE] for start in range(0, len(x), ROWS_AT_ONCE))
        return np.concatenate([self.compiled_code_images(batch).numpy() for batch in batches])

    @functools.cached_property
    def compiled_code_images(self):
        """`_code_images` as a graph."""
        return tf.function(self._code_images, autograph=False, reduce_retracing=True)

    @tf.autograph.experimental.do_not_convert
    def _code_images(self, x):
        return tf.expand_dims(self.encode(x), -1)

    # Bound

    def joint_log_prob(self, x, condition):
        codes = self.code_of(x, condition)
        code_images = tf.expand_dims(tf.cast(codes, tf.float32), -1)
        return self.log_prob_given(x, codes) + self.code_prior.log_prob(code_images)

    # Sampling

    def noise_distributions(self):
        """The noise that draws the code from the prior, and each entry from the likelihood."""
        return {
            "code": self.code_prior.noise_distributions()["uniform"],
            **self.conditional.noise_of(self.event_shape),
        }

    def drawn_codes(self, noise, condition):
        return tf.cast(self.code_prior.generate({"uniform": noise["code"]})[..., 0], tf.int32)

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        return self.draw_given(self.drawn_codes(noise, None), noise)
