"""Regularizers that keep a discriminator smooth: penalties added to its loss, and bounds on its weights.

A penalty is computed from a critic: a function `critic(x, step)` from examples of shape `(batch, *event_shape)`, and
the step that determines its dropout, to the discriminator's logits, float32 of shape `(batch,)`.
"""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.core import Step

Critic = Callable[[tf.Tensor, Step], tf.Tensor]


class Regularizer:
    """A regularization of a discriminator, whatever its loss and its network."""

    #: Whether it adds to the loss.
    has_penalty = True

    def penalty(self, critic: Critic, x: tf.Tensor, fakes: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns what is added to the discriminator's loss, of shape `(batch,)`.

        Args:
            critic: the discriminator.
            x: float32 examples of the data, of shape `(batch, *event_shape)`, on the scale of the networks.
            fakes: the same number of generated ones.
            step: the step, for its randomness.
        """
        raise NotImplementedError

    def bound(self, variables: list[keras.Variable], step: Step) -> None:
        """Makes the step move the discriminator's variables within bounds, once the optimizer has moved them."""


class GradientPenalty(Regularizer):
    r"""Gulrajani et al. (2017), https://arxiv.org/abs/1704.00028: gradients of length 1 between data and fakes.

    $$λ (‖∇_{\hat x} f(\hat x)‖_2 - 1)^2, \qquad \hat x = ε x + (1 - ε) G(z), \qquad ε ∼ U(0, 1)$$

    with one ε for each example.

    Args:
        weight: λ.
        target: target length of the gradient.
    """

    def __init__(self, weight: float = 10.0, target: float = 1.0):
        self.weight = checks.positive("weight", weight)
        self.target = checks.not_negative("target", target)

    def penalty(self, critic, x, fakes, step):
        mixing, dropout = step.split(2)
        share = mixing.uniform((tf.shape(x)[0], *(1 for _ in x.shape[1:])))
        squares = squared_gradients(critic, share * x + (1.0 - share) * fakes, dropout)
        # A square root has no finite derivative at zero; the maximum cuts off the gradient before it.
        norms = tf.sqrt(tf.maximum(squares, 1e-12))
        return self.weight * tf.square(norms - self.target)


class R1(Regularizer):
    r"""Mescheder et al. (2018), https://arxiv.org/abs/1801.04406: small gradients at the data.

    $$\frac{γ}{2} ‖∇_x f(x)‖_2^2$$

    Args:
        weight: γ.
    """

    def __init__(self, weight: float = 10.0):
        self.weight = checks.positive("weight", weight)

    def penalty(self, critic, x, fakes, step):
        return 0.5 * self.weight * squared_gradients(critic, x, step)


class Consistency(Regularizer):
    r"""Zhang et al. (2020), https://arxiv.org/abs/1910.12027: the same prediction for an example and a changed one.

    $$λ (f(x) - f(T(x)))^2$$

    T is drawn for each example: it shifts an image by up to `shift` pixels along each side, fills the gaps with the
    nearest pixels, and adds normal noise.

    Args:
        weight: λ.
        shift: maximum number of pixels by which an image is shifted; examples that are not images are not shifted.
        noise: standard deviation of the noise, with levels scaled to [-1, 1].
    """

    def __init__(self, weight: float = 10.0, shift: int = 2, noise: float = 0.05):
        self.weight = checks.positive("weight", weight)
        self.shift = checks.not_negative("shift", shift, whole=True)
        self.noise = checks.not_negative("noise", noise)

    def penalty(self, critic, x, fakes, step):
        moving, adding, dropout = step.split(3)
        changed = x
        if len(x.shape) == 4 and self.shift:
            changed = shifted(x, self.shift, moving)
        if self.noise:
            changed += self.noise * adding.normal((tf.shape(x)[0], *x.shape[1:]))
        # One seed, so that both passes have the same dropout.
        return self.weight * tf.square(critic(x, dropout) - critic(changed, dropout))


class ConsistencyTerm(Regularizer):
    r"""Wei et al. (2018), https://arxiv.org/abs/1803.01541: the same prediction under any dropout.

    $$λ \max(0, |f'(x) - f''(x)| - M)$$

    where f' and f'' are the critic with two draws of its dropout. The paper's additional term in the hidden features,
    with a tenth of the weight, is omitted. Without dropout, the penalty is 0.

    Args:
        weight: λ.
        margin: M.
    """

    def __init__(self, weight: float = 2.0, margin: float = 0.0):
        self.weight = checks.positive("weight", weight)
        self.margin = checks.not_negative("margin", margin)

    def penalty(self, critic, x, fakes, step):
        first, second = step.split(2)
        return self.weight * tf.nn.relu(tf.abs(critic(x, first) - critic(x, second)) - self.margin)


class WeightClipping(Regularizer):
    r"""Arjovsky et al. (2017), https://arxiv.org/abs/1701.07875: each weight of the critic stays in [-c, c].

    Args:
        limit: c.
    """

    has_penalty = False

    def __init__(self, limit: float = 0.01):
        self.limit = checks.positive("limit", limit)

    def bound(self, variables, step):
        for variable in variables:
            step.update(variable, functools.partial(self.clipped, variable))

    def clipped(self, variable: keras.Variable) -> tf.Tensor:
        """Returns the nearest values within the bounds."""
        return tf.clip_by_value(variable.value, -self.limit, self.limit)


#: The regularizers that can be chosen by name.
REGULARIZERS = {
    "gradient_penalty": GradientPenalty,
    "r1": R1,
    "consistency": Consistency,
    "consistency_term": ConsistencyTerm,
    "weight_clipping": WeightClipping,
}


def squared_gradients(critic: Critic, x: tf.Tensor, step: Step) -> tf.Tensor:
    """Returns the squared length of the gradient of a critic at each example, of shape `(batch,)`."""
    x = tf.identity(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        # Each output depends only on its own example, so the gradient of the sum contains that of each.
        total = tf.reduce_sum(critic(x, step))
    gradients = tf.cast(tape.gradient(total, x, unconnected_gradients="zero"), tf.float32)
    return tf.reduce_sum(tf.square(gradients), axis=tuple(range(1, len(x.shape))))


def shifted(images: tf.Tensor, largest: int, step: Step) -> tf.Tensor:
    """Returns each image shifted down and right by a draw of up to `largest` pixels, with its borders repeated."""
    _, height, width, _ = images.shape
    offsets = step.rows(
        lambda rows: tf.random.stateless_uniform((rows, 2), step.seed, -largest, largest + 1, tf.int32, alg="philox"),
        tf.shape(images)[0],
    )
    rows = tf.clip_by_value(tf.range(height) - offsets[:, :1], 0, height - 1)
    columns = tf.clip_by_value(tf.range(width) - offsets[:, 1:], 0, width - 1)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)
