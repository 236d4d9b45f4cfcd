"""How well clusters agree with classes."""

from collections.abc import Callable

import numpy as np
from scipy import optimize

from keras_gen import checks

#: A naming rule: a function from the probabilities of clusters and the labels to a class for each cluster.
Naming = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Number of bootstrap draws.
NUM_DRAWS = 200


def cluster_classes(probabilities, labels) -> np.ndarray:
    """Returns the class of each cluster: that of the example that belongs to it with the highest probability.

    The rule of Makhzani et al. (2015), Adversarial Autoencoders, section 5, https://arxiv.org/abs/1511.05644.

    Args:
        probabilities: probabilities of each cluster, for validation examples, of shape `(num, num_clusters)`.
        labels: classes of these examples, of shape `(num,)`.

    Raises:
        ValueError: if there is not one label for each row of probabilities.
    """
    probabilities, labels = checked(probabilities, labels)
    return labels[np.argmax(probabilities, axis=0)]


def matched_classes(probabilities, labels) -> np.ndarray:
    """Returns a different class for each cluster, such that most examples get their class.

    Uses the Hungarian algorithm on the counts of `cluster_table`. If there are more clusters than classes, the
    remaining ones get the most frequent class of their examples.

    Args:
        probabilities: probabilities of each cluster, for validation examples, of shape `(num, num_clusters)`.
        labels: classes of these examples, integers from 0, of shape `(num,)`.

    Raises:
        ValueError: if there is not one label for each row of probabilities.
    """
    probabilities, labels = checked(probabilities, labels)
    table = cluster_table(probabilities, labels, int(labels.max()) + 1)
    classes = np.argmax(table, axis=1)
    clusters, matched = optimize.linear_sum_assignment(table, maximize=True)
    classes[clusters] = matched
    return classes


def cluster_table(probabilities, labels, num_classes: int) -> np.ndarray:
    """Counts the examples of each class in each cluster; an example belongs to its most probable cluster.

    Args:
        probabilities: probabilities of each cluster, of shape `(num, num_clusters)`.
        labels: classes of the examples, integers from 0, of shape `(num,)`.
        num_classes: number of classes.

    Returns:
        Counts of shape `(num_clusters, num_classes)`.

    Raises:
        ValueError: if there is not one label for each row of probabilities.
    """
    probabilities, labels = checked(probabilities, labels)
    table = np.zeros((probabilities.shape[1], checks.positive_int("num_classes", num_classes)), int)
    np.add.at(table, (np.argmax(probabilities, axis=1), labels), 1)
    return table


def cluster_error(
    validation_probabilities,
    validation_labels,
    probabilities,
    labels,
    *,
    naming: Naming = cluster_classes,
    seed: int = 0,
) -> dict[str, float]:
    """Evaluates clusters as a classifier: each example gets the class of its most probable cluster.

    Args:
        validation_probabilities: probabilities of each cluster, for the examples that name the clusters.
        validation_labels: their classes.
        probabilities: probabilities of each cluster, for test examples, of shape `(num, num_clusters)`.
        labels: their classes.
        naming: rule for naming the clusters: `cluster_classes` or `matched_classes`.
        seed: seed of the bootstrap.

    Returns:
        "error", the share of test examples that get another class; and its "error_standard_error", the standard
        deviation over draws with replacement of the examples that name the clusters and of the test examples.

    Raises:
        ValueError: if there is not one label for each row of probabilities.
    """
    naming_examples = checked(validation_probabilities, validation_labels)
    probabilities, labels = checked(probabilities, labels)
    clusters = np.argmax(probabilities, axis=1)

    def wrong(rows):
        return naming(*(column[rows] for column in naming_examples))[clusters] != labels

    random = np.random.default_rng(seed)
    errors = []
    for _ in range(NUM_DRAWS):
        naming_rows, test_rows = (random.integers(0, len(x), len(x)) for x in (naming_examples[1], labels))
        errors.append(np.mean(wrong(naming_rows)[test_rows]))
    return {"error": float(np.mean(wrong(slice(None)))), "error_standard_error": float(np.std(errors))}


def checked(probabilities, labels) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probabilities of clusters and the labels of examples as arrays.

    Raises:
        ValueError: if there is not one label for each row of probabilities.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"`labels` must hold one class for each row of `probabilities`, received {labels.shape} "
            f"for {probabilities.shape}."
        )
    return probabilities, labels
