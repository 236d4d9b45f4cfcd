"""GAN: Generative Adversarial Nets.

Ian Goodfellow, Jean Pouget-Abadie, Mehdi Mirza, Bing Xu, David Warde-Farley, Sherjil Ozair, Aaron Courville, Yoshua
Bengio (2014), https://arxiv.org/abs/1406.2661
"""

from keras_gen.adversarial.base import AdversarialModel
from keras_gen.adversarial.optimizers import FallingRate, RisingMomentum

#: The paper's networks, with the authors' initial weights.
GENERATOR = {"name": "dense", "hidden_units": (1200, 1200), "initial_scale": 0.05}
DISCRIMINATOR = {
    "name": "maxout",
    "units": (240, 240),
    "pieces": (5, 5),
    "dropout": 0.5,
    "input_dropout": 0.2,
    "initial_scale": 0.005,
}
#: In the authors' code, the discriminator's loss is the mean over both kinds of examples.
OBJECTIVE = {"name": "non_saturating", "discriminator_weight": 0.5}


class GAN(AdversarialModel):
    r"""A dense generator against a maxout discriminator with dropout.

    $$\min_G \max_D E_{x ∼ p_{data}}[\log D(x)] + E_{z ∼ p_z}[\log(1 - D(G(z)))]$$

    The discriminator minimises half of the negative of this value. The generator minimises it with
    `objective="minimax"`; with "non_saturating", it minimises $-\log D(G(z))$, whose gradient is large when it loses.

    The defaults are those of the authors' code (https://github.com/goodfeli/adversarial): normal z, levels in [0, 1]
    and a sigmoid, small initial weights, half of the discriminator's loss, and gradient descent whose rate falls from
    0.1 while its momentum rises from 0.5 to 0.7. They belong together: with levels in [-1, 1] and larger weights,
    gradient descent at that rate diverges. `adapt` initializes the output to the mean of the data, as the authors do.

    The objective, the regularizers and the networks can be replaced by any others; these need other optimizers, such as
    Adam.

    Example:

    ```python
    model = keras_gen.adversarial.GAN((28, 28, 1))
    model.adapt(x_train)                                   # x_train holds levels 0..255
    model.compile()                                        # the authors' gradient descent for both players
    model.fit(x_train, batch_size=100, epochs=50)
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
        levels: number of levels of an entry, scaled internally to the range of the output; None for real numbers.
        latent_size: length of z.
        latent_distribution: as in `AdversarialModel`.
        generator_network: by default ReLU layers of 1200 and 1200 units.
        discriminator_network: by default maxout layers of 240 and 240 units, with 5 pieces each.
        output_activation: as in `AdversarialModel`.
        objective: as in `AdversarialModel`.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_size: int = 100,
        latent_distribution: str = "normal",
        generator_network=GENERATOR,
        discriminator_network=DISCRIMINATOR,
        output_activation: str = "sigmoid",
        objective=OBJECTIVE,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            levels,
            latent_size=latent_size,
            latent_distribution=latent_distribution,
            generator_network=generator_network,
            discriminator_network=discriminator_network,
            output_activation=output_activation,
            objective=objective,
            **kwargs,
        )

    def default_optimizers(self):
        """The authors' gradient descent: each step divides the rate by 1.000004, and the momentum rises."""
        return {player: RisingMomentum(FallingRate(0.1, 1.000004)) for player in ("generator", "discriminator")}
