"""Adversarial autoencoders with a categorical code: clustering, and classification with few labels.

Alireza Makhzani, Jonathon Shlens, Navdeep Jaitly, Ian Goodfellow, Brendan Frey (2015), Adversarial Autoencoders,
sections 4 and 5, https://arxiv.org/abs/1511.05644
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import Signature
from keras_gen.latent.adversarial_autoencoder import MatchedAutoencoder
from keras_gen.spaces import ClassLabel

tfd = tfp.distributions


class ClusteringAAE(MatchedAutoencoder):
    r"""An adversarial autoencoder whose code is a cluster y and a style z.

    $$(y, z) = E(x), \quad y = \mathrm{softmax}(h(x)), \qquad \hat x = D(y, z)$$
    $$p(y) = \mathrm{Cat}(1/K), \qquad p(z) \text{ as chosen}$$

    One discriminator tells one-hot draws of p(y) from the encoder's y, so that y becomes one-hot and all clusters
    equally large, and another one draws of p(z) from its z. The encoder plays against both.

    Example:

    ```python
    model = keras_gen.latent.ClusteringAAE((28, 28, 1), num_clusters=16)
    model.compile(jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=50)      # x_train holds levels 0..255
    model.classify(x_test)                             # probabilities of the clusters
    code = model.encode(x_test)                        # [y, z]
    keras_gen.evaluation.cluster_error(model.classify(x_valid), y_valid, model.classify(x_test), y_test)
    ```

    Args:
        event_shape: shape of one example.
        num_clusters: number K of clusters.
        latent_size: entries of z.
        levels: number of levels of an entry, which networks see spread over [0, 1]; None for real numbers.
        prior: distribution of z, as in `AdversarialAutoencoder`.
        hidden_units: as in `MatchedAutoencoder`, and so on.
        filters: channels of convolutions in front of the encoder's dense layers.
        discriminator_units: width of each hidden layer of both discriminators.
        activation: activation of all hidden layers.
        reconstruction: "squared_error" or "cross_entropy".
        input_noise: standard deviation of normal noise on what the encoder sees in training.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        num_clusters: int = 16,
        latent_size: int = 10,
        levels: int | None = 256,
        *,
        prior="normal",
        hidden_units=(1000, 1000),
        filters=(),
        discriminator_units=(1000, 1000),
        activation="relu",
        reconstruction: str = "squared_error",
        input_noise: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            latent_size,
            levels,
            prior=prior,
            hidden_units=hidden_units,
            filters=filters,
            discriminator_units=discriminator_units,
            activation=activation,
            reconstruction=reconstruction,
            input_noise=input_noise,
            seed=seed,
            **kwargs,
        )
        self.num_clusters = checks.positive_int("num_clusters", num_clusters)
        self.build_networks(self.code_size, [(self.num_clusters, 0), (self.latent_size, 0)])

    @property
    def code_size(self):
        return self.num_clusters + self.latent_size

    def noise_distributions(self):
        """The number that draws the cluster, and what z is made from."""
        return {"cluster": tfd.Uniform(), **self.target.noise_distributions()}

    def cluster_logits(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the logits of y, float32 of shape `(batch, num_clusters)`, of scaled examples."""
        return tf.cast(self.encoder(inputs)[:, : self.num_clusters], tf.float32)

    def codes(self, inputs):
        logits, z = tf.split(tf.cast(self.encoder(inputs), tf.float32), [self.num_clusters, self.latent_size], axis=-1)
        return tf.concat([tf.nn.softmax(logits), z], axis=-1)

    def prior_codes(self, noise, condition):
        cluster = tf.minimum(tf.cast(noise["cluster"] * self.num_clusters, tf.int32), self.num_clusters - 1)
        if condition is not None:
            cluster = tf.where(condition < 0, cluster, condition)
        return tf.concat([tf.one_hot(cluster, self.num_clusters), self.target.codes(noise)], axis=-1)

    def logits(self, codes, condition):
        parts = tf.split(codes, [self.num_clusters, self.latent_size], axis=-1)
        logits = [network(part) for network, part in zip(self.discriminators, parts, strict=True)]
        return tf.cast(tf.concat(logits, axis=-1), tf.float32)

    def classify(self, x) -> tf.Tensor:
        """Returns q(y|x), float32 probabilities of shape `(batch, num_clusters)`.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Raises:
            ValueError: if `x` is not of the expected shape and domain.
        """
        return tf.nn.softmax(self.cluster_logits(self.scaled(self.validated(x))))

    def signatures(self):
        """Adds `classify`."""
        x = tf.TensorSpec((None, *self.event_shape), tf.float32, "x")
        classify = Signature(lambda x: {"probabilities": self.classify(x)}, {"x": x})
        return {**super().signatures(), "classify": classify}


class SemiSupervisedAAE(ClusteringAAE):
    r"""An adversarial autoencoder whose clusters are classes, of which a few examples have labels.

    To the phases of `ClusteringAAE` comes a step of the encoder on the cross-entropy of the labelled examples:

    $$-\frac{1}{|L|} \sum_{i ∈ L} \log q(y_i|x_i)$$

    `fit` takes labels from 0 on, and -1 for examples whose label is unknown, which have no part in this phase; a
    batch should hold some labelled examples (`keras_gen.data.few_labels` sees to it). Drawing takes labels, too, and
    -1 for examples of any class. Logged are also "classification_loss" and "error", the share of labelled examples
    that are not taken for their class, both means over labelled examples.

    Example:

    ```python
    model = keras_gen.latent.SemiSupervisedAAE((28, 28, 1), num_classes=10)
    model.compile(jit_compile=True)
    model.fit(x_train, y_train, batch_size=100, epochs=50)   # y_train holds 0..9, and -1 where it is unknown
    model.classify(x_test)                                   # probabilities of the classes
    model.sample(10, condition=np.arange(10))
    ```

    Args:
        event_shape: shape of one example.
        num_classes: number of classes.
        latent_size: entries of z.
        levels: number of levels of an entry, which networks see spread over [0, 1]; None for real numbers.
        prior: distribution of z, as in `AdversarialAutoencoder`.
        hidden_units: as in `MatchedAutoencoder`, and so on.
        filters: channels of convolutions in front of the encoder's dense layers.
        discriminator_units: width of each hidden layer of both discriminators.
        activation: activation of all hidden layers.
        reconstruction: "squared_error" or "cross_entropy".
        input_noise: standard deviation of normal noise on what the encoder sees in training.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    terms = (*ClusteringAAE.terms, "classification_loss", "error")

    def __init__(
        self,
        event_shape,
        num_classes: int = 10,
        latent_size: int = 10,
        levels: int | None = 256,
        *,
        prior="normal",
        hidden_units=(1000, 1000),
        filters=(),
        discriminator_units=(1000, 1000),
        activation="relu",
        reconstruction: str = "squared_error",
        input_noise: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            checks.positive_int("num_classes", num_classes),
            latent_size,
            levels,
            prior=prior,
            hidden_units=hidden_units,
            filters=filters,
            discriminator_units=discriminator_units,
            activation=activation,
            reconstruction=reconstruction,
            input_noise=input_noise,
            seed=seed,
            **kwargs,
        )
        self.condition_space = ClassLabel(self.num_classes, unknown=True)

    @property
    def num_classes(self) -> int:
        """Number of classes, which the clusters are."""
        return self.num_clusters

    def objectives(self, x, condition, *, seed, training):
        inputs = self.inputs(x, seed, training)
        return {
            **super().objectives(x, condition, seed=seed, training=training),
            "classification": lambda: self.classification_terms(inputs, condition),
        }

    def classification_terms(self, inputs: tf.Tensor, labels: tf.Tensor) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Returns the cross-entropy, and whether an example is not taken for its class.

        Args:
            inputs: scaled examples.
            labels: their labels, -1 for unknown.

        Returns:
            Pairs of terms and their weights, of shape `(batch,)`: 1 for labelled examples, 0 for others.
        """
        logits = self.cluster_logits(inputs)
        labelled = tf.cast(labels >= 0, tf.float32)
        loss = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, self.num_classes), logits)
        wrong = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) != labels, tf.float32)
        return {"classification_loss": (loss, labelled), "error": (wrong, labelled)}

    # Training

    def compile(
        self,
        reconstruction_optimizer=None,
        discriminator_optimizer=None,
        generator_optimizer=None,
        classification_optimizer=None,
        *,
        jit_compile: bool = False,
        **kwargs,
    ):
        """As `MatchedAutoencoder.compile`.

        Args:
            reconstruction_optimizer: optimizer of encoder and decoder.
            discriminator_optimizer: optimizer of both discriminators.
            generator_optimizer: optimizer of the encoder against them.
            classification_optimizer: optimizer, or its name, of the encoder on the labelled examples. None stands for
                Adam with learning rate 2e-3: it has to win over the players, who do not care which class is which.
            jit_compile: whether to compile the training step with XLA.
            **kwargs: further arguments of `keras.Model.compile`.
        """
        optimizers = {
            **self.optimizers(reconstruction_optimizer, discriminator_optimizer, generator_optimizer),
            "classification": classification_optimizer or keras.optimizers.Adam(2e-3),
        }
        self.compile_phases(optimizers, jit_compile=jit_compile, **kwargs)

    def phase_variables(self):
        return {**super().phase_variables(), "classification": self.encoder.trainable_variables}
