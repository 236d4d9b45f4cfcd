"""Data sets: what the pipelines yield, in which order, and what is said of a wrong name or file."""

import re

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_images

from keras_gen import data
from keras_gen.spaces import ClassLabel, Levels, Reals


def rows(dataset) -> np.ndarray:
    return np.concatenate([x.numpy() for x in dataset])


@pytest.fixture
def numbers(tmp_path):
    """A file of 10 training, 4 validation and 3 test vectors that count up, each number once."""
    counting = np.arange(17, dtype=np.float32)[:, np.newaxis]
    np.savez(tmp_path / "numbers.npz", train=counting[:10], valid=counting[10:14], test=counting[14:])
    return tmp_path / "numbers.npz"


def test_an_epoch_is_a_permutation_and_epochs_differ(numbers):
    splits = data.load(numbers, batch_size=5)
    stream = iter(splits.train_from(0))
    epochs = [np.concatenate([next(stream).numpy() for _ in range(splits.steps_per_epoch)])[:, 0] for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(10))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_order_of_a_seed_never_changes(numbers):
    """A run that goes on under a new version sees the batches that it would have seen."""
    batches = [x.numpy()[:, 0].tolist() for x in data.load(numbers, batch_size=5, seed=7).train_from(1).take(4)]
    assert batches == [[9, 6, 8, 7, 2], [3, 5, 1, 0, 4], [9, 1, 6, 3, 7], [4, 2, 5, 8, 0]]
    bits = data.load("digits", binarization="dynamic", batch_size=3, seed=1)
    assert [x.numpy().sum() for x in bits.train_from(0).take(4)] == [64, 63, 57, 52]
    assert [x.numpy().sum() for x in bits.test.take(3)] == [63, 51, 58]


def test_a_later_epoch_is_entered_as_if_all_before_had_been_seen(numbers):
    splits = data.load(numbers, batch_size=3, seed=4)
    whole = splits.train_from(0).take(12)
    np.testing.assert_array_equal(rows(splits.train_from(2).take(6)), rows(whole)[18:])
    assert splits.steps_per_epoch == 3


def test_the_order_is_new_at_each_iteration_and_the_same_for_a_seed(numbers):
    train = data.load(numbers, batch_size=5, seed=1).train
    first, second = rows(train), rows(train)
    assert sorted(first[:, 0]) == sorted(second[:, 0]) == list(range(10))
    assert (first != second).any()
    np.testing.assert_array_equal(rows(data.load(numbers, batch_size=5, seed=1).train), first)
    assert (rows(data.load(numbers, batch_size=5, seed=2).train) != first).any()


def test_validation_and_test_come_in_order_and_whole(numbers):
    splits = data.load(numbers, batch_size=3)
    np.testing.assert_array_equal(rows(splits.validation)[:, 0], [10, 11, 12, 13])
    np.testing.assert_array_equal(rows(splits.test)[:, 0], [14, 15, 16])


def test_shards_are_disjoint_and_together_whole(numbers):
    shards = [data.load(numbers, batch_size=2, shard=(index, 2)) for index in range(2)]
    for split in ("train", "validation", "test"):
        parts = [rows(getattr(shard, split))[:, 0] for shard in shards]
        assert not set(parts[0]) & set(parts[1])
    assert sorted(np.concatenate([rows(shard.test)[:, 0] for shard in shards])) == [14, 15, 16]


def test_digits_are_split_without_overlap_or_loss():
    from sklearn.datasets import load_digits

    splits = data.load("digits", batch_size=100, labels=True)
    assert splits.spaces == {"x": Levels((8, 8, 1), 17), "condition": ClassLabel(10)}
    assert (splits.event_shape, splits.levels) == ((8, 8, 1), 17)
    arrays = [splits.array(split) for split in ("train", "validation", "test")]
    assert [len(array) for array in arrays] == [1437, 180, 180]
    key = lambda images: sorted(map(bytes, images.reshape(-1, 64).astype(np.uint8)))  # noqa: E731
    assert key(np.concatenate(arrays)) == key(load_digits().images)
    images, labels = next(iter(splits.test))
    found = {
        bytes(image): label
        for image, label in zip(load_digits().images.astype(np.uint8), load_digits().target, strict=True)
    }
    assert [found[bytes(image)] for image in images.numpy()] == labels.numpy().tolist()


def test_threshold_is_one_from_the_middle_level_on():
    grey = data.load("digits").array("train")
    np.testing.assert_array_equal(data.load("digits", binarization="threshold").array("train"), grey >= 8)


def test_static_bits_stay_and_dynamic_bits_are_drawn_anew():
    static = data.load("digits", binarization="static", seed=1)
    np.testing.assert_array_equal(
        static.array("test"), data.load("digits", binarization="static", seed=2).array("test")
    )
    dynamic = data.load("digits", binarization="dynamic", batch_size=1437)
    stream = iter(dynamic.train_from(0))
    means = [next(stream).numpy().mean() for _ in range(20)]
    assert len(set(means)) == 20
    # Each pixel is a Bernoulli draw of its grey level: the mean of all must be the mean grey.
    grey = data.load("digits").array("train") / 16
    error = np.sqrt((grey * (1 - grey)).sum() / 20) / grey.size
    assert abs(np.mean(means) - grey.mean()) < 4 * error
    assert abs(static.array("train").mean() - grey.mean()) < 4 * error * np.sqrt(20)


@pytest.mark.parametrize(
    ("array", "space"),
    [
        (np.array([[0, 1]] * 9, bool), Levels((2,), 2)),
        (np.array([[0, 200]] * 9, np.uint8), Levels((2,), 256)),
        (np.array([[0, 4]] * 9, np.int64), Levels((2,), 5)),
        (np.array([0, 999] * 9), Levels((1,), 1000)),
        (np.ones((9, 3, 2), np.uint8), Levels((3, 2, 1), 2)),
        (np.array([[0.0, 1.0]] * 9), Reals((2,))),
        (np.arange(9.0), Reals((1,))),
        (np.ones((9, 3, 2)), Reals((3, 2))),
    ],
)
def test_the_space_follows_dtype_and_shape(tmp_path, array, space):
    np.save(tmp_path / "array.npy", array)
    splits = data.load(tmp_path / "array.npy")
    assert splits.spaces == {"x": space}
    assert next(iter(splits.test)).shape[1:] == space.shape
    if isinstance(space, Levels):
        assert data.load(tmp_path / "array.npy", levels=2000).spaces == {"x": Levels(space.shape, 2000)}


def test_labels_are_the_second_arrays_of_a_file(tmp_path):
    x, y = np.arange(20.0)[:, np.newaxis], np.arange(20) % 3
    np.savez(tmp_path / "set.npz", x_train=x[:12], y_train=y[:12], x_test=x[12:], y_test=y[12:])
    splits = data.load(tmp_path / "set.npz", labels=True)
    assert splits.spaces == {"x": Reals((1,)), "condition": ClassLabel(3)}
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(splits.labels(split), splits.array(split)[:, 0] % 3)
    np.savez(tmp_path / "few.npz", x_train=x, y_train=np.where(x[:, 0] < 15, y, -1))
    assert data.load(tmp_path / "few.npz", labels=True).spaces["condition"] == ClassLabel(3, unknown=True)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.arange(9), r"shape \(9,\) and dtype int64 in its train split; whole numbers of shape \(20,\)"),
        (np.arange(20.0) + 0.5, "dtype float64 in its train split; whole numbers"),
        (np.ones((20, 20), int), r"labels of shape \(20, 20\)"),
        (np.arange(20) - 2, "the label -2; expected whole labels from -1 to 17"),
    ],
)
def test_wrong_labels_get_a_sentence(tmp_path, labels, sentence):
    np.savez(tmp_path / "set.npz", x_train=np.zeros((20, 2)), y_train=labels)
    with pytest.raises(ValueError, match=r"`labels` must be False: set\.npz holds .*" + sentence):
        data.load(tmp_path / "set.npz", labels=True)
    # Nobody has asked for them here.
    assert data.load(tmp_path / "set.npz").spaces == {"x": Reals((2,))}


@pytest.mark.parametrize("form", [lambda y: y.astype(float), lambda y: y[:, np.newaxis], lambda y: np.eye(5)[y]])
def test_labels_may_be_columns_floats_or_one_hot_rows(tmp_path, form):
    labels = np.arange(24) % 3
    np.savez(tmp_path / "set.npz", x_train=labels[:, np.newaxis] * 1.0, y_train=form(labels))
    splits = data.load(tmp_path / "set.npz", labels=True, batch_size=100)
    num_classes = 5 if form(labels).ndim == 2 and form(labels).shape[1] == 5 else 3
    assert splits.spaces["condition"] == ClassLabel(num_classes)
    for x, label in splits.train:
        np.testing.assert_array_equal(x[:, 0], label)


def test_arrays_may_have_the_names_of_others(tmp_path):
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    np.savez(tmp_path / "large.npz", X_train=rows[:20], X_val=rows[20:25], X_test=rows[25:])
    splits = data.load(tmp_path / "large.npz")
    np.testing.assert_array_equal(splits.array("validation"), rows[20:25])
    np.testing.assert_array_equal(splits.array("train"), rows[:20])
    np.savez(tmp_path / "two.npz", train=rows, x_train=2.0 * rows)
    with pytest.raises(ValueError, match="must hold one array of the train split; it holds train and x_train"):
        data.load(tmp_path / "two.npz")


def test_numbers_beyond_float32_are_refused_unless_they_are_standardised(tmp_path):
    rows = np.arange(40.0)[:, np.newaxis] * 1e38
    np.save(tmp_path / "large.npy", rows)
    with pytest.raises(ValueError, match=r"column 0 of large.npy holds .*, which float32 cannot hold"):
        data.load(tmp_path / "large.npy")
    splits = data.load(tmp_path / "large.npy", standardize=True)
    everything = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
    np.testing.assert_allclose(
        np.sort(everything[:, 0]) * splits.scale[1] + splits.scale[0], rows[:, 0], rtol=1e-5, atol=1e33
    )


def test_what_is_no_name_and_no_table_is_refused(tmp_path):
    with pytest.raises(TypeError, match="`name` must be a name, a path or a pandas DataFrame, received a ndarray"):
        data.load(np.zeros((200, 3)))
    np.save(tmp_path / "nothing.npy", np.zeros((10, 0)))
    with pytest.raises(ValueError, match=r"must hold numbers, received examples of shape \(0,\)"):
        data.load(tmp_path / "nothing.npy")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (
            {"image_size": 4},
            "`image_size` must be None: digits is no folder, no TFDS set and no shards of images; received 4",
        ),
        ({"audio_length": 100}, "`audio_length` must be None: digits holds no sound; received 100"),
        ({"padding": "missing"}, "`padding` must be silence: digits holds no sound; received missing"),
        (
            {"columns": "0:2"},
            "`columns` must be None: digits is no table and no shards of single numbers; received 0:2",
        ),
        ({"labels": True}, "`labels` must be False: two_moons has none"),
    ],
)
def test_what_a_set_cannot_take_is_refused(option, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.load("two_moons" if "labels" in option else "digits", **option)


def test_tables_with_and_without_names(tmp_path):
    table = np.random.default_rng(0).normal(size=(20, 3)).round(3)
    np.savetxt(tmp_path / "named.csv", table, delimiter=",", header="a,b,c", comments="", fmt="%.3f")
    np.savetxt(tmp_path / "plain.data", table, fmt="%.3f")
    for name in ("named.csv", "plain.data"):
        splits = data.load(tmp_path / name, columns="0,2", standardize=True)
        assert [splits.size(split) for split in ("train", "validation", "test")] == [16, 2, 2]
        np.testing.assert_allclose(splits.array("train").mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(splits.array("train").std(axis=0), 1, atol=1e-6)
        restored = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
        restored = restored * splits.scale[1] + splits.scale[0]
        np.testing.assert_allclose(np.sort(restored[:, 0]), np.sort(table[:, 0]), atol=1e-5)


def test_photos_are_squares_of_two_photographs():
    splits = data.load("photos")
    assert splits.spaces == {"x": Levels((32, 32, 3), 256)}
    x = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
    assert len(x) == 299
    photos = load_sample_images().images
    found = {
        photo[top : top + 32, left : left + 32].tobytes()
        for photo in photos
        for top in range(0, 416, 32)
        for left in range(0, 640, 32)
    }
    assert len({*map(bytes, x)}) == 299
    assert {*map(bytes, x)} <= found
    assert x.std(axis=(1, 2)).mean(axis=-1).min() >= 8.0


TFDS_IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 1), np.uint8)


@pytest.fixture
def tfds_set(tmp_path, monkeypatch):
    """The folder of a prepared set named "tiny", each of whose splits lies in two files."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny",
        version="1.0.0",
        data_dir=tmp_path,
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices({"image": part, "label": np.arange(len(part))})
            for split, part in (("train", TFDS_IMAGES[:6]), ("test", TFDS_IMAGES[6:]))
        },
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(4, 4, 1)), "label": tfds.features.ClassLabel(num_classes=6)}
        ),
        disable_shuffling=True,
        download_config=tfds.download.DownloadConfig(num_shards=2),
    )
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path / "tiny" / "1.0.0"


def test_a_prepared_tfds_set(tfds_set):
    splits = data.load("tiny", batch_size=4, labels=True)
    assert splits.spaces == {"x": Levels((4, 4, 1), 256), "condition": ClassLabel(6)}
    np.testing.assert_array_equal(splits.array("test"), TFDS_IMAGES[6:])
    # There is no validation split: the last sixth of the training examples serves.
    np.testing.assert_array_equal(splits.array("validation"), TFDS_IMAGES[5:6])
    np.testing.assert_array_equal(next(iter(splits.test))[1], [0, 1, 2])


@pytest.mark.parametrize("arguments", [{"labels": True}, {"image_size": 2}])
def test_a_tfds_set_that_stays_in_its_files_gives_the_same_batches(arguments, tfds_set, monkeypatch):
    assert len(list(tfds_set.glob("tiny-train.tfrecord*"))) == 2
    in_memory = data.load("tiny", batch_size=2, **arguments)
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", 0)
    in_files = data.load("tiny", batch_size=2, **arguments)
    assert in_memory.in_memory
    assert not in_files.in_memory
    assert in_files.spaces == in_memory.spaces
    for ours, theirs in (
        (in_files.train_from(1).take(4), in_memory.train_from(1).take(4)),
        (in_files.validation, in_memory.validation),
        (in_files.test, in_memory.test),
    ):
        for batch, same in zip(ours, theirs, strict=True):
            for part, expected in zip(tf.nest.flatten(batch), tf.nest.flatten(same), strict=True):
                np.testing.assert_array_equal(part, expected)


def test_a_shard_that_is_missing_or_cut_short_is_named_before_training(tfds_set, monkeypatch):
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", 0)
    first, second = sorted(tfds_set.glob("tiny-train.tfrecord*"))
    content = second.read_bytes()
    second.write_bytes(content[:-20])
    with pytest.raises(ValueError, match=re.escape(f"the shard {second} is cut short: {len(content) - 20} bytes")):
        data.load("tiny")
    second.write_bytes(content + first.read_bytes())
    with pytest.raises(ValueError, match=re.escape(f"the shard {second} must hold 3 records; it holds 6.")):
        data.load("tiny")
    second.unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(f"the shard {second} is missing")):
        data.load("tiny")


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("digitz", ValueError, "did you mean digits"),
        ("mnits", ValueError, "did you mean mnist"),
        ("cifar10", FileNotFoundError, "run `tfds build cifar10 --data_dir"),
        ("no/such/folder", FileNotFoundError, "no file or folder no/such/folder"),
        ("none.npz", FileNotFoundError, "no file none.npz"),
    ],
)
def test_a_wrong_name_gets_a_sentence(name, error, sentence, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(error, match=sentence):
        data.load(name)


def test_a_wrong_file_gets_a_sentence(tmp_path):
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    with pytest.raises(ValueError, match="must hold an array `train` or `x_train`; it holds something"):
        data.load(tmp_path / "other.npz")
    (tmp_path / "damaged.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:50])
    with pytest.raises(ValueError, match="is not a readable"):
        data.load(tmp_path / "damaged.npz")
    np.savez(tmp_path / "empty.npz", train=np.zeros((0, 3)), valid=np.zeros((1, 3)), test=np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"the train split of .* holds no examples"):
        data.load(tmp_path / "empty.npz")
    (tmp_path / "words.csv").write_text("1,2\n3,four\n")
    with pytest.raises(ValueError, match=r"row 2 of column 1 of .*words\.csv holds 'four', where a number is expected"):
        data.load(tmp_path / "words.csv")
    np.save(tmp_path / "constant.npy", np.ones((9, 2)))
    with pytest.raises(ValueError, match=r"columns 0, 1 of constant.npy are constant"):
        data.load(tmp_path / "constant.npy", standardize=True)
    np.save(tmp_path / "nan.npy", np.full((9, 2), np.nan))
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        data.load(tmp_path / "nan.npy")
    with pytest.raises(ValueError, match="`binarization` 'statik' is unknown; did you mean static"):
        data.load("digits", binarization="statik")
    with pytest.raises(ValueError, match="`columns` must be places"):
        data.load(tmp_path / "words.csv", columns="a:b")
    with pytest.raises(ValueError, match="`batch_size` must be at least 1, received 0"):
        data.load("digits", batch_size=0)
