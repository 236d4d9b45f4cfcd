"""The losses of the two players, functions of the discriminator's logits.

D(x) = σ(a) is the probability, given by the logit a, that x comes from the data; G(z) is a generated example.
Every loss is in nats and has one entry per example.
"""

import tensorflow as tf


def discriminator_cross_entropy(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    r"""The discriminator's negative log-likelihood of telling data from generated examples.

    $$-\log D(x) - \log(1 - D(G(z)))$$

    It is log 4 when the discriminator cannot tell them apart.

    Args:
        real_logits: logits of examples of the data, shape `(batch,)`.
        fake_logits: logits of as many generated examples.

    Returns:
        Tensor of shape `(batch,)`.
    """
    # -log σ(a) = softplus(-a) neither overflows nor takes the logarithm of zero.
    return tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits)


def non_saturating(fake_logits: tf.Tensor) -> tf.Tensor:
    r"""The generator's loss of section 3 of Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661, in use since.

    $$-\log D(G(z))$$

    Its gradient stays large while the discriminator rejects every generated example.

    Args:
        fake_logits: logits of generated examples, shape `(batch,)`.

    Returns:
        Tensor of shape `(batch,)`.
    """
    return tf.nn.softplus(-fake_logits)


def minimax(fake_logits: tf.Tensor) -> tf.Tensor:
    r"""The generator's part of the zero-sum game of equation 1 of Goodfellow et al. (2014).

    $$\log(1 - D(G(z)))$$

    Args:
        fake_logits: logits of generated examples, shape `(batch,)`.

    Returns:
        Tensor of shape `(batch,)`.
    """
    return -tf.nn.softplus(fake_logits)


#: The generator's losses that a model can be asked for by name.
GENERATOR_LOSSES = {"non_saturating": non_saturating, "minimax": minimax}
