"""What recipes share: flags, strategies, and the run folder with its checkpoints, logs and results."""

from keras_gen.training.recipe import Options as Options
from keras_gen.training.recipe import part as part
from keras_gen.training.recipe import recipe as recipe


def __getattr__(name: str):
    # The flags of a recipe are parsed before TensorFlow is loaded.
    if name == "Run":
        from keras_gen.training.run import Run

        return Run
    if name in ("EXACT", "compiled", "fit_vectors", "true_log_density"):
        from keras_gen.training import vectors

        return getattr(vectors, name)
    if name in ("fit_levels", "fit_logits"):
        from keras_gen.training import levels

        return getattr(levels, name)
    if name in ("JUDGED", "judged_samples"):
        from keras_gen.training import samples

        return getattr(samples, name)
    raise AttributeError(f"module 'keras_gen.training' has no attribute {name!r}")
