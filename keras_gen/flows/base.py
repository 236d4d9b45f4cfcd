"""Base class of normalizing flows: exact densities of real numbers by change of variables, and bounds for levels."""

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.core import Codes, DensityModel, ImportanceBound, Step
from keras_gen.core.standardization import Standardization as Unit
from keras_gen.core.standardization import check_resolution
from keras_gen.flows.bijectors import Standardization
from keras_gen.flows.dequantization import DEQUANTIZERS
from keras_gen.flows.normalization import BatchNormalization, average_moments
from keras_gen.moments import EntryMoments
from keras_gen.spaces import Reals, class_or_vector

#: Maximum number of rows that weights are initialized from.
START_ROWS = 512

tfb = tfp.bijectors
tfd = tfp.distributions


class FlowModel(Codes, ImportanceBound, DensityModel):
    r"""An invertible function f from data to noise with a known density.

    $$\log p(x) = \log p_Z(f(x)) + \log \left|\det \frac{∂f(x)}{∂x^\top}\right|$$

    The first step of f is the standardisation of real numbers, which `fit` or `adapt` takes from the data. Levels, such
    as those of pixels, become real numbers by adding noise, $u ∼ q(u|x)$ in [0, 1), which bounds their mass from below
    (Theis et al., 2015, https://arxiv.org/abs/1511.01844; Ho et al., 2019, https://arxiv.org/abs/1902.00275):

    $$\log P(x) = \log ∫ p(x + u)\, du ≥ E_{q(u|x)}[\log p(x + u) - \log q(u|x)]$$

    A model of levels therefore has `log_prob_bound` instead of `log_prob`. The code of an example is its noise f(x). A
    subclass builds its networks in its constructor and provides `steps`; densities, codes, samples and exports follow.

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry; None for real numbers.
        dequantization: q(u|x), for levels: "uniform" or "variational", or a dict of the name and the arguments of the
            class in `flows.dequantization`.
        logit_margin: α; levels, scaled to $y ∈ (0, 1)$, are input as the logit of $α + (1 - 2α) y$. None uses
            $y - 1/2$.
        num_classes: number of classes that examples are conditioned on; None for no classes.
        condition_size: length of the vector that examples are conditioned on; None for no vector.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    reconstructs = False

    #: Axes of an example whose entries share one location and one scale.
    shared_axes: tuple[int, ...] = ()

    #: Layers that give features a common location and scale, in the order in which examples pass through them.
    normalizations: Sequence[keras.layers.Layer] = ()

    def __init__(
        self,
        event_shape,
        *,
        levels: int | None = None,
        dequantization="uniform",
        logit_margin: float | None = 0.05,
        num_classes: int | None = None,
        condition_size: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.dequantization = dequantization
        self.logit_margin = logit_margin
        self.num_classes = num_classes
        self.condition_size = condition_size
        self.condition_space = class_or_vector(num_classes, condition_size)
        if logit_margin is not None and not 0.0 < logit_margin < 0.5:
            raise ValueError(f"`logit_margin` must be between 0 and 1/2, or None, received {logit_margin}.")
        component_class, arguments = checks.component("dequantization", dequantization, DEQUANTIZERS)
        self.dequantizer = None
        if self.levels is not None:
            self.dequantizer = component_class(
                self.event_space, self.vector_size, seed=(seed, 999), dtype=self.dtype_policy, **arguments
            )
        if self.standardization is None:
            # The unit of the numbers that levels turn into.
            self.standardization = Unit(self.event_shape)

    def check_two_entries(self):
        """Raises an error if examples have too few entries for a coupling."""
        if self.event_size < 2:
            raise ValueError(
                "`event_shape` must have at least two entries, since a coupling transforms some entries given the "
                f"others; received {self.event_shape}."
            )

    @property
    def terms(self) -> tuple[str, ...]:
        """The loss, followed by the likelihood of real numbers or the evidence lower bound of levels."""
        return ("loss", "nll" if self.levels is None else "elbo", *self.bit_terms)

    @property
    def likelihood_kind(self) -> str:
        """The density of real numbers is exact; the mass of levels has a lower bound."""
        return "exact" if self.levels is None else "lower bound"

    @property
    def location(self) -> keras.Variable:
        """What the standardisation subtracts from each entry."""
        return self.standardization.location

    @property
    def scale(self) -> keras.Variable:
        """What the standardisation divides each entry by."""
        return self.standardization.scale

    def load_own_variables(self, store):
        """As in Keras; in a file whose flow has no layer for its unit, location and scale come after the seed."""
        if set(store.keys()) != {"0", "1", "2"}:
            return super().load_own_variables(store)
        for index, weight in enumerate((self.seed_state, self.location, self.scale)):
            weight.assign(store[f"{index}"])

    # Primitives

    def steps(self, condition: tf.Tensor | None, step: Step | None = None) -> list[tfb.Bijector]:
        """Returns the bijectors that f applies to standardised data, in order.

        Args:
            condition: vectors of shape `(batch, vector_size)` in the networks' dtype, or None.
            step: the training step, for bijectors that take statistics of its batch or draw random numbers; None
                outside of training.
        """
        raise NotImplementedError

    def base_distribution(self) -> tfd.Distribution:
        """Returns the distribution of the noise, which is standard normal unless a subclass overrides it."""
        return tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)

    def flattening(self) -> list[tfb.Bijector]:
        """Returns the reshaping of an example to a vector, as a list that is empty if the example already is one."""
        return [] if len(self.event_shape) == 1 else [tfb.Reshape((self.event_size,), self.event_shape)]

    def unflattening(self) -> list[tfb.Bijector]:
        """Returns the reshaping of such a vector to an example."""
        return [tfb.Invert(bijector) for bijector in self.flattening()]

    # Densities

    def first_steps(self) -> list[tfb.Bijector]:
        """Returns the bijectors from real numbers, or levels with noise, to standardised data."""
        event_ndims = len(self.event_shape)
        standardization = Standardization(self.location.value, self.scale.value, event_ndims)
        if self.levels is None:
            return [standardization]
        if self.logit_margin is None:
            return [Standardization(0.5 * self.levels, float(self.levels), event_ndims), standardization]
        # From [0, levels] to [α, 1 - α].
        stretch = self.levels / (1.0 - 2.0 * self.logit_margin)
        inward = Standardization(-self.logit_margin * stretch, stretch, event_ndims)
        return [inward, tfb.Invert(tfb.Sigmoid()), standardization]

    def flow(self, condition=None, step: Step | None = None) -> tfb.Bijector:
        """Returns f, the bijector from real numbers, or levels with noise, to noise.

        Args:
            condition: what the examples are conditioned on, a valid tensor, or None.
            step: as in `steps`.
        """
        bijectors = [*self.first_steps(), *self.steps(self.condition_vectors(condition), step)]
        # A chain applies its last bijector first.
        return tfb.Chain(bijectors[::-1])

    def distribution(self, condition=None, step: Step | None = None) -> tfd.Distribution:
        """Returns the distribution of real numbers, or of levels with noise; it takes the arguments of `flow`."""
        return tfd.TransformedDistribution(self.base_distribution(), tfb.Invert(self.flow(condition, step)))

    def log_prob(self, x, condition=None):
        """As in `DensityModel`.

        Raises:
            ValueError: if the model has levels, or `x` is not of the expected shape and domain.
        """
        if self.levels is not None:
            raise ValueError("`log_prob` needs real numbers; the mass of levels has a bound, `log_prob_bound`.")
        x, condition = self.validated_pair(x, condition)
        return self.distribution(condition).log_prob(x)

    def call(self, x, condition=None):
        """The log density, or the evidence lower bound of levels, so that `model.predict(x)` returns it."""
        if self.levels is None:
            return self.log_prob(x, condition)
        x, condition = self.validated_pair(x, condition)
        return self.elbo(x, condition, seeds.uniform(tf.shape(x), seeds.as_pair(self.seed)))

    def elbo(self, x: tf.Tensor, condition, uniform: tf.Tensor, step: Step | None = None) -> tf.Tensor:
        """Computes log p(x + u) - log q(u|x) for one u for each example, in nats.

        Args:
            x: float32 levels of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, a valid tensor, or None.
            uniform: numbers in [0, 1) of the shape of `x`, from which the dequantizer makes u.
            step: as in `steps`.

        Returns:
            float32 tensor of shape `(batch,)`.
        """
        u, log_density = self.dequantizer.draw(x, self.condition_vectors(condition), uniform)
        return self.distribution(condition, step).log_prob(x + u) - log_density

    def log_weights(self, x, condition, num_samples, seed):
        r"""Computes $\log \frac{p(x + u)}{q(u|x)}$ for u drawn from q(u|x)."""

        def repeated(tensor):
            return tf.tile(tensor, tf.concat([[num_samples], tf.ones(len(tensor.shape) - 1, tf.int32)], axis=0))

        rows, row_conditions = repeated(x), None if condition is None else repeated(condition)
        log_weights = self.elbo(rows, row_conditions, seeds.uniform(tf.shape(rows), seed))
        return tf.reshape(log_weights, (num_samples, tf.shape(x)[0]))

    def log_prob_bound(self, x, condition=None, num_samples: int = 100, *, seed=None):
        """As in `ImportanceBound`, for the log mass of levels.

        Raises:
            ValueError: also if the model is one of real numbers.
        """
        if self.levels is None:
            raise ValueError("`log_prob_bound` needs levels; the density of real numbers is exact: `log_prob`.")
        return super().log_prob_bound(x, condition, num_samples, seed=seed)

    def logit_log_prob(self, x, condition=None, *, seed=0) -> tf.Tensor:
        """Computes the log density of the logits of levels with noise: the unit in which the MAF paper reports images.

        Equation 29 of https://arxiv.org/abs/1705.07057 relates it to bits per dimension.

        Args:
            x: levels of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.
            seed: int or pair of ints, the seed of the noise.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.

        Raises:
            ValueError: if the model does not use logits, or `x` is not of the expected shape and domain.
        """
        if self.levels is None or self.logit_margin is None:
            raise ValueError("`logit_log_prob` needs a model of levels with a `logit_margin`, which this one lacks.")
        x, condition = self.validated_pair(x, condition)
        x += seeds.uniform(tf.shape(x), seeds.as_pair(seed))
        to_logits = tfb.Chain(self.first_steps()[-2::-1])
        log_det = to_logits.forward_log_det_jacobian(x, len(self.event_shape))
        return self.distribution(condition).log_prob(x) - log_det

    # Objective

    def adapt(self, x, condition=None, *, standardize: bool = True):
        """Makes the standardisation of examples the flow's first step, and sets all weights initialized from data.

        If it is not called, `fit` only takes the standardisation of real numbers.

        Each entry has its own location and scale; in a model that convolves images, pixels share those of their
        channel.

        Args:
            x: examples of shape `(rows, *event_shape)` that represent the data.
            condition: what they are conditioned on, for a conditional model.
            standardize: whether the first step becomes the standardisation of `x`, or stays unchanged.

        Raises:
            ValueError: if the shape or a value is not the expected one, or if an entry is the same in all rows.
        """
        if self.takes_unit:
            check_resolution(x)
        x, condition = self.validated_pair(x, condition)
        condition = self.condition_vectors(condition)
        if self.dequantizer is not None:
            u, _ = self.dequantizer.draw(x, condition, seeds.uniform(tf.shape(x), seeds.as_pair(self.seed)))
            x += u
        for bijector in self.first_steps()[:-1]:
            x = bijector.forward(x)
        if standardize:
            moments = EntryMoments(self.event_shape, self.shared_axes).add(x)
            self.standardization.take(moments.mean, moments.scale(constant=False))
        self.standardization.adapted.assign(1)
        self.start(self.first_steps()[-1].forward(x), condition)

    def adapt_normalizations(self, x, condition=None, batch_size: int = 1000):
        """Recomputes the running statistics of batch normalizations from all of the data, once a model is trained.

        Running means follow the last training steps. Papamakarios et al. (2017) evaluate with the means and variances
        of the whole training set; here, these are the averages over its batches. A model without batch normalization
        stays unchanged.

        Args:
            x: examples of shape `(rows, *event_shape)`, such as the training data.
            condition: what they are conditioned on, for a conditional model.
            batch_size: number of examples in a batch; rows beyond the last full batch are ignored.

        Raises:
            ValueError: if the shape or a value is not the expected one.
        """
        if not any(isinstance(layer, BatchNormalization) for layer in self.normalizations):
            return
        batch_size = min(checks.positive_int("batch_size", batch_size), len(x))

        def forward(index: int, step: Step):
            rows = slice(index * batch_size, (index + 1) * batch_size)
            columns = [self.validated(x[rows])]
            columns.append(self.validated_condition(None if condition is None else condition[rows]))
            if self.levels is None:
                return self.distribution(columns[1], step).log_prob(columns[0])
            uniform = seeds.uniform(tf.shape(columns[0]), step.fold(index).seed)
            return self.elbo(*columns, uniform, step)

        passes = [functools.partial(forward, index) for index in range(len(x) // batch_size)]
        average_moments(passes, seeds.as_pair(self.seed))

    def start(self, x: tf.Tensor, condition: tf.Tensor | None):
        """Sets the weights that are initialized from data, by default with `start_step` on evenly spaced rows.

        Args:
            x: standardised data of shape `(rows, *event_shape)`.
            condition: vectors as in `steps`, or None.
        """
        stride = -(-len(x) // START_ROWS)
        step = Step(seeds.as_pair(self.seed), training=True)
        self.start_step(x[::stride], None if condition is None else condition[::stride], step)
        step.apply()

    def start_step(self, x: tf.Tensor, condition: tf.Tensor | None, step: Step):
        """Passes rows through layers initialized from data, which hand their start to the step; most have none."""

    def loss_terms(self, batch, step):
        """The negative log-likelihood of real numbers, or the evidence lower bound of levels, also in bits."""
        x, condition = batch["x"], batch.get("condition")
        training_step = step if step.training else None
        if self.levels is None:
            log_prob = self.distribution(condition, training_step).log_prob(x)
        else:
            uniform = step.uniform((tf.shape(x)[0], *self.event_shape))
            log_prob = self.elbo(x, condition, uniform, training_step)
        return {"loss": -log_prob, "elbo": log_prob, **self.likelihood_terms(-log_prob)}

    # Codes and samples

    @property
    def code_space(self):
        return Reals(self.event_shape)

    def code_of(self, x, condition):
        """Returns f(x), or f(x + 1/2) for levels."""
        return self.flow(condition).forward(x if self.levels is None else x + 0.5)

    def mean_of(self, z, condition):
        """Returns the inverse of f, rounded down to levels."""
        x = self.flow(condition).inverse(z)
        return x if self.levels is None else self.event_space.nearest(tf.floor(x))

    def noise_distributions(self):
        return {"z": self.base_distribution()}

    def generate(self, noise, condition=None):
        return self.mean_of(noise["z"], self.validated_condition(condition, **noise))

    # Export

    def signatures(self):
        """Keeps `log_prob` for real numbers, and `log_prob_bound` for levels."""
        signatures = super().signatures()
        del signatures["log_prob_bound" if self.levels is None else "log_prob"]
        return signatures
