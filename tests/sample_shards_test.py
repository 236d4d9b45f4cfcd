"""Samples in files: the same after a kill and on several devices, and never mixed with others."""

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.devices import on_all_devices
from keras_gen.flows import NICE
from keras_gen.latent import ConditionalVAE
from keras_gen.sample_shards import sample_to_folder

ARGUMENTS = {"seed": 3, "batch_size": 4, "shard_size": 10}


@pytest.fixture(scope="module")
def model():
    return NICE((3,), 2, (4,))


@pytest.fixture
def whole(model, tmp_path):
    return [np.load(file) for file in sample_to_folder(model, tmp_path / "whole", 25, **ARGUMENTS)]


def test_each_batch_has_a_seed_of_its_shard(model, whole, tmp_path):
    fold_in = tf.random.experimental.stateless_fold_in
    sizes = [(4, 4, 2), (4, 4, 2), (4, 1)]
    for shard, (found, nums) in enumerate(zip(whole, sizes, strict=True)):
        shard_seed = fold_in(tf.constant([0, 3]), shard)
        parts = [model.sample(num, seed=fold_in(shard_seed, batch)) for batch, num in enumerate(nums)]
        np.testing.assert_array_equal(found, np.concatenate(parts))
    index = json.loads((tmp_path / "whole" / "index.json").read_text())
    assert index["shards"] == [
        {"file": f"0000{number}-of-00003.npy", "num_samples": num} for number, num in enumerate((10, 10, 5))
    ]


def test_a_killed_call_goes_on_with_the_same_draws(model, whole, tmp_path):
    def killed(batches, total):
        # In the middle of the second shard.
        for index, batch in enumerate(batches):
            if index == 4:
                raise KeyboardInterrupt
            yield batch

    folder = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        sample_to_folder(model, folder, 25, **ARGUMENTS, progress=killed)
    assert sorted(path.name for path in folder.iterdir()) == ["00000-of-00003.npy", "request.json"]
    first = (folder / "00000-of-00003.npy").stat()

    with pytest.raises(ValueError, match="a part of samples of another request, which differs in seed;"):
        sample_to_folder(model, folder, 25, **{**ARGUMENTS, "seed": 4})
    # A process that is killed leaves the file that it is writing, in a folder of its own.
    (folder / ".00001-of-00003.npy-x1y2").mkdir()
    totals = []
    files = sample_to_folder(
        model, folder, 25, **ARGUMENTS, progress=lambda batches, total: totals.append(total) or batches
    )
    assert totals == [5]
    assert not list(folder.glob(".*"))
    assert files[0].stat().st_mtime_ns == first.st_mtime_ns
    for file, expected in zip(files, whole, strict=True):
        np.testing.assert_array_equal(np.load(file), expected)


def test_other_devices_draw_the_same(model, whole, tmp_path):
    devices = ["CPU:0", "CPU:1", "CPU:0"]
    used = set(on_all_devices(lambda x: tf.constant(x).device, [(x,) for x in range(6)], devices))
    assert len(used) == 2
    for file, expected in zip(
        sample_to_folder(model, tmp_path / "several", 25, **ARGUMENTS, devices=devices), whole, strict=True
    ):
        np.testing.assert_allclose(np.load(file), expected, rtol=1e-6)


def test_what_is_in_the_folder_is_safe(model, whole, tmp_path):
    with pytest.raises(FileExistsError, match="exists; --overwrite replaces it"):
        sample_to_folder(model, tmp_path / "whole", 25, **ARGUMENTS)
    files = sample_to_folder(model, tmp_path / "whole", 5, seed=1, overwrite=True)
    assert {path.name for path in files[0].parent.iterdir()} == {files[0].name, "request.json", "index.json"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="holds other files"):
        sample_to_folder(model, tmp_path / "mine", 5, overwrite=True)
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_classes_come_in_turn_over_batches_and_shards_and_levels_as_bytes(tmp_path):
    model = ConditionalVAE((2, 2, 1), 2, 4, num_classes=3, hidden_units=(3,))
    asked = []
    sample = model.sample

    def spied(num_samples, *, condition, seed):
        asked.extend(condition)
        return sample(num_samples, condition=condition, seed=seed)

    model.sample = spied
    files = sample_to_folder(model, tmp_path / "classes", 11, batch_size=2, shard_size=5)
    np.testing.assert_array_equal(asked, np.arange(11) % 3)
    assert [np.load(file).dtype for file in files] == [np.uint8] * 3
    assert json.loads((tmp_path / "classes" / "index.json").read_text())["condition"] == [0, 1, 2]
