"""Real NVP: real-valued non-volume preserving transformations.

Density estimation using Real NVP. Laurent Dinh, Jascha Sohl-Dickstein, Samy Bengio (2016),
https://arxiv.org/abs/1605.08803
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.flows.base import FlowModel
from keras_gen.flows.bijectors import affine_coupling
from keras_gen.flows.networks import OwnConditioner
from keras_gen.flows.normalization import BatchNormalization
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.dense import dense_network
from keras_gen.networks import OwnNetwork, argument_value

tfb = tfp.bijectors


class CouplingNetworks(keras.layers.Layer):
    """The functions s and t of one affine coupling: two networks of the kept entries.

    s ends in a tanh times a learned factor for each entry, which bounds how far one coupling stretches.

    Args:
        num_inputs: number of kept entries, plus the length of a condition.
        num_outputs: number of entries that are scaled and translated.
        hidden_units: width of each hidden layer, tanh for s and ReLU for t.
        seed: seeds of the initial weights.
        conditioner: custom network in place of the hidden layers, as a configuration holds it.
        **kwargs: `dtype`, as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        hidden_units: tuple[int, ...],
        seed: tuple[int, ...],
        conditioner: dict | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        seeds = np.random.SeedSequence(seed).generate_state(2 * (len(hidden_units) + 1)).tolist()

        def network(activation, name):
            initializers = [keras.initializers.GlorotUniform(seed=seeds.pop()) for _ in hidden_units]
            # A small last layer: the flow starts near the identity, yet every weight has a gradient.
            initializers.append(keras.initializers.VarianceScaling(0.01, seed=seeds.pop()))
            return dense_network(
                num_inputs, (*hidden_units, num_outputs), activation, initializers, self.dtype_policy, name
            )

        if conditioner is None:
            self.scale_network = network("tanh", "scale")
            self.translation_network = network("relu", "translation")
        else:
            self.scale_network, self.translation_network = (
                OwnConditioner(conditioner, num_inputs, num_outputs, (*seed, index), dtype=self.dtype_policy)
                for index in range(2)
            )
        self.factor = self.add_weight(shape=(num_outputs,), initializer="ones", name="factor")
        self.built = True

    def call(self, x, condition=None):
        """Returns t and s, as float32, for kept entries of shape `(batch, d)` and their condition vectors, or None."""
        x = append_condition(tf.cast(x, self.compute_dtype), condition)
        translation = tf.cast(self.translation_network(x), tf.float32)
        return translation, tf.cast(self.factor, tf.float32) * tf.tanh(tf.cast(self.scale_network(x), tf.float32))


class RealNVP(FlowModel):
    r"""A flow of affine couplings from data to standard normal noise.

    A coupling keeps the first d of the D entries, and scales and translates the others by functions of the kept ones
    (equations 4 to 8 of the paper); the order of the entries changes from one coupling to the next.

    $$y_{1:d} = x_{1:d}, \qquad y_{d+1:D} = x_{d+1:D} ⊙ \exp(s(x_{1:d})) + t(x_{1:d})$$
    $$\log p_X(x) = \log p_Z(f(x)) + \log \left|\det \frac{∂f(x)}{∂x^T}\right|,
      \qquad \log \left|\det \frac{∂y}{∂x^T}\right| = \sum_j s(x_{1:d})_j$$

    f starts near the identity.

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
        event_shape: shape of one example, with at least two entries.
        num_layers: number of couplings.
        hidden_units: width of each hidden layer of the networks s and t.
        ordering: "alternate", where the two halves of the entries take turns, or "random", where every two couplings
            split the entries into different halves.
        batch_normalization: whether each coupling except the last is followed by a batch normalization (section 3.7).
        conditioner_network: a Keras layer or model in place of the hidden layers of s and t, from the kept entries,
            followed by the condition's vector, to a vector; a dense layer follows. Each of s and t gets a new instance
            of it.
        seed: as in `FlowModel`; also draws the random orderings.
        **kwargs: as in `FlowModel`.
    """

    def __init__(
        self,
        event_shape,
        num_layers: int = 8,
        hidden_units=(64, 64),
        *,
        ordering: str = "alternate",
        batch_normalization: bool = False,
        conditioner_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.check_two_entries()
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.ordering = checks.choice("ordering", ordering, ("alternate", "random"))
        self.batch_normalization = batch_normalization
        self.conditioner_network = argument_value("conditioner_network", conditioner_network)

        self.num_kept = self.event_size // 2
        self.permutations = self.draw_permutations()
        self.coupling_networks = [
            CouplingNetworks(
                self.num_kept + self.vector_size,
                self.event_size - self.num_kept,
                self.hidden_units,
                seed=(self.seed, index),
                conditioner=self.conditioner_network,
                dtype=self.dtype_policy,
            )
            for index in range(self.num_layers)
        ]
        num_normalizations = self.num_layers - 1 if batch_normalization else 0
        self.normalizations = [BatchNormalization(self.event_size) for _ in range(num_normalizations)]

    def draw_permutations(self) -> list[np.ndarray]:
        """Returns the order of the entries before each coupling."""
        random = np.random.default_rng(self.seed)
        swap = np.roll(np.arange(self.event_size), -self.num_kept)
        permutations = [swap] * self.num_layers
        if self.ordering == "random":
            permutations[::2] = [random.permutation(self.event_size) for _ in permutations[::2]]
        return permutations

    # Densities

    def steps(self, condition, step=None):
        bijectors = self.flattening()
        for index, (permutation, networks) in enumerate(zip(self.permutations, self.coupling_networks, strict=True)):
            bijectors += [tfb.Permute(permutation), affine_coupling(self.num_kept, True, networks, condition)]
            bijectors += [layer.bijector(1, step) for layer in self.normalizations[index : index + 1]]
        return bijectors + self.unflattening()
