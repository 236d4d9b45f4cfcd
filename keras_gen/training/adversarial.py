"""Arguments that recipes of adversarial networks share: those of both players."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from keras_gen.training.arguments import FixedSchedule
from keras_gen.training.recipe import component

if TYPE_CHECKING:
    import keras

    from keras_gen.adversarial import AdversarialModel
    from keras_gen.training.run import Run


@dataclasses.dataclass(frozen=True)
class Players:
    """The networks of two players and the losses they minimise."""

    network: Literal["dense", "convolutional", "residual", "own"] = "dense"
    """What both players are made of; own selects the networks, the noise, the output, the losses and the optimizers of
    the model itself, which are those of its paper."""
    hidden_units: tuple[int, ...] = (200, 200)
    """Widths of the hidden layers of dense networks."""
    maxout_units: tuple[int, ...] = ()
    """Units of the maxout layers, with five pieces, that replace the discriminator's dense layers."""
    dropout: float = 0.0
    """Share of the hidden units that a dense or maxout discriminator leaves out in each training step."""
    batch_norm: bool = False
    """Use batch normalization in a dense generator."""
    filters: tuple[int, ...] = (16, 32)
    """Channels of the layers, or blocks, that halve an image, from the image inwards."""
    latent_size: int = 32
    """Length of the noise."""
    objective: str | None = None
    """Losses, by default the paper's: a name, or JSON such as {"name": "least_squares", "fake": 0.0}."""
    regularizers: tuple[str, ...] | None = None
    """Regularizers of the discriminator, by default the paper's: names, or JSON."""
    discriminator_steps: int = 1
    """Discriminator steps for each step of the generator, each with its own batch."""
    generator_average: float = 0.999
    """Momentum of the moving average of the generator's weights, unless `ema` names one; 0 for none."""

    def batch_size(self, schedule: FixedSchedule) -> int:
        """Returns the number of examples in a training step; each step of a player takes the schedule's batch size."""
        return self.discriminator_steps * schedule.batch_size

    def arguments(self, run: "Run", *, batch_norm: bool = False, spectral_norm: bool = False) -> dict:
        """Returns the arguments of an adversarial model by name.

        Args:
            run: the run.
            batch_norm: whether a convolutional discriminator has batch normalization.
            spectral_norm: whether the discriminator has spectral normalization.
        """
        own = {
            "discriminator_steps": self.discriminator_steps,
            "generator_average": run.options.ema or self.generator_average,
            "seed": run.seed,
        }
        if self.network == "own":
            return own
        sizes = {"hidden_units": self.hidden_units} if self.network == "dense" else {"filters": self.filters}
        generator, discriminator = {"name": self.network, **sizes}, {"name": self.network, **sizes}
        if self.network == "dense":
            generator["batch_norm"] = self.batch_norm
            if self.maxout_units:
                pieces = (5,) * len(self.maxout_units)
                discriminator = {"name": "maxout", "units": self.maxout_units, "pieces": pieces}
            discriminator["dropout"] = self.dropout
        elif self.network == "convolutional":
            discriminator["batch_norm"] = batch_norm
        if spectral_norm:
            discriminator["spectral_norm"] = True
        chosen = {}
        if self.objective is not None:
            chosen["objective"] = component(self.objective)
        if self.regularizers is not None:
            chosen["regularizers"] = tuple(map(component, self.regularizers))
        return {
            "latent_size": self.latent_size,
            "latent_distribution": "normal",
            "output_activation": "tanh",
            "generator_network": generator,
            "discriminator_network": discriminator,
            **own,
            **chosen,
        }

    def optimizers(
        self,
        model: "AdversarialModel",
        schedule: FixedSchedule,
        steps_per_epoch: int,
        make: Callable[..., "keras.optimizers.Optimizer"],
    ) -> list:
        """Returns the optimizer of each player, the generator's first.

        Args:
            model: the model.
            schedule: schedule of the learning rate, a function of the player's own steps.
            steps_per_epoch: training steps in an epoch.
            make: function from a learning rate to an optimizer, unless the model has its own.
        """
        if self.network == "own":
            return list(model.default_optimizers().values())
        return [make(schedule.rate(steps_per_epoch * steps)) for steps in (1, self.discriminator_steps)]
