"""The jigsaw puzzle: Learning Latent Permutations with Gumbel-Sinkhorn Networks.

Gonzalo Mena, David Belanger, Scott Linderman, Jasper Snoek (2018), https://arxiv.org/abs/1802.08665
"""

import functools
import itertools
import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.core import EventModel, Signature
from keras_gen.layers.convolution import convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.networks import KerasNetwork, OwnNetwork, argument_value
from keras_gen.spaces import levels_or_reals

tfd = tfp.distributions

#: Maximum number of pieces of an image: finding the best order of 16 takes 65,536 sets of positions.
MOST_PIECES = 16


def sinkhorn(logits: tf.Tensor, num_steps: int) -> tf.Tensor:
    r"""The Sinkhorn operator: alternately normalizes the rows and the columns of a matrix to sum to 1.

    $$S^0(X) = \exp(X), \qquad S^l(X) = T_c(T_r(S^{l-1}(X)))$$

    In the limit the result is doubly stochastic; and S(X/τ) converges to the permutation matrix P with the greatest
    $\sum_{ij} P_{ij} X_{ij}$ as τ goes to 0. It is computed in logarithms, so that large entries do not overflow.

    Args:
        logits: X, tensor of shape `(batch, n, n)`.
        num_steps: l, how often rows and columns are normalized. Columns are normalized last, so they sum to 1 exactly.

    Returns:
        The logarithm of S(X), of the same shape.
    """
    for _ in range(num_steps):
        logits -= tf.reduce_logsumexp(logits, axis=2, keepdims=True)
        logits -= tf.reduce_logsumexp(logits, axis=1, keepdims=True)
    return logits


def best_permutation(scores: tf.Tensor) -> tf.Tensor:
    r"""Finds the permutation with the greatest sum of scores exactly, like the Hungarian algorithm, in a graph.

    The best total of the first k pieces in a set S of k positions is the maximum over the last step:

    $$f_k(S) = \max_{j \in S} f_{k-1}(S \setminus \{j\}) + X_{kj}$$

    Args:
        scores: X, tensor of shape `(batch, n, n)`, with n at most `MOST_PIECES`.

    Returns:
        int32 tensor of shape `(batch, n)`: the column assigned to each row.
    """
    num = scores.shape[1]
    total, choices = tf.zeros_like(scores[:, 0, :1]), []
    tables = subset_tables(num)
    for row, (members, rest) in enumerate(tables):
        # (batch, number of sets, row + 1): one entry for each position that the row's piece may take in the set.
        candidates = tf.gather(total, rest, axis=1) + tf.gather(scores[:, row], members, axis=1)
        choices.append(tf.argmax(candidates, axis=2, output_type=tf.int32))
        total = tf.reduce_max(candidates, axis=2)
    # Backtrack from the set of all positions.
    subset, columns = tf.zeros_like(choices[-1][:, 0]), []
    for (members, rest), choice in zip(reversed(tables), reversed(choices), strict=True):
        taken = tf.gather(choice, subset, axis=1, batch_dims=1)
        place = subset * members.shape[1] + taken
        columns.append(tf.gather(members.reshape(-1), place))
        subset = tf.gather(rest.reshape(-1), place)
    return tf.stack(columns[::-1], axis=1)


@functools.cache
def subset_tables(num: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns, for sets of 1, 2, … numbers below `num`: the members of each, and the sets left without each member.

    Both arrays are int32 of shape `(number of sets, size of a set)`; a remaining set is given by its index among the
    smaller sets.
    """
    tables, places = [], {(): 0}
    for size in range(1, num + 1):
        subsets = list(itertools.combinations(range(num), size))
        rest = [[places[subset[:index] + subset[index + 1 :]] for index in range(size)] for subset in subsets]
        tables.append((np.array(subsets, np.int32), np.array(rest, np.int32)))
        places = {subset: place for place, subset in enumerate(subsets)}
    return tables


class PieceNetwork(keras.layers.Layer):
    """From pieces to the logits of their positions: convolutions of each piece, and its features along with their mean.

    Row i of the logits belongs to piece i: pieces in another order give the same rows in that order.

    Args:
        pieces_shape: number, height, width and channels of the pieces.
        filters: channels of each 3×3 convolution; all except the first halve the piece.
        hidden_units: number of features of a piece, and width of the layer that also sees the mean.
        encoder: custom network in place of the convolutions, from a piece to features; None for the convolutions.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        pieces_shape: tuple[int, int, int, int],
        *,
        filters: tuple[int, ...],
        hidden_units: int,
        encoder: OwnNetwork | None = None,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_pieces, *sides, channels = pieces_shape
        initializers = (glorot((*seed, index)) for index in itertools.count())
        policy = self.dtype_policy
        self.encoder, num_features = None, hidden_units
        if encoder is not None:
            self.encoder = KerasNetwork("encoder_network", encoder, [pieces_shape[1:]], [(None,)])
            (num_features,) = self.encoder.event_shape
        else:
            self.convolutions = [
                convolution(*pair, 3, 1 if index == 0 else 2, next(initializers), policy)
                for index, pair in enumerate(itertools.pairwise((channels, *filters)))
            ]
            for _ in filters[1:]:
                sides = [math.ceil(side / 2) for side in sides]
            self.num_outputs = math.prod(sides) * filters[-1]
            self.features = dense(self.num_outputs, hidden_units, next(initializers), policy)
        self.hidden = dense(2 * num_features, hidden_units, next(initializers), policy)
        self.output_layer = dense(hidden_units, self.num_pieces, next(initializers), policy)
        self.built = True

    def call(self, pieces):
        """Returns logits of shape `(batch, num_pieces, num_pieces)`: one row for each piece.

        Args:
            pieces: scaled pieces of shape `(batch, *pieces_shape)`.
        """
        h = self.encoded(tf.reshape(pieces, (-1, *pieces.shape[2:])))
        h = tf.reshape(h, (-1, self.num_pieces, h.shape[-1]))
        mean = tf.reduce_mean(h, axis=1, keepdims=True)
        return self.output_layer(tf.nn.relu(self.hidden(tf.concat([h, tf.zeros_like(h) + mean], axis=-1))))

    def encoded(self, pieces: tf.Tensor) -> tf.Tensor:
        """Returns features of shape `(num, num_features)` for pieces of shape `(num, height, width, channels)`."""
        if self.encoder is not None:
            return tf.cast(self.encoder(pieces), self.compute_dtype)
        h = tf.cast(pieces, self.compute_dtype)
        for layer in self.convolutions:
            h = tf.nn.relu(layer(h))
        return tf.nn.relu(self.features(tf.reshape(h, (-1, self.num_outputs))))


class Jigsaw(EventModel):
    r"""Learns to put the pieces of an image back in their positions.

    An image X is cut into a grid of equal pieces, in random order: $\tilde X$. A network g gives each piece a row of
    logits for its position, and the Sinkhorn operator turns these, with Gumbel noise and at a temperature, into a
    doubly stochastic matrix, a mixture of permutations. The loss is the squared distance of the mixture of pieces at
    each position from the image, a mean over entries, on a scale where levels range from -1 to 1.

    $$P = S((g(\tilde X) + ε) / τ), \qquad L = ‖X - P^\top \tilde X‖^2$$

    Pieces are placed by the permutation with the greatest sum of logits, found exactly: see `best_permutation`.

    In the paper, the network sees only each single piece. Here, it also sees the mean of all pieces' features, which
    does not depend on their order either.

    Equal pieces, such as the black corners of a digit, cannot be distinguished. The loss does not require this, and
    each of them counts as correct at the position of another. The logs contain "position_accuracy", the fraction of
    correct positions, and "image_accuracy", the fraction of fully correct images.

    Example:

    ```python
    model = keras_gen.translation.Jigsaw((28, 28, 1), grid=(2, 2))
    model.compile()
    model.fit(x_train, batch_size=100, epochs=5)        # whole images, levels 0..255: the model shuffles the pieces
    model.complete(parts)                               # images, of pieces in any order
    model.arrange(parts)                                # the position of each piece, row by row
    ```

    Args:
        event_shape: height, width and channels of an image.
        levels: number of levels of an entry; None for real numbers.
        grid: number of rows and columns of pieces; the sides of an image are multiples of them.
        filters: channels of each convolution of the network.
        hidden_units: number of features of a piece, and width of the layer that also sees the mean of all pieces.
        encoder_network: a Keras layer or model in place of the convolutions, from a scaled piece to a vector of
            features.
        temperature: τ.
        noise_scale: factor of the Gumbel noise ε in training; 0 for none.
        num_sinkhorn_steps: how often the rows and columns of the matrix are normalized.
        seed: as in `Model`; also chooses the initial weights.
        **kwargs: as in `Model`.

    Raises:
        ValueError: if an argument is not as described.
    """

    terms = ("loss", "position_accuracy", "image_accuracy")
    usage = "parts = model.pieces_space.examples(4)    # or your own\nmodel.complete(parts)"

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        grid: tuple[int, int] = (3, 3),
        filters: tuple[int, ...] = (32, 64),
        hidden_units: int = 128,
        encoder_network: OwnNetwork | None = None,
        temperature: float = 1.0,
        noise_scale: float = 1.0,
        num_sinkhorn_steps: int = 20,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(checks.image_shape("event_shape", event_shape), levels=levels, seed=seed, **kwargs)
        self.grid = checks.positive_ints("grid", grid)
        self.pieces_shape = pieces_shape(self.event_shape, self.grid)
        self.filters = checks.positive_ints("filters", filters)
        self.hidden_units = checks.positive_int("hidden_units", hidden_units)
        self.encoder_network = argument_value("encoder_network", encoder_network)
        self.temperature = checks.positive("temperature", temperature)
        self.noise_scale = checks.not_negative("noise_scale", noise_scale)
        self.num_sinkhorn_steps = checks.positive_int("num_sinkhorn_steps", num_sinkhorn_steps)
        self.network = PieceNetwork(
            self.pieces_shape,
            filters=self.filters,
            hidden_units=self.hidden_units,
            encoder=encoder_network,
            seed=(seed, 0),
            dtype=self.dtype_policy,
            name="network",
        )

    @property
    def num_pieces(self) -> int:
        """Number of pieces of an image."""
        return self.pieces_shape[0]

    @property
    def pieces_space(self):
        """The space of the pieces of an image."""
        return levels_or_reals(self.pieces_shape, self.levels, self.standardization)

    @property
    def unit_shape(self):
        """The shape of a pixel's unit, since pieces have no fixed position."""
        return self.event_shape[-1:]

    # Pieces

    def puzzles(self, x) -> dict[str, tf.Tensor]:
        """Returns valid images as a batch, in the column "x": the model itself shuffles their pieces."""
        return {"x": self.validated(x)}

    def cut(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the pieces of images, row by row, of shape `(batch, *pieces_shape)`."""
        (rows, columns), (_, height, width, channels) = self.grid, self.pieces_shape
        x = tf.reshape(x, (-1, rows, height, columns, width * channels))
        return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4)), (-1, *self.pieces_shape))

    def joined(self, pieces: tf.Tensor) -> tf.Tensor:
        """Returns the images with the given pieces, row by row: the inverse of `cut`."""
        (rows, columns), (_, height, width, channels) = self.grid, self.pieces_shape
        pieces = tf.reshape(pieces, (-1, rows, columns, height, width * channels))
        return tf.reshape(tf.transpose(pieces, (0, 1, 3, 2, 4)), (-1, *self.event_shape))

    def shuffled(self, pieces: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns pieces in a random order, and the position of each.

        Args:
            pieces: pieces of shape `(batch, *pieces_shape)`, at their positions.
            uniform: random numbers of shape `(batch, num_pieces)`.
        """
        positions = tf.argsort(uniform)
        return tf.gather(pieces, positions, axis=1, batch_dims=1), positions

    # Solving

    def logits(self, pieces: tf.Tensor) -> tf.Tensor:
        """Returns g, float32 of shape `(batch, num_pieces, num_pieces)`: pieces by positions, for valid pieces."""
        return tf.cast(self.network(self.pieces_space.scaled(pieces)), tf.float32)

    def arrange(self, parts) -> tf.Tensor:
        """Finds the position of each piece.

        Args:
            parts: pieces of shape `(batch, *pieces_shape)`, in any order, whole levels.

        Returns:
            int32 tensor of shape `(batch, num_pieces)`: positions from 0, row by row, each of them once.

        Raises:
            TypeError: if the dtype is not the expected one.
            ValueError: if the shape or a value is not the expected one.
        """
        return best_permutation(self.logits(self.pieces_space.validate(parts, "parts")))

    def complete(self, parts) -> tf.Tensor:
        """Assembles pieces into whole images.

        Args:
            parts: as in `arrange`.

        Returns:
            Images of shape `(batch, *event_shape)`, which contain the pieces unchanged.

        Raises:
            TypeError: if the dtype is not the expected one.
            ValueError: if the shape or a value is not the expected one.
        """
        parts = self.pieces_space.validate(parts, "parts")
        return self.joined(placed(parts, best_permutation(self.logits(parts))))

    def call(self, x):
        """The corrected images, given images with pieces in any order, so that `model.predict(x)` returns them."""
        return self.complete(self.cut(self.validated(x)))

    # Objective

    def loss_terms(self, batch, step):
        """The distance of the mixtures of pieces from the image, and the fractions of correct positions and images."""
        shuffle, noise = step.split(2)
        pieces = self.cut(batch["x"])
        num = tf.shape(pieces)[0]
        parts, _ = self.shuffled(pieces, shuffle.uniform((num, self.num_pieces)))
        logits = self.logits(parts)
        noisy = logits
        if step.training:
            shape = (self.num_pieces, self.num_pieces)
            draws = noise.rows(lambda rows: tfd.Gumbel(0.0, 1.0).sample((rows, *shape), seed=noise.seed), num)
            noisy += self.noise_scale * draws
        matrix = tf.exp(sinkhorn(noisy / self.temperature, self.num_sinkhorn_steps))
        flat, expected = (
            tf.reshape(self.pieces_space.scaled(each), (-1, self.num_pieces, math.prod(self.pieces_shape[1:])))
            for each in (parts, pieces)
        )
        loss = tf.reduce_mean(tf.square(expected - tf.matmul(matrix, flat, transpose_a=True)), axis=(1, 2))
        # A position is correct if the image there is.
        found = placed(parts, best_permutation(logits))
        right = tf.reduce_all(tf.equal(found, pieces), axis=(2, 3, 4))
        return {
            "loss": loss,
            "position_accuracy": tf.reduce_mean(tf.cast(right, tf.float32), axis=1),
            "image_accuracy": tf.cast(tf.reduce_all(right, axis=1), tf.float32),
        }

    # Pictures and export

    def preview(self, batch, *, seed):
        """Rows of images with their pieces in random order, of the completed images, and of the original images."""
        x = batch["x"]
        uniform = seeds.uniform((tf.shape(x)[0], self.num_pieces), seeds.as_pair(seed))
        parts, _ = self.shuffled(self.cut(x), uniform)
        rows = {"parts": self.joined(parts), "output": self.complete(parts), "target": x}
        return {name: (self.event_space, images) for name, images in rows.items()}

    def signatures(self):
        """Returns `complete` and `arrange`."""
        parts = {"parts": self.pieces_space.spec("parts")}

        def complete(parts):
            return {"x": self.complete(parts)}

        def arrange(parts):
            return {"positions": self.arrange(parts)}

        return {"complete": Signature(complete, parts), "arrange": Signature(arrange, parts)}

    def input_space(self, name):
        """Adds the space of pieces."""
        return self.pieces_space if name == "parts" else super().input_space(name)


def pieces_shape(event_shape: tuple[int, int, int], grid: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Returns number, height, width and channels of the pieces of an image.

    Raises:
        ValueError: if the grid does not have two sides, has too many or too few pieces, or does not divide the image.
    """
    if len(grid) != 2 or not 2 <= math.prod(grid) <= MOST_PIECES:
        raise ValueError(f"`grid` must be (rows, columns) of 2 to {MOST_PIECES} pieces, received {grid}.")
    *sides, channels = event_shape
    if any(side % number for side, number in zip(sides, grid, strict=True)):
        raise ValueError(f"`grid` must divide the sides of images of {tuple(sides)}, received {grid}.")
    return (math.prod(grid), *(side // number for side, number in zip(sides, grid, strict=True)), channels)


def placed(pieces: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Returns pieces in the order of their positions, each of which is given once."""
    return tf.gather(pieces, tf.argsort(positions), axis=1, batch_dims=1)
