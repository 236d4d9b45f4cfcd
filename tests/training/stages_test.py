"""A recipe of two stages, killed in the second one: the same command goes on there, to the same bits."""

import shutil

import numpy as np
import pytest

from keras_gen import training
from keras_gen.training import callbacks
from keras_gen.training.run import Run
from recipes.latent import vq_vae

SETTINGS = {
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
    # XLA takes longer to compile so small networks than they take to run.
    "options": training.Options(xla=False),
}


def train(folder) -> list[np.ndarray]:
    """Returns the weights that the recipe hands over to be written."""
    weights = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "finish", lambda run, model, *_, **__: weights.extend(model.get_weights()))
        vq_vae.main(folder=folder, **SETTINGS)
    return weights


def test_a_kill_in_the_second_stage_changes_no_bit(tmp_path, capsys):
    folder = tmp_path / "whole"
    save = callbacks.Checkpoints.save

    def save_and_copy(checkpoints):
        save(checkpoints)
        if checkpoints.folder.parent.name == "prior" and checkpoints.state["epoch"] == 2:
            # What a kill leaves behind, were it now.
            shutil.copytree(folder, tmp_path / "killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.Checkpoints, "save", save_and_copy)
        uninterrupted = train(folder)
    assert capsys.readouterr().out.count("s/step") == 1 + 3

    resumed = train(tmp_path / "killed")
    out = capsys.readouterr().out
    assert f"Going on after epoch 1 of the run in {tmp_path / 'killed'}." in out
    assert f"Going on after epoch 2 of the run in {tmp_path / 'killed' / 'prior'}." in out
    assert out.count("s/step") == 1
    for a, b in zip(resumed, uninterrupted, strict=True):
        np.testing.assert_array_equal(a, b)
