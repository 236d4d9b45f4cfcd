"""Clusters as classes: two rules that name them, counts, and the error with its bootstrap."""

import itertools
import math

import numpy as np
import pytest

from keras_gen import evaluation


def probabilities_of(clusters, num_clusters, sure=1.0):
    """Returns probabilities whose largest is that of each example's cluster."""
    rest = (1.0 - sure) / max(1, num_clusters - 1)
    return np.where(np.eye(num_clusters)[clusters] > 0.0, sure, rest)


def test_a_cluster_has_the_class_of_its_surest_example():
    validation = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
    labels = np.array([4, 7, 7, 4])
    np.testing.assert_array_equal(evaluation.cluster_classes(validation, labels), [4, 7, 4])
    test = np.array([[1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.0, 0.0, 1.0], [0.0, 0.1, 0.9]])
    assert evaluation.cluster_error(validation, labels, test, [4, 7, 7, 4])["error"] == 0.25


def test_matched_classes_make_the_least_error_of_all_matchings():
    """The majority of two clusters is the same class, which only one of them can have."""
    random = np.random.default_rng(0)
    table = np.array([[9, 5, 0, 0], [6, 1, 0, 1], [0, 0, 3, 8], [2, 0, 4, 7]])
    pairs = [pair for pair, count in np.ndenumerate(table) for _ in range(count)]
    clusters, labels = random.permutation(np.array(pairs)).T
    probabilities = probabilities_of(clusters, 4, sure=0.7)
    np.testing.assert_array_equal(evaluation.cluster_table(probabilities, labels, 4), table)
    found = evaluation.matched_classes(probabilities, labels)
    best = max(itertools.permutations(range(4)), key=lambda classes: table[range(4), classes].sum())
    np.testing.assert_array_equal(found, best)
    assert tuple(found) == (1, 0, 3, 2)
    error = evaluation.cluster_error(probabilities, labels, probabilities, labels, naming=evaluation.matched_classes)
    assert error["error"] == pytest.approx(1.0 - (5 + 6 + 8 + 4) / len(labels))


def test_one_surest_example_does_not_name_a_matched_cluster():
    probabilities = probabilities_of(np.repeat([0, 1], 10), 2, sure=0.9)
    labels = np.repeat([0, 1], 10)
    # An example of the other class is surest of all.
    probabilities[0], labels[0] = (1.0, 0.0), 1
    assert tuple(evaluation.cluster_classes(probabilities, labels)) == (1, 1)
    assert tuple(evaluation.matched_classes(probabilities, labels)) == (0, 1)


def test_clusters_that_are_left_have_the_most_frequent_class():
    clusters, labels = np.array([0, 0, 1, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 1, 0, 1])
    found = evaluation.matched_classes(probabilities_of(clusters, 4), np.where(clusters == 2, 0, labels))
    np.testing.assert_array_equal(found[:3], [0, 1, 0])


def test_the_error_bar_holds_both_draws_of_examples():
    """Where the names are certain, it is that of a share; where they are a toss-up, it is much larger."""
    random = np.random.default_rng(0)
    clusters = random.integers(0, 2, 400)
    labels = np.where(random.random(400) < 0.2, 1 - clusters, clusters)
    probabilities = probabilities_of(clusters, 2)
    rule = {"naming": evaluation.matched_classes}
    found = evaluation.cluster_error(probabilities, labels, probabilities, labels, **rule)
    binomial = math.sqrt(found["error"] * (1.0 - found["error"]) / 400)
    assert found["error_standard_error"] == pytest.approx(binomial, rel=0.2)
    assert found == evaluation.cluster_error(probabilities, labels, probabilities, labels, **rule)
    # Nine validation examples, of which four speak for the other names.
    named = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 1, 1, 1, 1, 0])
    unsure = evaluation.cluster_error(probabilities_of(named[0], 2), named[1], probabilities, labels, **rule)
    assert unsure["error"] == found["error"]
    assert unsure["error_standard_error"] > 0.2


@pytest.mark.parametrize(
    "call",
    [
        lambda p, y: evaluation.cluster_classes(p, y),
        lambda p, y: evaluation.matched_classes(p, y),
        lambda p, y: evaluation.cluster_table(p, y, 3),
        lambda p, y: evaluation.cluster_error(p, y, p, y),
    ],
)
def test_there_is_one_label_for_each_example(call):
    with pytest.raises(ValueError, match=r"`labels` must hold one class .*, received \(3,\) for \(4, 3\)"):
        call(np.ones((4, 3)), np.zeros(3, int))
