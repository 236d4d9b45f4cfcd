"""MultimodalDBM: two deep Boltzmann machines, one of images and one of labels or tags, joined at the top.

Nitish Srivastava, Ruslan Salakhutdinov (2014), Multimodal Learning with Deep Boltzmann Machines, JMLR 15
"""

import functools
import itertools

import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Signature
from keras_gen.energy.dbm import MeanFieldLearning
from keras_gen.energy.harmonium import units_for
from keras_gen.energy.layered import bits, hidden_sizes, units_of_condition
from keras_gen.spaces import Attributes, ClassLabel, Space


class MultimodalDBM(MeanFieldLearning):
    r"""One energy for examples x and their labels or tags c, each of which can be inferred from the other.

    One stack of hidden layers leads up from x, and another from c. At the top, one layer is connected to both:

    $$p(x, c, h) = e^{-E(x, h_x, j) - E(c, h_c, j)} / Z$$

    It is trained, and can be pretrained, like a `DBM`: see `MeanFieldLearning`. Whatever is missing is drawn by Gibbs
    sampling with the rest clamped: `sample` draws x given c, `sample_condition` draws c given x, and `sample_pairs`
    draws both. `infer_condition` computes the probabilities of c given x by mean field. A class is represented by
    several units, exactly one of which is 1; tags are bits. The paper's replicated softmax, for word counts, is not
    implemented.

    Real numbers, which are standardised, have variance 1 given the layer above; the learning rate should be small.

    Example:

    ```python
    model = keras_gen.energy.MultimodalDBM((28, 28, 1), num_classes=10)
    model.pretrain(x_train, y_train, batch_size=100, epochs=20)     # x_train holds 0s and 1s
    model.compile(keras.optimizers.SGD(0.005), jit_compile=True)
    model.fit(x_train, y_train, batch_size=100, epochs=50)
    model.sample(10, condition=np.arange(10), seed=0)               # images of each class
    model.infer_condition(x_test)                                   # probabilities of the classes
    model.sample_condition(x_test, seed=0)                          # classes, drawn
    ```

    Args:
        event_shape: shape of one example.
        levels: 2 for bits, None for real numbers.
        num_classes: number of classes, of which an example has one; None for tags.
        num_tags: number of tags, of which an example has any number; None for classes. At most one of the two is given;
            without either, there are 10 classes.
        hidden_units: number of units of each hidden layer above x, from bottom to top.
        condition_units: number of units of each hidden layer above c.
        joint_units: number of units of the layer on top of both.
        **kwargs: as in `MeanFieldLearning`.

    Raises:
        ValueError: if both classes and tags are given.
    """

    usage = (
        "x = model.event_space.examples(4)    # or your own\n"
        "model.infer_condition(x)    # probabilities of the classes or tags"
    )

    def __init__(
        self,
        event_shape,
        levels: int | None = 2,
        *,
        num_classes: int | None = None,
        num_tags: int | None = None,
        hidden_units=(500,),
        condition_units=(100,),
        joint_units: int = 500,
        **kwargs,
    ):
        super().__init__(event_shape, levels, **kwargs)
        if levels not in (2, None):
            raise ValueError(f"`levels` must be 2 for bits or None for real numbers, received {levels!r}.")
        self.num_classes = num_classes
        self.num_tags = num_tags
        self.condition_space = class_or_tags(num_classes, num_tags)
        self.hidden_units = hidden_sizes("hidden_units", hidden_units)
        self.condition_units = hidden_sizes("condition_units", condition_units)
        self.joint_units = checks.positive_int("joint_units", joint_units)

        of_x = {f"hidden_{index + 1}": bits(size) for index, size in enumerate(self.hidden_units)}
        of_condition = {f"condition_hidden_{index + 1}": bits(size) for index, size in enumerate(self.condition_units)}
        below = {"x": units_for(self.event_size, self.levels), "condition": units_of_condition(self.condition_space)}
        paths = [["x", *of_x, "joint"], ["condition", *of_condition, "joint"]]
        connections = [pair for path in paths for pair in itertools.pairwise(path)]
        self.build_layers({**below, **of_x, **of_condition, "joint": bits(self.joint_units)}, connections)
        self.build_chains()

    # Each given the other

    def infer_condition(self, x) -> tf.Tensor:
        """Infers the probabilities of classes or tags given examples, by mean field.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Returns:
            float32 tensor of shape `(batch, num_classes)`, whose rows sum to 1, or of shape `(batch, num_tags)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        return self.inferred(self.evidence(self.validated(x)))["condition"]

    def sample_condition(self, x, *, num_sweeps: int = 100, seed=None) -> tf.Tensor:
        """Draws classes or tags given examples, by Gibbs sampling with the examples fixed.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            num_sweeps: number of sweeps, at least 1. They start from mean field.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            int32 tensor: classes of shape `(batch,)`, or tags of shape `(batch, num_tags)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one, or `num_sweeps` is below 1.
        """
        x, num_sweeps = self.validated(x), checks.positive_int("num_sweeps", num_sweeps)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_sample_condition(x, tf.constant(num_sweeps), seed)

    @functools.cached_property
    def compiled_sample_condition(self):
        """The draws of conditions as a graph."""

        def sample_condition(x, num_sweeps, seed):
            return self.condition_of(self.completed_state(self.evidence(x), num_sweeps, seed))

        return tf.function(sample_condition, autograph=False, reduce_retracing=True)

    def sample_pairs(self, num_samples: int, *, num_sweeps: int | None = None, seed=None):
        """Draws examples together with their classes or tags.

        Args:
            num_samples: number of pairs, at least 1.
            num_sweeps: number of sweeps; None for the same number as `sample`.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            Examples as from `sample`, and conditions as from `sample_condition`.

        Raises:
            ValueError: if a number is below 1.
        """
        num_samples = checks.positive_int("num_samples", num_samples)
        num_sweeps = checks.positive_int("num_sweeps", self.num_sweeps if num_sweeps is None else num_sweeps)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_sample_pairs(tf.constant(num_samples), tf.constant(num_sweeps), seed)

    @functools.cached_property
    def compiled_sample_pairs(self):
        """The draws of pairs as a graph."""

        def sample_pairs(num_samples, num_sweeps, seed):
            state = self.drawn_state({}, num_samples, num_sweeps, seed)
            return self.event_of(state), self.condition_of(state)

        return tf.function(sample_pairs, autograph=False, reduce_retracing=True)

    def condition_of(self, state: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the classes or the tags of a state, int32."""
        values = state["condition"]
        if isinstance(self.condition_space, ClassLabel):
            return tf.argmax(values, axis=-1, output_type=tf.int32)
        return tf.cast(values, tf.int32)

    def signatures(self):
        """Adds `infer_condition`."""

        def infer_condition(x):
            return {"probabilities": self.infer_condition(x)}

        return {**super().signatures(), "infer_condition": Signature(infer_condition, self.specs("x"))}


def class_or_tags(num_classes: int | None, num_tags: int | None) -> Space:
    """Returns the space of a class, or of tags."""
    if num_classes is not None and num_tags is not None:
        raise ValueError(
            f"`num_tags` must be None where `num_classes` is given; received {num_tags} and {num_classes}."
        )
    if num_tags is not None:
        return Attributes(checks.positive_int("num_tags", num_tags))
    return ClassLabel(checks.levels(10 if num_classes is None else num_classes, name="num_classes"))
