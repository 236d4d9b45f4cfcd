"""GAN-INT-CLS: Generative Adversarial Text to Image Synthesis.

Scott Reed, Zeynep Akata, Xinchen Yan, Lajanugen Logeswaran, Bernt Schiele, Honglak Lee (2016),
https://arxiv.org/abs/1605.05396
"""

from collections.abc import Sequence

import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial.base import AdversarialModel
from keras_gen.adversarial.networks.blocks import strided_sizes
from keras_gen.adversarial.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from keras_gen.core import Step
from keras_gen.layers import BatchNormalization
from keras_gen.layers.affine import affine
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.networks.joint_embedding import JointEmbedding
from keras_gen.networks.text import ReadsText, TextEncoder
from keras_gen.spaces import ClassLabel


class CaptionGenerator(ConvolutionalGenerator):
    """The generator of DCGAN, with a compressed code of the caption appended to the noise.

    Args:
        latent_size: length of the noise.
        event_shape: height, width and channels of an image.
        condition_size: length of the caption's code.
        text_units: length that the code is compressed to, by a dense layer with LeakyReLU of slope 0.2.
        filters: as in `ConvolutionalGenerator`.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, latent_size: int, event_shape, condition_size: int, *, text_units: int, filters, seed, **kwargs):
        super().__init__(latent_size, event_shape, text_units, filters=filters, seed=seed, **kwargs)
        # Glorot's weights, so that compressed codes have as much weight as the noise from the start.
        self.text_layer = dense(condition_size, text_units, glorot((*seed, 100)), self.dtype_policy)

    def call(self, z, condition=None, *, step=None):
        text = self.text_layer(tf.cast(condition, self.compute_dtype))
        return super().call(z, tf.nn.leaky_relu(text, 0.2), step=step)


class CaptionDiscriminator(ConvolutionalDiscriminator):
    """The discriminator of DCGAN, which sees the caption after the image has become small.

    The compressed code is repeated at each position of the image, and a 1×1 convolution mixes it with the features of
    the image.

    Args:
        event_shape: height, width and channels of an image.
        condition_size: length of the caption's code.
        text_units: length that the code is compressed to.
        filters: as in `ConvolutionalDiscriminator`.
        batch_norm: whether all convolutions except the first have batch normalization.
        spectral_norm: whether all layers have spectral normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self, event_shape, condition_size: int, *, text_units: int, filters, batch_norm, spectral_norm, seed, **kwargs
    ):
        norms = {"batch_norm": batch_norm, "spectral_norm": spectral_norm}
        super().__init__(event_shape, 0, filters=filters, seed=seed, **norms, **kwargs)
        filters, sizes = strided_sizes(event_shape, filters)
        self.smallest = (*sizes[-1], filters[-1])

        def layer(number, *kernel_shape, **options):
            own_seed = (*seed, 100 + number)
            return affine(kernel_shape, glorot(own_seed), self.dtype_policy, spectral_norm, own_seed, **options)

        self.text_layer = layer(0, condition_size, text_units)
        self.mixing = layer(1, 1, 1, filters[-1] + text_units, filters[-1], use_bias=not batch_norm)
        self.mixing_norm = None
        if batch_norm:
            self.mixing_norm = BatchNormalization((None, None, None, filters[-1]), dtype=self.dtype_policy)

    def extract(self, x, condition, *, step):
        h = tf.reshape(super().extract(x, None, step=step), (-1, *self.smallest))
        text = tf.nn.leaky_relu(self.text_layer(tf.cast(condition, h.dtype), step=step), 0.2)
        planes = tf.tile(text[:, tf.newaxis, tf.newaxis], (1, *self.smallest[:2], 1))
        h = self.mixing(tf.concat([h, planes], axis=-1), step=step)
        h = h if self.mixing_norm is None else self.mixing_norm(h, step=step)
        return tf.reshape(tf.nn.leaky_relu(h, 0.2), (-1, self.num_features))


class TextToImageGAN(ReadsText, AdversarialModel):
    r"""A generator that draws what a caption describes, against a discriminator that also rejects mismatches.

    With an image x, its caption t, a caption t' of an image of another class, and codes φ of captions:

    $$L_D = -\log D(x, φ(t)) - \tfrac{1}{2} \log(1 - D(x, φ(t'))) - \tfrac{1}{2} \log(1 - D(G(z, φ(t)), φ(t)))$$
    $$L_G = -\log D(G(z, φ(t)), φ(t)) - λ \log D(G(z, φ_β), φ_β), \qquad φ_β = β φ(t) + (1 - β) φ(t_2)$$

    where t_2 is the caption of any other image of the batch, and φ_β a code between two captions, for which there is no
    image. The class is the column "label" of a batch. Without classes, t' is any caption with other words, which may
    nevertheless be true of x. If the batch contains no t', the generated image counts twice.

    φ is a `TextEncoder` with fixed weights: `take_text_encoder` takes those of a `JointEmbedding`, which has learned
    them together with an encoder of images. z is normal, and both players are those of DCGAN.

    Captions are strings, in any case and with any punctuation. All words that are not in the vocabulary are the same
    unknown word; only the first `num_tokens` words of a caption are used; an empty caption has its own code.

    Example:

    ```python
    splits = keras_gen.data.captioned(keras_gen.data.load("mnist", labels=True, batch_size=64))
    words = keras_gen.networks.vocabulary(splits.array("train", "condition"))
    joint = keras_gen.networks.JointEmbedding((28, 28, 1), words)
    joint.compile()
    joint.fit(splits.without_labels().train, epochs=1)

    model = keras_gen.adversarial.TextToImageGAN((28, 28, 1), words=words, num_classes=10)
    model.take_text_encoder(joint)
    model.compile()                                        # the paper's Adam for both players
    model.fit(splits.train, epochs=10)
    model.sample(2, condition=["a thick three", "a small 7 leaning left"], seed=0)
    ```

    Args:
        event_shape: height, width and channels of an image.
        levels: number of levels of a channel, scaled internally to [-1, 1].
        words: known words, in lower case, as `networks.vocabulary` returns them.
        num_tokens: number of words of a caption, from its start, that are used.
        num_classes: number of classes in the column "label"; None for no such column.
        code_size: length of φ.
        text_features: length of the word vectors.
        text_units: length that each player compresses a code to.
        latent_size: length of z.
        latent_distribution: as in `AdversarialModel`.
        filters: channels of the strided layers, as in `DCGAN`.
        interpolation_weight: λ; 0 for no codes between captions.
        interpolation: β.
        discriminator_batch_norm: whether the discriminator has batch normalization, as in the paper.
        spectral_norm: whether it has spectral normalization, as in `SNGAN`.
        **kwargs: as in `AdversarialModel`, except the conditions; `generator_network` and `discriminator_network` may
            be Keras layers or models, whose second input is φ.
    """

    usage = 'model.sample(1, condition=["a caption"], seed=0)'

    def __init__(
        self,
        event_shape,
        levels: int = 256,
        *,
        words: Sequence[str] = (),
        num_tokens: int = 24,
        num_classes: int | None = None,
        code_size: int = 64,
        text_features: int = 64,
        text_units: int = 128,
        latent_size: int = 100,
        latent_distribution: str = "normal",
        filters=None,
        interpolation_weight: float = 1.0,
        interpolation: float = 0.5,
        discriminator_batch_norm: bool = True,
        spectral_norm: bool = False,
        **kwargs,
    ):
        self.words = tuple(words)
        self.num_tokens = num_tokens
        self.code_size = checks.positive_int("code_size", code_size)
        self.text_features = checks.positive_int("text_features", text_features)
        self.text_units = checks.positive_int("text_units", text_units)
        self.filters = None if filters is None else checks.positive_ints("filters", filters)
        self.interpolation_weight = checks.not_negative("interpolation_weight", interpolation_weight)
        self.interpolation = checks.share("interpolation", interpolation)
        self.discriminator_batch_norm = discriminator_batch_norm
        self.spectral_norm = spectral_norm
        super().__init__(
            event_shape,
            checks.levels(levels),
            latent_size=latent_size,
            latent_distribution=latent_distribution,
            **kwargs,
        )
        self.num_classes = None if num_classes is None else checks.positive_int("num_classes", num_classes)

    @property
    def terms(self):
        """Adds the discriminator's mean prediction for images with a caption of another class."""
        return (*super().terms, f"mismatched_{self.player_losses.prediction_name}")

    @property
    def spaces(self):
        label = {} if self.num_classes is None else {"label": ClassLabel(self.num_classes)}
        return {**super().spaces, **label}

    # Networks

    @property
    def vector_size(self):
        return self.code_size

    def build_networks(self):
        """Also builds the caption encoder."""
        self.read_text(self.words, self.num_tokens)
        super().build_networks()
        self.text_encoder = TextEncoder(
            self.tokenizer.size,
            self.code_size,
            features=self.text_features,
            seed=(self.seed, 2),
            dtype=self.dtype_policy,
            name="text_encoder",
        )
        self.text_encoder.trainable = False

    def build_generator(self, name):
        if self.is_own("generator_network"):
            return super().build_generator(name)
        return CaptionGenerator(self.latent_size, self.event_shape, self.code_size, **self.network_options(name, 0))

    def build_discriminator(self, name):
        if self.is_own("discriminator_network"):
            return super().build_discriminator(name)
        norms = {"batch_norm": self.discriminator_batch_norm, "spectral_norm": self.spectral_norm}
        return CaptionDiscriminator(self.event_shape, self.code_size, **norms, **self.network_options(name, 1))

    def network_options(self, name: str, player: int) -> dict:
        """Returns the arguments with which both players are built, by name."""
        options = {"text_units": self.text_units, "filters": self.filters}
        return {**options, "seed": (self.seed, player), "dtype": self.dtype_policy, "name": name}

    def take_text_encoder(self, joint: JointEmbedding) -> None:
        """Takes the weights of the caption encoder of a joint embedding.

        Args:
            joint: an embedding with the same words and sizes.

        Raises:
            ValueError: if its words or sizes differ.
        """
        for name in ("words", "num_tokens", "code_size", "text_features"):
            ours, theirs = getattr(self, name), getattr(joint, name)
            if ours != theirs:
                raise ValueError(f"`joint` must have the same {name}, {ours!r}; received {theirs!r}.")
        self.text_encoder.set_weights(joint.text_encoder.get_weights())

    def condition_vectors(self, condition):
        """Returns the codes of captions, given as strings or token ids; codes are returned unchanged.

        No gradient flows into the encoder, which neither player trains.
        """
        if condition is None or condition.dtype.is_floating:
            return condition
        return tf.stop_gradient(self.text_encoder(self.tokens(condition)))

    # Objective

    def false_logits(self, batch, fake, step):
        """Adds images from the data with captions of another class, whose pass does not enter moving statistics."""
        tokens, step = self.tokens(batch["condition"]), step.fold(2).silent()
        if self.num_classes is None:
            differs = tf.reduce_any(tf.not_equal(tokens[:, tf.newaxis], step.gather(tokens)[tf.newaxis]), axis=-1)
        else:
            differs = tf.not_equal(batch["label"][:, tf.newaxis], step.gather(batch["label"])[tf.newaxis])
        logits = self.logits(batch["x"], others(self.condition_vectors(tokens), differs, step), step)
        return {"fake": fake, "mismatched": tf.where(tf.reduce_any(differs, axis=-1), logits, fake)}

    def generator_terms(self, batch, fakes, step):
        """Adds images for codes between two captions, whose pass does not enter moving statistics."""
        terms = super().generator_terms(batch, fakes, step)
        if self.interpolation_weight == 0.0:
            return terms
        choice, noise, between = step.fold(2).silent().split(3)
        codes = self.condition_vectors(batch["condition"])
        num = tf.shape(codes)[0]
        is_own = tf.one_hot(step.rows(tf.range, num), step.total(num), on_value=True, off_value=False)
        codes = self.interpolation * codes + (1.0 - self.interpolation) * others(codes, ~is_own, choice)
        x = self.unrounded(noise.rows(lambda rows: self.noise(rows, noise.seed), num), codes, between)
        loss = self.player_losses.generator(self.logits(x, codes, between))
        return {**terms, "generator_loss": terms["generator_loss"] + self.interpolation_weight * loss}

    # Pictures

    def preview(self, batch, *, seed):
        """Images from the data, and below each a generated one for its caption."""
        condition = batch["condition"]
        samples = self.sample(len(condition), condition=condition, seed=seed)
        return {"example": (self.event_space, batch["x"]), "of its caption": (self.event_space, samples)}


def others(codes: tf.Tensor, wanted: tf.Tensor, step: Step) -> tf.Tensor:
    """Returns, for each row, the code of a row of the global batch, chosen at random.

    Args:
        codes: codes of this replica's rows, of shape `(batch, code_size)`.
        wanted: which rows may be chosen, of shape `(batch, global batch)`; if there are none, the first row is chosen.
        step: the step, for its randomness.
    """
    order = tf.where(wanted, step.uniform(tf.unstack(tf.shape(wanted))), -1.0)
    return tf.gather(step.gather(codes), tf.argmax(order, axis=-1))
