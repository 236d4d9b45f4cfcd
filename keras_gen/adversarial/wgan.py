"""WGAN: Wasserstein GAN.

Martin Arjovsky, Soumith Chintala, Léon Bottou (2017), https://arxiv.org/abs/1701.07875
"""

import keras

from keras_gen.adversarial.base import AdversarialModel


class WGAN(AdversarialModel):
    r"""A critic f, kept Lipschitz by weight clipping, estimates the distance between generated examples and the data.

    $$W(p_{data}, p_G) ∝ \max_{|w_i| ≤ c} E[f_w(x)] - E[f_w(G(z))]$$

    The critic takes several steps, each with its own batch, for each step of the generator; after each of them, every
    weight is clipped to [-c, c].

    Example:

    ```python
    model = keras_gen.adversarial.WGAN((28, 28, 1))
    model.compile()                                        # the paper's RMSprop for both players
    model.fit(x_train, batch_size=64, epochs=10)           # x_train holds levels 0..255
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; for the default networks (height, width, channels).
        levels: number of levels of an entry, scaled internally to [-1, 1]; None for real numbers.
        latent_distribution: as in `AdversarialModel`.
        objective: as in `AdversarialModel`.
        regularizers: by default clipping with c = 0.01.
        discriminator_steps: number of critic steps, each with its own batch, for each generator step.
        generator_network: by default that of DCGAN.
        discriminator_network: by default that of DCGAN.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_distribution: str = "normal",
        objective="wasserstein",
        regularizers=("weight_clipping",),
        discriminator_steps: int = 5,
        generator_network="convolutional",
        discriminator_network="convolutional",
        **kwargs,
    ):
        super().__init__(
            event_shape,
            levels,
            latent_distribution=latent_distribution,
            objective=objective,
            regularizers=regularizers,
            discriminator_steps=discriminator_steps,
            generator_network=generator_network,
            discriminator_network=discriminator_network,
            **kwargs,
        )

    def default_optimizers(self):
        """The paper's RMSprop: with momentum, the training of the critic is unstable."""
        return {player: keras.optimizers.RMSprop(5e-5) for player in ("generator", "discriminator")}
