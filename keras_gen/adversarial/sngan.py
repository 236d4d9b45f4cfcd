"""SNGAN: Spectral Normalization for Generative Adversarial Networks.

Takeru Miyato, Toshiki Kataoka, Masanori Koyama, Yuichi Yoshida (2018), https://arxiv.org/abs/1802.05957; classes as in
Takeru Miyato, Masanori Koyama (2018), cGANs with Projection Discriminator, https://arxiv.org/abs/1802.05637
"""

import keras

from keras_gen.adversarial.base import AdversarialModel

#: The discriminator of DCGAN without batch normalization, and with spectral normalization and a projection of classes.
DISCRIMINATOR = {"name": "convolutional", "batch_norm": False, "spectral_norm": True, "projection": True}


class SNGAN(AdversarialModel):
    r"""A discriminator whose layers each stretch no direction by more than one, with the hinge loss.

    $$\bar W = W / σ(W), \qquad L_D = \max(0, 1 - D(x)) + \max(0, 1 + D(G(z))), \qquad L_G = -D(G(z))$$

    where σ(W) is the largest singular value, estimated by one step of the power iteration in each training step
    (`layers.SpectralNormalization`). A class y enters D by a projection, $D(x, y) = y^\top V φ(x) + ψ(φ(x))$; in G, it
    is appended to the noise, whereas the paper uses class-conditional batch normalization.

    Example:

    ```python
    model = keras_gen.adversarial.SNGAN((28, 28, 1), num_classes=10)
    model.compile()                                        # the paper's Adam for both players
    model.fit(x_train, y_train, batch_size=64, epochs=10)  # x_train holds levels 0..255
    model.sample(10, condition=np.arange(10), seed=0)

    keras_gen.adversarial.SNGAN(                           # the paper's residual blocks
        (28, 28, 1), generator_network="residual", discriminator_network={"name": "residual", "spectral_norm": True}
    )
    ```

    Args:
        event_shape: shape of one example; for the default networks (height, width, channels).
        levels: number of levels of an entry, scaled internally to [-1, 1]; None for real numbers.
        latent_distribution: as in `AdversarialModel`.
        objective: as in `AdversarialModel`.
        discriminator_steps: number of discriminator steps, each with its own batch, for each generator step.
        generator_network: by default that of DCGAN.
        discriminator_network: by default that of DCGAN without batch normalization, with spectral normalization and a
            projection of classes.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_distribution: str = "normal",
        objective="hinge",
        discriminator_steps: int = 5,
        generator_network="convolutional",
        discriminator_network=DISCRIMINATOR,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            levels,
            latent_distribution=latent_distribution,
            objective=objective,
            discriminator_steps=discriminator_steps,
            generator_network=generator_network,
            discriminator_network=discriminator_network,
            **kwargs,
        )

    def default_optimizers(self):
        """Adam with learning rate 2e-4, beta_1 0 and beta_2 0.9."""
        return {player: keras.optimizers.Adam(2e-4, 0.0, 0.9) for player in ("generator", "discriminator")}
