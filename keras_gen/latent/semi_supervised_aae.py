"""Adversarial autoencoders with a categorical code: clustering, and classification with few labels.

Alireza Makhzani, Jonathon Shlens, Navdeep Jaitly, Ian Goodfellow, Brendan Frey (2015), Adversarial Autoencoders,
sections 4 and 5, https://arxiv.org/abs/1511.05644
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import Signature, Step
from keras_gen.latent.adversarial_autoencoder import MatchedAutoencoder
from keras_gen.spaces import ClassLabel

tfd = tfp.distributions


class ClusteringAAE(MatchedAutoencoder):
    r"""An adversarial autoencoder whose code is a cluster y and a style z.

    $$(y, z) = E(x), \quad y = \mathrm{softmax}(h(x)), \qquad \hat x = D(y, z)$$
    $$p(y) = \mathrm{Cat}(1/K), \qquad p(z) \text{ as chosen}$$

    One discriminator distinguishes one-hot draws from p(y) from the encoder's y, so that y becomes one-hot and all
    clusters equally large; another distinguishes draws from p(z) from the encoder's z. The encoder plays against both.

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
        levels: number of levels of an entry, which networks see scaled to [0, 1]; None for real numbers.
        **kwargs: as in `AdversarialAutoencoder`, without `num_classes`.
    """

    def __init__(self, event_shape, num_clusters: int = 16, latent_size: int = 10, levels: int | None = 256, **kwargs):
        super().__init__(event_shape, latent_size, levels, **kwargs)
        self.num_clusters = checks.positive_int("num_clusters", num_clusters)
        self.build_networks(self.code_size, [(self.num_clusters, 0), (self.latent_size, 0)])

    @property
    def code_size(self):
        return self.num_clusters + self.latent_size

    def noise_distributions(self):
        """The random number that draws the cluster, and the noise that z is made from."""
        return {"cluster": tfd.Uniform(), **self.prior_sampler.noise_distributions()}

    def cluster_logits(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the logits of y, float32 of shape `(batch, num_clusters)`, for scaled examples."""
        return tf.cast(self.encoder(inputs)[:, : self.num_clusters], tf.float32)

    def codes(self, inputs):
        logits, z = tf.split(tf.cast(self.encoder(inputs), tf.float32), [self.num_clusters, self.latent_size], axis=-1)
        return tf.concat([tf.nn.softmax(logits), z], axis=-1)

    def prior_codes(self, noise, condition):
        cluster = tf.minimum(tf.cast(noise["cluster"] * self.num_clusters, tf.int32), self.num_clusters - 1)
        if condition is not None:
            cluster = tf.where(condition < 0, cluster, condition)
        return tf.concat([tf.one_hot(cluster, self.num_clusters), self.prior_sampler.codes(noise)], axis=-1)

    def logits(self, codes, condition):
        cluster_and_style = tf.split(codes, [self.num_clusters, self.latent_size], axis=-1)
        logits = [network(code) for network, code in zip(self.discriminators, cluster_and_style, strict=True)]
        return tf.cast(tf.concat(logits, axis=-1), tf.float32)

    def classify(self, x) -> tf.Tensor:
        """Returns q(y|x), float32 probabilities of shape `(batch, num_clusters)`.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        return tf.nn.softmax(self.cluster_logits(self.event_space.scaled(self.validated(x), 0.0, 1.0)))

    def signatures(self):
        """Adds `classify`."""
        classify = Signature(lambda x: {"probabilities": self.classify(x)}, self.specs("x"))
        return {**super().signatures(), "classify": classify}


class SemiSupervisedAAE(ClusteringAAE):
    r"""An adversarial autoencoder whose clusters are classes, with labels for a few examples.

    In addition to the phases of `ClusteringAAE`, the encoder takes a step on the cross-entropy of the labelled
    examples:

    $$-\frac{1}{|L|} \sum_{i ∈ L} \log q(y_i|x_i)$$

    `fit` takes labels starting at 0, and -1 for examples whose label is unknown. The labelled examples take part only
    in this phase, and the others in all other phases: otherwise the same few images would make up a large share of the
    codes that the discriminators see. A batch should contain both kinds (`keras_gen.data.few_labels` ensures this); if
    it contains no unlabelled examples, all take part in all phases. Sampling also takes labels, with -1 for examples of
    any class. The logs also contain "classification_loss" and "error", the fraction of labelled examples that are
    misclassified, both means over labelled examples.

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
        levels: number of levels of an entry, which networks see scaled to [0, 1]; None for real numbers.
        **kwargs: as in `AdversarialAutoencoder`.
    """

    terms = (*ClusteringAAE.terms, "classification_loss", "error")

    def __init__(self, event_shape, num_classes: int = 10, latent_size: int = 10, levels: int | None = 256, **kwargs):
        super().__init__(event_shape, checks.positive_int("num_classes", num_classes), latent_size, levels, **kwargs)
        self.condition_space = ClassLabel(self.num_classes, unknown=True)

    @property
    def num_classes(self) -> int:
        """Number of classes, which is the number of clusters."""
        return self.num_clusters

    def objectives(self, batch, step):
        inputs = self.encoder_inputs(batch["x"], step)
        phases = super().objectives(batch, step)
        if step.training:
            weights = self.unlabelled_weights(batch["condition"], step)

            def weighted(compute_terms):
                return lambda: {name: (values, weights) for name, values in compute_terms().items()}

            phases = {phase: weighted(compute_terms) for phase, compute_terms in phases.items()}
        return {**phases, "classification": lambda: self.classification_terms(inputs, batch["condition"])}

    def unlabelled_weights(self, labels: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns 1 for examples without a label and 0 for others, of shape `(batch,)`; 1 for all if all have one."""
        unlabelled = tf.cast(labels < 0, tf.float32)
        return tf.where(step.total(tf.reduce_sum(unlabelled)) > 0.0, unlabelled, tf.ones_like(unlabelled))

    def classification_terms(self, inputs: tf.Tensor, labels: tf.Tensor) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Returns the cross-entropy, and whether an example is misclassified.

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
        """Like `MatchedAutoencoder.compile`, with an optimizer for one more phase.

        Args:
            reconstruction_optimizer: optimizer of encoder and decoder.
            discriminator_optimizer: optimizer of both discriminators.
            generator_optimizer: optimizer of the encoder playing against them.
            classification_optimizer: optimizer, or its name, of the encoder on the labelled examples. None means Adam
                with learning rate 2e-3: it must prevail over the players, to which it does not matter which class is
                which.
            jit_compile: whether to compile the training step with XLA.
            **kwargs: further arguments of `keras.Model.compile`.
        """
        given = {
            "reconstruction": reconstruction_optimizer,
            "discriminator": discriminator_optimizer,
            "generator": generator_optimizer,
            "classification": classification_optimizer,
        }
        self.compile_phases(self.with_defaults(given), jit_compile=jit_compile, **kwargs)

    def default_optimizers(self):
        return {**super().default_optimizers(), "classification": keras.optimizers.Adam(2e-3)}

    def phase_layers(self):
        return {**super().phase_layers(), "classification": [self.encoder]}
