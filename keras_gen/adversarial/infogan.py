"""InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets.

Xi Chen, Yan Duan, Rein Houthooft, John Schulman, Ilya Sutskever, Pieter Abbeel (2016),
https://arxiv.org/abs/1606.03657
"""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.adversarial.base import AdversarialModel
from keras_gen.adversarial.networks import OwnDiscriminator
from keras_gen.core import Signature, Step
from keras_gen.layers import BatchNormalization
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.spaces import ClassLabel

tfd = tfp.distributions

#: The paper's networks for MNIST.
GENERATOR = {"name": "convolutional", "filters": (64, 128), "kernel_size": 4, "dense_units": (1024,)}
DISCRIMINATOR = {**GENERATOR, "slope": 0.1}


class InfoGAN(AdversarialModel):
    r"""A generator from whose examples a part of the noise, the code c, can be recovered.

    $$\min_{G, Q} \max_D V(D, G) - λ L_I(G, Q), \qquad L_I(G, Q) = E[\log Q(c|G(z, c))] + H(c) ≤ I(c; G(z, c))$$

    c consists of a category, with all categories equally probable, and of numbers that are uniform between -1 and 1. Q
    shares the features of D and adds a hidden layer with batch normalization. It returns the probability of each
    category, and the mean of a normal distribution of variance 1 for each number, so the bound never exceeds the
    entropy of the code.

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
        levels: number of levels of an entry, scaled internally to [-1, 1]; None for real numbers.
        latent_size: length of z, the noise that is not part of the code.
        num_categories: number of categories of the code.
        num_continuous: number of continuous entries of the code.
        information_weight: λ.
        code_units: width of the hidden layer of Q.
        generator_network: by default the paper's for MNIST: a dense layer of 1024 units, then transposed 4×4
            convolutions from 128 channels.
        discriminator_network: by default the mirror of it, with LeakyReLU of slope 0.1.
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
        generator_network=GENERATOR,
        discriminator_network=DISCRIMINATOR,
        **kwargs,
    ):
        self.num_categories = checks.levels(num_categories, name="num_categories")
        self.num_continuous = checks.not_negative("num_continuous", num_continuous, whole=True)
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
        """Adds the bound, and the category's share of it, in nats."""
        return (*super().terms, "information", "category_information")

    def build_networks(self):
        """Also builds Q."""
        super().build_networks()
        if isinstance(self.discriminator, OwnDiscriminator):
            raise ValueError(
                "`discriminator_network` must be a named one, whose features the code is read off; received "
                f"{self.discriminator.kind}."
            )
        features, outputs = self.discriminator.num_features, self.num_categories + self.num_continuous
        policy, initializers = self.dtype_policy, [glorot((self.seed, 2, index)) for index in range(2)]
        self.code_layers = [
            dense(features, self.code_units, initializers[0], policy, use_bias=False),
            BatchNormalization((None, self.code_units), dtype=policy),
            dense(self.code_units, outputs, initializers[1], policy),
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

    def noise_distributions(self):
        return {**super().noise_distributions(), **self.code_distributions()}

    def inputs(self, noise):
        vectors = [noise["z"], tf.one_hot(noise["category"], self.num_categories)]
        return tf.concat([*vectors, noise["code"]] if self.num_continuous else vectors, axis=-1)

    def posterior(self, features: tf.Tensor, step: Step | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the logits of Q's categories and the means of its numbers, from the discriminator's features."""
        hidden, normalization, outputs = self.code_layers
        h = outputs(tf.nn.leaky_relu(normalization(hidden(features), step=step), 0.1))
        return tuple(tf.split(tf.cast(h, tf.float32), (self.num_categories, self.num_continuous), axis=-1))

    def features(self, x: tf.Tensor, condition, step: Step | None = None) -> tf.Tensor:
        """Returns the discriminator's features of examples on the scale of the data."""
        return self.discriminator.features(self.scaled(x), self.condition_vectors(condition), step=step)

    def infer(self, x, condition=None) -> dict[str, tf.Tensor]:
        """Returns Q(c|x) for examples.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            "category", the probability of each, of shape `(batch, num_categories)`, and "code", the mean of each
            number, of shape `(batch, num_continuous)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        logits, means = self.posterior(self.features(*self.validated_pair(x, condition)))
        return {"category": tf.nn.softmax(logits), "code": means}

    # Objective

    def phase_layers(self):
        """Q is trained in the discriminator's step."""
        phases = super().phase_layers()
        return {**phases, "discriminator": [*phases["discriminator"], *self.code_layers]}

    def information(
        self, features: tf.Tensor, codes: dict[str, tf.Tensor], step: Step | None = None
    ) -> dict[str, tf.Tensor]:
        """Computes the bound on the mutual information of the code and the example.

        Args:
            features: the discriminator's features of generated examples.
            codes: the noise that they were made from, by name.
            step: the step; None outside of training and evaluation.

        Returns:
            "information", and the category's share of it, "category_information", of shape `(batch,)`, in nats.
        """
        logits, means = self.posterior(features, step)
        category = math.log(self.num_categories) + tfd.Categorical(logits=logits).log_prob(codes["category"])
        total = category
        if self.num_continuous:
            # The entropy of a uniform number between -1 and 1 is log 2.
            log_prob = tfd.Normal(means, 1.0).log_prob(codes["code"])
            total += tf.reduce_sum(math.log(2.0) + log_prob, axis=-1)
        return {"information": total, "category_information": category}

    def judged_fakes(self, fakes, condition, step):
        """Adds the bound."""
        features = self.features(fakes["x"], condition, step)
        logits = self.discriminator.logits(features, self.condition_vectors(condition), step=step)
        return tf.cast(logits[:, 0], tf.float32), self.information(features, fakes, step)

    def discriminator_terms(self, batch, fakes, step):
        """Adds the bound to the discriminator's loss."""
        return self.informed("discriminator_loss", super().discriminator_terms(batch, fakes, step))

    def generator_terms(self, batch, fakes, step):
        """Adds the bound to the generator's loss; the logged bound is the one after the discriminator's step."""
        return self.informed("generator_loss", super().generator_terms(batch, fakes, step))

    def informed(self, loss: str, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the terms, with λ times the bound subtracted from the loss of the given name."""
        return {**terms, loss: terms[loss] - self.information_weight * terms["information"]}

    def default_optimizers(self):
        """Adam with beta_1 0.5; the generator learns five times as fast."""
        return {
            "generator": keras.optimizers.Adam(1e-3, beta_1=0.5),
            "discriminator": keras.optimizers.Adam(2e-4, beta_1=0.5),
        }

    # Export

    def signatures(self):
        """Adds `infer` to what every adversarial model exports."""
        return {**super().signatures(), "infer": Signature(self.infer, self.specs("x", "condition"))}

    def input_space(self, name):
        """Adds the space of categories."""
        return ClassLabel(self.num_categories) if name == "category" else super().input_space(name)
