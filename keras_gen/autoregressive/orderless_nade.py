"""OrderlessNADE: one network for the conditionals of all orderings, also known as EoNADE and DeepNADE.

Benigno Uria, Iain Murray, Hugo Larochelle (2014), A Deep and Tractable Density Estimator,
https://arxiv.org/abs/1310.1757
"""

import functools
import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers.dense import Dense

tfd = tfp.distributions


class OrderlessNADE(AutoregressiveModel):
    r"""A deep network that predicts any entry from any set of other entries: a NADE for every ordering.

    The mask m is 1 where an entry is known; the network sees it together with the known entries:

    $$p(x_d = 1 | x_{o_{<i}}) = σ(b_d + V_{d,·}\, h), \qquad
      h = g(c^{(2)} + W^{(2)} g(c^{(1)} + W (x ⊙ m) + U m)), \qquad d = o_i$$

    For each example, a training step draws how many entries are known, i - 1, and which; within a batch, these numbers
    are spread evenly over all possible ones. It predicts all other entries, and

    $$L = - \frac{D}{D - i + 1} \sum_{d: m_d = 0} \log p(x_d | x ⊙ m, m)$$

    is an unbiased estimate of the negative log-likelihood, averaged over all orderings. The model is the ensemble
    p(x) = (1/K) Σ_k p(x | o_k) of `num_orderings` orderings drawn once, an average of probabilities; its negative
    log-likelihood is at most the average of theirs. With `levels > 2` each entry is one-hot encoded and each
    conditional is categorical.

    Example:

    ```python
    model = keras_gen.autoregressive.OrderlessNADE((784,), num_orderings=16)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)          # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.impute(x_test, mask, seed=0)                     # draws the entries where mask is nonzero
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        hidden_units: width of each hidden layer, at least one.
        levels: number of levels of an entry.
        num_orderings: number K of orderings in the ensemble.
        activation: activation of the hidden layers.
        seed: as in `GenerativeModel`; also draws the orderings and the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    #: The loss is an estimate for all orderings, not the likelihood of the ensemble.
    terms = ("loss",)

    def __init__(
        self,
        event_shape,
        hidden_units=(500, 500),
        levels: int = 2,
        *,
        num_orderings: int = 1,
        activation="relu",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=checks.levels(levels), seed=seed, **kwargs)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        if not self.hidden_units:
            raise ValueError("`hidden_units` must hold the width of at least one layer, received ().")
        self.num_orderings = checks.positive_int("num_orderings", num_orderings)
        self.activation = activation
        self.activation_function = keras.activations.get(activation)
        self.conditional = over_levels(self.levels)

        # A binary entry has one input and one logit, any other entry one of each per level.
        size, width = self.event_size, self.conditional.num_parameters
        first, *others = self.hidden_units
        words = np.random.SeedSequence(self.seed).generate_state(len(self.hidden_units) + 2).tolist()
        initializers = [keras.initializers.GlorotUniform(seed=word) for word in words]
        self.kernel = self.add_weight((size * width, first), initializers.pop(), name="kernel")
        self.mask_kernel = self.add_weight((size, first), initializers.pop(), name="mask_kernel")
        self.hidden_bias = self.add_weight((first,), "zeros", name="hidden_bias")
        self.hidden_layers, last = [], first
        for units in others:
            layer = Dense(units, activation=activation, kernel_initializer=initializers.pop(), dtype=self.dtype_policy)
            layer.build((None, last))
            self.hidden_layers.append(layer)
            last = units
        # One row for each logit, so that the rows of an entry can be looked up.
        self.output_kernel = self.add_weight((size * width, last), initializers.pop(), name="output_kernel")
        self.output_bias = self.add_weight((size, width), "zeros", name="output_bias")

    @functools.cached_property
    def orders(self) -> np.ndarray:
        """The entries in the order of each ordering of the ensemble, of shape `(num_orderings, event_size)`."""
        random = np.random.default_rng((self.seed, 1))
        return np.stack([random.permutation(self.event_size) for _ in range(self.num_orderings)]).astype(np.int32)

    def last_units(self, a: tf.Tensor) -> tf.Tensor:
        """Computes the last hidden layer from the first one's preactivation, which is float32."""
        h = self.activation_function(tf.cast(a, self.compute_dtype))
        for layer in self.hidden_layers:
            h = layer(h)
        return h

    # Primitives

    def parameters(self, x, condition=None, *, step=None, known: tf.Tensor):
        """Computes the parameters of every entry's distribution, given the known entries, in one pass.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: None.
            step: has no effect.
            known: whether each entry is known, bools of shape `(batch, event_size)`.

        Returns:
            float32 tensor of shape `(batch, event_size, conditional.num_parameters)`.
        """
        kernel, mask_kernel, output_kernel = (
            tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)
            for weight in (self.kernel, self.mask_kernel, self.output_kernel)
        )
        known = tf.cast(known, self.compute_dtype)
        x = self.inputs(tf.reshape(x, (-1, self.event_size))) * known[..., tf.newaxis]
        a = tf.matmul(tf.reshape(x, (-1, kernel.shape[0])), kernel) + tf.matmul(known, mask_kernel)
        h = self.last_units(tf.cast(a, tf.float32) + tf.convert_to_tensor(self.hidden_bias))
        y = tf.reshape(tf.matmul(h, output_kernel, transpose_b=True), (-1, *self.output_bias.shape))
        return tf.cast(y, tf.float32) + tf.convert_to_tensor(self.output_bias)

    def start(self, batch_size, condition=None, orders: tf.Tensor | None = None):
        """Returns the first hidden layer before its activation, and the ordering of each example.

        Args:
            batch_size: number of examples.
            condition: None.
            orders: int32 entries in the order of each example, of shape `(event_size, batch)`; None for the first
                ordering of the ensemble.
        """
        if orders is None:
            orders = tf.repeat(self.orders[0][:, np.newaxis], batch_size, axis=1)
        a = tf.repeat(tf.convert_to_tensor(self.hidden_bias)[tf.newaxis], batch_size, axis=0)
        return {"a": a, "orders": orders}

    def parameters_at(self, state, step):
        entries, h = state["orders"][step], self.last_units(state["a"])
        kernel = self.rows(self.output_kernel, entries, h.dtype)
        y = tf.reduce_sum(kernel * h[:, tf.newaxis], axis=-1)
        return tf.cast(y, tf.float32) + tf.gather(tf.convert_to_tensor(self.output_bias), entries)

    def observe(self, state, step, x):
        entries, x = state["orders"][step], self.inputs(x)
        added = tf.reduce_sum(self.rows(self.kernel, entries, x.dtype) * x[..., tf.newaxis], axis=1)
        added += tf.cast(tf.gather(tf.convert_to_tensor(self.mask_kernel), entries), x.dtype)
        return {**state, "a": state["a"] + tf.cast(added, tf.float32)}

    def rows(self, kernel: keras.Variable, entries: tf.Tensor, dtype) -> tf.Tensor:
        """Returns the rows of a kernel that belong to entries, of shape `(batch, num_parameters, units)`."""
        kernel = tf.reshape(tf.convert_to_tensor(kernel), (*self.output_bias.shape, -1))
        return tf.cast(tf.gather(kernel, entries), dtype)

    def adapt(self, x) -> None:
        """Sets the output biases to the values with which independent entries would have the data's frequencies.

        Training starts from there. One count is added to each level (Laplace's rule).

        Args:
            x: examples of shape `(rows, *event_shape)` that represent the data.

        Raises:
            ValueError: if the shape or a value is not the expected one.
        """
        x = self.validated(x).numpy().reshape(-1, self.event_size)
        counts = np.stack([np.sum(x == level, axis=0) for level in range(self.levels)], axis=-1) + 1.0
        logits = np.log(counts)
        self.output_bias.assign(logits[:, 1:] - logits[:, :1] if self.levels == 2 else logits - np.log(len(x)))

    # Densities

    def log_prob_in_step(self, x, condition, step):
        """Computes the log mass under the ensemble, whose orderings run in parallel."""
        batch_size = tf.shape(x)[0]
        x = tf.tile(tf.reshape(x, (-1, self.event_size)), (self.num_orderings, 1))
        orders = tf.repeat(self.orders.T, batch_size, axis=1)
        values = tf.transpose(tf.gather(x, tf.transpose(orders), batch_dims=1))

        def position(step, log_prob, state):
            log_prob += self.conditional.log_prob(self.parameters_at(state, step), values[step])
            return step + 1, log_prob, self.observe(state, step, values[step])

        _, log_prob, _ = tf.while_loop(
            lambda step, *_: step < self.event_size,
            position,
            (tf.constant(0), tf.zeros_like(values[0]), self.start(tf.shape(x)[0], orders=orders)),
            maximum_iterations=self.event_size,
            parallel_iterations=1,
        )
        log_probs = tf.reshape(log_prob, (self.num_orderings, -1))
        return tf.reduce_logsumexp(log_probs, axis=0) - math.log(self.num_orderings)

    # Objective

    def loss_terms(self, batch, step):
        """The negative log-likelihood, averaged over all orderings and estimated from one set of known entries."""
        x, size = batch["x"], self.event_size
        share, entries = step.split(2)
        # If each entry is known with a probability that is itself uniform, then all numbers of known entries, from none
        # to all, are equally likely, and so are all sets of the same size.
        shares = share.rows(lambda rows: spread_uniform(rows, share.seed), tf.shape(x)[0])
        known = entries.uniform((tf.shape(x)[0], size)) < shares[:, tf.newaxis]
        log_probs = self.conditional.log_prob(self.parameters(x, known=known), tf.reshape(x, (-1, size)))
        unknown = tf.cast(~known, tf.float32)
        # If all entries are known, which the paper excludes, there is nothing to predict.
        scale = (size + 1.0) / tf.maximum(1.0, tf.reduce_sum(unknown, axis=-1))
        return {"loss": -scale * tf.reduce_sum(unknown * log_probs, axis=-1)}

    # Sampling

    def noise_distributions(self):
        """Returns the noise that the conditional needs for every entry, and the noise that chooses the ordering."""
        return {**super().noise_distributions(), "ordering": tfd.Uniform()}

    def impute(self, x, mask, *, condition=None, seed=None):
        """Draws any missing entries given all others, one by one in a random ordering.

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries may hold any valid value.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`.
            condition: None.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn exactly, each example in an ordering that begins with its known entries.
        """
        x, condition = self.validated_pair(x, condition)
        missing = np.broadcast_to(np.asarray(mask, bool), x.shape).reshape(x.shape[0], self.event_size)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        order_seed, noise_seed = tf.unstack(tf.random.split(seed, 2))
        uniform = seeds.uniform(missing.shape, order_seed).numpy()
        orders = tf.constant(np.argsort(np.where(missing, uniform, -1.0), axis=1).T, tf.int32)
        noise = self.noise(x.shape[0], noise_seed)
        return self.compiled_positions(noise, condition, x, tf.constant(missing), orders=orders)

    def draw_positions(self, noise, condition=None, known=None, missing=None, *, orders=None):
        """As in `AutoregressiveModel`; without `orders`, each example uses one of the ensemble's orderings."""
        if orders is None:
            index = tf.cast(noise["ordering"] * self.num_orderings, tf.int32)
            orders = tf.gather(self.orders.T, index, axis=1)
        state = self.start(tf.shape(orders)[1], orders=orders)
        return super().draw_positions(noise, condition, known, missing, orders=orders, state=state)


def spread_uniform(num: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns float32 numbers, each uniform from 0 to 1, one in every interval of length 1 / num.

    The mean of a function of them varies less than with independent numbers, and has the same expectation.

    Args:
        num: how many numbers.
        seed: int32 tensor of shape (2,).
    """
    within, order = tf.unstack(tf.random.split(seed, 2))
    intervals = tf.argsort(seeds.uniform((num,), order))
    return (tf.cast(intervals, tf.float32) + seeds.uniform((num,), within)) / tf.cast(num, tf.float32)
