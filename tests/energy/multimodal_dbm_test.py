"""Two paths joined on top: each column given the other one, beside sums over all states."""

import keras
import numpy as np
import pytest
from contracts import ConditionContract, chi_square
from small_machines import LayeredContract, all_states, exact, log_masses

from keras_gen.energy import MultimodalDBM
from keras_gen.energy.dbm import MeanFieldLearning

SMALL = {
    "hidden_units": (4,),
    "condition_units": (3,),
    "joint_units": 2,
    "num_chains": 10,
    "chain_sweeps": 2,
    "mean_field_steps": 3,
    "num_sweeps": 8,
    "seed": 2,
    "name": "joint",
}


class TestTags(LayeredContract, ConditionContract):
    """Real numbers and tags: every argument away from its default."""

    argument_bases = (MeanFieldLearning,)
    excluded_arguments = ("num_classes",)
    falling_term = "free_energy"

    def make_model(self, **changes):
        return MultimodalDBM((2, 3), **{**SMALL, "levels": None, "num_tags": 4, **changes})

    def make_data(self):
        """The first row follows the first tag, and the second row the second one."""
        random = np.random.default_rng(0)
        tags = random.integers(0, 2, (40, 4))
        x = (2.0 * tags[:, :2, np.newaxis] - 1.0) * np.ones(3) + 0.3 * random.standard_normal((40, 2, 3))
        return {"x": x.astype(np.float32), "condition": tags}


class TestClasses(LayeredContract, ConditionContract):
    """Bits and classes, with paths of different lengths: the class is on the other side than x."""

    argument_bases = (MeanFieldLearning,)
    excluded_arguments = ("levels", "num_tags")
    # What chains minimise is a difference of two free energies, of which the logged one falls at the start alone.
    falling_term = "free_energy"
    passes = 8

    def make_model(self, **changes):
        return MultimodalDBM((2, 3), **{**SMALL, "num_classes": 3, "hidden_units": (4, 3), **changes})

    def make_data(self):
        """The class is the column of the zeros."""
        labels = np.arange(42) % 3
        x = 1.0 - np.tile(np.eye(3, dtype=np.float32)[labels][:, np.newaxis], (1, 2, 1))
        return {"x": x, "condition": labels}

    def test_sides(self, model):
        even, odd = model.machine().sides
        assert even == ["x", "hidden_2", "condition_hidden_1"]
        assert odd == ["condition", "hidden_1", "joint"]


@pytest.fixture(scope="module", params=["classes", "tags"])
def machine(request):
    """A model with strong dependences, in which no value of a unit is rare."""
    kind = {"num_classes": 3} if request.param == "classes" else {"num_tags": 2}
    model = MultimodalDBM((3,), **{**SMALL, "hidden_units": (3,), "condition_units": (2,), **kind})
    random, biases = np.random.default_rng(1), dict(zip(model.units, model.biases, strict=True))
    for (below, above), variable in zip(model.connections, model.weights_of_connections, strict=True):
        weight = 3.0 * random.standard_normal(variable.shape)
        variable.assign(weight)
        biases[below].assign_sub(0.5 * weight.sum(axis=1))
        biases[above].assign_sub(weight.sum(axis=0) / (3.0 if model.units[below].num_values == 3 else 2.0))
    return model


def numbers(model, x, condition) -> tuple[np.ndarray, np.ndarray]:
    """Returns vectors of bits, and classes or tags, as whole numbers."""
    condition = np.asarray(condition)
    codes = condition if condition.ndim == 1 else condition @ np.array([2, 1])
    return np.asarray(x).astype(int) @ np.array([4, 2, 1]), codes.astype(int)


def joint_masses(model) -> np.ndarray:
    """Returns p(x, c), of shape `(8, conditions)`, by brute force."""
    states = all_states(model)
    masses = np.exp(log_masses(model, states) - exact(model)[2])
    condition = states["condition"]
    if model.num_classes is not None:
        condition = np.argmax(condition, axis=-1)
    table = np.zeros((8, 3 if model.num_classes is not None else 4))
    np.add.at(table, numbers(model, states["x"], condition), masses)
    return table


def test_examples_follow_the_exact_distribution_given_a_condition(machine):
    table, num = joint_masses(machine), 6000
    assert np.max(np.abs(table / table.sum(axis=0) - table.sum(axis=1, keepdims=True))) > 0.05
    for code in range(table.shape[1]):
        one = code if machine.num_classes is not None else np.array([code // 2, code % 2])
        condition = np.broadcast_to(one, (num, *np.shape(one)))
        x = machine.sample(num, condition=condition, seed=code, num_sweeps=150)
        found = np.bincount(numbers(machine, x, condition)[0], minlength=8)
        expected = table[:, code] / table[:, code].sum()
        # So few cells are compared one by one.
        assert np.all(np.abs(found / num - expected) < 4.5 * np.sqrt(expected * (1.0 - expected) / num) + 1e-3)


def test_conditions_follow_the_exact_distribution_given_an_example(machine):
    table, num = joint_masses(machine), 6000
    for code in (0, 3, 6):
        x = np.tile([[code // 4, code // 2 % 2, code % 2]], (num, 1))
        drawn = machine.sample_condition(x, num_sweeps=150, seed=code)
        found = np.bincount(numbers(machine, x, drawn)[1], minlength=table.shape[1])
        expected = table[code] / table[code].sum()
        assert np.all(np.abs(found / num - expected) < 4.5 * np.sqrt(expected * (1.0 - expected) / num) + 1e-3)
        np.testing.assert_array_equal(drawn, machine.sample_condition(x, num_sweeps=150, seed=code))


def test_pairs_follow_the_exact_joint_distribution(machine):
    table, num = joint_masses(machine), 20_000
    x, condition = machine.sample_pairs(num, num_sweeps=150, seed=1)
    counts = np.zeros_like(table)
    np.add.at(counts, numbers(machine, x, condition), 1)
    assert chi_square(counts.ravel(), table.ravel() * num) > 1e-4


def test_mean_field_of_what_is_missing_fits_all_other_layers(machine):
    model = machine.from_config({**machine.get_config(), "mean_field_steps": 300})
    model.set_weights(machine.get_weights())
    x = np.float32([[code // 4, code // 2 % 2, code % 2] for code in range(8)])
    joint, means = model.machine(), model.inferred(model.evidence(x))
    np.testing.assert_array_equal(means["x"], x)
    for name in ("hidden_1", "condition", "condition_hidden_1", "joint"):
        fitting = model.units[name].mean_statistics(joint.natural(name, means))
        np.testing.assert_allclose(means[name], fitting, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(model.infer_condition(x), means["condition"], rtol=1e-5)
    assert np.ptp(means["condition"], axis=0).max() > 0.1


def test_training_brings_both_columns_together():
    """The class is where the 1 is."""
    labels = np.arange(300) % 3
    x = np.eye(3, dtype=np.float32)[labels]
    model = MultimodalDBM((3,), num_classes=3, hidden_units=(4,), condition_units=(3,), joint_units=3)
    start = np.log(joint_masses(model)[[4, 2, 1], [0, 1, 2]]).mean()
    model.pretrain(x, labels, learning_rate=0.1, batch_size=30, epochs=10, verbose=0)
    # Chains follow the model only if it changes slowly in the end.
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 800)), steps_per_execution=50)
    model.fit(np.tile(x, (80, 1)), np.tile(labels, 80), batch_size=30, verbose=0)
    # Of three cases alike, each has log p = -log 3.
    table = joint_masses(model)
    assert np.log(table[[4, 2, 1], [0, 1, 2]]).mean() > start + 1.0
    given_x = table[[4, 2, 1], [0, 1, 2]] / table[[4, 2, 1]].sum(axis=1)
    assert given_x.mean() > 0.6
    drawn = model.sample_condition(x, num_sweeps=100, seed=0)
    np.testing.assert_allclose(np.mean(drawn == labels), given_x.mean(), atol=0.12)


def test_classes_and_tags_exclude_each_other():
    with pytest.raises(ValueError, match=r"^`num_tags` must be None where `num_classes` is given; received 2 and 3\.$"):
        MultimodalDBM((3,), num_classes=3, num_tags=2)
    with pytest.raises(ValueError, match=r"^`levels` must be 2 for bits or None for real numbers, received 3\.$"):
        MultimodalDBM((3,), 3)
