"""GAN: Generative Adversarial Nets.

Ian Goodfellow, Jean Pouget-Abadie, Mehdi Mirza, Bing Xu, David Warde-Farley, Sherjil Ozair, Aaron Courville, Yoshua
Bengio (2014), https://arxiv.org/abs/1406.2661
"""

from keras_gen.adversarial.base import AdversarialModel

#: The paper's networks.
GENERATOR = {"name": "dense", "hidden_units": (1200, 1200)}
DISCRIMINATOR = {"name": "maxout", "units": (240, 240), "pieces": (5, 5), "dropout": 0.5}


class GAN(AdversarialModel):
    r"""A dense generator against a maxout discriminator with dropout.

    $$\min_G \max_D E_{x ∼ p_{data}}[\log D(x)] + E_{z ∼ p_z}[\log(1 - D(G(z)))]$$

    The discriminator minimises the negative of this value. The generator minimises it with `objective="minimax"`; with
    "non_saturating", it minimises $-\log D(G(z))$, whose gradient is large when it loses.

    The optimizers are the family's Adam: gradient descent at a rate of 0.1, as in the authors' code, ends in NaN within
    250 steps on MNIST.

    The objective, the regularizers and the networks can be replaced by any others.

    Example:

    ```python
    model = keras_gen.adversarial.GAN((28, 28, 1))
    model.compile()                                        # Adam for both players
    model.fit(x_train, batch_size=100, epochs=10)          # x_train holds levels 0..255
    model.sample(16, seed=0)

    keras_gen.adversarial.GAN(                             # one of each
        (2,),
        levels=None,
        objective="hinge",
        regularizers=("r1",),
        discriminator_network={"name": "dense", "hidden_units": (64, 64), "spectral_norm": True},
    )
    ```

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry, spread over [-1, 1] inside; None for real numbers.
        latent_size: length of z, whose entries are uniform between -1 and 1.
        generator_network: by default ReLU layers of 1200 and 1200 units.
        discriminator_network: by default maxout layers of 240 and 240 units, with 5 pieces each.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_size: int = 100,
        generator_network=GENERATOR,
        discriminator_network=DISCRIMINATOR,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            levels,
            latent_size=latent_size,
            generator_network=generator_network,
            discriminator_network=discriminator_network,
            **kwargs,
        )
