"""Conditional GAN: Conditional Generative Adversarial Nets.

Mehdi Mirza, Simon Osindero (2014), https://arxiv.org/abs/1411.1784
"""

from keras_gen.adversarial.base import AdversarialModel
from keras_gen.adversarial.gan import OBJECTIVE
from keras_gen.adversarial.optimizers import FallingRate, RisingMomentum

#: The paper's networks for MNIST, with the initial weights of `GAN`.
GENERATOR = {
    "name": "dense",
    "hidden_units": (1200,),
    "noise_units": 200,
    "condition_units": 1000,
    "dropout": 0.5,
    "initial_scale": 0.05,
}
DISCRIMINATOR = {
    "name": "maxout",
    "units": (240, 240),
    "pieces": (5, 4),
    "condition_units": 50,
    "condition_pieces": 5,
    "dropout": 0.5,
    "initial_scale": 0.005,
}
#: The same for classes: each is one number among zeros, scaled to have as much weight as an image from the start.
CLASS_DISCRIMINATOR = {**DISCRIMINATOR, "condition_scale": 10.0}


class ConditionalGAN(AdversarialModel):
    r"""Two players that both see y, which examples are conditioned on.

    $$\min_G \max_D E[\log D(x|y)] + E[\log(1 - D(G(z|y)|y))]$$

    In G, z goes through 200 ReLU units and y through 1000, and both through 1200; in D, x goes through maxout units
    (240, 5 pieces), y through its own (50, 5 pieces), and both through 240 with 4 pieces. y is a class, or a vector,
    such as features of an image: the paper's second experiment draws word vectors given the features of a picture, and
    the words nearest to them are its tags (`evaluation.common_tags`).

    Both players have dropout. Their optimizers, the scale of levels, the sigmoid, the initial weights and the losses
    are those of `GAN`, as is the initialization of the output to the mean of the data by `adapt`.

    Example:

    ```python
    model = keras_gen.adversarial.ConditionalGAN((28, 28, 1), num_classes=10)
    model.adapt(x_train)                                   # x_train holds levels 0..255
    model.compile()                                        # the paper's gradient descent for both players
    model.fit(x_train, y_train, batch_size=100, epochs=50)
    model.sample(10, condition=np.arange(10), seed=0)      # one digit of each class

    words = keras_gen.adversarial.ConditionalGAN((200,), levels=None, num_classes=None, condition_size=4096)
    ```

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry, scaled internally to the range of the output; None for real numbers.
        num_classes: number of classes; None for a vector instead of a class.
        condition_size: length of the vector y; None for a class.
        latent_size: length of z, whose entries are uniform between -1 and 1.
        generator_network: as in `AdversarialModel`; by default the paper's.
        discriminator_network: as in `AdversarialModel`; by default the paper's.
        output_activation: as in `AdversarialModel`.
        objective: as in `AdversarialModel`.
        **kwargs: as in `AdversarialModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        num_classes: int | None = 10,
        condition_size: int | None = None,
        latent_size: int = 100,
        generator_network=GENERATOR,
        discriminator_network=None,
        output_activation: str = "sigmoid",
        objective=OBJECTIVE,
        **kwargs,
    ):
        if discriminator_network is None:
            discriminator_network = CLASS_DISCRIMINATOR if condition_size is None else DISCRIMINATOR
        super().__init__(
            event_shape,
            levels,
            # A vector replaces the default classes.
            num_classes=None if condition_size is not None and num_classes == 10 else num_classes,
            condition_size=condition_size,
            latent_size=latent_size,
            generator_network=generator_network,
            discriminator_network=discriminator_network,
            output_activation=output_activation,
            objective=objective,
            **kwargs,
        )
        if self.condition_space is None:
            raise ValueError("`num_classes` or `condition_size` must be given; received None for both.")

    def default_optimizers(self):
        """Gradient descent as in `GAN`; each step divides the rate by 1.00004."""
        return {player: RisingMomentum(FallingRate(0.1, 1.00004)) for player in ("generator", "discriminator")}
