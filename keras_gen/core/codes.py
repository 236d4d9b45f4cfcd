"""Models with a code: from an example to its code, and back."""

import tensorflow as tf

from keras_gen import checks, spaces
from keras_gen.core.sampling import DrawsAroundMeans
from keras_gen.core.signatures import Signature


class Codes:
    """Gives a model of examples `encode` and `decode`, and `reconstruct` unless decoding inverts encoding.

    The model provides

    - `code_space`: what a code is, and `code_name`: what signatures and errors call it,
    - `code_of(x, condition)`: the codes of valid examples,
    - `mean_of(z, condition)`: the examples that valid codes represent.
    """

    #: What signatures and errors call a code.
    code_name: str = "z"

    #: Whether `decode(encode(x))` differs from x, so that it is worth exporting.
    reconstructs: bool = True

    #: Whether a conditional model encodes and decodes given the condition.
    codes_take_condition: bool = True

    @property
    def code_space(self) -> spaces.Space:
        """The space of a code."""
        raise NotImplementedError

    def code_of(self, x: tf.Tensor, condition) -> tf.Tensor:
        """Returns the codes of valid examples, of shape `(batch, *code_space.shape)`."""
        raise NotImplementedError

    def mean_of(self, z: tf.Tensor, condition) -> tf.Tensor:
        """Returns the examples that valid codes represent, float32 of shape `(batch, *event_shape)`."""
        raise NotImplementedError

    def code_condition(self, condition) -> tf.Tensor | None:
        """Returns what codes are conditioned on, a valid tensor, or None.

        Raises:
            ValueError: if a condition is given but codes do not depend on it, or as in `validated_condition`.
        """
        if self.codes_take_condition:
            return self.validated_condition(condition)
        if condition is not None:
            raise ValueError(f"`condition` must be None: codes of {type(self).__name__} do not depend on it.")
        return None

    def encode(self, x, condition=None) -> tf.Tensor:
        """Returns the codes of examples.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            Tensor of shape `(batch, *code_space.shape)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        x, condition = self.validated(x), self.code_condition(condition)
        checks.equally_long(x=x, condition=condition)
        return self.code_of(x, condition)

    def decode(self, z, condition=None) -> tf.Tensor:
        """Returns the examples that codes represent.

        Args:
            z: codes of shape `(batch, *code_space.shape)`.
            condition: what the examples are conditioned on, for a conditional model.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`. A mean over levels lies between the levels; for two levels
            it is a probability.

        Raises:
            ValueError: if the shape of `z` or one of its values is not the expected one.
        """
        z, condition = self.code_space.validate(z, self.code_name), self.code_condition(condition)
        checks.equally_long(**{self.code_name: z, "condition": condition})
        return self.mean_of(z, condition)

    def reconstruct(self, x, condition=None) -> tf.Tensor:
        """Returns `decode(encode(x))`, of the shape of `x`."""
        return self.decode(self.encode(x, condition), condition)

    def signatures(self):
        """Adds `encode` and `decode`, and `reconstruct`."""
        condition = self.specs("condition") if self.codes_take_condition else {}
        x = {**self.specs("x"), **condition}
        z = {self.code_name: self.code_space.spec(self.code_name), **condition}

        def encode(x, condition=None):
            return {self.code_name: self.encode(x, condition)}

        def decode(condition=None, **code):
            return {"x": self.decode(code[self.code_name], condition)}

        def reconstruct(x, condition=None):
            return {"x": self.reconstruct(x, condition)}

        verbs = {"encode": Signature(encode, x), "decode": Signature(decode, z)}
        if self.reconstructs:
            verbs["reconstruct"] = Signature(reconstruct, x)
        return {**super().signatures(), **verbs}

    def input_space(self, name):
        """Adds the space of codes."""
        return self.code_space if name == self.code_name else super().input_space(name)

    def output_space(self, name):
        """Adds the space of codes."""
        return self.code_space if name == self.code_name else super().output_space(name)


class DrawsFromCodes(DrawsAroundMeans, Codes):
    """A model that first draws a code, and then an example around the one that the code represents.

    The model is also a `NoiseDriven` one, and provides `drawn_codes`.
    """

    def drawn_codes(self, noise: dict[str, tf.Tensor], condition) -> tf.Tensor:
        """Returns codes drawn from the prior.

        Args:
            noise: draws of `noise_distributions`.
            condition: what they are drawn for, a valid tensor, or None.

        Returns:
            Codes as `mean_of` takes them.
        """
        raise NotImplementedError

    def drawn_means(self, noise, condition):
        """The examples that drawn codes represent."""
        return self.mean_of(self.drawn_codes(noise, condition), condition)
