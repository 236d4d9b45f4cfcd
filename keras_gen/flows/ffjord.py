"""FFJORD: a continuous normalizing flow.

FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models. Will Grathwohl, Ricky T. Q. Chen, Jesse
Bettencourt, Ilya Sutskever, David Duvenaud (2018), https://arxiv.org/abs/1810.01367
"""

import itertools
import types

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import Step
from keras_gen.flows.base import FlowModel
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.dense import dense, matmul
from keras_gen.layers.initializers import glorot
from keras_gen.layers.loops import block_loop, same_shapes
from keras_gen.networks import KerasNetwork, OwnNetwork, argument_value

tfb = tfp.bijectors


def softplus(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns log(1 + exp x), and its derivative."""
    return tf.nn.softplus(x), tf.sigmoid(x)


def tanh(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns tanh x, and its derivative."""
    y = tf.tanh(x)
    return y, 1.0 - tf.square(y)


#: Smooth activations: the density is differentiated through their derivatives.
ACTIVATIONS = {"softplus": softplus, "tanh": tanh}


class Dynamics(keras.layers.Layer):
    r"""The network f(z, t): layers whose outputs are scaled and shifted by functions of the time and the condition.

    $$\mathrm{layer}(h) = (W h + b) ⊙ \mathrm{sigmoid}(V (t, c) + d) + U (t, c)$$

    It propagates directions along with z, which gives their products with the Jacobian of f.

    Args:
        size: number of entries of z.
        vector_size: number of entries of the condition c; 0 for none.
        hidden_units: width of each hidden layer.
        activation: activation of the hidden layers, a name in `ACTIVATIONS`.
        seed: seed of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self, size: int, vector_size: int, hidden_units: tuple[int, ...], activation: str, seed: int, **kwargs
    ):
        super().__init__(**kwargs)
        self.activation = ACTIVATIONS[activation]
        widths = [size, *hidden_units, size]
        policy = self.dtype_policy
        self.linear_layers, self.gates, self.shifts = [], [], []
        for index, (inputs, units) in enumerate(itertools.pairwise(widths)):
            # Small final weights: the flow starts near the identity, yet every weight has a gradient.
            scale = 1.0 if index < len(hidden_units) else 0.1
            self.linear_layers.append(dense(inputs, units, glorot((seed, index, 0), scale), policy))
            self.gates.append(dense(1 + vector_size, units, glorot((seed, index, 1)), policy))
            self.shifts.append(dense(1 + vector_size, units, glorot((seed, index, 2), scale), policy))
        self.built = True

    def call(self, z, time, condition=None, directions=None):
        """Returns f, and the products of its Jacobian with directions.

        Args:
            z: points of shape `(batch, size)`.
            time: a number.
            condition: vectors of shape `(batch, vector_size)`, or None.
            directions: tensor of shape `(batch, num_directions, size)`, or None.

        Returns:
            float32 tensors of the shapes of `z` and of `directions`.
        """
        h = tf.cast(z, self.compute_dtype)
        time = tf.cast(tf.ones_like(z[:, :1]) * time, self.compute_dtype)
        context = append_condition(time, condition)
        tangents = None if directions is None else tf.cast(directions, self.compute_dtype)
        for index, (linear, gate, shift) in enumerate(zip(self.linear_layers, self.gates, self.shifts, strict=True)):
            factor = tf.sigmoid(gate(context))
            h = linear(h) * factor + shift(context)
            slope = None
            if index < len(self.linear_layers) - 1:
                h, slope = self.activation(h)
            if tangents is not None:
                kernel = tf.cast(linear.kernel, self.compute_dtype)
                tangents = matmul(tangents, kernel) * factor[:, tf.newaxis]
                tangents = tangents if slope is None else tangents * slope[:, tf.newaxis]
        return tf.cast(h, tf.float32), None if tangents is None else tf.cast(tangents, tf.float32)


class OwnDynamics(KerasNetwork):
    """Any Keras layer or model as f(z, t), from z and, as one more entry, t: a function of one example at a time.

    Args:
        layer: the layer or model, or its representation in a configuration.
        size: number of entries of z.
        vector_size: number of entries of the condition, the second input; 0 for none.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, layer: OwnNetwork, size: int, vector_size: int, **kwargs):
        inputs = [(size + 1,), *([(vector_size,)] if vector_size else [])]
        super().__init__("dynamics_network", layer, inputs, [(size,)], **kwargs)
        self.check_is_stateless()

    def call(self, z, time, condition=None, directions=None):
        """Like `Dynamics`, but directions are multiplied by the Jacobian from the left: the trace is the same.

        Each direction passes through the layer separately, with a copy of its point.
        """
        if directions is None:
            return self.velocity(z, time, condition), None
        num_directions, size = directions.shape[1:]

        def copies(rows):
            # XLA compiles the gradient of a sum, unlike that of `tf.repeat`.
            rows = rows[:, tf.newaxis] + tf.zeros((num_directions, 1))
            return tf.reshape(rows, (-1, rows.shape[-1]))

        directions = tf.reshape(directions + tf.zeros_like(z)[:, tf.newaxis], (-1, size))
        z, condition = copies(z), None if condition is None else copies(condition)
        with tf.GradientTape() as tape:
            tape.watch(z)
            velocity = self.velocity(z, time, condition)
        products = tape.gradient(velocity, z, directions, unconnected_gradients="zero")
        shape = (-1, num_directions, size)
        return tf.reshape(velocity, shape)[:, 0], tf.reshape(products, shape)

    def velocity(self, z: tf.Tensor, time: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """Returns f, float32 of the shape of z."""
        inputs = tf.concat([z, tf.ones_like(z[:, :1]) * time], axis=-1)
        return tf.cast(super().call(inputs, condition), tf.float32)


class ContinuousFlow(FlowModel):
    r"""Points that move from noise at time 0 to data at time 1 along a vector field.

    $$\frac{dz}{dt} = f(z(t), t), \qquad z(0) ∼ p_Z, \quad x = z(1)$$
    $$\log p(x) = \log p_Z(z(0)) - \int_0^1 \operatorname{Tr} \frac{∂f}{∂z(t)} dt, \qquad
      \operatorname{Tr} \frac{∂f}{∂z} = E_ε[ε^\top \frac{∂f}{∂z} ε]$$

    The fourth-order Runge-Kutta method with a fixed number of steps solves both differential equations together, with
    an error of order num_steps⁻⁴ in densities and in the inverse. Hutchinson's estimate, the last equation, is only
    used in training: every other density uses the exact trace.

    Example:

    ```python
    model = keras_gen.flows.ContinuousFlow((2,))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)                                   # real vectors of shape (rows, 2)
    model.fit(x_train, batch_size=256, epochs=50)
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        hidden_units: width of each hidden layer of f, a network of z, t and, if there is one, the condition.
        num_steps: number of steps from noise to data.
        trace: "exact", at the cost of as many passes of f as an example has entries, or "hutchinson", in which a
            training step draws an ε with entries -1 and 1 for each example.
        activation: "softplus" or "tanh".
        dynamics_network: a Keras layer or model in place of f, from z followed by t, a vector with one entry more than
            an example, to a vector as long as an example; the condition's vector, if there is one, is a second input.
            It should be smooth, since the density is differentiated through its derivatives.
        seed: as in `FlowModel`.
        **kwargs: as in `FlowModel`.
    """

    def __init__(
        self,
        event_shape,
        hidden_units=(64, 64),
        *,
        num_steps: int = 16,
        trace: str = "exact",
        activation: str = "tanh",
        dynamics_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.num_steps = checks.positive_int("num_steps", num_steps)
        self.trace = checks.choice("trace", trace, ("exact", "hutchinson"))
        self.activation = checks.choice("activation", activation, ACTIVATIONS)
        self.dynamics_network = argument_value("dynamics_network", dynamics_network)
        sizes = self.event_size, self.vector_size
        if dynamics_network is None:
            self.dynamics = Dynamics(*sizes, self.hidden_units, activation, seed, dtype=self.dtype_policy)
        else:
            self.dynamics = OwnDynamics(dynamics_network, *sizes)

    # Densities

    def steps(self, condition, step=None):
        def velocity(time, z, directions=None):
            """Returns f, with the products of its Jacobian with directions stacked after it."""
            derivative, products = self.dynamics(z, time, condition, directions)
            return derivative if directions is None else tf.concat([derivative[:, tf.newaxis], products], axis=1)

        def with_trace(velocity, shape, _):
            directions = self.directions(shape[0], step)

            def augmented(time, state):
                stacked = velocity(time, state[0], directions=directions)
                # One term of the trace for each entry, since TFP sums over them.
                return stacked[:, 0], tf.reduce_sum(directions * stacked[:, 1:], axis=1)

            return augmented

        flow = tfb.FFJORD(velocity, self.solve, with_trace)
        return [*self.flattening(), tfb.Invert(flow), *self.unflattening()]

    def directions(self, batch_size: tf.Tensor, step: Step | None) -> tf.Tensor:
        """Returns the vectors that the Jacobian is multiplied by on both sides.

        Args:
            batch_size: number of examples.
            step: as in `steps`.

        Returns:
            All unit vectors, of shape `(1, size, size)`; for Hutchinson's estimate, one ε for each example, of shape
            `(batch, 1, size)`.
        """
        if step is None or self.trace == "exact":
            return tf.eye(self.event_size)[tf.newaxis]
        # A stream different from that of the noise of levels.
        uniform = step.fold(1).uniform((batch_size, 1, self.event_size))
        return tf.where(uniform < 0.5, -1.0, 1.0)

    def solve(self, ode_fn, initial_time, initial_state, solution_times) -> types.SimpleNamespace:
        """Solves a differential equation with fixed steps; the interface is that of TFP's solvers.

        Args:
            ode_fn: function from the time and the state to the derivative of the state.
            initial_time: the time of the initial state.
            initial_state: tuple of tensors.
            solution_times: list of one later time.

        Returns:
            The state at that time, with a leading axis, as `states`.
        """
        duration = (solution_times[0] - initial_time) / self.num_steps

        def moved(state, derivative, duration):
            return tuple(value + duration * slope for value, slope in zip(state, derivative, strict=True))

        def advance(index, *state):
            time, half = initial_time + duration * tf.cast(index, tf.float32), 0.5 * duration
            first = ode_fn(time, state)
            second = ode_fn(time + half, moved(state, first, half))
            third = ode_fn(time + half, moved(state, second, half))
            last = ode_fn(time + duration, moved(state, third, duration))
            mean = tuple(
                (a + 2.0 * b + 2.0 * c + d) / 6.0 for a, b, c, d in zip(first, second, third, last, strict=True)
            )
            return same_shapes(moved(state, mean, duration), state)

        final = block_loop(self.num_steps, advance, tuple(initial_state))
        return types.SimpleNamespace(states=tuple(value[tf.newaxis] for value in final))
