"""WaveNet: sound by dilated causal convolutions.

Aäron van den Oord, Sander Dieleman, Heiga Zen, Karen Simonyan, Oriol Vinyals, Alex Graves, Nal Kalchbrenner, Andrew
Senior, Koray Kavukcuoglu (2016), WaveNet: A Generative Model for Raw Audio, https://arxiv.org/abs/1609.03499

The mixture of logistic distributions over 16-bit amplitudes is that of Salimans et al. (2017),
https://arxiv.org/abs/1701.05517, which van den Oord et al. (2017) use for sound, https://arxiv.org/abs/1711.10433.
Sampling with a queue for each layer is that of Le Paine et al. (2016), https://arxiv.org/abs/1611.09482.
"""

import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import Categorical, DiscretizedLogisticMixture
from keras_gen.distributions.waveforms import Linear, MuLaw, Waveform
from keras_gen.layers.dense import dense, matmul
from keras_gen.layers.gated_activation import gated_activation
from keras_gen.layers.initializers import glorot, uniform
from keras_gen.spaces import Sound, class_or_vector, missing_entries


class CausalConvolution(keras.layers.Layer):
    """The first layer: a convolution of width 2, from the two samples before a position to its features.

    Args:
        inputs: number of inputs of a sample: the number of codes, which are one-hot encoded, or 1 for an amplitude.
        filters: number of features.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, inputs: int, filters: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        # Only one input of a one-hot code is nonzero, so weights need not be smaller with more inputs.
        self.kernel, self.older_kernel = (
            self.add_weight(
                name=name, shape=(inputs, filters), initializer=uniform(1.0, (*seed, index)), autocast=False
            )
            for index, name in enumerate(("kernel", "older_kernel"))
        )
        self.bias = self.add_weight(name="bias", shape=(filters,), initializer="zeros")
        self.built = True

    def call(self, x):
        """Takes codes or amplitudes of shape `(batch, samples)`; returns features `(batch, samples, filters)`."""
        return delayed(self.tap(x, self.kernel), 1) + delayed(self.tap(x, self.older_kernel), 2) + self.offset

    def start(self, batch_size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what earlier samples add to the features of the position after next, and of the next position."""
        features = tf.repeat(self.offset[tf.newaxis], batch_size, axis=0)
        return tf.zeros_like(features), features

    def advance(self, older: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the same after one more sample, of shape `(batch,)`; `older` is the first of the previous two."""
        return self.tap(x, self.older_kernel), self.tap(x, self.kernel) + older + self.offset

    @property
    def offset(self) -> tf.Tensor:
        return tf.cast(self.bias, self.compute_dtype)

    def tap(self, x: tf.Tensor, kernel) -> tf.Tensor:
        """Returns the product of samples of shape `(...)`, as inputs, and a kernel."""
        if kernel.shape[0] == 1:
            return tf.cast(x, self.compute_dtype)[..., tf.newaxis] * tf.cast(kernel[0], self.compute_dtype)
        # Rows are cast after the lookup, so that their gradients are summed in float32.
        return tf.cast(tf.gather(kernel.value, tf.cast(x, tf.int32)), self.compute_dtype)


class DilatedConvolutions(keras.layers.Layer):
    r"""Dilated gated convolutions of width 2; each takes the sum of the previous layer's input and output.

    $$z_l = \tanh(W_{f,l} * h_l + V_{f,l}^T c) ⊙ σ(W_{g,l} * h_l + V_{g,l}^T c), \qquad h_{l+1} = h_l + R_l z_l$$

    The kernels of all layers are one tensor, so that a sampling step computes as much as possible for all of them at
    once.

    Args:
        filters: number of features of h and of z.
        dilations: distance between the two taps of each layer, in samples.
        condition_size: length of the vector c that the gates are conditioned on; 0 for none.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, filters: int, dilations: tuple[int, ...], condition_size: int, *, seed, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.dilations = dilations
        layers, gates = len(dilations), 2 * filters
        self.kernel = self.add_weight(
            name="kernel", shape=(layers, 2 * filters, gates), initializer=uniform((2.0 / filters) ** 0.5, (*seed, 0))
        )
        self.bias = self.add_weight(name="bias", shape=(layers, gates), initializer="zeros")
        self.condition_kernel = None
        if condition_size:
            self.condition_kernel = self.add_weight(
                name="condition_kernel", shape=(condition_size, layers * gates), initializer=uniform(0.1, (*seed, 1))
            )
        # No layer follows the last one to take its sum.
        self.residual_kernels = [
            self.add_weight(
                name=f"residual_kernel_{index}", shape=(filters, filters), initializer=glorot((*seed, 2, index))
            )
            for index in range(layers - 1)
        ]
        self.residual_biases = [
            self.add_weight(name=f"residual_bias_{index}", shape=(filters,), initializer="zeros")
            for index in range(layers - 1)
        ]
        self.built = True

    def call(self, h, vectors=None):
        """Takes features of shape `(batch, samples, filters)`; returns z of all layers, `(..., layers · filters)`."""
        kernels, offsets = tf.unstack(self.cast(self.kernel)), tf.unstack(self.offsets(vectors)[:, :, tf.newaxis])
        outputs = []
        for index, (dilation, kernel, offset) in enumerate(zip(self.dilations, kernels, offsets, strict=True)):
            # Both taps in one matrix product; TensorFlow's dilated convolutions are slow on a CPU.
            outputs.append(gated_activation(matmul(tf.concat([delayed(h, dilation), h], axis=-1), kernel) + offset))
            h = self.summed(index, h, outputs[-1])
        return tf.concat(outputs, axis=-1)

    def start(self, batch_size: tf.Tensor, vectors: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the queues of all layers, concatenated, and the offsets of the gates of each example.

        The queue of a layer holds its last inputs, as many as its dilation; each new input replaces the oldest.
        """
        queues = tf.zeros(tf.stack((sum(self.dilations), batch_size, self.filters)), self.compute_dtype)
        return queues, self.offsets(vectors) + tf.zeros(tf.stack((1, batch_size, 1)), self.compute_dtype)

    def advance(self, queues: tf.Tensor, offsets: tf.Tensor, step: tf.Tensor, h: tf.Tensor):
        """Takes the features of the next position, `(batch, filters)`; returns the new queues, and z."""
        sizes = np.array(self.dilations, np.int32)
        slots = np.cumsum(sizes) - sizes + step % sizes
        older_kernel, kernel = tf.split(self.cast(self.kernel), 2, axis=1)
        # The products of the older taps are known for all layers before the first layer is computed.
        offsets = tf.unstack(offsets + tf.matmul(tf.gather(queues, slots), older_kernel))
        inputs, outputs = [], []
        for index, (kernel_of_layer, offset) in enumerate(zip(tf.unstack(kernel), offsets, strict=True)):
            inputs.append(h)
            outputs.append(gated_activation(tf.matmul(h, kernel_of_layer) + offset))
            h = self.summed(index, h, outputs[-1])
        return tf.tensor_scatter_nd_update(queues, slots[:, tf.newaxis], inputs), tf.concat(outputs, axis=-1)

    def offsets(self, vectors: tf.Tensor | None) -> tf.Tensor:
        """Returns what bias and condition add to the gates, of shape `(layers, batch or 1, 2 · filters)`."""
        offsets = self.cast(self.bias)[:, tf.newaxis]
        if vectors is None:
            return offsets
        given = tf.matmul(vectors, self.cast(self.condition_kernel))
        return offsets + tf.transpose(tf.reshape(given, (-1, *self.bias.shape)), (1, 0, 2))

    def summed(self, index: int, h: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """Returns the input of the next layer."""
        if index == len(self.residual_kernels):
            return h
        return h + matmul(z, self.cast(self.residual_kernels[index])) + self.cast(self.residual_biases[index])

    def cast(self, weight) -> tf.Tensor:
        return tf.cast(weight, self.compute_dtype)


class WaveNet(AutoregressiveModel):
    r"""A stack of dilated causal convolutions over sound, from one sample to the next.

    $$p(x) = \prod_t p(x_t | x_{t-1}, x_{t-2}, …, x_{t-R}), \qquad R = 2 + \sum_l d_l$$

    A convolution of width 2 over the preceding samples feeds gated layers with dilations d_l (see
    `DilatedConvolutions`), whose outputs z_l give the parameters of p by $S_2 g(S_1 g(\sum_l K_l z_l))$ with g = ReLU.

    Examples are amplitudes from -1 to 1, modelled as codes:

    - "mu_law": the input is a one-hot code, and p is categorical, as in the paper;
    - "linear": the input is the amplitude of a code, and p is a mixture of logistic distributions rounded to codes.

    Recordings have lengths: samples after the end are missing, NaN, and are ignored. They have no factor in p, and no
    sample depends on them. `data.load(..., padding="missing")` reads recordings this way.

    `log_prob` is the log mass of the codes, which cannot be compared with that of other codes; `bits_per_dim` is per
    sample that is present. Generated sounds consist of amplitudes that codes represent. Each layer keeps the inputs
    that its older tap still needs, so a sample costs one step of each layer, however far the model sees.

    Example:

    ```python
    model = keras_gen.autoregressive.WaveNet((4096,), dilations=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=8, epochs=20)            # x_train holds amplitudes from -1 to 1
    model.log_prob(x_test)                                 # nats, of the codes of all samples that are there
    model.sample(4, seed=0)
    ```

    Args:
        event_shape: (samples,) of an example.
        encoding: "mu_law", with finer steps for softer sound, or "linear", with equal steps.
        num_codes: number of codes; None means 256 for "mu_law" and 65,536, the number in 16-bit files, for "linear".
        num_components: number of logistic distributions in the mixture of a linear code.
        filters: number of features of the gated layers and between them.
        skip_filters: number of features of the sum over all layers, and after it.
        dilations: distance between the taps of each gated layer, in samples; cycles are written out.
        num_classes: number of classes to condition on; None for an unconditional model.
        sample_rate: sampling rate in hertz, with which sounds are drawn and written; None if it is unknown.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    xla_positions = 256

    has_unit = False

    terms = ("loss", "nll", "bits_per_dim")

    def __init__(
        self,
        event_shape,
        *,
        encoding: str = "mu_law",
        num_codes: int | None = None,
        num_components: int = 10,
        filters: int = 32,
        skip_filters: int = 128,
        dilations=(1, 2, 4, 8, 16, 32, 64, 128),
        num_classes: int | None = None,
        sample_rate: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, seed=seed, **kwargs)
        if len(self.event_shape) != 1:
            raise ValueError(f"`event_shape` must be (samples,), received {self.event_shape}.")
        self.encoding = checks.choice("encoding", encoding, ("mu_law", "linear"))
        self.num_codes = checks.levels(num_codes, allow_none=True, name="num_codes")
        self.num_components = checks.positive_int("num_components", num_components)
        self.filters = checks.positive_int("filters", filters)
        self.skip_filters = checks.positive_int("skip_filters", skip_filters)
        self.dilations = checks.positive_ints("dilations", dilations)
        if not self.dilations:
            raise ValueError("`dilations` must hold the dilation of at least one layer, received ().")
        self.num_classes = num_classes
        self.condition_space = class_or_vector(num_classes, None)
        self.sample_rate = None if sample_rate is None else checks.positive_int("sample_rate", sample_rate)
        if encoding == "mu_law":
            self.codes = MuLaw(self.num_codes or 256)
            self.conditional = Waveform(self.codes, Categorical(self.codes.num_codes))
            inputs = self.codes.num_codes
        else:
            self.codes = Linear(self.num_codes or 65_536)
            mixture = DiscretizedLogisticMixture(self.codes.num_codes, self.num_components)
            self.conditional = Waveform(self.codes, mixture)
            inputs = 1

        policy = {"dtype": self.dtype_policy}
        self.input_layer = CausalConvolution(inputs, self.filters, seed=(seed, 0), **policy)
        self.dilated_layers = DilatedConvolutions(
            self.filters, self.dilations, num_classes or 0, seed=(seed, 1), **policy
        )
        # One product computes the skips of all layers and their sum.
        widths = (len(self.dilations) * self.filters, skip_filters, skip_filters, self.conditional.num_parameters)
        self.head = []
        for index, (size, units) in enumerate(itertools.pairwise(widths)):
            self.head.append(dense(size, units, glorot((seed, 2, index)), **policy))

    @property
    def event_space(self):
        return Sound(self.event_shape, sample_rate=self.sample_rate, missing=True)

    @property
    def draws_steps(self):
        return True

    @property
    def receptive_field(self) -> int:
        """Number R of samples before a position that the model sees."""
        return 2 + sum(self.dilations)

    def samples(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the inputs of the first layer: the codes of amplitudes, or the amplitudes that these represent."""
        codes = self.codes.encode(with_silence(x))
        return codes if self.encoding == "mu_law" else self.codes.decode(codes)

    def parameters_of(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the parameters of p, given z of all layers, of shape `(..., layers · filters)`."""
        skip, hidden, last = self.head
        return tf.cast(last(tf.nn.relu(hidden(tf.nn.relu(skip(outputs))))), tf.float32)

    # Objective

    def log_prob_in_step(self, x, condition, step):
        """As in `AutoregressiveModel`, for the samples that are present."""
        log_probs = self.conditional.log_prob(self.parameters(x, condition, step=step), with_silence(x))
        return tf.reduce_sum(tf.where(missing_entries(x), 0.0, log_probs), axis=-1)

    def loss_terms(self, batch, step):
        """As in `AutoregressiveModel`; the bits per dimension are over all samples present in the batch."""
        terms = super().loss_terms(batch, step)
        num_samples = tf.reduce_sum(tf.cast(~missing_entries(batch["x"]), tf.float32), axis=-1)
        bits = tf.math.divide_no_nan(terms["nll"], num_samples * math.log(2.0))
        return {**terms, "bits_per_dim": (bits, num_samples)}

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        h = self.input_layer(self.samples(x))
        return self.parameters_of(self.dilated_layers(h, self.condition_vectors(condition)))

    def start(self, batch_size, condition=None):
        """Returns the state of the first layer, the queues, the offsets of the gates, and the next parameters."""
        older, h = self.input_layer.start(batch_size)
        queues, offsets = self.dilated_layers.start(batch_size, self.condition_vectors(condition))
        return self.advance({"queues": queues, "offsets": offsets}, tf.constant(0), older, h)

    def parameters_at(self, state, step):
        return state["parameters"]

    def observe(self, state, step, x):
        older, h = self.input_layer.advance(state["older"], self.samples(x))
        return self.advance(state, step + 1, older, h)

    def advance(self, state, step: tf.Tensor, older: tf.Tensor, h: tf.Tensor):
        """Returns the state with the parameters of a position, given its features."""
        queues, outputs = self.dilated_layers.advance(state["queues"], state["offsets"], step, h)
        return {**state, "older": older, "queues": queues, "parameters": self.parameters_of(outputs)}


def with_silence(x: tf.Tensor) -> tf.Tensor:
    """Returns amplitudes with silence in place of missing ones."""
    return tf.where(missing_entries(x), 0.0, x)


def delayed(h: tf.Tensor, distance: int) -> tf.Tensor:
    """Moves features of shape `(batch, samples, filters)` to later samples; zeros come before the first one."""
    samples = h.shape[1]
    distance = min(distance, samples)
    return tf.pad(h[:, : samples - distance], ((0, 0), (distance, 0), (0, 0)))
