"""WGAN-GP: Improved Training of Wasserstein GANs.

Ishaan Gulrajani, Faruk Ahmed, Martin Arjovsky, Vincent Dumoulin, Aaron Courville (2017),
https://arxiv.org/abs/1704.00028
"""

import keras

from keras_gen.adversarial.base import AdversarialModel

#: The discriminator of DCGAN without batch normalization.
CRITIC = {"name": "convolutional", "batch_norm": False}


class WGANGP(AdversarialModel):
    r"""A Wasserstein critic whose gradient is pulled towards length 1 between data and generated examples.

    $$L_D = f(G(z)) - f(x) + λ (‖∇_{\hat x} f(\hat x)‖_2 - 1)^2, \qquad L_G = -f(G(z))$$
    $$\hat x = ε x + (1 - ε) G(z), \qquad ε ∼ U(0, 1)$$

    The critic has no batch normalization, since the penalty applies to the gradient of each example separately.

    Example:

    ```python
    model = keras_gen.adversarial.WGANGP((28, 28, 1))
    model.compile()                                        # the paper's Adam for both players
    model.fit(x_train, batch_size=64, epochs=10)           # x_train holds levels 0..255
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; for the default networks (height, width, channels).
        levels: number of levels of an entry, scaled internally to [-1, 1]; None for real numbers.
        latent_distribution: as in `AdversarialModel`.
        objective: as in `AdversarialModel`.
        regularizers: by default the penalty with λ = 10.
        discriminator_steps: number of critic steps, each with its own batch, for each generator step.
        generator_network: by default that of DCGAN.
        discriminator_network: by default that of DCGAN without batch normalization.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_distribution: str = "normal",
        objective="wasserstein",
        regularizers=("gradient_penalty",),
        discriminator_steps: int = 5,
        generator_network="convolutional",
        discriminator_network=CRITIC,
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
        """Adam with learning rate 1e-4, beta_1 0.5 and beta_2 0.9."""
        return {player: keras.optimizers.Adam(1e-4, 0.5, 0.9) for player in ("generator", "discriminator")}
