"""LSGAN: Least Squares Generative Adversarial Networks.

Xudong Mao, Qing Li, Haoran Xie, Raymond Y. K. Lau, Zhen Wang, Stephen Paul Smolley (2017),
https://arxiv.org/abs/1611.04076
"""

from keras_gen.adversarial.base import AdversarialModel


class LSGAN(AdversarialModel):
    r"""Least squares instead of the cross-entropy, so that examples far on the correct side are also pulled back.

    $$L_D = \tfrac{1}{2} (D(x) - b)^2 + \tfrac{1}{2} (D(G(z)) - a)^2, \qquad L_G = \tfrac{1}{2} (D(G(z)) - c)^2$$

    with (a, b, c) = (-1, 1, 0), for which the generator minimises Pearson's χ² divergence; the paper's other choice is
    `objective={"name": "least_squares", "fake": 0.0, "real": 1.0, "wanted": 1.0}`.

    Example:

    ```python
    model = keras_gen.adversarial.LSGAN((28, 28, 1))
    model.compile()
    model.fit(x_train, batch_size=64, epochs=10)           # x_train holds levels 0..255
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; for the default networks (height, width, channels).
        levels: number of levels of an entry, scaled internally to [-1, 1]; None for real numbers.
        objective: as in `AdversarialModel`.
        generator_network: by default that of DCGAN.
        discriminator_network: by default that of DCGAN.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        objective="least_squares",
        generator_network="convolutional",
        discriminator_network="convolutional",
        **kwargs,
    ):
        super().__init__(
            event_shape,
            levels,
            objective=objective,
            generator_network=generator_network,
            discriminator_network=discriminator_network,
            **kwargs,
        )
