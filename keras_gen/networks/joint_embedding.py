"""Codes of images and of captions that are close to each other if the caption describes the image.

Scott Reed, Zeynep Akata, Bernt Schiele, Honglak Lee (2016), Learning deep representations of fine-grained visual
descriptions, https://arxiv.org/abs/1605.05395, learned such codes, on which text-to-image networks build. Instead of
their hinge loss, the other images and captions of a batch serve as mismatches in a symmetric cross-entropy, as in Alec
Radford et al. (2021), Learning transferable visual models from natural language supervision,
https://arxiv.org/abs/2103.00020.
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.core import EventModel, Signature
from keras_gen.layers.convolution import Conv2D
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot, initializer_seed
from keras_gen.networks.text import ReadsText, TextEncoder

#: The largest factor that cosines are multiplied by.
MOST_SCALE = 100.0


class JointEmbedding(ReadsText, EventModel):
    r"""An encoder of images v and one of captions t, whose cosine s measures how well the two match.

    $$s(v, t) = \frac{f(v) ⋅ φ(t)}{‖f(v)‖ \, ‖φ(t)‖}, \qquad
    L_i = -\frac{1}{2} \log \frac{e^{a s(v_i, t_i)}}{\sum_j e^{a s(v_i, t_j)}}
    - \frac{1}{2} \log \frac{e^{a s(v_i, t_i)}}{\sum_j e^{a s(v_j, t_i)}}$$

    The sums are over the global batch, except other images with the same caption. The factor a is learned. f consists
    of 5×5 convolutions with stride 2, φ is a `TextEncoder`.

    Example:

    ```python
    words = keras_gen.networks.vocabulary(splits.array("train", "condition"))
    model = keras_gen.networks.JointEmbedding((28, 28, 1), words)
    model.compile()
    model.fit(splits.without_labels().train, epochs=1)     # logs "accuracy", of the right caption in the batch
    model.similarity(images, ["a thick three", "a small 7"])
    ```

    Args:
        event_shape: height, width and channels of an image.
        words: known words, in lower case.
        levels: number of levels of a channel, which the network sees as numbers from 0 to 1; None for real numbers.
        num_tokens: number of words of a caption, from its start, that are used.
        code_size: length of both codes.
        text_features: length of the word vectors.
        filters: channels of each convolution.
        seed: as in `EventModel`; also chooses the initial weights.
        **kwargs: as in `EventModel`.
    """

    terms = ("loss", "accuracy")
    takes_sample_weight = False
    usage = 'x = model.event_space.examples(1)    # or your own\nmodel.similarity(x, ["a caption"])'

    def __init__(
        self,
        event_shape,
        words: Sequence[str] = (),
        levels: int | None = 256,
        *,
        num_tokens: int = 24,
        code_size: int = 64,
        text_features: int = 64,
        filters=(16, 32),
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        if len(self.event_shape) != 3:
            raise ValueError(f"`event_shape` must be (height, width, channels), received {self.event_shape}.")
        self.read_text(words, num_tokens)
        self.code_size = checks.positive_int("code_size", code_size)
        self.text_features = checks.positive_int("text_features", text_features)
        self.filters = checks.positive_ints("filters", filters)
        policy = self.dtype_policy
        self.image_layers = keras.Sequential([keras.Input(self.event_shape)], name="image_layers")
        for layer, channels in enumerate(self.filters):
            initializer = keras.initializers.HeNormal(initializer_seed((self.seed, 0, layer)))
            options = {"activation": "relu", "kernel_initializer": initializer, "dtype": policy}
            self.image_layers.add(Conv2D(channels, 5, 2, "same", **options))
        self.image_layers.add(keras.layers.Flatten(dtype=policy))
        features = self.image_layers.output_shape[-1]
        self.image_output = dense(features, self.code_size, glorot((self.seed, 0, len(self.filters))), policy)
        self.text_encoder = TextEncoder(
            self.tokenizer.size,
            self.code_size,
            features=self.text_features,
            seed=(self.seed, 1),
            dtype=policy,
            name="text_encoder",
        )
        self.log_scale = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(math.log(10.0)), dtype="float32", name="log_scale"
        )

    def image_codes(self, x: tf.Tensor) -> tf.Tensor:
        """Returns f of float32 images, of length 1, float32 of shape `(batch, code_size)`."""
        h = self.image_layers(tf.cast(self.event_space.scaled(x, 0.0, 1.0), self.compute_dtype))
        return tf.math.l2_normalize(tf.cast(self.image_output(h), tf.float32), axis=-1)

    def text_codes(self, condition: tf.Tensor) -> tf.Tensor:
        """Returns φ of valid captions, of length 1, float32 of shape `(batch, code_size)`."""
        return self.text_encoder(self.tokens(condition)) / self.code_size**0.5

    def similarity(self, x, condition) -> tf.Tensor:
        """Returns how well captions match images, one to one.

        Args:
            x: images of shape `(batch, *event_shape)`.
            condition: the same number of captions, or their token ids.

        Returns:
            The cosine s, float32 of shape `(batch,)`.

        Raises:
            TypeError: if captions are neither strings nor whole numbers.
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        x, condition = self.validated_pair(x, condition)
        return tf.reduce_sum(self.image_codes(x) * self.text_codes(condition), axis=-1)

    def call(self, x, condition):
        """The cosine of images and captions."""
        return self.similarity(x, condition)

    def loss_terms(self, batch, step):
        """The symmetric cross-entropy, in nats, and whether the right caption is the nearest one."""
        tokens = self.tokens(batch["condition"])
        images, texts = self.image_codes(batch["x"]), self.text_codes(tokens)
        scale = tf.minimum(tf.exp(self.log_scale.value), MOST_SCALE)
        every_token = step.gather(tokens)
        own = step.rows(tf.range, tf.shape(tokens)[0])
        is_own = tf.one_hot(own, tf.shape(every_token)[0], on_value=True, off_value=False)
        # The same caption of another image is not a mismatch.
        same = tf.reduce_all(tf.equal(tokens[:, tf.newaxis], every_token[tf.newaxis]), axis=-1)
        left_out = same & ~is_own

        def cross_entropy(ours, theirs):
            logits = scale * tf.matmul(ours, step.gather(theirs), transpose_b=True)
            logits = tf.where(left_out, -math.inf, logits)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(own, logits), logits

        of_images, logits = cross_entropy(images, texts)
        of_texts, _ = cross_entropy(texts, images)
        correct = tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), own), tf.float32)
        return {"loss": (of_images + of_texts) / 2.0, "accuracy": correct}

    def preview(self, batch, *, seed):
        """Images, and below each the image that best matches its caption."""
        images, texts = self.image_codes(batch["x"]), self.text_codes(batch["condition"])
        nearest = tf.argmax(tf.matmul(texts, images, transpose_b=True), axis=-1)
        return {
            "example": (self.event_space, batch["x"]),
            "nearest to its caption": (self.event_space, tf.gather(batch["x"], nearest)),
        }

    def signatures(self):
        """Returns `similarity`."""

        def similarity(x, condition):
            return {"similarity": self.similarity(x, condition)}

        return {"similarity": self.taking_tokens(Signature(similarity, self.specs("x", "condition")))}
