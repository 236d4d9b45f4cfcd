"""InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets.

Xi Chen, Yan Duan, Rein Houthooft, John Schulman, Ilya Sutskever, Pieter Abbeel (2016),
https://arxiv.org/abs/1606.03657
"""

import itertools
import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.adversarial.base import AdversarialModel
from keras_gen.core import Signature
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot

tfd = tfp.distributions


class InfoGAN(AdversarialModel):
    r"""A part of the noise, the code c, has to be read off the generated example.

    $$\min_{G, Q} \max_D V(D, G) - λ L_I(G, Q), \qquad L_I(G, Q) = E[\log Q(c|G(z, c))] + H(c) ≤ I(c; G(z, c))$$

    c is a category, all alike likely, and numbers that are uniform between -1 and 1. Q shares the features of D and
    adds a hidden layer; of the category it returns probabilities, of each number the mean of a normal distribution of
    variance 1. So no part of the bound exceeds the entropy of its part of the code.

    Example:

    ```python
    model = keras_gen.adversarial.InfoGAN((28, 28, 1))
    model.compile()                                        # the paper's Adam for both players
    model.fit(x_train, batch_size=128, epochs=10)          # logs "information" and "category_information", in nats
    noise = model.noise(10, seed=0)
    model.generate({**noise, "category": np.arange(10)})
    model.infer(x_test)["category"]                        # Q(c|x), shape (batch, 10)
    ```

    Args:
        event_shape: shape of one example; for the default networks (height, width, channels).
        levels: number of levels of an entry, spread over [-1, 1] inside; None for real numbers.
        latent_size: length of z, the noise that has no meaning.
        num_categories: categories of the code.
        num_continuous: numbers of the code.
        information_weight: λ.
        code_units: width of the hidden layer of Q.
        generator_network: by default that of DCGAN.
        discriminator_network: by default that of DCGAN.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_size: int = 62,
        num_categories: int = 10,
        num_continuous: int = 2,
        information_weight: float = 1.0,
        code_units: int = 128,
        generator_network="convolutional",
        discriminator_network="convolutional",
        **kwargs,
    ):
        self.num_categories = checks.levels(num_categories, name="num_categories")
        self.num_continuous = int(checks.not_negative("num_continuous", num_continuous))
        self.information_weight = checks.not_negative("information_weight", information_weight)
        self.code_units = checks.positive_int("code_units", code_units)
        super().__init__(
            event_shape,
            levels,
            latent_size=latent_size,
            generator_network=generator_network,
            discriminator_network=discriminator_network,
            **kwargs,
        )

    @property
    def terms(self):
        """Adds the bound, and the category's part of it, in nats."""
        return (*super().terms, "information", "category_information")

    def build_players(self):
        """Builds Q, too."""
        super().build_players()
        widths = (self.discriminator.num_features, self.code_units, self.num_categories + self.num_continuous)
        self.code_layers = [
            dense(inputs, units, glorot((self.seed, 2, index)), self.dtype_policy)
            for index, (inputs, units) in enumerate(itertools.pairwise(widths))
        ]

    # The code

    @property
    def input_size(self):
        return self.latent_size + self.num_categories + self.num_continuous

    def code_distributions(self) -> dict[str, tfd.Distribution]:
        """Returns p(c)."""
        codes = {"category": tfd.Categorical(logits=tf.zeros(self.num_categories))}
        if self.num_continuous:
            codes["code"] = tfd.Sample(tfd.Uniform(-1.0, 1.0), self.num_continuous)
        return codes

    def noise_distributions(self, truncation=None):
        return {**super().noise_distributions(truncation), **self.code_distributions()}

    def inputs(self, noise):
        parts = [noise["z"], tf.one_hot(noise["category"], self.num_categories)]
        return tf.concat([*parts, noise["code"]] if self.num_continuous else parts, axis=-1)

    def posterior(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns, of features of the discriminator, the logits of Q's categories and the means of its numbers."""
        hidden, outputs = self.code_layers
        h = outputs(tf.nn.leaky_relu(hidden(features), 0.1))
        return tuple(tf.split(tf.cast(h, tf.float32), (self.num_categories, self.num_continuous), axis=-1))

    def infer(self, x, condition=None) -> dict[str, tf.Tensor]:
        """Returns Q(c|x) of examples.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            "category", the probability of each, of shape `(batch, num_categories)`, and "code", the mean of each
            number, of shape `(batch, num_continuous)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        vectors = self.condition_vectors(self.validated_condition(condition))
        logits, means = self.posterior(self.discriminator.all_features(self.scaled(self.validated(x)), vectors))
        return {"category": tf.nn.softmax(logits), "code": means}

    # Objective

    def phase_variables(self):
        phases = super().phase_variables()
        code_variables = [variable for layer in self.code_layers for variable in layer.trainable_variables]
        return {**phases, "discriminator": phases["discriminator"] + code_variables}

    def information(self, fakes, condition, *, noise, seed, training: bool) -> dict[str, tf.Tensor]:
        """Computes the bound of the mutual information of the code and the example, and the category's part of it.

        Args:
            fakes: generated examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, or None.
            noise: what they were made from.
            seed: int32 tensor of shape (2,), of the dropout.
            training: whether this is a training step.

        Returns:
            "information" and "category_information", of shape `(batch,)`, in nats.
        """
        features = self.discriminator.all_features(
            self.scaled(fakes), self.condition_vectors(condition), training=training, seed=seed
        )
        logits, means = self.posterior(features)
        category = math.log(self.num_categories) + tfd.Categorical(logits=logits).log_prob(noise["category"])
        total = category
        if self.num_continuous:
            # The entropy of a uniform number between -1 and 1 is log 2.
            log_prob = tfd.Normal(means, 1.0).log_prob(noise["code"])
            total += tf.reduce_sum(math.log(2.0) + log_prob, axis=-1)
        return {"information": total, "category_information": category}

    def discriminator_terms(self, x, fakes, condition, *, noise, seed, training):
        """Q learns in the discriminator's step."""
        terms = super().discriminator_terms(x, fakes, condition, noise=noise, seed=seed, training=training)
        with keras.StatelessScope():
            found = self.information(fakes, condition, noise=noise, seed=seed, training=training)
        loss = terms["discriminator_loss"] - self.information_weight * found["information"]
        return {**terms, **found, "discriminator_loss": loss}

    def generator_terms(self, fakes, condition, *, noise, seed, training):
        """The bound that is logged is the generator's, after the discriminator's step."""
        terms = super().generator_terms(fakes, condition, noise=noise, seed=seed, training=training)
        found = self.information(fakes, condition, noise=noise, seed=seed, training=training)
        return {**found, "generator_loss": terms["generator_loss"] - self.information_weight * found["information"]}

    def default_optimizers(self):
        """Adam with beta_1 0.5; the generator learns five times as fast."""
        return {
            "generator": keras.optimizers.Adam(1e-3, beta_1=0.5),
            "discriminator": keras.optimizers.Adam(2e-4, beta_1=0.5),
        }

    # Export

    def signatures(self):
        """Adds `infer` to what every adversarial model exports."""
        x = tf.TensorSpec((None, *self.event_shape), tf.float32, "x")
        return {**super().signatures(), "infer": Signature(self.infer, {"x": x, **self.specs("condition")})}
