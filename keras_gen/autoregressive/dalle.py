"""DALL-E: a transformer over the words of a caption and the codes of an image.

Aditya Ramesh, Mikhail Pavlov, Gabriel Goh, Scott Gray, Chelsea Voss, Alec Radford, Mark Chen, Ilya Sutskever (2021),
Zero-Shot Text-to-Image Generation, https://arxiv.org/abs/2102.12092

Guidance by the model's predictions without a caption is from Jonathan Ho, Tim Salimans (2022), Classifier-Free
Diffusion Guidance, https://arxiv.org/abs/2207.12598
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.core import Codes, Model, NoiseDriven, PointBound, Signature, Step, saving
from keras_gen.distributions.entries import Categorical
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot, normal
from keras_gen.networks.text import PADDING, ReadsText
from keras_gen.networks.transformer import normalization, transformer_blocks
from keras_gen.spaces import Levels


class CodesGivenText(ReadsText, AutoregressiveModel):
    r"""The second stage of DALL-E: the mass of an image's codes given a caption, and of the caption itself.

    $$p(t, k) = \prod_i p(t_i | t_{<i}) \prod_j p(k_j | t, k_{<j})$$

    The transformer sees a start token, the T tokens of the text, a token for the start of the image, and codes row by
    row. No position sees padding. Words and codes have separate heads, equivalent to a softmax over both vocabularies
    in which the logits of the other one are masked. A text ends with its first padding; what follows is not counted, so
    that the masses of all texts sum to 1.

    Args:
        event_shape: (rows, columns, 1) of the codes of an image.
        words: known words, in lower case.
        levels: number of different codes.
        num_tokens: number T of words of a caption, from its start, that are used.
        num_layers: number of residual blocks.
        width: number of features, a multiple of `num_heads`.
        num_heads: number of heads of each attention.
        feedforward_units: number of units between the two dense layers of a block; None for four times `width`.
        dropout: fraction of a block's output that a training step sets to zero.
        caption_dropout: fraction of the images of a training step that are predicted without their captions.
        text_weight: weight of the mean over the words in the loss; codes have the remaining weight.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    terms = ("loss", "nll", "bits_per_dim", "text_nll")

    def __init__(
        self,
        event_shape,
        words: Sequence[str] = (),
        levels: int = 2,
        *,
        num_tokens: int = 24,
        num_layers: int = 4,
        width: int = 64,
        num_heads: int = 4,
        feedforward_units: int | None = None,
        dropout: float = 0.0,
        caption_dropout: float = 0.1,
        text_weight: float = 0.125,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=checks.levels(levels), seed=seed, **kwargs)
        if len(self.event_shape) != 3 or self.event_shape[-1] != 1:
            raise ValueError(f"`event_shape` must be (rows, columns, 1), received {self.event_shape}.")
        self.read_text(words, num_tokens)
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.num_heads = checks.positive_int("num_heads", num_heads)
        self.width = checks.positive_int("width", width)
        self.feedforward_units = feedforward_units
        self.dropout = checks.rate("dropout", dropout)
        self.caption_dropout = checks.rate("caption_dropout", caption_dropout)
        self.text_weight = checks.rate("text_weight", text_weight)
        self.conditional = Categorical(self.levels)
        self.word_conditional = Categorical(self.tokenizer.size)
        # The start, all words, and the start of the image.
        self.prefix_length = self.num_tokens + 2

        rows, columns, _ = self.event_shape
        self.start_embedding = self.embedding("start_embedding", 2, 0)
        self.word_embedding = self.embedding("word_embedding", self.tokenizer.size, 1)
        self.word_position_embedding = self.embedding("word_position_embedding", self.num_tokens, 2)
        self.code_embedding = self.embedding("code_embedding", self.levels, 3)
        self.row_embedding = self.embedding("row_embedding", rows, 4)
        self.column_embedding = self.embedding("column_embedding", columns, 5)
        policy = self.dtype_policy
        self.blocks = transformer_blocks(
            self.num_layers, width, num_heads, feedforward_units, seed=(seed, 6), dtype=policy
        )
        self.norm = normalization(width, policy)
        self.word_head = dense(width, self.word_conditional.num_parameters, glorot((seed, 7)), policy)
        self.code_head = dense(width, self.conditional.num_parameters, glorot((seed, 8)), policy)

    def embedding(self, name: str, num: int, index: int):
        """Returns a weight that holds `num` vectors."""
        return self.add_weight(name=name, shape=(num, self.width), initializer=normal(0.1, (self.seed, index)))

    def vectors(self, weight, indices) -> tf.Tensor:
        """Returns vectors of an `embedding`, in the networks' dtype."""
        return tf.cast(tf.gather(tf.convert_to_tensor(weight), indices), self.compute_dtype)

    def code_vectors(self, x: tf.Tensor, steps) -> tf.Tensor:
        """Returns the features of codes at given indices in the order."""
        columns = self.event_shape[1]
        places = self.vectors(self.row_embedding, steps // columns) + self.vectors(
            self.column_embedding, steps % columns
        )
        return self.vectors(self.code_embedding, tf.cast(x, tf.int32)) + places

    def prefix_vectors(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the features of the start, the words and the start of the image, `(batch, prefix, width)`."""
        words = self.vectors(self.word_embedding, tokens)
        words += tf.cast(self.word_position_embedding, self.compute_dtype)
        starts = tf.cast(self.start_embedding, self.compute_dtype)
        start, start_of_image = (
            tf.broadcast_to(vector, (tf.shape(tokens)[0], 1, self.width)) for vector in tf.unstack(starts)
        )
        return tf.concat([start, words, start_of_image], axis=1)

    def keys_seen(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns whether each position of the prefix is not padding, bools of shape `(batch, prefix)`."""
        starts = tf.ones((tf.shape(tokens)[0], 1), bool)
        return tf.concat([starts, tokens != PADDING, starts], axis=1)

    # Primitives

    def logits(self, tokens: tf.Tensor, x: tf.Tensor, step: Step | None = None, *, given_text: tf.Tensor | None = None):
        """Computes the logits of all words and of all codes, in one pass.

        Args:
            tokens: token ids of shape `(batch, num_tokens)`.
            x: codes of shape `(batch, *event_shape)`.
            step: as in `parameters`.
            given_text: bools of shape `(batch,)`, whether codes are predicted given the text; None for all.

        Returns:
            Two float32 tensors, of shapes `(batch, num_tokens, number of ids)` and `(batch, codes, levels)`.
        """
        x = tf.reshape(x, (-1, self.event_size))
        steps = np.arange(self.event_size - 1)
        h = tf.concat([self.prefix_vectors(tokens), self.code_vectors(x[:, :-1], steps)], axis=1)
        seen = tf.pad(self.keys_seen(tokens), [[0, 0], [0, len(steps)]], constant_values=True)[:, tf.newaxis]
        if given_text is not None:
            place = np.arange(self.prefix_length + len(steps))
            is_word = (place > 0) & (place < self.prefix_length - 1)
            of_image = place >= self.prefix_length - 1
            seen &= given_text[:, tf.newaxis, tf.newaxis] | ~(of_image[:, np.newaxis] & is_word)
        else:
            seen = tf.broadcast_to(seen, tf.stack([tf.shape(h)[0], h.shape[1], h.shape[1]]))
        drop = self.make_dropout(self.dropout, step)
        for block in self.blocks:
            h = block(h, seen, drop=drop)
        h = self.norm(h)
        # The start and all words except the last one predict words.
        words, codes = self.word_head(h[:, : self.num_tokens]), self.code_head(h[:, self.prefix_length - 1 :])
        return tf.cast(words, tf.float32), tf.cast(codes, tf.float32)

    def parameters(self, x, condition=None, *, step=None):
        return self.logits(self.tokens(condition), x, step)[1]

    def start(self, batch_size, condition=None):
        """Returns the keys and values of each layer after the prefix, and the features of the next position."""
        tokens = self.tokens(condition)
        h, seen = self.prefix_vectors(tokens), self.keys_seen(tokens)
        positions = self.prefix_length + self.event_size - 1
        queries_seen = tf.broadcast_to(
            seen[:, tf.newaxis], tf.stack([tf.shape(h)[0], self.prefix_length, self.prefix_length])
        )
        layers = []
        for block in self.blocks:
            cache, h = block.begin(positions, h, queries_seen)
            layers.append(cache)
        room = [[0, positions - self.prefix_length], [0, 0]]
        seen = tf.pad(tf.transpose(seen), room, constant_values=True)
        return {"layers": layers, "features": h[:, -1], "seen": seen}

    def parameters_at(self, state, step):
        logits = tf.cast(self.code_head(self.norm(state["features"])), tf.float32)
        if "guidance" not in state:
            return logits
        with_text, without_text = tf.split(logits, 2)
        return without_text + state["guidance"] * (with_text - without_text)

    def observe(self, state, step, x):
        if "guidance" in state:
            x = tf.tile(x, (2,))
        # After the last code there is no next position: the last position is computed once more, and not read.
        place = tf.minimum(self.prefix_length + step, self.prefix_length + self.event_size - 2)
        h = self.code_vectors(x, step)
        layers = []
        for block, cache in zip(self.blocks, state["layers"], strict=True):
            cache, h = block.advance(cache, place, h, state["seen"])
            layers.append(cache)
        return {**state, "layers": layers, "features": h}

    # Objective

    def loss_terms(self, batch, step):
        """The weighted mean over words and codes, and the negative log masses of the codes and of the text, in nats."""
        tokens = self.tokens(batch["condition"])
        given_text = None
        if step.training and self.caption_dropout:
            step, own = step.split(2)
            given_text = own.uniform((tf.shape(tokens)[0],)) >= self.caption_dropout
        words, codes = self.logits(tokens, batch["x"], step if step.training else None, given_text=given_text)
        positions = tf.reshape(batch["x"], (-1, self.event_size))
        nll = -tf.reduce_sum(self.conditional.log_prob(codes, positions), axis=-1)
        text_nll, num_words = self.text_terms(words, tokens)
        loss = self.text_weight * text_nll / num_words + (1.0 - self.text_weight) * nll / self.event_size
        return {"loss": loss, **self.likelihood_terms(nll), "text_nll": text_nll}

    def text_terms(self, logits: tf.Tensor, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the negative log mass of texts in nats, and the number of tokens of each, including its end."""
        counted = tf.pad(tf.cast(tokens[:, :-1] != PADDING, tf.float32), [[0, 0], [1, 0]], constant_values=1.0)
        log_probs = self.word_conditional.log_prob(logits, tf.cast(tokens, tf.float32))
        return -tf.reduce_sum(counted * log_probs, axis=-1), tf.reduce_sum(counted, axis=-1)

    # Likelihoods

    def text_log_prob(self, condition) -> tf.Tensor:
        """Computes the exact log mass of captions, as token ids.

        Args:
            condition: captions, or their token ids.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.
        """
        tokens = self.tokens(self.validated_condition(condition))
        words, _ = self.logits(tokens, tf.zeros((tf.shape(tokens)[0], *self.event_shape)))
        return -self.text_terms(words, tokens)[0]

    def similarity(self, x, condition) -> tf.Tensor:
        r"""Returns how much a caption tells about codes, $\log p(k|t) - \log p(k)$, equal to $\log p(t|k) - \log p(t)$.

        It is meaningful only if captions were dropped in training: p(k) is the model's mass without a caption.

        Args:
            x: codes of shape `(batch, *event_shape)`.
            condition: the same number of captions, or their token ids.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.
        """
        tokens = self.tokens(self.validated_condition(condition))
        return self.log_prob(x, tokens) - self.log_prob(x, tf.zeros_like(tokens))

    # Sampling

    def sampling_options(self):
        """How far logits move from those without a caption: 0 ignores captions, 1 is the model, more exaggerates."""
        return {"guidance": 1.0}

    def draw(self, num_samples, condition, seed, *, guidance):
        return self.draw_guided(self.noise(num_samples, seed), condition, guidance)

    def draw_guided(self, noise, condition: tf.Tensor, guidance: tf.Tensor) -> tf.Tensor:
        """Turns noise into codes, with guidance; if it differs from 1, there is a second pass without captions."""
        tokens = self.tokens(condition)

        def guided():
            both = tf.concat([tokens, tf.zeros_like(tokens)], axis=0)
            state = {**self.start(tf.shape(both)[0], both), "guidance": guidance}
            return self.draw_positions(noise, state=state)

        return tf.cond(tf.equal(guidance, 1.0), lambda: self.draw_positions(noise, tokens), guided)

    def signatures(self):
        """Adds `text_log_prob`."""

        def text_log_prob(tokens):
            return {"text_log_prob": self.text_log_prob(tokens)}

        inputs = {"tokens": self.token_space.spec("tokens")}
        return {**super().signatures(), "text_log_prob": Signature(text_log_prob, inputs)}


class DALLE(ReadsText, PointBound, Codes, NoiseDriven):
    r"""Images given captions, p(x|k) p(k|t): an autoencoder's codes k, and a transformer over words t and codes.

    The first stage is an autoencoder whose codes are whole numbers, such as a `VQVAE`, trained beforehand and kept
    fixed. The second stage, which `fit` trains, maximises $\log p(t, k(x)) = \log p(t) + \log p(k(x)|t)$, with a weight
    α for the mean over the words of a text and 1 - α for the mean over the N codes of an image:

    $$L = -\frac{α}{|t|} \sum_i \log p(t_i | t_{<i}) - \frac{1 - α}{N} \sum_j \log p(k_j | t, k_{<j})$$

    The mass of the codes given the text is exact. Since the code of an image is a single point,

    $$\log p(x|t) ≥ \log p(x|k(x)) + \log p(k(x)|t)$$

    In each step, some images are predicted without their captions. With guidance g, codes are drawn from the logits
    $l_∅ + g (l_t - l_∅)$ of passes with and without the caption.

    Example:

    ```python
    autoencoder = keras_gen.latent.VQVAE((28, 28, 1), num_codes=64, levels=256)
    autoencoder.compile()
    autoencoder.fit(images, batch_size=100, epochs=3)
    model = keras_gen.autoregressive.DALLE(autoencoder, words=keras_gen.networks.vocabulary(captions))
    model.compile()
    model.fit(images, captions, batch_size=100, epochs=5)
    codes = model.sample_codes(["a thin three", "a large eight"], guidance=2.0, seed=0)
    model.decode(codes)                                              # (2, 28, 28, 1)
    ```

    Args:
        autoencoder: a model whose codes are images of whole numbers; a copy of it is kept. Or its description, as the
            configuration holds it.
        words: known words, in lower case, as `networks.vocabulary` returns them.
        num_tokens: number of words of a caption, from its start, that are used.
        num_layers: number of residual blocks of the transformer.
        width: number of its features, a multiple of `num_heads`.
        num_heads: number of heads of each attention.
        feedforward_units: number of units between the two dense layers of a block; None for four times `width`.
        dropout: fraction of a block's output that a training step sets to zero.
        caption_dropout: fraction of the images of a training step that are predicted without their captions.
        text_weight: weight α.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    code_name = "codes"
    codes_take_condition = False
    terms = ("loss", "code_nll", "bits_per_code", "text_nll")
    usage = 'model.decode(model.sample_codes(["a caption"], seed=0))'

    has_unit = False

    def __init__(
        self,
        autoencoder: Model | dict,
        words: Sequence[str] = (),
        *,
        num_tokens: int = 24,
        num_layers: int = 4,
        width: int = 64,
        num_heads: int = 4,
        feedforward_units: int | None = None,
        dropout: float = 0.0,
        caption_dropout: float = 0.1,
        text_weight: float = 0.125,
        seed: int = 0,
        **kwargs,
    ):
        if not isinstance(autoencoder, (Model, dict)):
            raise TypeError(f"`autoencoder` must be a model of keras_gen, such as VQVAE, received {autoencoder!r}.")
        description = saving.described(autoencoder) if isinstance(autoencoder, Model) else dict(autoencoder)
        image_model = saving.from_description(description)
        if not (isinstance(image_model, Codes) and isinstance(image_model.code_space, Levels)):
            name = type(image_model).__name__
            raise ValueError(f"`autoencoder` must have whole numbers as its code, as VQVAE has; received {name}.")
        super().__init__(image_model.event_shape, levels=image_model.levels, seed=seed, **kwargs)
        if isinstance(autoencoder, Model):
            image_model.set_weights(autoencoder.get_weights())
        image_model.trainable = False
        self.autoencoder = description
        self.image_model = image_model
        self.read_text(words, num_tokens)
        self.num_layers = num_layers
        self.width = width
        self.num_heads = num_heads
        self.feedforward_units = feedforward_units
        self.dropout = dropout
        self.caption_dropout = caption_dropout
        self.text_weight = text_weight
        self.transformer = CodesGivenText(
            (*image_model.code_space.shape, 1),
            self.words,
            image_model.code_space.num_levels,
            num_tokens=num_tokens,
            num_layers=num_layers,
            width=width,
            num_heads=num_heads,
            feedforward_units=feedforward_units,
            dropout=dropout,
            caption_dropout=caption_dropout,
            text_weight=text_weight,
            seed=seed,
            dtype=self.dtype_policy,
            name="transformer",
        )

    @property
    def event_space(self):
        return self.image_model.event_space

    # Codes

    @property
    def code_space(self):
        return self.image_model.code_space

    def code_of(self, x, condition):
        """Whole numbers, int32, whatever the caption."""
        return self.image_model.code_of(x, None)

    def mean_of(self, z, condition):
        """The mean of the likelihood."""
        return self.image_model.mean_of(z, None)

    def call(self, x):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x)

    # Objective

    def loss_terms(self, batch, step):
        """The loss, the negative log mass of codes in nats and in bits per code, and that of the text in nats."""
        codes = tf.stop_gradient(self.code_of(batch["x"], None))
        terms = self.transformer.loss_terms({**batch, "x": code_images(codes)}, step)
        return {
            "loss": terms["loss"],
            "code_nll": terms["nll"],
            "bits_per_code": terms["bits_per_dim"],
            "text_nll": terms["text_nll"],
        }

    # Likelihoods

    def joint_log_prob(self, x, condition):
        codes = self.code_of(x, None)
        return self.image_model.log_prob_given(x, codes) + self.transformer.log_prob(code_images(codes), condition)

    def code_log_prob(self, codes, condition) -> tf.Tensor:
        """Computes the exact log mass of codes given captions.

        Args:
            codes: whole numbers of shape `(batch, *code_space.shape)`.
            condition: the same number of captions, or their token ids.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.
        """
        codes = self.code_space.validate(codes, "codes")
        return self.transformer.log_prob(code_images(codes), self.validated_condition(condition))

    def similarity(self, x, condition) -> tf.Tensor:
        r"""Returns how much captions tell about the codes of images, $\log p(k|t) - \log p(k)$, in nats.

        Args:
            x: images of shape `(batch, *event_shape)`.
            condition: the same number of captions, or their token ids.

        Returns:
            float32 tensor of shape `(batch,)`.
        """
        return self.transformer.similarity(code_images(self.encode(x)), condition)

    # Sampling

    def sampling_options(self):
        return self.transformer.sampling_options()

    def noise_distributions(self, **options):
        """The noise that draws the codes, and each entry from the likelihood."""
        return {
            "code": self.transformer.noise_distributions()["uniform"],
            **self.image_model.conditional.noise_of(self.event_shape),
        }

    def generate(self, noise, condition=None):
        condition = self.validated_condition(condition)
        return self.images_drawn(self.transformer.generate({"uniform": noise["code"]}, condition), noise)

    def draw(self, num_samples, condition, seed, *, guidance):
        noise = self.noise(num_samples, seed)
        return self.images_drawn(self.transformer.draw_guided({"uniform": noise["code"]}, condition, guidance), noise)

    def images_drawn(self, drawn: tf.Tensor, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Turns noise of the likelihood into images, given codes that the transformer drew."""
        return self.image_model.draw_given(tf.cast(drawn[..., 0], tf.int32), noise)

    def sample_codes(self, condition, *, guidance: float = 1.0, seed=None) -> tf.Tensor:
        """Draws one image's codes for each caption; `decode` turns them into images.

        Args:
            condition: captions, or their token ids.
            guidance: 0 ignores captions, 1 draws from the model, more exaggerates the captions.
            seed: as in `sample`.

        Returns:
            int32 tensor of shape `(batch, *code_space.shape)`.
        """
        condition = self.validated_condition(condition)
        seed = self.next_seed() if seed is None else seed
        codes = self.transformer.sample(len(condition), condition=condition, seed=seed, guidance=float(guidance))
        return tf.cast(codes[..., 0], tf.int32)

    def sample_best(
        self, condition, num_candidates: int, *, judge: Model | None = None, guidance: float = 1.0, seed=None
    ) -> tf.Tensor:
        """Draws several images for each caption, and keeps the codes of the one that matches it best.

        Args:
            condition: captions, or their token ids.
            num_candidates: number of images drawn for each caption.
            judge: a model with `similarity(x, condition)`, such as a `JointEmbedding`; it sees decoded images. None
                uses the likelihood of the model itself.
            guidance: as in `sample_codes`.
            seed: as in `sample`.

        Returns:
            int32 tensor of shape `(batch, *code_space.shape)`.
        """
        condition = self.validated_condition(condition)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        candidates, scores = [], []
        for number in range(checks.positive_int("num_candidates", num_candidates)):
            own = tf.random.experimental.stateless_fold_in(seed, number)
            codes = self.sample_codes(condition, guidance=guidance, seed=own)
            candidates.append(codes)
            if judge is None:
                scores.append(self.transformer.similarity(code_images(codes), condition))
            else:
                scores.append(judge.similarity(self.image_of(codes), condition))
        best = tf.argmax(tf.stack(scores, axis=1), axis=1)
        return tf.gather(tf.stack(candidates, axis=1), best, batch_dims=1)

    def image_of(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the images that codes represent, as valid examples: the mean, rounded if there are levels."""
        mean = self.decode(codes)
        return mean if self.levels is None else tf.round(mean)

    def impute(self, x, mask, *, condition, seed=None) -> tf.Tensor:
        """Completes images: draws what is missing, given a caption and the rows above.

        Codes are drawn where a part of their patch of pixels is missing. The first drawn rows depend on the rows above
        only through the codes of those, which were computed without the missing entries.

        Args:
            x: images of shape `(batch, *event_shape)`; missing entries may hold any valid value.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`. No known patch may follow a
                missing one, row by row.
            condition: captions, or their token ids.
            seed: as in `sample`.

        Returns:
            `x` with its missing entries drawn.

        Raises:
            ValueError: if a known patch follows a missing one.
        """
        x, condition = self.validated_pair(x, condition)
        missing = np.broadcast_to(np.asarray(mask, bool), x.shape)
        lowest = tf.zeros_like(x)
        codes = self.code_of(tf.where(missing, lowest, x), None)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        first, second = tf.unstack(tf.random.split(seed, 2))
        of_codes = in_patches(missing, self.code_space.shape)[..., np.newaxis]
        drawn = self.transformer.impute(code_images(codes), of_codes, condition=condition, seed=first)
        noise = seeds.draws(self.image_model.conditional.noise_of(self.event_shape), x.shape[0], second)
        return tf.where(missing, self.images_drawn(drawn, noise), x)

    # Export and pictures

    def preview(self, batch, *, seed):
        """Examples, and below each an image drawn for its caption."""
        codes = self.sample_codes(batch["condition"], seed=seed)
        return {
            "example": (self.event_space, batch["x"]),
            "drawn for its caption": (self.event_space, self.image_of(codes)),
        }

    def signatures(self):
        """Adds `code_log_prob`."""

        def code_log_prob(codes, tokens):
            return {"code_log_prob": self.code_log_prob(codes, tokens)}

        inputs = {"codes": self.code_space.spec("codes"), "tokens": self.token_space.spec("tokens")}
        return {**super().signatures(), "code_log_prob": Signature(code_log_prob, inputs)}


def code_images(codes: tf.Tensor) -> tf.Tensor:
    """Returns codes as examples of the transformer, float32 images of one channel."""
    return tf.expand_dims(tf.cast(codes, tf.float32), -1)


def in_patches(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns whether anything is true in the patch of an image that each of its codes represents.

    Args:
        mask: bools of shape `(batch, height, width, channels)`.
        shape: rows and columns of the codes.
    """
    mask = mask.any(axis=-1)
    for axis, size in enumerate(shape, start=1):
        # Height and width were halved and rounded up several times.
        patch = 2 ** math.ceil(math.log2(mask.shape[axis] / size))
        mask = np.logical_or.reduceat(mask, np.arange(0, mask.shape[axis], patch), axis=axis)
    return mask
