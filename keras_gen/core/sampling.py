"""Models that draw examples: by their own algorithm, or as a function of noise."""

import functools

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.core.event_model import EventModel
from keras_gen.core.signatures import Signature

tfd = tfp.distributions


class GenerativeModel(EventModel):
    """A model that draws examples.

    A subclass builds its networks in its constructor and provides

    - `draw(num_samples, condition, seed)`: the examples, as a graph,
    - `loss_terms(batch, step)`: what training minimises;

    sampling and what `EventModel` has follow.
    """

    @property
    def usage(self):
        if self.condition_space is None:
            return "model.sample(4, seed=0)"
        return (
            "condition = model.condition_space.examples(4)    # or your own\n"
            "model.sample(4, condition=condition, seed=0)"
        )

    def draw(self, num_samples: tf.Tensor, condition, seed: tf.Tensor, **options: tf.Tensor) -> tf.Tensor:
        """Draws examples, inside a graph.

        Args:
            num_samples: number of examples, an int32 scalar.
            condition: what they are conditioned on, a valid tensor, or None.
            seed: int32 tensor of shape (2,).
            **options: scalars, one for each of `sampling_options`.

        Returns:
            float32 tensor of shape `(num_samples, *event_shape)`.
        """
        raise NotImplementedError

    def sampling_options(self) -> dict[str, int | float]:
        """Returns the options of the draws, such as a truncation: name to default, a number or bool."""
        return {}

    def sample(self, num_samples: int, *, condition=None, seed=None, **options) -> tf.Tensor:
        """Draws examples from the model.

        Args:
            num_samples: number of examples, at least 1.
            condition: what the examples are conditioned on, for a conditional model.
            seed: int or pair of ints; the same seed gives the same examples. None takes the next seed of the
                model's own stream.
            **options: numbers that the model declares in `sampling_options`.

        Returns:
            Examples of shape `(num_samples, *event_shape)`; levels are float32 whole numbers.

        Raises:
            TypeError: if an argument has the wrong type, or the model has no such option.
            ValueError: if `num_samples` is below 1, or the condition is not the expected one.
        """
        num_samples = checks.positive_int("num_samples", num_samples)
        condition = self.validated_condition(condition)
        if condition is not None and condition.shape[0] != num_samples:
            raise ValueError(
                f"`condition` must hold one entry per example, {num_samples}; received {condition.shape[0]}."
            )
        options = self.validated_options(options)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_sample(tf.constant(num_samples), condition, seed, **options)

    def validated_options(self, options: dict) -> dict[str, tf.Tensor]:
        """Returns a scalar tensor for each sampling option, the default if none is given.

        Raises:
            TypeError: if the model has no such option, or a value is not a number of the kind of its default.
            ValueError: if a value is NaN, or fails one of `scalar_checks`.
        """
        defaults = self.sampling_options()
        unknown = sorted(set(options) - set(defaults))
        if unknown:
            known = f"it takes {', '.join(defaults)}" if defaults else "it has no sampling options"
            raise TypeError(f"`{unknown[0]}` is no option of {type(self).__name__}.sample; {known}.")
        for name, value in options.items():
            if isinstance(defaults[name], bool):
                checks.boolean(name, value)
            else:
                checks.number(name, value, whole=isinstance(defaults[name], int))
            for phrase, holds in self.scalar_checks(name).items():
                if not holds(value):
                    raise ValueError(f"`{name}` must be {phrase}, received {value}.")
        return {name: tf.constant(options.get(name, default), dtype_of(default)) for name, default in defaults.items()}

    def sample_on_examples(self, num_samples: int, *, seed, **options) -> tf.Tensor:
        """Like `sample`; a conditional model gets examples of its condition, such as all classes in turn."""
        condition = None if self.condition_space is None else self.condition_space.examples(num_samples)
        return self.sample(num_samples, condition=condition, seed=seed, **options)

    def preview(self, batch, *, seed):
        """Draws as many samples; a conditional model gets examples of its condition, such as all classes in turn."""
        return {"samples": (self.event_space, self.sample_on_examples(len(batch["x"]), seed=seed))}

    def compiled_sample(self, num_samples: tf.Tensor, condition, seed: tf.Tensor, **options: tf.Tensor) -> tf.Tensor:
        """Like `draw`, in a graph of its own."""
        given = {} if condition is None else {"condition": condition}
        return self.compiled_draw({"num_samples": num_samples, "seed": seed, **given, **options})

    @functools.cached_property
    def compiled_draw(self):
        """`draw` as a graph, a function of a dict of arguments, which `sample` and its signature share."""

        def draw(arguments):
            return tf.ensure_shape(self.draw(**{"condition": None, **arguments}), (None, *self.event_shape))

        seed = tf.TensorSpec((2,), tf.int32)
        specs = {**self.sample_inputs(), "seed": seed, "num_samples": tf.TensorSpec((), tf.int32)}
        return tf.function(draw, [specs], autograph=False)

    def sample_inputs(self) -> dict[str, tf.TensorSpec]:
        """Returns the inputs of the signature `sample`: a condition or a number of samples, a seed, and options."""
        scalar = tf.TensorSpec((), tf.int32)
        options = {name: tf.TensorSpec((), dtype_of(value), name) for name, value in self.sampling_options().items()}
        return {**(self.specs("condition") or {"num_samples": scalar}), "seed": scalar, **options}

    # Export

    def signatures(self) -> dict[str, Signature]:
        """Returns `sample`, which draws one example for each entry of a `condition`; options have defaults."""

        def sample(seed, num_samples=None, condition=None, **options):
            num_samples = tf.shape(condition)[0] if num_samples is None else num_samples
            return {"x": GenerativeModel.compiled_sample(self, num_samples, condition, seeds.as_pair(seed), **options)}

        options = self.sampling_options()
        return {"sample": Signature(sample, self.sample_inputs(), deterministic=False, defaults=options)}

    def example_input(self, name, spec, num, seed):
        """Adds the model's own draws for `x`, and the defaults of options."""
        if name in self.sampling_options():
            return tf.constant(self.sampling_options()[name], spec.dtype)
        if name == "x":
            return tf.cast(self.sample_on_examples(num, seed=seed), spec.dtype)
        return super().example_input(name, spec, num, seed)


class NoiseDriven(GenerativeModel):
    """A model that turns noise into data.

    A subclass builds its networks in its constructor and provides

    - `noise_distributions()`: the random numbers that one example is made from,
    - `generate(noise)`: the deterministic function that makes examples from them,
    - `loss_terms(batch, step)`: what training minimises;

    drawing, sampling and what `GenerativeModel` has follow.
    """

    def noise_distributions(self, **options) -> dict[str, tfd.Distribution]:
        """Returns the distribution of each named source of randomness, for one example.

        Args:
            **options: scalars of some or all of `sampling_options`.
        """
        raise NotImplementedError

    def noise(self, num_samples, seed, **options) -> dict[str, tf.Tensor]:
        """Draws the random numbers that `generate` turns into examples.

        Args:
            num_samples: number of examples.
            seed: int or pair of ints; the same seed gives the same noise.
            **options: as in `sample`.

        Returns:
            Name to tensor of shape `(num_samples, ...)`.
        """
        return seeds.draws(self.noise_distributions(**options), num_samples, seeds.as_pair(seed))

    def generate(self, noise: dict[str, tf.Tensor], condition=None) -> tf.Tensor:
        """Turns noise into examples, without any further randomness.

        Args:
            noise: what `noise` returned, or values chosen by the caller.
            condition: what the examples are conditioned on, for a conditional model.

        Returns:
            Examples of shape `(num_samples, *event_shape)`.
        """
        raise NotImplementedError

    def draw(self, num_samples, condition, seed, **options):
        return self.compiled_generate(self.noise(num_samples, seed, **options), condition)

    @functools.cached_property
    def compiled_generate(self):
        """`generate` as a graph, shared by draws and by exports for any number of examples."""
        return tf.function(self.generate, autograph=False, reduce_retracing=True)

    def signatures(self):
        """Adds `generate`."""
        noise = {
            name: tf.TensorSpec((None, *source.event_shape), source.dtype, name)
            for name, source in self.noise_distributions().items()
        }

        def generate(condition=None, **noise):
            # In a graph for a fixed number of examples, every shape is known.
            is_fixed = next(iter(noise.values())).shape[0] is not None
            return {"x": (self.generate if is_fixed else self.compiled_generate)(noise, condition)}

        return {**super().signatures(), "generate": Signature(generate, {**noise, **self.specs("condition")})}

    def example_input(self, name, spec, num, seed):
        """Adds the model's own noise."""
        if name in self.noise_distributions():
            return self.noise(num, seed)[name]
        return super().example_input(name, spec, num, seed)


class DrawsAroundMeans:
    """Lets a model whose draws scatter around a mean sample either the draws or the means.

    Samples are draws, or with `mean=True` the means that they scatter around, such as what a drawn code represents. The
    model is also a `NoiseDriven` one, and provides `drawn_means`.
    """

    def drawn_means(self, noise: dict[str, tf.Tensor], condition) -> tf.Tensor:
        """Returns the means that `generate` draws around.

        Args:
            noise: draws of `noise_distributions`.
            condition: what they are drawn for, a valid tensor, or None.

        Returns:
            float32 tensor of shape `(num_samples, *event_shape)`. A mean over levels lies between them.
        """
        raise NotImplementedError

    def sampling_options(self):
        """Adds "mean": whether samples are the means instead of draws around them."""
        return {**super().sampling_options(), "mean": False}

    def draw(self, num_samples, condition, seed, *, mean, **options):
        noise = self.noise(num_samples, seed, **options)
        return tf.cond(
            mean, lambda: self.drawn_means(noise, condition), lambda: self.compiled_generate(noise, condition)
        )

    def preview(self, batch, *, seed):
        """As many draws as the batch has examples and, for images, their means."""
        num, space = len(batch["x"]), self.event_space
        draws = {"draws": (space, self.sample_on_examples(num, seed=seed))}
        if len(space.shape) < 3:
            return draws
        return {"means": (space, self.sample_on_examples(num, seed=seed, mean=True)), **draws}


def dtype_of(default: int | float) -> tf.DType:
    """Returns the dtype of a sampling option."""
    if isinstance(default, bool):
        return tf.bool
    return tf.int32 if isinstance(default, int) else tf.float32
