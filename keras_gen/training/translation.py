"""Arguments that recipes of translation from pairs share: those of Pix2Pix."""

import dataclasses
from typing import TYPE_CHECKING, Literal

from keras_gen.training.arguments import FixedSchedule

if TYPE_CHECKING:
    from keras_gen.data import Splits
    from keras_gen.training.run import Run
    from keras_gen.translation import Pix2Pix


@dataclasses.dataclass(frozen=True)
class Translators:
    """The networks of Pix2Pix and the loss it minimises."""

    filters: int = 64
    """Channels of the first layer of each network."""
    receptive_field: int | None = None
    """Height and width of the patches that are judged; by default the largest that fits, at most 70."""
    l1_weight: float = 100.0
    """Weight of the distance from the target."""
    objective: Literal["non_saturating", "least_squares", "hinge", "wasserstein"] = "non_saturating"
    """Losses of the players."""
    normalization: Literal["instance", "batch"] = "instance"
    """Normalization by each image alone, or by the batch and, when translating, by moving statistics."""
    dropout: float = 0.5
    """Share of the features that the first blocks of the decoder drop, which is the noise."""

    def compiled(self, run: "Run", splits: "Splits", schedule: FixedSchedule) -> "Pix2Pix":
        """Returns a new model of pairs, compiled with the paper's Adam and the schedule's falling learning rate.

        Args:
            run: the run.
            splits: pairs, columns "source" and "target".
            schedule: how long to train and how fast.
        """
        import keras

        from keras_gen.spaces import Levels
        from keras_gen.translation import Pix2Pix

        source, target = splits.spaces["source"], splits.spaces["target"]
        levels = target.num_levels if isinstance(target, Levels) else None
        rate = schedule.rate(splits.steps_per_epoch)
        with run.scope():
            model = Pix2Pix(source.shape, target.shape, levels, seed=run.seed, **dataclasses.asdict(self))
            run.compile(model, *(keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2)), xla=False)
        return model
