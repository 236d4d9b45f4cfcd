"""The base of every model: its spaces, its training step, its checks and its signatures."""

import contextlib
import inspect
import itertools
import math
import re
import types
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

from keras_gen import checks, seeds
from keras_gen.core import freezing, weights_file
from keras_gen.core.constructors import by_position, check_names
from keras_gen.core.inputs import Inputs, check_some_count, first_epoch, named_columns, none_counts
from keras_gen.core.running_mean import RunningMean
from keras_gen.core.signatures import Signature
from keras_gen.core.standardization import Standardization, check_resolution, refuse_coarse
from keras_gen.core.step import Step, over_replicas
from keras_gen.moments import EntryMoments, is_wide
from keras_gen.spaces import Space

#: The most rows of a generator that are inspected before training on it; they are kept in memory until then.
MOST_ROWS = 100_000

#: Keras' older format has no place for several optimizers, and its loader does not know the classes of this package.
H5_SENTENCE = "A model is saved to a .keras file, or its weights alone by `save_weights` to a .weights.h5 file."


#: Arguments of `compile` that Keras computes from labels, in its order.
FOREIGN = ("loss", "loss_weights", "metrics", "weighted_metrics")

#: Verbs that some models have, and what models without them may have instead, the closest substitute first.
INSTEAD = {
    "sample": ("translate", "complete", "reconstruct", "denoise", "inpaint"),
    "generate": ("sample", "translate", "complete", "reconstruct"),
    "log_prob": ("log_prob_bound", "energy", "free_energy", "variational_free_energy", "reconstruct"),
    "log_prob_bound": ("log_prob", "energy", "free_energy", "variational_free_energy", "reconstruct"),
    "energy": ("free_energy", "log_prob", "log_prob_bound"),
    "free_energy": ("energy", "variational_free_energy", "log_prob", "log_prob_bound"),
    "encode": ("infer", "features", "posterior"),
    "decode": ("generate", "sample"),
    "reconstruct": ("translate", "impute", "inpaint"),
    "impute": ("inpaint", "complete", "reconstruct"),
    "translate": ("reconstruct", "sample"),
    "translate_back": ("translate",),
    "classify": ("infer_condition", "infer", "predict"),
    "similarity": (),
}


class Model(keras.Model):
    """The base class of every model: networks that learn from data.

    A subclass builds its networks in its constructor and provides

    - `spaces`: what each column of a batch holds,
    - `loss_terms(batch, step)`: what training minimises,
    - `preview(batch)`: what a picture of the model shows,
    - `signatures()`: what export writes;

    training, evaluation, seeds, saving and export follow.

    The classes of this package are registered with Keras under their names. Users register their own classes, or pass
    them as custom objects.

    Real numbers may be in any unit. The networks see them standardised: before its first training step, `fit` takes the
    mean and the standard deviation of each entry, or of each channel for images, from all rows of an epoch. Everything
    a model returns is in the unit of the data: draws, and also likelihoods, bounds and energies, which include the
    log-determinant. An entry that is the same in all rows is only shifted. A model loaded from a file keeps its units.

    Args:
        seed: integer from which all randomness of the model derives.
        **kwargs: `name` and `dtype`, as in `keras.Model`; and `standardize`, whether `fit` takes the units of real
            numbers from the first data that it sees. By default all models do, except mixtures and probabilistic PCA:
            they fit any unit, and their smallest scales are in the unit of the data.
    """

    #: Whether `fit` takes units from the data by default.
    standardizes: bool = True

    #: The units of columns of real numbers, by name.
    column_units: dict[str, Standardization] = {}

    #: Names of the tensors that `loss_terms` returns; each is logged under its own name.
    terms: tuple[str, ...] = ("loss",)

    #: Whether the loss is a mean over examples, so that examples can have weights.
    takes_sample_weight: bool = True

    #: What `log_prob` and `log_prob_bound` return of the likelihood: "exact", "lower bound", "upper bound" or
    #: "estimate"; None for a model that offers neither.
    likelihood_kind: str | None = None

    #: Whether the model itself keeps a moving average of its weights, and draws with it.
    keeps_average: bool = False

    @property
    def usage(self) -> str:
        """The first example on the model's card: lines of Python in which the model is called `model`."""
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = freezing.with_frozen_parts(cls.__init__)
        if cls.__module__.startswith("keras_gen."):
            keras.saving.register_keras_serializable("keras_gen")(cls)

    def __new__(cls, *args, frozen_parts=None, **kwargs):
        model = super().__new__(cls, *args, **kwargs)
        # Arguments that the constructor passes on to its bases by `*args` and `**kwargs` are part of the configuration,
        # too.
        named, given = inspect.signature(cls.__init__).parameters, by_position(cls, args)
        # Set like this, networks among them are not tracked by Keras or TensorFlow as parts of the model.
        object.__setattr__(model, "_given", types.MappingProxyType({**given, **kwargs}))
        model._passed_on = tuple(name for name in model._given if name not in named)
        return model

    def __init__(self, *, seed: int = 0, **kwargs):
        check_names(type(self), kwargs)
        self.standardize = bool(kwargs.pop("standardize", self.standardizes))
        # Under mixed precision the networks compute in 16 bits; the data that densities see keep their precision.
        super().__init__(autocast=False, **kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Keras saves the weights of a model; it saves a generator's state only if that is one of the weights.
        self.seed_state = self.seed_generator.state
        self.term_metrics = [RunningMean(name=name) for name in self.terms]
        # Networks are built in the constructor; otherwise Keras would save an unbuilt model without its weights.
        self.built = True
        self.frozen_at_start = {}

    def get_config(self) -> dict:
        """Returns the arguments that the model was created with, each an attribute of the same name.

        Arguments that a user's subclass does not keep are returned as they were given. If `trainable` of some parts has
        changed since, "frozen_parts" records it.
        """
        if global_state.get_global_attribute("use_legacy_config", False):
            # `keras.saving.save_model` is writing an HDF5 file, which has no place for two optimizers.
            raise ValueError(H5_SENTENCE)
        config = super().get_config()
        parameters = inspect.signature(type(self).__init__).parameters.values()
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"]
        passed_on = [name for name in self._passed_on if name not in config]
        frozen = freezing.flags_of(self)
        changed = {} if frozen == self.frozen_at_start else {"frozen_parts": frozen}
        names = [name for name in (*named, *passed_on) if name in self._given or hasattr(self, name)]
        return {
            **config,
            **{name: getattr(self, name) if hasattr(self, name) else self._given[name] for name in names},
            **changed,
        }

    # Spaces

    @property
    def spaces(self) -> dict[str, Space]:
        """What each column of a batch holds, by name; `fit` calls the first one x and the second one y."""
        raise NotImplementedError

    # Training

    def loss_terms(self, batch: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Computes what training minimises and what it logs.

        Args:
            batch: valid columns by name, each of shape `(batch, *space.shape)`.
            step: supplies randomness, and collects the updates of whatever is learned without a gradient.

        Returns:
            The `terms` by name, each of shape `(batch,)`, a scalar, or a pair of values and weights; the mean of
            "loss" is minimised.
        """
        raise NotImplementedError

    def compile(
        self,
        optimizer="adam",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        *,
        jit_compile: bool = False,
        **kwargs,
    ):
        """Like `keras.Model.compile`, but without a loss, since the model has its own.

        Args:
            optimizer: optimizer, or its name.
            loss: must be None, like the next three.
            loss_weights: must be None.
            metrics: must be None.
            weighted_metrics: must be None.
            jit_compile: whether to compile the training step with XLA. On a CPU, this makes dense networks faster and
                convolutional ones slower.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if a loss or metrics are given, which Keras would compute from labels.
        """
        self.check_no_other_loss(dict(zip(FOREIGN, (loss, loss_weights, metrics, weighted_metrics), strict=True)))
        optimizer = optimizer_of("optimizer", optimizer)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        # Building it now allows a checkpoint to be restored into it before the first step.
        self.optimizer.build(self.trainable_variables)

    def check_no_other_loss(self, arguments: dict) -> None:
        """Raises an error if the arguments of `compile` hold a loss or metrics."""
        for name in FOREIGN:
            if arguments.get(name) is not None:
                raise ValueError(
                    f"`{name}` must be None: {type(self).__name__} has a loss and figures of its own; "
                    f"received {arguments[name]!r}."
                )

    def get_compile_config(self) -> dict:
        """Returns the arguments of `compile`, serialized.

        If other weights are trainable now than when the optimizers were built, "optimized_weights" names the weights
        they were built for.
        """
        config = super().get_compile_config()
        if config:
            optimized = freezing.optimized_weights(self)
            by_path = freezing.weights_by_path(self)
            if {id(by_path[path]) for path in optimized} != {id(weight) for weight in self.weights_to_optimize()}:
                config["optimized_weights"] = optimized
        return config

    def compile_from_config(self, config: dict):
        """Compiles from a config of `get_compile_config`; loading calls this before restoring the optimizer's state."""
        arguments = keras.saving.deserialize_keras_object(config)
        optimized = arguments.pop("optimized_weights", None)
        with contextlib.nullcontext() if optimized is None else freezing.only_trainable(self, optimized):
            self.compile(**arguments)

    def weights_to_optimize(self) -> list[keras.Variable]:
        """Returns the weights that `compile` builds optimizers for."""
        return self.trainable_variables

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running mean of each term."""
        return self.term_metrics

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers that the model was compiled with."""
        return [self.optimizer]

    def train_step(self, data) -> dict[str, tf.Tensor]:
        """One step of training; `data` is a batch in any form that `fit` takes."""
        batch, sample_weight = self.unpack(data)
        iteration = tf.convert_to_tensor(self.optimizer.iterations)
        step = Step(self.next_seed(), training=True, sample_weight=sample_weight, iteration=iteration)
        return self.logged(self.take_step(batch, step), step)

    def take_step(self, batch: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Takes a step of gradient descent on the loss, applies the step's updates, and returns its terms."""
        terms = self.descend(lambda: self.loss_terms(batch, step), step, self.optimizer, self.trainable_variables)
        step.apply()
        return terms

    def descend(
        self,
        compute_terms: Callable[[], dict[str, tf.Tensor]],
        step: Step,
        optimizer: keras.optimizers.Optimizer,
        variables: list[keras.Variable],
        *,
        loss: str = "loss",
    ) -> dict[str, tf.Tensor]:
        """Moves variables along the gradient of a term, and returns all terms.

        Args:
            compute_terms: function that returns terms by name, in one forward pass.
            step: the step.
            optimizer: optimizer of the variables.
            variables: the variables to move.
            loss: name of the term whose mean is minimised.
        """
        with tf.GradientTape() as tape:
            terms = step.record(compute_terms, self.non_trainable_variables)
            objective = self.objective_share(terms[loss], step, optimizer)
        optimizer.apply(tape.gradient(objective, variables), variables)
        return terms

    def objective_share(self, loss, step: Step, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        """Returns this replica's share of the number to differentiate.

        That number is the mean of the loss over the global batch, weighted by the examples' weights, plus the
        regularisation. The gradients of the replicas are summed; under float16 the optimizer also scales the loss.

        Args:
            loss: tensor of shape `(batch,)`, a pair of such values and weights, or a scalar.
            step: the step.
            optimizer: optimizer of the gradient.
        """
        num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        values, weights = term_and_weights(loss, step)
        if values.shape.rank == 0:
            share = values / num_replicas
        elif weights is None and num_replicas == 1:
            share = tf.reduce_mean(values)
        else:
            weights = tf.ones_like(values) if weights is None else weights
            total = over_replicas(tf.reduce_sum(weights))
            share = tf.math.divide_no_nan(tf.reduce_sum(values * weights), total)
        return optimizer.scale_loss(share + sum(self.losses) / num_replicas)

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """Evaluates the terms on a batch, with the same randomness at every call."""
        batch, sample_weight = self.unpack(data)
        step = Step(seeds.as_pair(self.seed), training=False, sample_weight=sample_weight)
        return self.logged(step.record(lambda: self.loss_terms(batch, step), []), step)

    def predict_step(self, data):
        """Applies the model to a batch in any form that `fit` takes; columns that `call` does not need are optional."""
        columns = self.call_columns
        batch, _ = self.unpack(data, needed=columns)
        return self(*(batch[name] for name in columns))

    def next_seed(self) -> tf.Tensor:
        """Returns the next seed, int32 of shape (2,), of the stream of seeds that is saved with the model.

        All replicas of a strategy get the same seed: they draw the noise of the global batch and keep their own rows
        (`Step.rows`), so any number of devices computes the same result as one.
        """
        return tf.cast(self.seed_generator.next(), tf.int32)

    def logged(self, terms: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Adds the terms of a batch, weighted by the examples' weights, to the running means and returns the means."""
        logs = {}
        for metric in self.term_metrics:
            values, weights = term_and_weights(terms[metric.name], step)
            metric.update_state(values, None if values.shape.rank == 0 else weights)
            logs[metric.name] = metric.result()
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Keras averages the logs of workers over their first axis.
            logs = {name: value[tf.newaxis] for name, value in logs.items()}
        return logs

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: the networks are already built, and Keras' trial run fails on several workers."""

    # Checks

    @property
    def call_columns(self) -> list[str]:
        """The columns that `call` takes and `predict` needs."""
        return [name for name in inspect.signature(self.call).parameters if name in self.spaces]

    def input_checks(self, name: str | None = None, *, needed: list[str] | None = None) -> Inputs:
        """Returns the checks of the model's input data.

        Args:
            name: what errors call the first column.
            needed: names of the required columns; None for all.
        """
        takes_weights = self.takes_sample_weight
        return Inputs(self.spaces, type(self).__name__, takes_weights=takes_weights, name=name, needed=needed)

    def unpack(self, data, *, needed: list[str] | None = None) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
        """Splits an element of a data set that `fit` has checked into columns by name and the weights or None."""
        columns, sample_weight = named_columns(self.spaces, data, model=type(self).__name__, needed=needed)
        if sample_weight is not None:
            self.input_checks().check_weights_are_taken()
            sample_weight = tf.cast(sample_weight, tf.float32)
        return {name: self.spaces[name].converted(column, name) for name, column in columns.items()}, sample_weight

    def fit(
        self,
        x=None,
        y=None,
        batch_size: int | None = None,
        *args,
        validation_data=None,
        sample_weight=None,
        class_weight=None,
        **kwargs,
    ) -> keras.callbacks.History:
        """Like `keras.Model.fit`; `x` holds the first column of the batches, and `y` the second one.

        Args:
            x: array, list or data frame; a dict of columns by name, which may also hold "sample_weight"; or a
                `tf.data.Dataset`, a `PyDataset`, a loader such as grain's, which is read anew in each epoch, or a
                generator, of batches in any of these forms or of tuples.
            y: array of the second column, such as what the examples are conditioned on.
            batch_size: examples in a batch of arrays; None takes 32.
            *args: further arguments of `keras.Model.fit`.
            validation_data: the same for validation, columns as a tuple or, as in Keras, a list.
            sample_weight: weight of each example. In the loss, its gradient and all metrics, an example of weight 2
                counts as two copies of it in the batch.
            class_weight: weight of each class, for a model that is conditioned on one.
            **kwargs: further arguments of `keras.Model.fit`.

        Raises:
            TypeError: if a dtype is not the expected one.
            ValueError: if a column is missing or unknown, a shape or a value is not the expected one, `batch_size` is
                smaller than 1, the data never end and `steps_per_epoch` is None, or examples are given weights although
                the loss is not a mean over them.
        """
        check_batch_size(batch_size)
        given_by_name = {"validation_data": validation_data, "sample_weight": sample_weight}
        kwargs = by_name("fit", args, {**kwargs, **given_by_name, "class_weight": class_weight})
        validation_data, sample_weight, class_weight = (
            kwargs.pop(name) for name in ("validation_data", "sample_weight", "class_weight")
        )
        validation_split = kwargs.get("validation_split") or 0.0
        checks.rate("validation_split", validation_split)
        x = self.input_checks().loaded(x)
        if isinstance(x, (tf.data.Dataset, tf.distribute.DistributedDataset)):
            # The user shuffles a data set; Keras would warn that it does not shuffle it.
            kwargs.setdefault("shuffle", False)
        self.check_resolutions(x)
        given, x = x, self.input_checks().checked(x, y, sample_weight, class_weight, keep_wide=True)
        check_some_count(x)
        steps = kwargs.get("steps_per_epoch")

        def first_epoch_of_set():
            # Cut before prefetching: the order of later epochs, which are shuffled again, must not depend on how far it
            # got.
            return self.input_checks().checked(given if steps is None else given.take(steps), class_weight=class_weight)

        check_that_it_ends(x, "steps_per_epoch", steps)
        with plain_errors():
            x = self.input_checks().narrowed(self.first_look(x, first_epoch_of_set, steps, validation_split))
        if validation_data is not None:
            columns = self.input_checks().as_tuple(validation_data)
            columns = columns if isinstance(columns, tuple) else (columns,)
            validation_data = self.input_checks("validation_data").checked(*columns)
            check_some_count(validation_data)
            check_that_it_ends(validation_data, "validation_steps", kwargs.get("validation_steps"))
        with plain_errors():
            history = super().fit(x, None, batch_size, validation_data=validation_data, **kwargs)
        if history.epoch and not history.history:
            raise ValueError("`x` holds no examples; at least one is expected.")
        return history

    def check_resolutions(self, x) -> None:
        """Raises an error if real numbers, in a form that `fit` takes, lose their differences in float32."""
        x = self.input_checks().as_tuple(x)
        columns = x if isinstance(x, dict) else {next(iter(self.spaces)): x[0] if isinstance(x, tuple) and x else x}
        for name in self.column_units:
            check_resolution(columns.get(name), name)

    def first_look(self, x, first_epoch_of_set: Callable, steps: int | None, validation_split: float):
        """Takes the units of real numbers from the data that `fit` is about to train on, and returns the data.

        Numbers of a wide dtype are examined even if no unit is to be taken.

        Args:
            x: checked columns by name, or batches of them.
            first_epoch_of_set: if x is a data set, function that returns its first epoch.
            steps: batches in an epoch; None for all.
            validation_split: fraction of arrays, at their end, that is not trained on.
        """
        units = {name: unit for name, unit in self.column_units.items() if not unit.adapted.numpy()}
        units = units if self.standardize else {}
        if not units:
            x, is_wide_stream = self.with_width(x)
            if not is_wide_stream:
                return x
        names = units or self.column_units
        moments = {name: EntryMoments(self.spaces[name].shape, self.axes_of_unit(name)) for name in names}
        batches, x = first_epoch(x, first_epoch_of_set, steps, MOST_ROWS)
        num_rows, wide = 0, set()
        for element in batches:
            columns, weights = named_columns(self.spaces, element, model=type(self).__name__)
            for name, found in moments.items():
                # As Keras splits arrays.
                kept = slice(math.floor(len(columns[name]) * (1.0 - validation_split)))
                found.add(columns[name][kept], None if weights is None else weights[kept])
                wide |= {name} if is_wide(np.asarray(columns[name]).dtype) else set()
            num_rows += len(next(iter(columns.values())))
            if not units and num_rows >= MOST_ROWS:
                break
        if units and not any(np.any(found.count) for found in moments.values()):
            check_some_count({"sample_weight": weights})
        for name in wide:
            refuse_coarse(moments[name].coarse_entry(), name)
        for name, unit in units.items():
            unit.take(moments[name].mean, moments[name].scale(constant=True))
        return x

    def with_width(self, x) -> tuple[object, bool]:
        """Returns checked data, and whether they are batches that have real numbers of a wide dtype."""
        names, element = self.column_units, None
        if not names:
            return x, False
        if isinstance(x, tf.data.Dataset):
            element = x.element_spec
        elif isinstance(x, keras.utils.PyDataset):
            element = x[0]
        elif isinstance(x, Iterator):
            first = list(itertools.islice(x, 1))
            element, x = first[0] if first else None, itertools.chain(first, x)
        return x, element is not None and self.input_checks().is_wide(element, names)

    def channel_units(self, **shapes: tuple[int, ...]) -> dict[str, Standardization]:
        """Returns new units, one per channel, for columns of images of the given shapes; none for levels."""
        if self.levels is not None:
            return {}
        return {name: Standardization(shape[-1:], name=f"unit_{name}") for name, shape in shapes.items()}

    def axes_of_unit(self, name: str) -> tuple[int, ...]:
        """Returns the axes of a column's values whose entries share one unit: height and width of images."""
        return (0, 1) if len(self.spaces[name].shape) == 3 else ()

    def evaluate(self, x=None, y=None, batch_size: int | None = None, *args, sample_weight=None, **kwargs):
        """Like `keras.Model.evaluate`, with the checks and the weights of `fit`."""
        check_batch_size(batch_size)
        kwargs = by_name("evaluate", args, {**kwargs, "sample_weight": sample_weight})
        sample_weight = kwargs.pop("sample_weight")
        name = "x"
        # Keras calls it for validation within `fit`, with data that have been checked.
        if kwargs.get("_use_cached_eval_dataset"):
            name = "validation_data"
        else:
            x = self.input_checks().checked(x, y, sample_weight)
            check_that_it_ends(x, "steps", kwargs.get("steps"))
        with plain_errors():
            found = super().evaluate(x, None, batch_size, **kwargs)
        if found in ({}, []):
            raise ValueError(f"`{name}` holds no examples; at least one is expected.")
        if name == "x" and all(metric.count.numpy() == 0.0 for metric in self.term_metrics):
            raise none_counts()
        return found

    def predict(self, x, batch_size: int | None = None, *args, **kwargs):
        """Like `keras.Model.predict`, with the checks of `fit`; several columns are given by name or as a tuple.

        Returns:
            What `call` returns for all examples, as NumPy arrays.
        """
        check_batch_size(batch_size)
        kwargs = by_name("predict", args, kwargs)
        x = self.input_checks(needed=self.call_columns).checked(x)
        check_that_it_ends(x, "steps", kwargs.get("steps"))
        with plain_errors():
            return super().predict(x, batch_size, **kwargs)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Like `keras.Model.train_on_batch`, with the checks and the weights of `fit`.

        If the model has not seen any data yet, this batch sets the unit of real numbers; `adapt` takes it from more
        data.
        """
        self.check_resolutions(x)
        x = self.input_checks().checked(x, y, sample_weight, class_weight)
        x = self.first_look(x, lambda: x, None, 0.0)
        with plain_errors():
            return super().train_on_batch(x, return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Like `keras.Model.test_on_batch`, with the checks and the weights of `fit`."""
        return super().test_on_batch(self.input_checks().checked(x, y, sample_weight), return_dict=return_dict)

    def predict_on_batch(self, x):
        """Like `keras.Model.predict_on_batch`, with the checks of `predict`."""
        return super().predict_on_batch(self.input_checks(needed=self.call_columns).checked(x))

    def __getattr__(self, name: str):
        """Raises an error that, for a verb the model lacks, names the ones it has."""
        if name not in INSTEAD:
            # The error that the attribute's own code raised.
            return object.__getattribute__(self, name)
        verbs = list(self.signatures())
        near = [verb for verb in INSTEAD[name] if verb in verbs]
        has = f"`{near[0]}` comes nearest to it" if near else f"it has {', '.join(verbs)}" if verbs else "it has none"
        raise AttributeError(f"{type(self).__name__} has no verb `{name}`; {has}.", name=name, obj=self)

    # Saving, export and pictures

    def save(self, filepath, *args, **kwargs):
        """Like `keras.Model.save`, to a `.keras` file.

        Raises:
            ValueError: if `filepath` is the path of an HDF5 file.
        """
        if str(filepath).lower().endswith((".h5", ".hdf5")):
            raise ValueError(f"{H5_SENTENCE[:-1]}, received {str(filepath)!r}.")
        return super().save(filepath, *args, **kwargs)

    def load_weights(self, filepath, *args, **kwargs):
        """Like `keras.Model.load_weights`; if it fails, all weights stay as they were.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it holds no weights, or those of another model.
        """
        with weights_file.all_or_nothing(self, filepath):
            return super().load_weights(filepath, *args, **kwargs)

    def export(self, *args, **kwargs):
        """Raises an error that names what exports the model: Keras' `export` knows only `call`."""
        raise NotImplementedError(
            f"`keras_gen.export.saved_model(model, folder)` exports all verbs of {type(self).__name__} for servers, "
            "and `keras_gen.export.litert(model, file)` for phones; `export` of Keras knows `call` alone."
        )

    @classmethod
    def _unpickle_model(cls, bytesio):
        """As in Keras, called by `pickle` and `copy.deepcopy`, but also for a class that is not registered."""
        with keras.saving.custom_object_scope({cls.__name__: cls}):
            return super()._unpickle_model(bytesio)

    def signatures(self) -> dict[str, Signature]:
        """Returns what export writes: name to `Signature`, for the verbs that the model has, the main one first."""
        return {}

    def litert_files(self) -> dict[str, str]:
        """Returns texts that accompany a LiteRT file, such as a vocabulary, by the ending of their file names."""
        return {}

    def specs(self, *names: str) -> dict[str, tf.TensorSpec]:
        """Returns the inputs of a signature that are columns of the model: name to `tf.TensorSpec`."""
        return {name: self.spaces[name].spec(name) for name in names if name in self.spaces}

    def input_space(self, name: str) -> Space | None:
        """Returns what an input of a signature holds for each example: a column's space; None for anything else.

        A SavedModel checks it. Real numbers without a space, such as noise, must be finite.
        """
        return self.spaces.get(name)

    def output_space(self, name: str) -> Space | None:
        """Returns what an output of a signature holds for each example, if that is known, else None.

        Whole numbers change in steps; an export is compared with Keras accordingly.
        """
        return self.spaces.get(name)

    def scalar_checks(self, name: str) -> dict[str, Callable]:
        """Returns the conditions on a number that a signature or `sample` takes: phrase to function of the number."""
        return {"at least 1": lambda value: value >= 1} if name == "num_samples" else {}

    def example_input(self, name: str, spec: tf.TensorSpec, num: int, seed: int) -> tf.Tensor:
        """Returns `num` valid values of an input of a signature, on which to compare exports.

        Args:
            name: the input's name; an input with a space gets examples of that space.
            spec: its shape and dtype; integers get whole numbers, and anything else, such as a latent code, gets
                standard normal numbers.
            num: number of examples.
            seed: seed of random values.
        """
        space = self.input_space(name)
        if space is not None:
            return tf.cast(space.examples(num, (seed, 1)), spec.dtype)
        if name == "num_samples":
            return tf.constant(num, spec.dtype)
        shape = [num if size is None else size for size in spec.shape]
        if spec.dtype.is_integer:
            return tf.random.stateless_uniform(shape, (seed, 1), maxval=1 << 30, dtype=spec.dtype)
        return tf.random.stateless_normal(shape, (seed, 2), dtype=spec.dtype)

    def preview(self, batch: dict[str, tf.Tensor], *, seed) -> dict[str, tuple[Space, tf.Tensor]]:
        """Returns what a picture of the model shows: rows by name, such as "input", "output" and "target".

        Args:
            batch: columns of examples from the data.
            seed: int or pair of ints; the same seed gives the same picture.

        Returns:
            Name to space and values of each row, with as many values as the batch has examples.
        """
        raise NotImplementedError


def optimizer_of(name: str, value) -> keras.optimizers.Optimizer:
    """Returns an optimizer, which may be given by its name or its configuration.

    Raises:
        ValueError: if the argument `name` is neither.
    """
    try:
        found = keras.optimizers.get(value)
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"`{name}` must be an optimizer or the name of one, received {value!r}.")
    return found


def check_batch_size(batch_size: int | None) -> None:
    """Raises an error if a batch size is given that is not a valid one."""
    if batch_size is not None:
        checks.positive_int("batch_size", batch_size)


def by_name(method: str, args: tuple, kwargs: dict) -> dict:
    """Returns all arguments of a method of `keras.Model` by name.

    Args:
        method: name of the method.
        args: arguments after `batch_size`, by position.
        kwargs: arguments by name; None means that one is not given.

    Raises:
        TypeError: if there are too many arguments, or one is given twice.
    """
    names = list(inspect.signature(getattr(keras.Model, method)).parameters)
    names = names[names.index("batch_size") + 1 :]
    found = dict(zip(names, args, strict=False))
    twice = [name for name in found if kwargs.get(name) is not None]
    if len(args) > len(names) or twice:
        what = f"`{twice[0]}` twice" if twice else f"{len(args)} arguments behind `batch_size`"
        raise TypeError(f"`{method}` takes each of {', '.join(names)} once, received {what}.")
    return {**kwargs, **found}


def check_that_it_ends(x, name: str, steps: int | None) -> None:
    """Raises an error if checked data never end and the argument `name`, their number of batches, is not given."""
    if steps is not None:
        return
    of_dataset = isinstance(x, tf.data.Dataset) and x.cardinality() == tf.data.INFINITE_CARDINALITY
    if of_dataset or (isinstance(x, keras.utils.PyDataset) and x.num_batches is None):
        raise ValueError(f"`{name}` must be given for a data set that never ends; received None.")


def term_and_weights(term, step: Step) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns the values of a term and the weights of its mean: its own weights times those of the examples."""
    values, weights = term if isinstance(term, tuple) else (term, None)
    if step.sample_weight is not None:
        weights = step.sample_weight if weights is None else weights * step.sample_weight
        if values.shape.rank > 0:
            # An example of weight 0 does not count, even if its loss is infinite.
            values = tf.where(weights > 0.0, values, 0.0)
    return values, weights


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turns the error of a checked data set, or of a loader in one, into a ValueError with only its own message.

    An optimizer's error about weights that have become trainable since it was built also becomes a ValueError of one
    sentence.
    """
    try:
        yield
    except ValueError as error:
        found = re.search(r"Unknown variable: <Variable path=([^,]+),", str(error))
        if found is None:
            raise
        raise ValueError(
            f"`compile` must be called again where parts have become trainable since: its optimizer does not know "
            f"{found[1]}."
        ) from None
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r"assertion failed: \[(`\w+` holds .*? expected .*?\.)\]", error.message)
        found = found or re.search(
            r"^.*ValueError: ((?:`\w+`|columns) (?:holds|must) .*\.)$", error.message, re.MULTILINE
        )
        if found is None:
            raise
        raise ValueError(found[1]) from None
