"""Recipes of two stages, killed in the second one: the same command goes on there, to the same bits.

Steps run operation by operation: an epoch has three of them, and tracing takes longer. `run_test.py` has graphs.
"""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import training
from keras_gen.training import callbacks
from keras_gen.training.run import Run
from recipes.adversarial import text_to_image_gan
from recipes.autoregressive import dalle
from recipes.latent import vq_vae

#: Of each recipe: small settings, the subfolder of its first stage and that of its second one.
RECIPES = {
    vq_vae: (
        {
            "epochs": 1,
            "batch_size": 500,
            "num_codes": 4,
            "code_size": 2,
            "filters": (3,),
            "residual_blocks": 1,
            "residual_filters": 2,
            "prior_epochs": 3,
            "prior_filters": 2,
            "prior_layers": 1,
        },
        ("", "prior"),
    ),
    text_to_image_gan: (
        {
            "dataset": "digits",
            "joint_epochs": 1,
            "epochs": 3,
            "batch_size": 500,
            "held_out": ("a thick three",),
            "filters": (3,),
            "latent_size": 2,
            "code_size": 4,
            "text_units": 3,
        },
        ("joint_embedding", ""),
    ),
    dalle: (
        {
            "dataset": "digits",
            "joint_epochs": 0,
            "image_epochs": 1,
            "epochs": 3,
            "batch_size": 500,
            "held_out": ("a thick three",),
            "num_codes": 3,
            "code_size": 2,
            "filters": (3,),
            "num_layers": 1,
            "width": 4,
            "num_heads": 1,
        },
        ("image_codes", ""),
    ),
}


class Trained(Exception):
    """The last stage is trained: what a recipe does then is tested elsewhere."""


def train(recipe, folder) -> list[np.ndarray]:
    """Returns the weights after each stage of a recipe."""
    weights, (settings, (_, second)), fit = [], RECIPES[recipe], Run.fit

    def fit_and_note(run, *arguments, **options):
        model = fit(run, *arguments, **options)
        weights.extend(model.get_weights())
        if run.folder == folder / second:
            raise Trained
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "fit", fit_and_note)
        tf.config.run_functions_eagerly(True)
        try:
            with pytest.raises(Trained):
                recipe.main(folder=folder, options=training.Options(xla=False), **settings)
        finally:
            tf.config.run_functions_eagerly(False)
    return weights


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.__name__)
def test_a_kill_in_the_second_stage_changes_no_bit(recipe, tmp_path, capsys):
    folder, (_, (first, second)) = tmp_path / "whole", RECIPES[recipe]
    save = callbacks.Checkpoints.save

    def save_and_copy(checkpoints):
        save(checkpoints)
        if checkpoints.folder == folder / second / "checkpoints" and checkpoints.state["epoch"] == 2:
            # What a kill leaves behind, were it now.
            shutil.copytree(folder, tmp_path / "killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.Checkpoints, "save", save_and_copy)
        uninterrupted = train(recipe, folder)
    assert capsys.readouterr().out.count("s/step") == 1 + 3

    resumed = train(recipe, tmp_path / "killed")
    out = capsys.readouterr().out
    assert f"Going on after epoch 1 of the run in {tmp_path / 'killed' / first}." in out
    assert f"Going on after epoch 2 of the run in {tmp_path / 'killed' / second}." in out
    assert out.count("s/step") == 1
    for a, b in zip(resumed, uninterrupted, strict=True):
        np.testing.assert_array_equal(a, b)
