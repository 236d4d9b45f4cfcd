"""What recipes share: arguments, strategies, protocols, and the run folder with checkpoints, logs and results.

A recipe is a function of a `Run` and of keyword arguments: single ones, and groups of arguments that recipes share:

```python
@training.recipe(
    paper=dict(dataset="binarized_mnist", epochs=500),          # values of --preset paper
    two_cores=dict(epochs=30),                                  # what --preset two_cores has in place of them
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=150, batch_size=100, learning_rate=0.1, patience=20),
    hidden_units: int = 500,
) -> dict:
    ...
    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = autoregressive.NADE(splits.event_shape, hidden_units, splits.levels, seed=run.seed)
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=True)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)
    return run.finish(model, splits, evaluation.likelihoods(model, splits), protocol=training.EXACT)
```

`main(epochs=2, folder="runs/mine")` and `python -m recipes.autoregressive.nade --epochs 2 --folder runs/mine` do the
same run. A stage of the run trains a further model, such as the prior of codes: `run.stage("prior")`.
"""

import importlib

from keras_gen.training.adversarial import Players as Players
from keras_gen.training.arguments import CaptionedImages as CaptionedImages
from keras_gen.training.arguments import Examples as Examples
from keras_gen.training.arguments import FixedSchedule as FixedSchedule
from keras_gen.training.arguments import GridSchedule as GridSchedule
from keras_gen.training.arguments import Images as Images
from keras_gen.training.arguments import LinearSchedule as LinearSchedule
from keras_gen.training.arguments import Options as Options
from keras_gen.training.arguments import Pairs as Pairs
from keras_gen.training.arguments import Schedule as Schedule
from keras_gen.training.arguments import Sounds as Sounds
from keras_gen.training.arguments import Unpaired as Unpaired
from keras_gen.training.arguments import Vectors as Vectors
from keras_gen.training.arguments import VectorSchedule as VectorSchedule
from keras_gen.training.recipe import component as component
from keras_gen.training.recipe import recipe as recipe
from keras_gen.training.translation import Translators as Translators

#: Names that need TensorFlow, which is loaded only after the flags of a recipe are parsed.
_PLACES = {
    "Run": "run",
    **dict.fromkeys(("joint_embedding", "judged_captions", "sentences_picture"), "captions"),
    **dict.fromkeys(("CHOSEN", "Choice", "Grid", "fit_chosen"), "folds"),
    **dict.fromkeys(("fit_classifier", "label_accuracy", "trained_judge"), "judges"),
    **dict.fromkeys(
        (
            "BOUNDS",
            "EXACT",
            "JUDGED",
            "VECTORS",
            "annealed_likelihood",
            "check_bits",
            "fit_levels",
            "fit_logits",
            "fit_players",
            "fit_to_best_parzen",
            "fit_translation",
            "fit_vectors",
            "judged_players",
            "judged_samples",
            "parzen_figures",
            "pretrain_layers",
            "true_log_density",
            "vector_likelihoods",
        ),
        "protocols",
    ),
}


def __getattr__(name: str):
    if name in _PLACES:
        return getattr(importlib.import_module(f"keras_gen.training.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'keras_gen.training' has no attribute {name!r}")
