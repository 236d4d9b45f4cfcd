"""The losses of the two players, functions of the discriminator's logits.

a is the discriminator's output for an example of the data, x, and ã that for a generated one, G(z). Every loss has one
entry per example. Those of Goodfellow et al. are in nats: there, a is a logit, and D(x) = σ(a) is the probability that
x comes from the data. For the other objectives, a is a score.
"""

import tensorflow as tf

from keras_gen import checks


def discriminator_cross_entropy(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    r"""The negative log-likelihood of a discriminator between data and generated examples.

    $$-\log D(x) - \log(1 - D(G(z)))$$

    It is log 4 when the discriminator cannot tell them apart.

    Args:
        real_logits: logits of examples of the data, shape `(batch,)`.
        fake_logits: logits of the same number of generated examples.

    Returns:
        Tensor of shape `(batch,)`.
    """
    # -log σ(a) = softplus(-a) neither overflows nor takes the logarithm of zero.
    return tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits)


def non_saturating(fake_logits: tf.Tensor) -> tf.Tensor:
    r"""The generator's loss of section 3 of Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661, common since.

    $$-\log D(G(z))$$

    Its gradient stays large while the discriminator rejects every generated example.

    Args:
        fake_logits: logits of generated examples, shape `(batch,)`.

    Returns:
        Tensor of shape `(batch,)`.
    """
    return tf.nn.softplus(-fake_logits)


def minimax(fake_logits: tf.Tensor) -> tf.Tensor:
    r"""The generator's loss in the zero-sum game of equation 1 of Goodfellow et al. (2014).

    $$\log(1 - D(G(z)))$$

    Args:
        fake_logits: logits of generated examples, shape `(batch,)`.

    Returns:
        Tensor of shape `(batch,)`.
    """
    return -tf.nn.softplus(fake_logits)


class Objective:
    """The losses of both players; each takes float32 logits and returns losses, of shape `(batch,)`."""

    #: What `prediction` returns: a "probability" of coming from the data, or a "score" without a unit.
    prediction_name = "score"

    def discriminator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """Returns what the discriminator minimises, given its logits for data and for generated examples."""
        raise NotImplementedError

    def generator(self, fake: tf.Tensor) -> tf.Tensor:
        """Returns what the generator minimises, given the discriminator's logits for generated examples."""
        raise NotImplementedError

    def prediction(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns how real examples are, given the discriminator's logits."""
        return logits


class NonSaturating(Objective):
    r"""Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661, as used in practice.

    $$L_D = w (-\log σ(a) - \log(1 - σ(ã))), \qquad L_G = -\log σ(ã)$$

    Args:
        discriminator_weight: w; 1/2 in the authors' code, for a mean over both kinds of examples.
    """

    prediction_name = "probability"

    def __init__(self, discriminator_weight: float = 1.0):
        self.discriminator_weight = checks.positive("discriminator_weight", discriminator_weight)

    def discriminator(self, real, fake):
        return self.discriminator_weight * discriminator_cross_entropy(real, fake)

    def generator(self, fake):
        return non_saturating(fake)

    def prediction(self, logits):
        return tf.sigmoid(logits)


class Minimax(NonSaturating):
    r"""Goodfellow et al. (2014), equation 1: one value, which one player maximises and the other minimises.

    $$L_D = w (-\log σ(a) - \log(1 - σ(ã))), \qquad L_G = \log(1 - σ(ã))$$

    Args:
        discriminator_weight: w, as in `NonSaturating`.
    """

    def generator(self, fake):
        return minimax(fake)


class LeastSquares(Objective):
    r"""Mao et al. (2017), https://arxiv.org/abs/1611.04076: the discriminator regresses on a label for each kind.

    $$L_D = \tfrac{1}{2} (a - b)^2 + \tfrac{1}{2} (ã - a_0)^2, \qquad L_G = \tfrac{1}{2} (ã - c)^2$$

    The output of the optimal discriminator is a_0 plus b - a_0 times the probability of coming from the data, which can
    therefore be recovered from it. With (a_0, b, c) = (-1, 1, 0), the generator minimises Pearson's χ² divergence; the
    paper's other choice is (0, 1, 1).

    Args:
        fake: label a_0 of generated examples.
        real: label b of data.
        wanted: c, the output that the generator aims at for its examples.
    """

    prediction_name = "probability"

    def __init__(self, fake: float = -1.0, real: float = 1.0, wanted: float = 0.0):
        if not real > fake:
            raise ValueError(f"`real` must be greater than `fake`, received {real} and {fake}.")
        self.labels = fake, real, wanted

    def discriminator(self, real, fake):
        fake_label, real_label, _ = self.labels
        return 0.5 * tf.square(real - real_label) + 0.5 * tf.square(fake - fake_label)

    def generator(self, fake):
        return 0.5 * tf.square(fake - self.labels[2])

    def prediction(self, logits):
        fake_label, real_label, _ = self.labels
        return tf.clip_by_value((logits - fake_label) / (real_label - fake_label), 0.0, 1.0)


class Wasserstein(Objective):
    r"""Arjovsky et al. (2017), https://arxiv.org/abs/1701.07875: the discriminator is a critic f.

    $$L_D = ã - a, \qquad L_G = -ã$$

    If f is kept Lipschitz, the mean of -L_D bounds the Wasserstein distance from below, in units of the Lipschitz
    constant.
    """

    def discriminator(self, real, fake):
        return fake - real

    def generator(self, fake):
        return -fake


class Hinge(Objective):
    r"""Lim and Ye (2017), https://arxiv.org/abs/1705.02894, as in Miyato et al. (2018).

    $$L_D = \max(0, 1 - a) + \max(0, 1 + ã), \qquad L_G = -ã$$
    """

    def discriminator(self, real, fake):
        return tf.nn.relu(1.0 - real) + tf.nn.relu(1.0 + fake)

    def generator(self, fake):
        return -fake


#: The objectives that can be chosen by name.
OBJECTIVES = {
    "minimax": Minimax,
    "non_saturating": NonSaturating,
    "least_squares": LeastSquares,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
}
