"""Real NVP: real-valued non-volume preserving transformations.

Density estimation using Real NVP. Laurent Dinh, Jascha Sohl-Dickstein, Samy Bengio (2016),
https://arxiv.org/abs/1605.08803
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.base import DensityModel, Signature

tfb = tfp.bijectors
tfd = tfp.distributions


class CouplingNetworks(keras.layers.Layer):
    """The functions s and t of one affine coupling: two networks that see the entries that stay as they are.

    s ends in a tanh times a learned factor per entry, which bounds how far one coupling stretches.

    Args:
        num_inputs: number of entries that stay as they are.
        num_outputs: number of entries that are scaled and translated.
        hidden_units: width of each hidden layer, tanh for s and ReLU for t.
        seed: whole number, from which the weights are drawn.
        **kwargs: `dtype`, as in `keras.layers.Layer`.
    """

    def __init__(self, num_inputs: int, num_outputs: int, hidden_units: tuple[int, ...], seed: int, **kwargs):
        super().__init__(**kwargs)
        seeds = np.random.SeedSequence(seed).generate_state(2 * (len(hidden_units) + 1)).tolist()

        def network(activation, name):
            layers = [
                keras.layers.Dense(
                    units,
                    activation=activation,
                    kernel_initializer=keras.initializers.GlorotUniform(seed=seeds.pop()),
                    dtype=self.dtype_policy,
                )
                for units in hidden_units
            ]
            # Small weights: the flow starts near the identity, and yet every weight has a gradient.
            last = keras.initializers.VarianceScaling(0.01, seed=seeds.pop())
            layers.append(keras.layers.Dense(num_outputs, kernel_initializer=last, dtype=self.dtype_policy))
            return keras.Sequential([keras.Input((num_inputs,)), *layers], name=name)

        self.scale_network = network("tanh", "scale")
        self.translation_network = network("relu", "translation")
        self.factor = self.add_weight(shape=(num_outputs,), initializer="ones", name="factor")
        self.built = True

    def call(self, x):
        """Returns t(x) and s(x), as float32."""
        translation = tf.cast(self.translation_network(x), tf.float32)
        return translation, tf.cast(self.factor, tf.float32) * tf.tanh(tf.cast(self.scale_network(x), tf.float32))


class RealNVP(DensityModel):
    r"""A flow of affine couplings from data to standard normal noise.

    A coupling keeps the first d of the D entries and scales and translates the others by functions of these
    (equations 4 to 8 of the paper); the order of the entries changes from one coupling to the next.

    $$y_{1:d} = x_{1:d}, \qquad y_{d+1:D} = x_{d+1:D} ⊙ \exp(s(x_{1:d})) + t(x_{1:d})$$
    $$\log p_X(x) = \log p_Z(f(x)) + \log \left|\det \frac{∂f(x)}{∂x^T}\right|,
      \qquad \log \left|\det \frac{∂y}{∂x^T}\right| = \sum_j s(x_{1:d})_j$$

    Data come as they are, in any unit. `adapt` makes their standardisation the first step of f, with its
    log-determinant; without it, f starts near the identity.

    Example:

    ```python
    model = keras_gen.flows.RealNVP((2,))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)                                   # real vectors of shape (rows, 2)
    model.fit(x_train, batch_size=256, epochs=50)
    model.log_prob(x_test)                                 # nats
    z = model.encode(x_test)
    model.decode(z)                                        # x_test
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example, `(D,)` with D at least 2.
        num_layers: number of couplings.
        hidden_units: width of each hidden layer of the networks s and t.
        ordering: "alternate", where the two halves of the entries take turns, or "random", where each pair of
            turns has halves of its own.
        seed: as in `GenerativeModel`; also draws the initial weights and the random orderings.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        num_layers: int = 8,
        hidden_units=(64, 64),
        *,
        ordering: str = "alternate",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=None, seed=seed, **kwargs)
        if len(self.event_shape) != 1 or self.event_size < 2:
            raise ValueError(
                "`event_shape` must be (D,) with D at least 2, since a coupling transforms some entries given the "
                f"others; received {self.event_shape}."
            )
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.ordering = checks.choice("ordering", ordering, ("alternate", "random"))

        self.num_kept = self.event_size // 2
        self.permutations = self.draw_permutations()
        self.coupling_networks = [
            CouplingNetworks(
                self.num_kept,
                self.event_size - self.num_kept,
                self.hidden_units,
                seed=(self.seed, index),
                dtype=self.dtype_policy,
            )
            for index in range(self.num_layers)
        ]
        self.location = self.add_weight(shape=self.event_shape, initializer="zeros", trainable=False, name="location")
        self.scale = self.add_weight(shape=self.event_shape, initializer="ones", trainable=False, name="scale")

    def draw_permutations(self) -> list[np.ndarray]:
        """Returns the order into which the entries are brought before each coupling."""
        random = np.random.default_rng(self.seed)
        swap = np.roll(np.arange(self.event_size), -self.num_kept)
        permutations = [swap] * self.num_layers
        if self.ordering == "random":
            permutations[::2] = [random.permutation(self.event_size) for _ in permutations[::2]]
        return permutations

    def adapt(self, x):
        """Makes the standardisation of examples the first step of the flow.

        Args:
            x: examples of shape `(rows, D)`, as many as represent the data.

        Raises:
            ValueError: if the shape or a value is not the expected one, or if an entry is the same in all rows.
        """
        x = self.validated(x).numpy().astype(np.float64)
        deviation = x.std(axis=0)
        if np.any(deviation == 0.0):
            raise ValueError(
                f"`x` must vary in every entry; entry {int(np.argmin(deviation))} is the same in all rows."
            )
        self.location.assign(x.mean(axis=0))
        self.scale.assign(deviation)

    # Densities

    def flow(self) -> tfb.Bijector:
        """Returns f, the bijector from examples to noise."""
        # Not tfb.Scale, whose log-determinant with one factor per entry comes out wrong in LiteRT.
        steps = [tfb.Shift(-self.location.value), tfb.ScaleMatvecDiag(1.0 / self.scale.value)]
        for permutation, networks in zip(self.permutations, self.coupling_networks, strict=True):
            # TFP passes the number of transformed entries, too; the networks were built with it.
            coupling = tfb.RealNVP(self.num_kept, shift_and_log_scale_fn=lambda x, _, networks=networks: networks(x))
            steps += [tfb.Permute(permutation), coupling]
        # The last bijector of a chain is applied first.
        return tfb.Chain(steps[::-1])

    def base_distribution(self) -> tfd.Distribution:
        """Returns the standard normal distribution of the noise."""
        return tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)

    def distribution(self) -> tfd.Distribution:
        """Returns the distribution of examples."""
        return tfd.TransformedDistribution(self.base_distribution(), tfb.Invert(self.flow()))

    def log_prob(self, x, condition=None):
        self.validated_condition(condition)
        return self.distribution().log_prob(self.validated(x))

    # Codes

    def encode(self, x) -> tf.Tensor:
        """Computes the noise that examples are made from, f(x).

        Args:
            x: examples of shape `(batch, D)`.

        Returns:
            float32 tensor of the same shape.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        return self.flow().forward(self.validated(x))

    def decode(self, z) -> tf.Tensor:
        """Computes the examples that are made from noise, the inverse of `encode`.

        Args:
            z: noise of shape `(batch, D)`.

        Returns:
            float32 tensor of the same shape.

        Raises:
            ValueError: if the shape of `z` or one of its values is not the expected one.
        """
        return self.flow().inverse(self.validated(z, "z"))

    # Sampling

    def noise_distributions(self):
        return {"z": self.base_distribution()}

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        return self.flow().inverse(noise["z"])

    # Export

    def signatures(self):
        """Adds `encode` and `decode`."""
        x, z = (tf.TensorSpec((None, *self.event_shape), tf.float32, name) for name in ("x", "z"))
        return {
            **super().signatures(),
            "encode": Signature(lambda x: {"z": self.encode(x)}, {"x": x}),
            "decode": Signature(lambda z: {"x": self.decode(z)}, {"z": z}),
        }
