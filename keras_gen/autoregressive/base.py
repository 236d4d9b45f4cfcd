"""The base class of autoregressive models: the chain rule, and sampling position by position with a cache."""

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import DensityModel, Step
from keras_gen.distributions.entries import Conditional
from keras_gen.layers.dropout import apply_dropout
from keras_gen.layers.loops import same_shapes

tfd = tfp.distributions


class AutoregressiveModel(DensityModel):
    r"""A density by the chain rule, $\log p(x) = \sum_i \log p(x_i | x_{<i})$.

    Real numbers are standardised on input and scaled back on output: all primitives see them standardised. The
    positions i are the entries of an example, or its pixels if a pixel is drawn as a whole. A subclass builds its
    networks and provides

    - `conditional`: the distribution of one position,
    - `parameters(x)`: the parameters of all positions' distributions, in one pass, for training,
    - `start`, `parameters_at` and `observe`: the same parameters, position by position, for sampling. They pass on a
      state, the cache: it keeps what later positions need from earlier ones, so that all positions together cost about
      one pass. In `begin_row`, a model of images computes once what all pixels of a row share.

    Densities, sampling, imputation and export follow.
    """

    conditional: Conditional

    #: Number of rows that `begin_row` is called for; all have the same number of positions.
    num_rows: int = 1

    #: From this number of positions on, XLA compiles the sampling loop, where it was measured to be faster. Compiling
    #: takes about half a second for each number of examples. Exports never need XLA.
    xla_positions: float = math.inf

    @property
    def num_positions(self) -> int:
        """Number of factors of the chain rule."""
        return self.event_size // math.prod(self.conditional.position_shape)

    @property
    def positions(self) -> np.ndarray:
        """The positions, counted row by row through the example, in the order of the chain rule."""
        return np.arange(self.num_positions)

    @property
    def inputs_per_entry(self) -> int:
        """Number of inputs of a network for one entry."""
        return 1 if self.levels in (None, 2) else self.levels

    def inputs(self, x: tf.Tensor) -> tf.Tensor:
        """Returns entries as inputs: bits and real numbers unchanged, more than two levels one-hot.

        Args:
            x: float32 tensor of any shape.

        Returns:
            Tensor of shape `(*x.shape, inputs_per_entry)`, in the networks' dtype.
        """
        if self.inputs_per_entry == 1:
            return tf.cast(x, self.compute_dtype)[..., tf.newaxis]
        return tf.one_hot(tf.cast(x, tf.int32), self.levels, dtype=self.compute_dtype)

    # Primitives

    def parameters(self, x: tf.Tensor, condition=None, *, step: Step | None = None) -> tf.Tensor:
        """Computes the parameters of all conditionals in one pass.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, a valid tensor, or None.
            step: the training step, with the randomness of dropout and the like; None outside of training.

        Returns:
            float32 tensor of shape `(batch, num_positions, conditional.num_parameters)`, with positions counted row by
            row through the example, whatever the order of the chain rule.
        """
        raise NotImplementedError

    def start(self, batch_size: tf.Tensor, condition=None):
        """Returns the state before the first position, a structure of tensors whose shapes do not change."""
        raise NotImplementedError

    def begin_row(self, state, row: tf.Tensor):
        """Returns the state before the first position of a row."""
        return state

    def begin_position(self, state, step: tf.Tensor):
        """Returns the state that `parameters_at` takes, from the state after all earlier positions."""
        return state

    def parameters_at(self, state, step: tf.Tensor) -> tf.Tensor:
        """Computes the parameters of one position's distribution.

        Args:
            state: state after all preceding positions.
            step: its index in the order, a scalar int32 tensor.

        Returns:
            float32 tensor of shape `(batch, conditional.num_parameters)`.
        """
        raise NotImplementedError

    def observe(self, state, step: tf.Tensor, x: tf.Tensor):
        """Returns the state after a position.

        Args:
            state: the state that was passed to `parameters_at`.
            step: index of the position in the order.
            x: its value, float32 of shape `(batch, *conditional.position_shape)`.
        """
        raise NotImplementedError

    def make_dropout(self, rate: float, step: Step | None) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns the dropout of one pass: a function that uses new random numbers in each call.

        Args:
            rate: fraction of the features that is set to zero.
            step: the training step; None outside of training, when dropout does nothing.
        """
        if rate == 0.0 or step is None:
            return tf.identity

        def drop(h):
            nonlocal step
            step, own = step.split(2)
            return apply_dropout(h, rate, own.seed)

        return drop

    # Densities

    def log_prob(self, x, condition=None):
        x, condition = self.validated_pair(x, condition)
        return self.log_prob_in_step(self.inward(x), condition, None) - self.log_volume()

    def log_prob_in_step(self, x: tf.Tensor, condition, step: Step | None) -> tf.Tensor:
        """Computes the log density of `inward` examples, with the randomness of a training step unless it is None."""
        positions = tf.reshape(x, (-1, self.num_positions, *self.conditional.position_shape))
        log_probs = self.conditional.log_prob(self.parameters(x, condition, step=step), positions)
        return tf.reduce_sum(log_probs, axis=-1)

    # Objective

    def loss_terms(self, batch, step):
        """The negative log-likelihood in nats, and in bits per dimension."""
        x, condition = self.inward(batch["x"]), batch.get("condition")
        nll = self.log_volume() - self.log_prob_in_step(x, condition, step if step.training else None)
        return {"loss": nll, **self.likelihood_terms(nll)}

    # Sampling

    def noise_distributions(self):
        """Returns the noise that the conditional needs, for every position."""
        return self.conditional.noise_of(
            self.event_shape[: len(self.event_shape) - len(self.conditional.position_shape)]
        )

    def generate(self, noise, condition=None):
        condition = self.validated_condition(condition, **noise)
        draw = self.compiled_positions if tf.executing_eagerly() else self.draw_positions
        return self.outward(draw(noise, condition))

    def impute(self, x, mask, *, condition=None, seed=None) -> tf.Tensor:
        """Draws missing entries, given all entries that precede them in the order.

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries may hold any valid value.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`. No known entry may follow a
                missing one in the order.
            condition: what the examples are conditioned on, for a conditional model.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn exactly.

        Raises:
            ValueError: if a known entry follows a missing one, or if only some channels of a pixel are known and pixels
                are drawn as a whole.
        """
        x, condition = self.validated_pair(x, condition)
        mask = np.broadcast_to(np.asarray(mask, bool), x.shape)
        missing = mask.reshape(x.shape[0], self.num_positions, -1)
        if np.any(missing != missing[..., :1]):
            raise ValueError("`mask` must be the same for all channels of a pixel, since pixels are drawn as a whole.")
        missing = missing[..., 0]
        in_order = missing[:, self.positions]
        if np.any(in_order[:, :-1] & ~in_order[:, 1:]):
            raise ValueError("`mask` must mark no entry that comes before a known one in the order.")
        noise = self.noise(x.shape[0], self.next_seed() if seed is None else seed)
        drawn = self.outward(self.compiled_positions(noise, condition, self.inward(x), tf.constant(missing)))
        return tf.where(mask, drawn, x)

    @functools.cached_property
    def compiled_positions(self):
        """`draw_positions` as a graph: run operation by operation, its loop would be slow."""
        if self.num_positions < self.xla_positions:
            return tf.function(self.draw_positions, autograph=False, reduce_retracing=True)
        return at_few_sizes(tf.function(self.draw_positions, autograph=False, jit_compile=True))

    def compiled_sample(self, num_samples, condition, seed, **options):
        if self.num_positions < self.xla_positions:
            return super().compiled_sample(num_samples, condition, seed, **options)
        # XLA would turn a seed into different numbers, so noise is drawn outside of it.
        return self.outward(self.compiled_positions(self.compiled_noise(num_samples, seed), condition))

    @functools.cached_property
    def compiled_noise(self):
        """`noise` as a graph."""
        return tf.function(self.noise, autograph=False)

    def draw_positions(
        self,
        noise,
        condition=None,
        known: tf.Tensor | None = None,
        missing: tf.Tensor | None = None,
        *,
        orders: tf.Tensor | None = None,
        state=None,
    ):
        """Goes through the positions in order and draws those that are missing.

        Args:
            noise: as in `generate`.
            condition: a valid condition, or None.
            known: examples of shape `(batch, *event_shape)`, kept where nothing is missing; None for none.
            missing: bools of shape `(batch, num_positions)`; None for all.
            orders: int32 positions of each example in its own order, of shape `(num_positions, batch)`; None for
                `positions`.
            state: the state before the first position; None for the one from `start`.

        Returns:
            float32 examples of shape `(batch, *event_shape)`.
        """
        shape = self.conditional.position_shape
        sources = self.conditional.noise_distributions()
        batch_size = tf.shape(noise[next(iter(sources))])[0]
        if orders is not None:
            # Pairs (example, position), for gathering from tensors with these two axes, and scattering back.
            orders = tf.stack([tf.broadcast_to(tf.range(batch_size), tf.shape(orders)), orders], axis=-1)
        noise = {name: self.in_order(noise[name], source.event_shape, orders) for name, source in sources.items()}
        if known is not None:
            known, missing = self.in_order(known, shape, orders), self.in_order(missing, (), orders)
            missing = tf.reshape(missing, (self.num_positions, -1, *(1 for _ in shape)))

        def position(step, x, state):
            state = same_shapes(self.begin_position(state, step), state)
            parameters = self.parameters_at(state, step)
            value = self.conditional.draw(parameters, {name: numbers[step] for name, numbers in noise.items()})
            if known is not None:
                value = tf.where(missing[step], value, known[step])
            x = tf.tensor_scatter_nd_update(x, [[step]], value[tf.newaxis])
            return (step + 1, x, same_shapes(self.observe(state, step, value), state))

        def row(index, x, state):
            state = same_shapes(self.begin_row(state, index), state)
            start, end = index * columns, (index + 1) * columns
            _, x, state = tf.while_loop(lambda step, *_: step < end, position, (start, x, state), parallel_iterations=1)
            return index + 1, x, state

        columns = self.num_positions // self.num_rows
        x = tf.zeros(tf.stack([self.num_positions, batch_size, *shape]))
        values = (tf.constant(0), x, self.start(batch_size, condition) if state is None else state)
        if self.num_rows == 1:
            _, x, _ = row(*values)
        else:
            _, x, _ = tf.while_loop(lambda index, *_: index < self.num_rows, row, values, parallel_iterations=1)
        if orders is None:
            x = tf.transpose(tf.gather(x, np.argsort(self.positions)), (1, 0, *range(2, 2 + len(shape))))
        else:
            x = tf.scatter_nd(orders, x, tf.stack([batch_size, self.num_positions, *shape]))
        return tf.reshape(x, (-1, *self.event_shape))

    def in_order(self, x: tf.Tensor, position_shape, orders: tf.Tensor | None = None) -> tf.Tensor:
        """Returns a tensor of shape `(batch, ...)` as `(num_positions, batch, *position_shape)`, in the order."""
        x = tf.reshape(x, (-1, self.num_positions, *position_shape))
        if orders is not None:
            return tf.gather_nd(x, orders)
        return tf.gather(tf.transpose(x, (1, 0, *range(2, 2 + len(position_shape)))), self.positions)


def at_few_sizes(draw: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Returns a compiled `draw_positions` that compiles once for all batches up to the next power of two.

    XLA compiles anew for each number of examples, and keeps what it has compiled. Examples do not depend on each other,
    so a batch is padded with copies of its last example, whose draws are discarded.
    """

    def draw_some(noise, condition=None, known=None, missing=None, *, orders=None):
        num = len(next(iter(noise.values())))
        rows = np.minimum(np.arange(1 << (num - 1).bit_length()), num - 1)

        def filled(x):
            return x if len(rows) == num else tf.nest.map_structure(lambda part: tf.gather(part, rows), x)

        # In orders, positions are the first axis.
        options = {} if orders is None else {"orders": tf.transpose(filled(tf.transpose(orders)))}
        return draw(*(None if x is None else filled(x) for x in (noise, condition, known, missing)), **options)[:num]

    return draw_some


class ImageModel(AutoregressiveModel):
    """An autoregressive model of images, generated row by row.

    Args:
        event_shape: (height, width, channels) of an image.
        levels: number of levels of an entry.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(self, event_shape, levels: int, **kwargs):
        super().__init__(event_shape, levels=checks.levels(levels), **kwargs)
        if len(self.event_shape) != 3:
            raise ValueError(f"`event_shape` must be (height, width, channels), received {self.event_shape}.")
        self.num_rows, self.columns, self.channels = self.event_shape

    def in_groups(self, name: str, value) -> int:
        """Returns a number of features that can be divided into one group for each channel."""
        if checks.positive_int(name, value) % self.channels:
            raise ValueError(f"`{name}` must be a multiple of the {self.channels} channels, received {value}.")
        return int(value)

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        """Returns levels as numbers from -1 to 1; padding outside of the image is 0."""
        return tf.cast(self.event_space.scaled(x), self.compute_dtype)
