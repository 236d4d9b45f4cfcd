"""DCGAN: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks.

Alec Radford, Luke Metz, Soumith Chintala (2016), https://arxiv.org/abs/1511.06434
"""

from keras_gen import checks
from keras_gen.adversarial.base import AdversarialModel


class DCGAN(AdversarialModel):
    r"""A generator of transposed convolutions against a discriminator of strided convolutions.

    The generator G maps uniform noise to an image, the discriminator D an image to the probability that it comes
    from the data:

    $$z ∼ U(-1, 1)^{latent\_size}, \qquad x = G(z), \qquad D(x) ∈ (0, 1)$$
    $$L_D = -\log D(x) - \log(1 - D(G(z))), \qquad L_G = -\log D(G(z))$$

    All convolutions are 5×5. G projects z onto a small image and doubles it layer by layer, with batch
    normalization and ReLU, up to a tanh; D halves the image layer by layer, with batch normalization (except in its
    first layer) and LeakyReLU of slope 0.2, down to one logit. The sides of an image may have any length: a layer of D
    halves a side longer than 4, rounding up, and the mirrored layer of G undoes exactly that. A class is appended to z
    as a one-hot vector, and to the image that D sees as one plane for each class.

    With `filters=(128, 256, 512, 1024)` and 64×64 pixels, G is the network of the paper's figure 1.

    Example:

    ```python
    model = keras_gen.adversarial.DCGAN((28, 28, 1), filters=(32, 64, 128))
    model.compile()                                        # the paper's Adam for both players
    model.fit(x_train, batch_size=128, epochs=10)          # x_train holds levels 0..255
    model.sample(16, seed=0)                               # levels 0..255
    model.discriminate(x_test)                             # D(x)
    ```

    Args:
        event_shape: height, width and channels of an image.
        levels: number of levels of a channel, scaled internally to [-1, 1].
        latent_size: length of z.
        filters: channels of each strided layer of D from the image inwards, and of G in reverse. None uses 64, 128,
            256, …, as many as bring both sides down to 4.
        objective: losses of the players, as in `AdversarialModel`.
        seed: as in `AdversarialModel`.
        **kwargs: as in `AdversarialModel`; another generator or discriminator replaces these.
    """

    def __init__(
        self,
        event_shape,
        levels: int = 256,
        *,
        latent_size: int = 100,
        filters=None,
        objective="non_saturating",
        seed: int = 0,
        **kwargs,
    ):
        self.filters = None if filters is None else checks.positive_ints("filters", filters)
        network = {"name": "convolutional", "filters": self.filters}
        super().__init__(
            event_shape,
            checks.levels(levels),
            latent_size=latent_size,
            objective=objective,
            seed=seed,
            **{"generator_network": network, "discriminator_network": network, **kwargs},
        )
