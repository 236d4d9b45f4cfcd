"""ConditionalVAE: a VAE of examples given a class or a vector.

Kihyuk Sohn, Honglak Lee, Xinchen Yan (2015), Learning Structured Output Representation using Deep Conditional
Generative Models, https://papers.nips.cc/paper/5775
A prior that does not depend on the condition: Diederik P. Kingma, Danilo J. Rezende, Shakir Mohamed, Max Welling
(2014), Semi-supervised Learning with Deep Generative Models, https://arxiv.org/abs/1406.5298
"""

from keras_gen.latent.vae import VAE
from keras_gen.spaces import class_or_vector


class ConditionalVAE(VAE):
    r"""A VAE whose encoder and decoder see a condition y.

    $$\log p_θ(x|y) ≥ E_{q_φ(z|x,y)}[\log p_θ(x|z, y)] - KL(q_φ(z|x, y) \| p(z))$$

    The code z captures what y leaves open, such as the style of a digit of class y.

    Example:

    ```python
    model = keras_gen.latent.ConditionalVAE((28, 28, 1), latent_size=20, num_classes=10)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, labels, batch_size=100, epochs=20)
    model.sample(10, condition=np.arange(10), seed=0)
    model.decode(model.encode(x_test[:1], labels[:1]), [7])        # the same style, as a seven
    ```

    Args:
        event_shape: shape of one example.
        latent_size: number of entries of z.
        levels: number of levels of an entry; None for real numbers.
        num_classes: number of classes of a condition that is a class.
        condition_size: number of entries of a condition that is a vector.
        **kwargs: as in `VAE`.

    Raises:
        ValueError: if not exactly one of `num_classes` and `condition_size` is given.
    """

    def __init__(
        self,
        event_shape,
        latent_size: int = 50,
        levels: int | None = 2,
        *,
        num_classes: int | None = None,
        condition_size: int | None = None,
        **kwargs,
    ):
        if num_classes is None and condition_size is None:
            raise ValueError("`num_classes` or `condition_size` must be given, received neither.")
        # The networks, which the parent constructor builds, depend on it.
        self.condition_space = class_or_vector(num_classes, condition_size)
        super().__init__(event_shape, latent_size, levels, **kwargs)
        self.num_classes = num_classes
        self.condition_size = condition_size
