"""A run whose examples stay in shards of records: a kill within an epoch changes no bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from eager import eager_steps

from keras_gen import autoregressive, data, training
from keras_gen.data import columns
from keras_gen.training import callbacks
from keras_gen.training import run as run_module

BITS = np.random.default_rng(0).integers(0, 2, (40, 4))


def write_shards(folder, ending: str):
    """Writes the bits into two shards of one format."""
    for index, rows in enumerate(np.split(BITS, 2)):
        path = folder / f"x-{index}-of-2.{ending}"
        if ending == "tfrecord":
            writer = tf.io.TFRecordWriter(str(path))
        else:
            module = pytest.importorskip("array_record.python.array_record_module")
            writer = module.ArrayRecordWriter(str(path), "group_size:1")
        for row in rows:
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=row))
            writer.write(tf.train.Example(features=tf.train.Features(feature={"x": feature})).SerializeToString())
        writer.close()


def start(dataset, folder, strategy: str):
    """Trains a tiny MADE for one epoch of four steps, as a recipe does; returns it, and its data."""
    splits = data.load(dataset, batch_size=8)
    options = training.Options(strategy=strategy, checkpoint_every="3")
    run = training.Run("autoregressive.made", folder, {"dataset": str(dataset), "seed": 0, "epochs": 1}, options)
    with run.scope():
        model = autoregressive.MADE(splits.event_shape, (6,), num_masks=2, dropout=0.2)
        run.compile(model, keras.optimizers.Adam(0.01), xla=False)
    return run.fit(model, splits, epochs=1), splits


@pytest.fixture(autouse=True)
def little_else(monkeypatch):
    """Steps are taken one by one and without graphs, and no samples are drawn for pictures."""
    monkeypatch.setattr(run_module, "MOST_STEPS", 1)
    monkeypatch.setattr(run_module, "Previews", lambda *_, **__: keras.callbacks.Callback())
    with eager_steps():
        yield


@pytest.mark.parametrize(("ending", "strategy"), [("tfrecord", "one"), ("array_record", "mirrored")])
def test_a_run_on_shards_killed_within_an_epoch_ends_as_an_uninterrupted_one_in_memory(
    ending, strategy, tmp_path, monkeypatch, capsys
):
    np.save(tmp_path / "x.npy", BITS)
    expected, _ = start(tmp_path / "x.npy", tmp_path / "whole", strategy)
    monkeypatch.setattr(columns, "MEMORY_LIMIT", 0)
    shards = tmp_path / "shards"
    shards.mkdir()
    write_shards(shards, ending)
    save = callbacks.Checkpoints.save

    def save_and_die(checkpoints):
        save(checkpoints)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Checkpoints, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            start(shards, tmp_path / "killed", strategy)
    resumed, splits = start(shards, tmp_path / "killed", strategy)
    assert not splits.in_memory
    assert "Going on after step 3 of epoch 1" in capsys.readouterr().out
    for ours, theirs in zip(resumed.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(resumed.optimizer.variables, expected.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
