"""Each wrong input gets one sentence: for every verb, in every form that data come in."""

import functools
import re

import grain
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tiny_models import Bits, bits

from keras_gen import mixtures
from keras_gen.autoregressive import made
from keras_gen.flows import real_nvp

NUM = 8
BATCH_SIZE = 4


class Frame:
    """What a data frame has that concerns a model."""

    def __init__(self, values):
        self.values = values

    def to_numpy(self):
        return self.values


class Batches(keras.utils.PyDataset):
    """A data set of batches that are given."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class Loader:
    """What gives batches whenever it is asked for them, as loaders of grain and of PyTorch do."""

    def __init__(self, batches):
        self.batches = batches
        self.num_epochs = 0

    def __iter__(self):
        self.num_epochs += 1
        return iter(self.batches)


class CountedLoader(Loader):
    """A loader that knows how many batches it has, and gives each by its number."""

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def in_batches(columns: dict) -> list[dict]:
    num = max(1, len(columns["x"]))
    starts = range(0, num, BATCH_SIZE)
    return [{name: column[start : start + BATCH_SIZE] for name, column in columns.items()} for start in starts]


def as_tuple(columns: dict) -> tuple:
    """Returns columns by name as Keras' tuple (x, y, sample_weight)."""
    return tuple(columns[name] for name in ("x", "condition", "sample_weight") if name in columns)


def dataset(columns: dict, structure) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(structure(columns)).batch(BATCH_SIZE)


#: Forms of data: a function from columns by name to positional arguments.
FORMS = {
    "arrays": as_tuple,
    "lists": lambda columns: tuple(column.tolist() for column in as_tuple(columns)),
    "frames": lambda columns: tuple(Frame(column) for column in as_tuple(columns)),
    "tensors": lambda columns: tuple(tf.convert_to_tensor(column) for column in as_tuple(columns)),
    "a tuple": lambda columns: (as_tuple(columns),),
    "a dict": lambda columns: (columns,),
    "a data set of tuples": lambda columns: (dataset(columns, as_tuple),),
    "a data set of dicts": lambda columns: (dataset(columns, dict),),
    "a generator of tuples": lambda columns: ((as_tuple(batch) for batch in in_batches(columns)),),
    "a generator of dicts": lambda columns: ((batch for batch in in_batches(columns)),),
    "a loader of tuples": lambda columns: (Loader([as_tuple(batch) for batch in in_batches(columns)]),),
    "a PyDataset of tuples": lambda columns: (Batches([as_tuple(batch) for batch in in_batches(columns)]),),
    "a PyDataset of dicts": lambda columns: (Batches(in_batches(columns)),),
}
WHOLE = ("arrays", "lists", "frames", "tensors", "a tuple", "a dict")


def fit(model, *given):
    x, y, weights = (*given, None, None)[:3]
    options = {"batch_size": BATCH_SIZE} if y is not None or isinstance(x, (tuple, dict)) else {}
    return model.fit(x, y, sample_weight=weights, shuffle=False, verbose=0, **options).history


def fit_with_validation(model, *given):
    training = {"x": np.ones((NUM, 3), np.float32), "condition": np.zeros(NUM, int)}
    validation = given if len(given) > 1 else given[0]
    options = {"batch_size": BATCH_SIZE, "verbose": 0}
    if not isinstance(validation, (tuple, dict)):
        options["validation_steps"] = NUM // BATCH_SIZE
    return model.fit(training, validation_data=validation, **options).history


def evaluate(model, *given):
    x, y, weights = (*given, None, None)[:3]
    options = {"batch_size": BATCH_SIZE} if y is not None or isinstance(x, (tuple, dict)) else {}
    return model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True, **options)


def predict(model, *given):
    # As in Keras, `predict` has no argument for a second column: it is in the first one.
    return model.predict(given[:2] if len(given) > 1 else given[0], verbose=0)


VERBS = {
    "fit": fit,
    "fit, validation_data": fit_with_validation,
    "evaluate": evaluate,
    "predict": predict,
    "train_on_batch": lambda model, *given: model.train_on_batch(*given, return_dict=True),
    "test_on_batch": lambda model, *given: model.test_on_batch(*given, return_dict=True),
    "predict_on_batch": lambda model, *given: model.predict_on_batch(given[:2] if len(given) > 1 else given[0]),
}

PAIRS = [(verb, form) for verb in VERBS for form in FORMS if form in WHOLE or not verb.endswith("on_batch")]


@pytest.fixture(scope="module")
def columns():
    return {"x": bits(NUM), "condition": np.arange(NUM) % 4}


@pytest.fixture(scope="module")
def found_from(columns):
    """The figures of a verb from data in a form, and the weights after it."""

    @functools.cache
    def compute(verb, form, weighted):
        weights = {"sample_weight": np.linspace(0.0, 2.0, NUM)} if weighted else {}
        model = Bits(num_classes=4)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        return VERBS[verb](model, *FORMS[form]({**columns, **weights})), model.get_weights()

    return compute


@pytest.fixture(scope="module")
def model():
    """A model of bits given one of four classes."""
    model = Bits(num_classes=4)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


def changed(name, value):
    """Returns the fault that the last entry of a column has another value."""

    def fault(columns):
        column = columns[name].astype(float if isinstance(value, float) else columns[name].dtype)
        column.flat[-1] = value
        return {**columns, name: column}

    return fault


LEVELS, LABELS = "expected whole levels from 0 to 1.", "expected whole labels from 0 to 3."
#: What can be wrong: a function of columns, and what the error says.
FAULTS = {
    "shape": (
        lambda columns: {**columns, "x": columns["x"][:, :2]},
        r"`x` must have shape (batch, 3), received (*, 2).",
    ),
    "nan": (changed("x", np.nan), f"`x` holds the value nan; {LEVELS[:-1]}*."),
    "inf": (changed("x", np.inf), f"`x` holds the value inf; {LEVELS}"),
    "beyond": (changed("x", 255.0), f"`x` holds the value 255; {LEVELS[:-1]}*."),
    "between": (changed("x", 0.5), f"`x` holds the value 0.5; {LEVELS[:-1]}*."),
    "dtype": (
        lambda columns: {**columns, "x": columns["x"].astype(str)},
        "`x` must hold numbers, received dtype *.",
    ),
    "empty": (
        lambda columns: {name: column[:0] for name, column in columns.items()},
        "`x` holds no examples; at least one is expected.",
    ),
    "no condition": (lambda columns: {"x": columns["x"]}, "`condition` must be given: this Bits is conditional."),
    "condition beyond": (changed("condition", 9), f"`condition` holds the value 9; {LABELS}"),
    "condition below": (changed("condition", -1), f"`condition` holds the value -1; {LABELS}"),
    "condition between": (
        lambda columns: {**columns, "condition": columns["condition"] / 2.0},
        f"`condition` holds the value *.5; {LABELS}",
    ),
    "condition dtype": (
        lambda columns: {**columns, "condition": columns["condition"].astype(str)},
        "`condition` must hold whole class labels, received dtype *.",
    ),
    "condition shape": (
        lambda columns: {**columns, "condition": np.stack([columns["condition"]] * 2, axis=1)},
        "`condition` must have shape (batch,), received (*, 2).",
    ),
    "lengths": (
        lambda columns: {**columns, "condition": columns["condition"][:-1]},
        "columns must be equally long, received {'x': *, 'condition': *}.",
    ),
    "an unknown column": (
        lambda columns: {**columns, "label": columns["condition"]},
        "`label` is no column of this Bits, which takes x, condition.",
    ),
    "negative weights": (
        lambda columns: {**columns, "sample_weight": np.linspace(1.0, -1.0, NUM)},
        "`sample_weight` holds the value -*; expected finite numbers of at least 0.",
    ),
    "weights that are nan": (
        lambda columns: {**columns, "sample_weight": np.full(NUM, np.nan)},
        "`sample_weight` holds the value nan; expected finite numbers of at least 0*.",
    ),
    "weights of another shape": (
        lambda columns: {**columns, "sample_weight": np.ones((NUM, 2))},
        "`sample_weight` must have shape (batch,), received (*, 2).",
    ),
}


def applies(fault: str, verb: str, form: str) -> bool:
    """Whether data of a form can have a fault, and a verb can see it."""
    if fault == "lengths":
        # A data set of examples has no columns of different lengths.
        return "data set" not in form and "predict" not in verb
    if fault == "empty":
        # An empty list has no shape but (0,).
        return form != "lists"
    if fault == "an unknown column":
        return "dict" in form
    if fault == "no condition":
        # A data set of tuples of one column does not exist: it is one of that column.
        return form != "a data set of tuples"
    return "weights" not in fault or "predict" not in verb


WRONG = [(*pair, fault) for pair in PAIRS for fault in FAULTS if applies(fault, *pair)]


@pytest.mark.parametrize(("verb", "form", "fault"), WRONG)
def test_wrong_data_get_one_sentence(model, columns, verb, form, fault):
    change, sentence = FAULTS[fault]
    if "validation" in verb:
        sentence = sentence.replace("`x`", "`validation_data`").replace("'x'", "'validation_data'")
    pattern = re.escape(sentence).replace(r"\*", ".*")
    before = model.get_weights()
    with pytest.raises(TypeError if "dtype" in fault else ValueError, match=f"^{pattern}$"):
        VERBS[verb](model, *FORMS[form](change(columns)))
    if "validation" not in verb and not any(word in form.lower() for word in ("generator", "set", "loader")):
        # Nothing was learnt from what precedes it.
        for ours, theirs in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("verb", "form", "weighted"),
    [(*pair, weighted) for pair in PAIRS for weighted in (False, True) if not (weighted and "predict" in pair[0])],
)
def test_every_form_of_data_gives_the_same_figures_and_weights(found_from, verb, form, weighted):
    (expected, weights), (figures, others) = (found_from(verb, each, weighted) for each in ("a dict", form))
    for ours, theirs in zip(tf.nest.flatten(figures), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for ours, theirs in zip(others, weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.uint8, bool])
def test_every_numeric_dtype_gives_the_same_figures_and_weights(columns, dtype):
    other = {"x": columns["x"].astype(dtype), "condition": columns["condition"].astype(np.int64)}
    found = []
    for each in (columns, other):
        model = Bits(num_classes=4)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        found.append((fit(model, each), model.get_weights()))
    (expected, weights), (figures, others) = found
    assert figures == expected
    for ours, theirs in zip(others, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("verb", ["evaluate", "fit", "train_on_batch", "test_on_batch"])
def test_weights_count_without_labels_too(verb):
    """Keras drops weights that come without a second column."""
    x = bits(4)
    weights = np.array([2.0, 1.0, 1.0, 0.0])
    found = []
    for given in ((x, None, weights), (x[[0, 0, 1, 2]], None, None)):
        model = Bits()
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        found.append((VERBS[verb](model, *given), model.get_weights()))
    (weighted, ours), (repeated, theirs) = found
    assert set(weighted) == {"loss", "nll", "bits_per_dim"}
    for name, value in repeated.items():
        np.testing.assert_allclose(weighted[name], value, rtol=1e-5)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)


def test_the_weight_of_a_class_is_that_of_its_examples(columns):
    class_weight = {0: 2.0, 3: 0.0}
    weights = np.array([2.0, 1.0, 1.0, 0.0])[columns["condition"]]
    trained = []
    for arguments in ({"class_weight": class_weight}, {"sample_weight": weights}):
        model = Bits(num_classes=4)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        history = model.fit(columns, batch_size=NUM, verbose=0, **arguments).history
        trained.append((history["loss"], model.train_on_batch(*columns.values(), **arguments), model.get_weights()[0]))
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    # Both kinds of weights multiply.
    model = Bits(num_classes=4)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    both = model.train_on_batch(*columns.values(), sample_weight=np.arange(NUM), class_weight=class_weight)
    np.testing.assert_allclose(both, model.test_on_batch(*columns.values(), sample_weight=np.arange(NUM) * weights))


@pytest.mark.parametrize(
    ("class_weight", "sentence"),
    [
        ({7: 1.0}, r"`class_weight` holds the class 7; expected whole labels from 0 to 3\."),
        ({0: -1.0}, r"`class_weight` holds the value -1; expected finite numbers of at least 0\."),
        ({0: np.nan}, r"`class_weight` holds the value nan; expected finite numbers of at least 0\."),
    ],
)
def test_wrong_weights_of_classes(model, columns, class_weight, sentence):
    for form in FORMS.values():
        with pytest.raises(ValueError, match=f"^{sentence}$"):
            model.fit(*form(columns)[:2], class_weight=class_weight, verbose=0)


@pytest.mark.parametrize("verb", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("batch_size", [0, -3])
def test_a_batch_has_at_least_one_example(verb, batch_size):
    model = Bits()
    model.compile()
    with pytest.raises(ValueError, match=f"`batch_size` must be at least 1, received {batch_size}."):
        getattr(model, verb)(np.zeros((4, 3)), batch_size=batch_size)


@pytest.mark.parametrize("as_list", [lambda x: x, lambda x: x.tolist(), tf.convert_to_tensor])
def test_a_list_of_columns_is_taken_as_a_tuple(columns, as_list):
    columns = {**columns, "sample_weight": np.arange(1.0, NUM + 1.0)}
    given = as_tuple(columns)
    listed = [as_list(column) for column in given]
    expected, model = Bits(num_classes=4), Bits(num_classes=4)
    for each in (expected, model):
        each.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    arguments = {"batch_size": NUM, "shuffle": False, "verbose": 0}
    theirs = expected.fit(given, validation_data=given, **arguments).history
    assert model.fit(listed, validation_data=listed, **arguments).history == theirs
    assert model.evaluate(listed, batch_size=NUM, verbose=0) == expected.evaluate(given, batch_size=NUM, verbose=0)
    for form in (iter, Batches):
        more = [each.fit(form([batch]), verbose=0).history for each, batch in ((model, listed), (expected, given))]
        assert more[0] == more[1]


def test_a_list_of_rows_is_one_column():
    model = Bits()
    model.compile(run_eagerly=True)
    rows = bits(3)
    history = model.fit(bits(8), validation_data=rows.tolist(), verbose=0).history
    np.testing.assert_allclose(history["val_loss"][0], -np.mean(model.log_prob(rows)), rtol=1e-5)


def test_weights_that_are_all_0_have_no_mean(columns):
    model = Bits(num_classes=4)
    model.compile(run_eagerly=True)
    sentence = r"^`sample_weight` must be above 0 for at least one example, received 0 for all\.$"
    for name, form in FORMS.items():
        for verb in ("fit", "fit, validation_data", "evaluate"):
            if name not in WHOLE and verb != "evaluate":
                continue
            with pytest.raises(ValueError, match=sentence):
                VERBS[verb](model, *form({**columns, "sample_weight": np.zeros(NUM)}))
    with pytest.raises(ValueError, match=sentence):
        model.fit(columns["x"], columns["condition"], class_weight=dict.fromkeys(range(4), 0.0), verbose=0)
    for raw in (real_nvp.RealNVP((2,), 1, (4,)), mixtures.GaussianMixture((2,), 2)):
        raw.compile(run_eagerly=True)
        for form in (dict, lambda found: iter([found])):
            with pytest.raises(ValueError, match=sentence):
                raw.fit(form({"x": np.ones((4, 2)), "sample_weight": np.zeros(4)}), verbose=0)
    # Some batches may have none that counts.
    weights = np.array([0.0] * BATCH_SIZE + [1.0] * (NUM - BATCH_SIZE))
    ours = evaluate(model, *FORMS["a data set of dicts"]({**columns, "sample_weight": weights}))["loss"]
    late = {name: column[BATCH_SIZE:] for name, column in columns.items()}
    np.testing.assert_allclose(ours, evaluate(model, *FORMS["arrays"](late))["loss"], rtol=1e-5)


def test_a_loss_by_position_is_refused_like_one_by_name():
    sentence = "`loss` must be None: Bits has a loss and figures of its own; received 'mse'"
    for arguments in (("adam", "mse"), ("adam", "mse", None, ["mae"])):
        with pytest.raises(ValueError, match=sentence):
            Bits().compile(*arguments)
    with pytest.raises(ValueError, match="`optimizer` must be an optimizer or the name of one, received 'adamm'"):
        Bits().compile("adamm")


def test_weights_of_another_shape_change_nothing(tmp_path):
    saved, model = real_nvp.RealNVP((2,), 2, (4,)), real_nvp.RealNVP((2,), 2, (5,))
    for each in (saved, model):
        each.compile("adam", run_eagerly=True)
        each.fit(np.random.default_rng(0).normal(size=(8, 2)), verbose=0)
    saved.save_weights(tmp_path / "saved.weights.h5")
    (tmp_path / "damaged.weights.h5").write_bytes(b"\x89HDF")
    before = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    for name, why in (("saved", r"holds none of shape \(\d, 5\)"), ("damaged", "is damaged or of another kind")):
        with pytest.raises(
            ValueError,
            match=rf"`filepath` must be a file with the weights of a RealNVP built with the same arguments; .*{name}"
            rf".weights.h5 {why}\.",
        ):
            model.load_weights(tmp_path / f"{name}.weights.h5")
        for variable, value in zip((*model.variables, *model.optimizer.variables), before, strict=True):
            np.testing.assert_array_equal(variable, value)
    with pytest.raises(FileNotFoundError, match=r"`filepath`: there is no file .*none\.weights\.h5"):
        model.load_weights(tmp_path / "none.weights.h5")
    saved.load_weights(tmp_path / "saved.weights.h5")


def test_weights_of_classes_need_labels():
    model = Bits()
    model.compile(run_eagerly=True)
    sentence = r"^`class_weight` must be None: this Bits has no class labels; received one\.$"
    with pytest.raises(ValueError, match=sentence):
        model.fit(bits(4), class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ValueError, match=sentence):
        model.train_on_batch(bits(4), class_weight={0: 1.0})


class TotalLoss(Bits):
    """A model whose loss is no mean over examples."""

    takes_sample_weight = False


@pytest.mark.parametrize("form", ["arrays", "a tuple", "a dict", "a data set of tuples", "a PyDataset of dicts"])
def test_weights_where_the_loss_is_no_mean_over_examples(columns, form):
    model = TotalLoss(num_classes=4)
    model.compile(run_eagerly=True)
    weighted = FORMS[form]({**columns, "sample_weight": np.ones(NUM)})
    sentence = r"^`sample_weight` must be None: the loss of TotalLoss is not a mean over examples; received one\.$"
    for verb in ("fit", "fit, validation_data", "evaluate"):
        with pytest.raises(ValueError, match=sentence):
            VERBS[verb](model, *weighted)


def test_a_condition_where_there_is_none(columns):
    model = Bits()
    model.compile(run_eagerly=True)
    for form in ("arrays", "a tuple", "a data set of tuples", "a generator of tuples", "a PyDataset of tuples"):
        for verb in ("fit", "fit, validation_data", "evaluate"):
            given = FORMS[form](columns)
            with pytest.raises(ValueError, match=r"^`condition` must be None: this Bits is not conditional\.$"):
                VERBS[verb](model, *given) if "validation" not in verb else model.fit(
                    columns["x"], validation_data=given if len(given) > 1 else given[0], verbose=0
                )


@pytest.mark.parametrize("form", ["a data set of dicts", "a generator of dicts", "a PyDataset of dicts"])
def test_a_data_set_holds_all_columns_itself(model, columns, form):
    for name, arguments in {"y": (columns["condition"],), "sample_weight": (None, np.ones(NUM))}.items():
        (given,) = FORMS[form](columns)
        for verb in (model.fit, model.evaluate):
            y, weights = (*arguments, None)[:2]
            with pytest.raises(
                ValueError, match=rf"^`{name}` must be None: a \w+ of batches holds it; received one\.$"
            ):
                verb(given, y, sample_weight=weights, verbose=0)


def test_a_wrong_value_in_a_later_batch_is_found(model, columns):
    wrong = {**columns, "x": columns["x"].copy()}
    wrong["x"][-1, -1] = 255.0
    for form in FORMS:
        for verb in ("fit", "evaluate", "predict"):
            with pytest.raises(ValueError, match=r"^`x` holds the value 255; expected whole levels from 0 to 1\b"):
                VERBS[verb](model, *FORMS[form](wrong))


def test_other_errors_in_a_data_set_stay_what_they_are(model):
    def fail(x):
        return tf.debugging.assert_less(x, 0.0, message="a sentence of its own")

    @tf.autograph.experimental.do_not_convert
    def checked(x, condition):
        with tf.control_dependencies([fail(x)]):
            return tf.identity(x), condition

    batches = dataset({"x": bits(4), "condition": np.zeros(4, int)}, as_tuple).map(checked)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a sentence of its own"):
        model.fit(batches, verbose=0)


def test_a_split_for_validation_is_of_all_columns(model, columns):
    weighted = {**columns, "sample_weight": np.linspace(0.5, 2.0, NUM)}
    history = model.fit(weighted, validation_split=0.5, batch_size=4, verbose=0).history
    expected = model.evaluate({name: column[4:] for name, column in weighted.items()}, verbose=0, return_dict=True)
    assert history["val_loss"][0] == pytest.approx(expected["loss"], rel=1e-5)


def test_a_loader_is_read_anew_in_each_epoch(columns):
    """Once more before the first one, for the shapes and dtypes of a batch."""
    batches = in_batches(columns)
    expected = Bits(num_classes=4)
    expected.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    expected.fit(tf.data.Dataset.from_tensor_slices(columns).batch(BATCH_SIZE), epochs=3, verbose=0)
    for kind in (Loader, CountedLoader):
        model, loader = Bits(num_classes=4), kind(batches)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        model.fit(loader, epochs=3, verbose=0)
        assert loader.num_epochs == 4
        for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match=r"^`x` holds no examples; at least one is expected\.$"):
        model.fit(Loader([]))


@pytest.mark.parametrize("kind", ["MapDataset", "IterDataset", "DataLoader"])
def test_loaders_of_grain(columns, kind):
    class Rows:
        def __len__(self):
            return NUM

        def __getitem__(self, index):
            return {name: column[index] for name, column in columns.items()}

    rows = grain.MapDataset.source(Rows()).batch(BATCH_SIZE)
    loader = {
        "MapDataset": lambda: rows,
        "IterDataset": rows.to_iter_dataset,
        "DataLoader": lambda: grain.load(Rows(), num_epochs=1, batch_size=BATCH_SIZE, worker_count=0),
    }[kind]()
    expected = Bits(num_classes=4)
    model = Bits(num_classes=4)
    for each in (model, expected):
        each.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    model.fit(loader, epochs=2, verbose=0)
    expected.fit(columns, batch_size=BATCH_SIZE, shuffle=False, epochs=2, verbose=0)
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    if kind == "MapDataset":
        assert model.input_checks().loaded(rows.repeat()).cardinality() == tf.data.INFINITE_CARDINALITY


VALUES = np.random.default_rng(0).integers(0, 2, (NUM, 4))


def small_model():
    model = made.MADE((4,), (8,), levels=2)
    model.compile("sgd", run_eagerly=True)
    return model


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.astype(object),
        lambda x: np.ma.masked_array(x),
        lambda x: pd.DataFrame(x).astype("Int64"),
        lambda x: pd.DataFrame(x).astype({0: bool, 1: "float64", 2: "category"}),
        lambda x: pd.DataFrame(x).astype("int64[pyarrow]"),
    ],
)
def test_numbers_in_objects_are_those_numbers(form):
    model = small_model()
    np.testing.assert_array_equal(model.log_prob(form(VALUES)), model.log_prob(VALUES))


@pytest.mark.parametrize(
    ("values", "error", "sentence"),
    [
        (np.ma.masked_array(VALUES, VALUES == 1), ValueError, "`x` must not have masked entries"),
        (tf.ragged.constant([[1.0, 0.0], [1.0]]), TypeError, "`x` must be a dense array or tensor, received a Ragged"),
        (tf.sparse.from_dense(VALUES), TypeError, "`x` must be a dense array or tensor, received a SparseTensor"),
        ([[1, 0, 0, 1], [1]], ValueError, "`x` must hold rows of one shape"),
        (pd.DataFrame({"a": ["b"], "c": 1, "d": 1, "e": 0}), TypeError, "`x` must hold numbers, received dtype object"),
        (pd.DataFrame(VALUES).astype("Int64").replace({0: pd.NA}), ValueError, "`x` holds the value nan"),
    ],
)
@pytest.mark.parametrize("verb", ["log_prob", "fit", "evaluate", "predict"])
def test_what_is_no_array_of_numbers_gets_a_sentence(values, error, sentence, verb):
    with pytest.raises(error, match=sentence):
        getattr(small_model(), verb)(values)


def test_data_of_ragged_batches_are_refused():
    ragged = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1.0, 0.0], [1.0]])).batch(2)
    with pytest.raises(TypeError, match="`x` must hold dense batches, received those of RaggedTensor"):
        small_model().fit(ragged, verbose=0)


def test_data_that_never_end_need_a_number_of_batches():
    model, endless = small_model(), tf.data.Dataset.from_tensor_slices(VALUES).batch(BATCH_SIZE).repeat()
    for name, call in {
        "steps_per_epoch": lambda: model.fit(endless, verbose=0),
        "validation_steps": lambda: model.fit(VALUES, validation_data=endless, verbose=0),
        "steps": lambda: model.evaluate(endless, verbose=0),
    }.items():
        with pytest.raises(ValueError, match=f"`{name}` must be given for a data set that never ends; received None"):
            call()
    with pytest.raises(ValueError, match="`steps` must be given for a data set that never ends; received None"):
        model.predict(endless, verbose=0)
    expected = model.evaluate(VALUES, verbose=0)
    np.testing.assert_allclose(model.evaluate(endless, steps=2, verbose=0), expected, rtol=1e-5)


def test_data_that_turn_out_to_hold_nothing():
    model, nothing = small_model(), tf.data.Dataset.from_tensor_slices(VALUES).batch(4).filter(lambda x: False)
    with pytest.raises(ValueError, match="`x` holds no examples; at least one is expected"):
        model.fit(nothing, verbose=0)
    with pytest.raises(ValueError, match="`x` holds no examples; at least one is expected"):
        model.evaluate(nothing, verbose=0)
    with pytest.raises(ValueError, match="`validation_data` holds no examples; at least one is expected"):
        model.fit(VALUES, validation_data=nothing, verbose=0)


@pytest.mark.parametrize("column", [False, True])
def test_weights_count_by_position_and_as_a_column(column):
    model, weights = small_model(), np.eye(NUM)[0]
    expected = -float(model.log_prob(VALUES[:1])[0])
    weights = weights[:, np.newaxis] if column else weights
    assert model.evaluate(VALUES, None, NUM, 0, weights)[0] == pytest.approx(expected, rel=1e-5)
    batches = tf.data.Dataset.from_tensor_slices({"x": VALUES, "sample_weight": weights}).batch(NUM)
    assert model.evaluate(batches, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


def test_arguments_of_fit_by_position():
    model = small_model()
    history = model.fit(VALUES, None, 4, 2, 0, None, 0.25)
    assert history.params["epochs"] == 2
    assert len(history.history["val_loss"]) == 2
    with pytest.raises(TypeError, match="received `epochs` twice"):
        model.fit(VALUES, None, 4, 2, epochs=3)
    for share in (-0.25, 1.0):
        with pytest.raises(ValueError, match="`validation_split` must be at least 0 and less than 1, received"):
            model.fit(VALUES, validation_split=share)


#: Arrays as any data that `fit` takes.
ALL_DATA = {
    "array": np.asarray,
    "tensor": tf.constant,
    "data set": lambda x: tf.data.Dataset.from_tensor_slices(x).batch(8),
    "generator": lambda x: iter(np.split(x, 4)),
    "generator of dicts": lambda x: ({"x": part} for part in np.split(x, 4)),
    "PyDataset": lambda x: Batches(np.split(x, 4)),
    "loader": lambda x: Loader(np.split(x, 4)),
}


def flow_that_has_its_unit():
    flow = real_nvp.RealNVP((2,), 1, (4,))
    flow.adapt(np.array([[1.0, 2.0], [3.0, 5.0]]))
    return flow


@pytest.mark.parametrize("dtype", [np.int32, ">f8"])
@pytest.mark.parametrize("form", ALL_DATA)
@pytest.mark.parametrize(
    "build",
    [
        lambda: real_nvp.RealNVP((2,), 1, (4,)),
        flow_that_has_its_unit,
        lambda: real_nvp.RealNVP((2,), 1, (4,), standardize=False),
        lambda: mixtures.GaussianMixture((2,), 2),
    ],
    ids=["no unit yet", "a unit", "never a unit", "mixture"],
)
def test_times_in_seconds_are_not_rounded_in_silence(build, form, dtype):
    if form in ("tensor", "data set"):
        dtype = np.dtype(dtype).newbyteorder("=")
    times = np.stack([1.7e9 + np.arange(32), np.arange(32)], axis=1).astype(dtype)
    model = build()
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match=r"`x` holds values up to 1.7e\+09 in entry 0 .* float32 cannot tell apart"):
        model.fit(ALL_DATA[form](times), verbose=0)


@pytest.mark.parametrize("form", ["generator", "PyDataset", "loader"])
def test_batches_of_any_dtype_are_looked_at_and_trained_on_once(form):
    # Whole numbers at first: the batches that follow are not made whole.
    x = np.random.default_rng(0).normal(size=(32, 2))
    x[:8] = np.round(x[:8])
    parts = np.split(x, 4)
    parts = [parts[0].astype(int), parts[1], parts[2].astype(np.float32), parts[3]]
    form = {"generator": iter, "PyDataset": Batches, "loader": Loader}[form]
    found = []
    for data in (x.astype(np.float32), form(parts)):
        flow = flow_that_has_its_unit()
        flow.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        flow.fit(data, batch_size=8 if isinstance(data, np.ndarray) else None, shuffle=False, verbose=0)
        assert flow.optimizer.iterations == 4
        found.append(flow.log_prob(x).numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
