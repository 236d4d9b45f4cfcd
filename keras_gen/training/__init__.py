"""What recipes share: flags, strategies, and the run folder with its checkpoints, logs and results."""

from keras_gen.training.recipe import Options as Options
from keras_gen.training.recipe import part as part
from keras_gen.training.recipe import recipe as recipe


def __getattr__(name: str):
    # The flags of a recipe are parsed before TensorFlow is loaded.
    if name == "Run":
        from keras_gen.training.run import Run

        return Run
    if name == "fit_vectors":
        from keras_gen.training.vectors import fit_vectors

        return fit_vectors
    raise AttributeError(f"module 'keras_gen.training' has no attribute {name!r}")
