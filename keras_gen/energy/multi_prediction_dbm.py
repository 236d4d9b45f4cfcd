"""MultiPredictionDBM: a deep Boltzmann machine that learns to fill in any part of its data from the rest.

Ian J. Goodfellow, Mehdi Mirza, Aaron Courville, Yoshua Bengio (2013), Multi-Prediction Deep Boltzmann Machines, NIPS
"""

import itertools

import tensorflow as tf

from keras_gen import checks
from keras_gen.core import Signature
from keras_gen.energy.layered import (
    LayeredBoltzmannMachine,
    bits,
    hidden_sizes,
    missing_entries,
    units_of_condition,
)
from keras_gen.spaces import ClassLabel


class MultiPredictionDBM(LayeredBoltzmannMachine):
    r"""A deep Boltzmann machine whose mean field is trained like a recurrent network.

    The energy is that of a `DBM`. With `num_classes`, a label y is a separate layer on top of the last hidden one, with
    exactly one unit equal to 1. Each training step hides each entry of each example, and also the label, with
    probability `hide_rate`. Mean field infers the hidden entries, S, and the hidden units from the rest, and

    $$L = -\sum_{i \in S} \log q_i(v_i), \qquad v = (x, y)$$

    Its gradient flows through all mean-field steps, which share their weights. No layer is pretrained, no chain is
    needed, and training matches the use: inference with any entries missing.

    Labels are given like the condition of a conditional model, with -1 for an unknown class: such labels do not
    contribute to L, and draws given -1 are draws of any class. The logs also contain the "error", the fraction of
    hidden labels that are inferred incorrectly; without classes, only the loss. The machine has an energy and can be
    sampled, but its Z is not trained, so it offers no likelihood.

    Example:

    ```python
    model = keras_gen.energy.MultiPredictionDBM((28, 28, 1), hidden_units=(500, 1000), num_classes=10)
    model.adapt(x_train, y_train)                          # x_train holds 0s and 1s
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, y_train, batch_size=100, epochs=50)
    model.classify(x_test)                                 # p(y|x)
    model.classify(x_test, mask)                           # given the entries where mask is 0
    model.inpaint(x_test, mask)                            # probabilities where mask is nonzero
    model.impute(x_test, mask, condition=y_test, seed=0)   # draws
    ```

    Args:
        event_shape: shape of one example of bits.
        hidden_units: number of units of each hidden layer, from bottom to top.
        num_classes: number of classes; None for a model without labels.
        mean_field_steps: number of mean-field steps.
        hide_rate: probability that an entry, or a label, is hidden in training.
        num_sweeps: number of Gibbs sweeps from independent units to a sample, unless `sample` is given another number.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    @property
    def usage(self):
        others = "" if self.condition_space is None else ", model.condition_space.examples(4)"
        return (
            "x, mask = model.event_space.examples(4), model.event_space.examples(4, (0, 1))    # or your own\n"
            f"model.inpaint(x, mask{others})    # probabilities of the entries where mask is nonzero"
        )

    def __init__(
        self,
        event_shape,
        hidden_units=(500, 1000),
        num_classes: int | None = None,
        *,
        mean_field_steps: int = 14,
        hide_rate: float = 0.5,
        num_sweeps: int = 1000,
        seed: int = 0,
        **kwargs,
    ):
        # First, since the terms depend on it.
        self.num_classes = None if num_classes is None else checks.levels(num_classes, name="num_classes")
        super().__init__(event_shape, 2, mean_field_steps=mean_field_steps, num_sweeps=num_sweeps, seed=seed, **kwargs)
        self.hidden_units = hidden_sizes("hidden_units", hidden_units)
        self.hide_rate = checks.share("hide_rate", hide_rate)
        units = {"x": bits(self.event_size)}
        units |= {f"hidden_{index + 1}": bits(size) for index, size in enumerate(self.hidden_units)}
        if self.num_classes is not None:
            self.condition_space = ClassLabel(self.num_classes, unknown=True)
            units["condition"] = units_of_condition(self.condition_space)
        self.build_layers(units, itertools.pairwise(units))

    @property
    def terms(self) -> tuple[str, ...]:
        """The loss and, with labels, their error."""
        return ("loss",) if self.num_classes is None else ("loss", "error")

    # Objective

    def loss_terms(self, batch, step):
        entry_step, label_step = step.split(2)
        x, label = batch["x"], batch.get("condition")
        hidden = entry_step.uniform((tf.shape(x)[0], *self.event_shape)) < self.hide_rate
        evidence = self.evidence(x, label, hidden)
        if label is not None:
            hidden_label = label_step.uniform((tf.shape(x)[0], 1)) < self.hide_rate
            values, known = evidence["condition"]
            evidence["condition"] = values, known & ~hidden_label

        natural = self.predicted(evidence)
        x, hidden = (tf.reshape(each, (-1, self.event_size)) for each in (x, hidden))
        log_probs = self.units["x"].conditional.log_prob(self.units["x"].parameters(natural["x"]), x)
        loss = -tf.reduce_sum(tf.where(hidden, log_probs, 0.0), axis=-1)
        if label is None:
            return {"loss": loss}
        counted = tf.cast(known & hidden_label, tf.float32)[:, 0]
        cross_entropy = tf.nn.softmax_cross_entropy_with_logits(values, natural["condition"])
        wrong = tf.cast(tf.argmax(natural["condition"], axis=-1, output_type=tf.int32) != label, tf.float32)
        return {"loss": loss + counted * cross_entropy, "error": (wrong, counted)}

    def predicted(self, evidence) -> dict[str, tf.Tensor]:
        """Returns the natural parameters of the layers that hold data, given the means of their neighbours."""
        machine, means = self.machine(), self.inferred(evidence)
        return {name: machine.natural(name, means) for name in self.visible_layers}

    # Inference

    def classify(self, x, mask=None) -> tf.Tensor:
        """Infers the class of examples, whose entries may be missing.

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries may hold any valid value.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`; None for nowhere.

        Returns:
            Probabilities of the classes, float32 of shape `(batch, num_classes)`.

        Raises:
            ValueError: if the model has no classes, or the shape of `x` or one of its values is not the expected one.
        """
        if self.num_classes is None:
            raise ValueError(f"`num_classes` must be given to {type(self).__name__} for it to classify; it is None.")
        x = self.validated(x)
        missing = None if mask is None else missing_entries(x, mask)
        return tf.nn.softmax(self.predicted(self.evidence(x, missing=missing))["condition"])

    def inpaint(self, x, mask, condition=None) -> tf.Tensor:
        """Infers missing entries by mean field.

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries may hold any valid value.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`.
            condition: their classes, -1 for an unknown one; None for -1 everywhere.

        Returns:
            `x` with the probability of a 1 in place of each missing entry.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one, or as in
                `validated_condition`.
        """
        x = self.validated(x)
        missing = missing_entries(x, mask)
        condition = None if condition is None else self.validated_condition(condition, x=x)
        means = self.units["x"].mean(self.predicted(self.evidence(x, condition, missing))["x"])
        return tf.where(missing, tf.reshape(means, tf.shape(x)), x)

    def impute(self, x, mask, *, num_sweeps=100, condition=None, seed=None):
        """As in `LayeredBoltzmannMachine`; without a condition, no class is known."""
        if condition is None and self.num_classes is not None:
            condition = tf.fill((len(x),), -1)
        return super().impute(x, mask, num_sweeps=num_sweeps, condition=condition, seed=seed)

    def signatures(self):
        """Adds `inpaint` and, if there are classes, `classify`; both take a mask."""
        inputs = {**self.specs("x"), "mask": tf.TensorSpec((None, *self.event_shape), tf.float32, "mask")}

        def inpaint(x, mask, condition=None):
            return {"x": self.inpaint(x, mask, condition)}

        def classify(x, mask):
            return {"probabilities": self.classify(x, mask)}

        verbs = {"inpaint": Signature(inpaint, {**inputs, **self.specs("condition")})}
        if self.num_classes is not None:
            verbs["classify"] = Signature(classify, inputs)
        return {**super().signatures(), **verbs}

    def example_input(self, name, spec, num, seed):
        """Adds masks."""
        if name == "mask":
            return self.event_space.examples(num, (seed, 2))
        return super().example_input(name, spec, num, seed)
