"""The base of every model: the verbs, the training step, seeds, signatures and checks of the data."""

import contextlib
import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, domains, seeds
from keras_gen.conditions import Condition

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class Signature:
    """A verb as an exported function.

    Attributes:
        function: takes one keyword argument per input and returns a dict of named tensors.
        inputs: name to `tf.TensorSpec`, with a free first axis where there is a batch.
        deterministic: whether the output is a function of the inputs alone, without random operations; these
            are the signatures that LiteRT can run.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: dict[str, tf.TensorSpec]
    deterministic: bool = True


class Model(keras.Model):
    """What every model is, whether or not it can draw examples: networks that learn from data.

    A subclass builds its networks in its constructor and provides

    - `loss_terms(x, ...)`: what training minimises, or a `train_step` of its own,
    - `pictured(x, ...)`: what a picture of it shows,
    - `signatures()`: what export writes;

    training, evaluation, seeds, saving and export follow.

    Args:
        event_shape: shape of one example, without the batch.
        levels: number of levels of a discrete entry; examples are whole numbers `0..levels-1`. None stands for
            real numbers.
        seed: whole number from which all randomness of the model starts.
        **kwargs: `name` and `dtype`, as in `keras.Model`.
    """

    #: Names of the tensors that `loss_terms` returns; each is logged under its name.
    terms: tuple[str, ...] = ("loss",)

    #: What the model is conditioned on; None for an unconditional model.
    condition_kind: Condition | None = None

    #: What its card tells a user to try first.
    usage: str

    def __init__(self, event_shape, *, levels: int | None = None, seed: int = 0, **kwargs):
        # Under mixed precision the networks compute in 16 bits; the data that densities see stay as they are.
        super().__init__(autocast=False, **kwargs)
        self.event_shape = checks.event_shape(event_shape)
        self.levels = checks.levels(levels, allow_none=True)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Keras saves the weights of a model, and a generator's state only when it is one of them.
        self.seed_state = self.seed_generator.state
        self.term_metrics = [keras.metrics.Mean(name=name) for name in self.terms]
        # Networks are built in the constructor; Keras would otherwise save an unbuilt model without its weights.
        self.built = True

    def get_config(self) -> dict:
        """Returns the constructor's arguments, each an attribute of the same name."""
        return {**super().get_config(), **self.arguments(type(self))}

    def arguments(self, cls: type) -> dict:
        """Returns the arguments of the constructor of a class that the model belongs to."""
        arguments = inspect.signature(cls.__init__).parameters.values()
        named = (a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY) and a.name != "self")
        return {name: getattr(self, name) for name in named}

    @property
    def event_size(self) -> int:
        """Number of entries of one example."""
        return math.prod(self.event_shape)

    @property
    def domain(self) -> domains.Domain:
        """The set that the entries of an example belong to."""
        return domains.Reals() if self.levels is None else domains.Levels(self.levels)

    @property
    def draws_steps(self) -> bool:
        """Whether draws move in steps, such as levels, so that rounding leaves a number as it is or moves it far."""
        return self.levels is not None

    # Condition

    @property
    def vector_size(self) -> int:
        """Entries of the vector that a condition turns into; 0 for an unconditional model."""
        return 0 if self.condition_kind is None else self.condition_kind.size

    def condition_vectors(self, condition: tf.Tensor | None) -> tf.Tensor | None:
        """Returns a valid condition as vectors of shape `(batch, vector_size)` in the networks' dtype, or None."""
        return None if condition is None else tf.cast(self.condition_kind.vectors(condition), self.compute_dtype)

    # Training

    def loss_terms(self, x: tf.Tensor, condition, *, seed: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """Computes what training minimises and what it logs.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, or None.
            seed: int32 tensor of shape (2,), the step's randomness.
            training: whether this is a training step.

        Returns:
            The `terms` by name, each of shape `(batch,)` or a scalar; the mean of "loss" is minimised.
        """
        raise NotImplementedError

    def compile(self, optimizer="adam", *, jit_compile: bool = False, **kwargs):
        """As `keras.Model.compile`, without a loss: the model has its own.

        Args:
            optimizer: optimizer, or its name.
            jit_compile: whether to compile the training step with XLA. On a CPU, dense networks gain by it and
                convolutional ones lose.
            **kwargs: further arguments of `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        # Built now, a checkpoint can be restored into it before the first step.
        self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config: dict):
        """Compiles as `get_compile_config` says; loading calls it before it restores the optimizer's state."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running mean of each term."""
        return self.term_metrics

    def train_step(self, data) -> dict[str, tf.Tensor]:
        """One step of gradient descent on the loss; `data` is `x` or `(x, condition)`."""
        return self.logged(self.gradient_step(*self.unpack(data)))

    def gradient_step(self, x: tf.Tensor, condition) -> dict[str, tf.Tensor]:
        """Takes a step of gradient descent on the loss, and returns what `loss_terms` did."""
        seed = self.next_seed()
        with tf.GradientTape() as tape:
            terms = self.loss_terms(x, condition, seed=seed, training=True)
            loss = self.scaled_loss(terms["loss"], self.optimizer)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables, strict=True)
        )
        return terms

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """Evaluates the terms on a batch, with the same randomness at every call."""
        x, condition = self.unpack(data)
        return self.logged(self.loss_terms(x, condition, seed=seeds.as_pair(self.seed), training=False))

    def predict_step(self, data):
        """Applies the model to a batch; `data` is `x` or `(x, condition)`."""
        x, condition = self.unpack(data)
        return self(x) if condition is None else self(x, condition)

    def next_seed(self) -> tf.Tensor:
        """Returns the next seed, int32 of shape (2,), of the stream that is saved with the model.

        All replicas of a strategy get the same seed: they draw the noise of the global batch and keep their own
        rows (`replica_rows`), so that any number of devices computes what one would.
        """
        return tf.cast(self.seed_generator.next(), tf.int32)

    def replica_rows(self, draw: Callable[[tf.Tensor], tf.Tensor], batch_size: tf.Tensor):
        """Draws for the global batch of a strategy and returns the rows of this replica.

        Args:
            draw: function from a number of rows to a tensor, or a structure of tensors, with that many rows.
            batch_size: number of rows of this replica; all replicas have the same.
        """
        return seeds.replica_rows(draw, batch_size)

    def scaled_loss(self, loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        """Returns the number to differentiate: the mean of `loss` plus the regularisation, scaled.

        The gradients of replicas are added up, so each takes its share of the global mean; under float16 the
        optimizer scales the loss further.
        """
        loss = tf.reduce_mean(loss) + sum(self.losses)
        return optimizer.scale_loss(loss / tf.distribute.get_strategy().num_replicas_in_sync)

    def logged(self, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adds the terms of a batch, or pairs of a term and its weights, to the running means and returns these."""
        logs = {}
        for metric in self.term_metrics:
            term = terms[metric.name]
            metric.update_state(*(term if isinstance(term, tuple) else (term,)))
            logs[metric.name] = metric.result()
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Keras averages the logs of workers over their first axis.
            logs = {name: value[tf.newaxis] for name, value in logs.items()}
        return logs

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: the networks are built, and Keras' trial run fails on several workers."""

    # Checks

    def unpack(self, data) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Splits what a data set yields into float32 examples and their condition."""
        x, condition, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ValueError("`sample_weight` is not supported by generative models; received one.")
        return self.domain.validate(x, self.event_shape), self.validated_condition(condition)

    def validated_condition(self, condition) -> tf.Tensor | None:
        """Returns the condition as a tensor, or None for an unconditional model.

        Raises:
            TypeError: if its dtype is not the expected one.
            ValueError: if there is one and the model is unconditional, or none and it is conditional, or if its
                shape or a value is not the expected one.
        """
        if self.condition_kind is None:
            if condition is not None:
                raise ValueError(f"`condition` must be None: this {type(self).__name__} is not conditional.")
            return None
        if condition is None:
            raise ValueError(f"`condition` must be given: this {type(self).__name__} is conditional.")
        return self.condition_kind.validate(condition)

    def validated(self, x, name: str = "x") -> tf.Tensor:
        """Returns `x` as float32 examples, or raises a sentence that says what is wrong with them."""
        return self.domain.validate(x, self.event_shape, name)

    def fit(self, x=None, y=None, *args, validation_data=None, **kwargs):
        """As `keras.Model.fit`; `x` holds examples, and `y` what they are conditioned on.

        Raises:
            ValueError: if an example has the wrong shape or a value outside the domain.
        """
        if isinstance(validation_data, (tuple, list)):
            validation_data = (self.guarded(validation_data[0], "validation_data"), *validation_data[1:])
        elif validation_data is not None:
            validation_data = self.guarded(validation_data, "validation_data")
        if isinstance(x, tf.data.Dataset):
            # A data set is shuffled by its maker; Keras would warn that it does not.
            kwargs.setdefault("shuffle", False)
        if kwargs.get("sample_weight") is not None:
            raise ValueError("`sample_weight` is not supported by generative models; received one.")
        if y is not None:
            y = self.validated_condition(y)
        with plain_errors():
            return super().fit(self.guarded(x), y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`, with the checks of `fit`."""
        with plain_errors():
            return super().evaluate(self.guarded(x), y, *args, **kwargs)

    def guarded(self, x, name: str = "x"):
        """Returns arrays once they are validated, and data sets with the validation inside."""
        if isinstance(x, tf.data.Dataset):
            specs = x.element_spec if isinstance(x.element_spec, tuple) else (x.element_spec,)
            self.domain.validate_spec(specs[0].dtype, specs[0].shape, self.event_shape, name)
            if x.cardinality() == 0:
                raise ValueError(f"`{name}` holds no examples; at least one is expected.")

            @tf.autograph.experimental.do_not_convert
            def guard(*batch):
                batch = (self.domain.guard(batch[0], name), *batch[1:])
                return batch if len(batch) > 1 else batch[0]

            return x.map(guard, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
        if isinstance(x, (np.ndarray, list)) or tf.is_tensor(x):
            return self.domain.validate(x, self.event_shape, name)
        return x

    # Export

    def signatures(self) -> dict[str, Signature]:
        """Returns what export writes: name to `Signature`, for the verbs that the model has, the main one first.

        A conditional model takes `condition` as a further input.
        """
        return {}

    def condition_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns the input `condition` of the signatures of a conditional model."""
        return {} if self.condition_kind is None else {"condition": self.condition_kind.spec()}

    def example_input(self, name: str, spec: tf.TensorSpec, num: int, seed: int) -> tf.Tensor:
        """Returns `num` values that an input of a signature may have, to compare exports on.

        Args:
            name: the input's name; examples of the domain are given for `x`, and examples of the condition for
                `condition`.
            spec: its shape and dtype; whole numbers are given for integers, and standard normal ones for anything else,
                such as a latent code.
            num: number of examples.
            seed: seed of random values.
        """
        shape = [num if size is None else size for size in spec.shape]
        if name == "condition":
            return self.condition_kind.examples(num)
        if name == "num_samples":
            return tf.constant(num, spec.dtype)
        if name == "x" and self.levels is not None:
            levels = tf.random.stateless_uniform(shape, (seed, 1), maxval=self.levels, dtype=tf.int32)
            return tf.cast(levels, spec.dtype)
        if spec.dtype.is_integer:
            return tf.random.stateless_uniform(shape, (seed, 1), maxval=1 << 30, dtype=spec.dtype)
        return tf.random.stateless_normal(shape, (seed, 2), dtype=spec.dtype)

    def pictured(self, x: np.ndarray, *, seed) -> tf.Tensor:
        """Returns what a picture of the model shows, as many examples as it is given.

        Args:
            x: examples of the data.
            seed: int or pair of ints; the same seed gives the same picture.
        """
        raise NotImplementedError


class GenerativeModel(Model):
    """A model that turns noise into data.

    A subclass builds its networks in its constructor and provides

    - `noise_distributions()`: the random numbers that one example is made from,
    - `generate(noise)`: the deterministic function that makes examples from them,
    - `loss_terms(x, ...)`: what training minimises, or a `train_step` of its own;

    sampling and what `Model` has follow.
    """

    usage = "model.sample(16, seed=0)"

    # Sampling

    def noise_distributions(self) -> dict[str, tfd.Distribution]:
        """Returns the distribution, of one example, of each named source of randomness."""
        raise NotImplementedError

    def noise(self, num_samples, seed) -> dict[str, tf.Tensor]:
        """Draws the random numbers that `generate` turns into examples.

        Args:
            num_samples: number of examples.
            seed: int or pair of ints; the same seed gives the same noise.

        Returns:
            Name to tensor of shape `(num_samples, ...)`.
        """
        return seeds.draws(self.noise_distributions(), num_samples, seeds.as_pair(seed))

    def generate(self, noise: dict[str, tf.Tensor], condition=None) -> tf.Tensor:
        """Turns noise into examples, without any further randomness.

        Args:
            noise: what `noise` returned, or values of the caller's own choice.
            condition: what the examples are conditioned on, for a conditional model.

        Returns:
            Examples of shape `(num_samples, *event_shape)`.
        """
        raise NotImplementedError

    def sample(self, num_samples: int, *, condition=None, seed=None) -> tf.Tensor:
        """Draws examples from the model.

        Args:
            num_samples: number of examples, at least 1.
            condition: what the examples are conditioned on, for a conditional model.
            seed: int or pair of ints; the same seed gives the same examples. None takes the next seed of the
                model's own stream.

        Returns:
            Examples of shape `(num_samples, *event_shape)`; levels come as float32 whole numbers.
        """
        num_samples = checks.positive_int("num_samples", num_samples)
        condition = self.validated_condition(condition)
        if condition is not None and condition.shape[0] != num_samples:
            raise ValueError(
                f"`condition` must hold one entry per example, {num_samples}; received {condition.shape[0]}."
            )
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_sample(tf.constant(num_samples), condition, seed)

    def sample_on_examples(self, num_samples: int, *, seed) -> tf.Tensor:
        """As `sample`; a conditional model gets examples of its condition, such as all classes in turn."""
        condition = None if self.condition_kind is None else self.condition_kind.examples(num_samples)
        return self.sample(num_samples, condition=condition, seed=seed)

    def pictured(self, x, *, seed):
        """As many samples; a conditional model gets examples of its condition, such as all classes in turn."""
        return self.sample_on_examples(len(x), seed=seed)

    @functools.cached_property
    def compiled_sample(self):
        """`_sample` as a graph."""
        return tf.function(self._sample, autograph=False, reduce_retracing=True)

    def _sample(self, num_samples, condition, seed):
        samples = self.generate(self.noise(num_samples, seed), condition)
        return tf.ensure_shape(samples, (None, *self.event_shape))

    # Export

    def signatures(self) -> dict[str, Signature]:
        """Returns `sample` and `generate`; `sample` draws one example for each entry of a `condition`."""
        noise_specs = {
            name: tf.TensorSpec((None, *source.event_shape), source.dtype, name)
            for name, source in self.noise_distributions().items()
        }
        scalar = tf.TensorSpec((), tf.int32)
        number = self.condition_specs() or {"num_samples": scalar}

        def sample(seed, num_samples=None, condition=None):
            num_samples = tf.shape(condition)[0] if num_samples is None else num_samples
            return {"x": self._sample(num_samples, condition, seeds.as_pair(seed))}

        def generate(condition=None, **noise):
            return {"x": self.generate(noise, condition)}

        return {
            "sample": Signature(sample, {**number, "seed": scalar}, deterministic=False),
            "generate": Signature(generate, {**noise_specs, **self.condition_specs()}),
        }

    def example_input(self, name, spec, num, seed):
        """Adds the model's own noise, and its own draws for `x`."""
        if name in self.noise_distributions():
            return self.noise(num, seed)[name]
        if name == "x":
            return tf.cast(self.sample_on_examples(num, seed=seed), spec.dtype)
        return super().example_input(name, spec, num, seed)


class DensityModel(GenerativeModel):
    """A model with an exact density or mass, trained by maximum likelihood.

    A subclass provides `log_prob`; the loss is its negative mean, in nats.
    """

    terms = ("loss", "nll", "bits_per_dim")

    def log_prob(self, x, condition=None) -> tf.Tensor:
        """Computes the exact log density, or log mass, of examples.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        raise NotImplementedError

    def call(self, x, condition=None):
        """The log density, so that `model.predict(x)` returns it."""
        return self.log_prob(x, condition)

    def loss_terms(self, x, condition, *, seed, training):
        """The negative log-likelihood in nats, and in bits per dimension."""
        nll = -self.log_prob(x, condition)
        return {"loss": nll, **self.likelihood_terms(nll)}

    def likelihood_terms(self, nll: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns a negative log-likelihood in both of its units: nats, and bits per dimension."""
        return {"nll": nll, "bits_per_dim": nll / (self.event_size * math.log(2.0))}

    def signatures(self):
        """Adds `log_prob` to what every model exports."""
        x = tf.TensorSpec((None, *self.event_shape), tf.float32, "x")

        def log_prob(x, condition=None):
            return {"log_prob": self.log_prob(x, condition)}

        return {**super().signatures(), "log_prob": Signature(log_prob, {"x": x, **self.condition_specs()})}


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turns the error of a guarded data set into a ValueError with its sentence alone."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r"assertion failed: \[(`\w+` holds .*? expected .*?\.)\]", error.message)
        if found is None:
            raise
        raise ValueError(found[1]) from None
