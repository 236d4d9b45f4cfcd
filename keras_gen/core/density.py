"""Models with an exact density or mass."""

import tensorflow as tf

from keras_gen.core.sampling import NoiseDriven
from keras_gen.core.signatures import Signature


class DensityModel(NoiseDriven):
    """A model with an exact density or mass, trained by maximum likelihood.

    A subclass provides `log_prob`; the loss is its negative mean, in nats.
    """

    likelihood_kind = "exact"

    @property
    def terms(self) -> tuple[str, ...]:
        """The loss, and the negative log-likelihood in nats and, except for real numbers, in bits per dimension."""
        return ("loss", "nll", *self.bit_terms)

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

    def loss_terms(self, batch, step):
        """The negative log-likelihood, as in `likelihood_terms`."""
        nll = -self.log_prob(batch["x"], batch.get("condition"))
        return {"loss": nll, **self.likelihood_terms(nll)}

    def likelihood_terms(self, nll: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns a negative log-likelihood in nats and, except for real numbers, in bits per dimension."""
        return {"nll": nll, **self.in_bits(nll)}

    def signatures(self):
        """Adds `log_prob` to what every model exports."""

        def log_prob(x, condition=None):
            return {"log_prob": self.log_prob(x, condition)}

        return {**super().signatures(), "log_prob": Signature(log_prob, self.specs("x", "condition"))}
