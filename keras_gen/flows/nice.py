"""NICE: non-linear independent components estimation.

NICE: Non-linear Independent Components Estimation. Laurent Dinh, David Krueger, Yoshua Bengio (2014),
https://arxiv.org/abs/1410.8516
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.distributions.scales import most_likely_log_scale
from keras_gen.flows.base import FlowModel
from keras_gen.flows.bijectors import Coupling
from keras_gen.flows.networks import OwnConditioner
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.dense import dense_network
from keras_gen.layers.initializers import glorot
from keras_gen.networks import OwnNetwork, argument_value

tfb = tfp.bijectors
tfd = tfp.distributions


class NICE(FlowModel):
    r"""A flow of additive, volume-preserving couplings and one scaling of each entry.

    A coupling adds to one half of the entries a function m of the other half (equations 9 and 10 of the paper); the
    entries at odd positions and those at even positions take turns:

    $$y_{I_1} = x_{I_1}, \qquad y_{I_2} = x_{I_2} + m(x_{I_1})$$

    After the last coupling, each entry is multiplied by its own factor (section 3.3). The entries of the noise are
    independent, with a logistic or a Gaussian distribution (section 3.4):

    $$\log p_X(x) = \sum_{i=1}^D \left[\log p_{H_i}(f_i(x)) + \log |S_{ii}|\right], \qquad S_{ii} = \exp(s_i)$$

    f starts near the identity. `adapt` initializes the factors to the values that make the data most likely: the flow
    then starts at least as good as independent entries of the prior's family.

    Example:

    ```python
    model = keras_gen.flows.NICE((28, 28, 1), hidden_units=(1000,) * 5, levels=256, logit_margin=None)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)                                   # whole levels 0 to 255
    model.fit(x_train, batch_size=200, epochs=50)
    model.log_prob_bound(x_test)                           # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example, with at least two entries.
        num_layers: number of couplings.
        hidden_units: width of each hidden layer of the networks m.
        prior: distribution of an entry of the noise: "logistic" or "gaussian".
        activation: activation of the hidden layers.
        conditioner_network: a Keras layer or model in place of the hidden layers of m, from the kept entries, followed
            by the condition's vector, to a vector; a dense layer follows. Each coupling gets a new instance of it.
            Their inputs differ by at most one entry, so it should accept vectors of any length.
        **kwargs: as in `FlowModel`. In the paper, levels are input without a logit: `logit_margin=None`.
    """

    def __init__(
        self,
        event_shape,
        num_layers: int = 4,
        hidden_units=(64, 64),
        *,
        prior: str = "logistic",
        activation="relu",
        conditioner_network: OwnNetwork | None = None,
        **kwargs,
    ):
        super().__init__(event_shape, **kwargs)
        self.check_two_entries()
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.prior = checks.choice("prior", prior, ("logistic", "gaussian"))
        self.activation = activation
        self.conditioner_network = argument_value("conditioner_network", conditioner_network)

        places = np.arange(self.event_size)
        #: The entries at odd positions, counted from 1, and then those at even positions.
        self.order = np.concatenate([places[::2], places[1::2]])
        self.num_odd = (self.event_size + 1) // 2
        self.networks = [self.make_network(index) for index in range(self.num_layers)]
        self.log_scale = self.add_weight(
            shape=(self.event_size,), initializer="zeros", dtype="float32", autocast=False, name="log_scale"
        )

    def make_network(self, index: int) -> keras.layers.Layer:
        """Returns m of a coupling, a function of the entries at odd positions if the index is even."""
        sizes = (self.num_odd, self.event_size - self.num_odd)
        num_inputs, num_outputs = sizes if index % 2 == 0 else sizes[::-1]
        num_inputs += self.vector_size
        if self.conditioner_network is not None:
            seed = (self.seed, index)
            return OwnConditioner(self.conditioner_network, num_inputs, num_outputs, seed, dtype=self.dtype_policy)
        # A small last layer: the flow starts near the identity, yet every weight has a gradient.
        scales = [1.0] * len(self.hidden_units) + [0.01]
        initializers = [glorot((self.seed, index, place), scale) for place, scale in enumerate(scales)]
        units = (*self.hidden_units, num_outputs)
        return dense_network(num_inputs, units, self.activation, initializers, self.dtype_policy)

    # Densities

    def entry_distribution(self) -> tfd.Distribution:
        """Returns the prior of one entry."""
        return (tfd.Logistic if self.prior == "logistic" else tfd.Normal)(0.0, 1.0)

    def base_distribution(self):
        """Returns the prior."""
        return tfd.Sample(self.entry_distribution(), self.event_shape)

    def coupling(self, index: int, condition: tf.Tensor | None) -> tfb.Bijector:
        """Returns an additive coupling of vectors in which the entries at odd positions come first."""

        def shift(kept):
            features = append_condition(tf.cast(kept, self.compute_dtype), condition)
            return tfb.Shift(tf.cast(self.networks[index](features), tf.float32))

        return Coupling(self.num_odd, index % 2 == 0, shift)

    def translations(self, condition: tf.Tensor | None) -> list[tfb.Bijector]:
        """Returns the bijectors from standardised data to vectors before their scaling."""
        couplings = [self.coupling(index, condition) for index in range(self.num_layers)]
        return [*self.flattening(), tfb.Permute(self.order), *couplings, tfb.Permute(np.argsort(self.order))]

    def steps(self, condition, step=None):
        scaling = tfb.ScaleMatvecDiag(tf.exp(self.log_scale.value))
        return [*self.translations(condition), scaling, *self.unflattening()]

    def start(self, x, condition):
        """Initializes the scaling with the factors that make the data most likely."""
        for bijector in self.translations(condition):
            x = bijector.forward(x)
        self.log_scale.assign(most_likely_log_scale(x.numpy(), self.entry_distribution))
