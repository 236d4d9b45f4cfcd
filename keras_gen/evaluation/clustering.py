"""How well clusters agree with classes."""

import numpy as np


def cluster_classes(probabilities, labels) -> np.ndarray:
    """Returns the class that each cluster stands for: that of the example which belongs to it most surely.

    The rule of Makhzani et al. (2015), Adversarial Autoencoders, section 5, https://arxiv.org/abs/1511.05644.

    Args:
        probabilities: of each cluster, for validation examples, of shape `(num, num_clusters)`.
        labels: classes of these examples, of shape `(num,)`.

    Raises:
        ValueError: if there is not one label for each row of probabilities.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"`labels` must hold one class for each row of `probabilities`, received {labels.shape} "
            f"for {probabilities.shape}."
        )
    return labels[np.argmax(probabilities, axis=0)]


def cluster_error(validation_probabilities, validation_labels, probabilities, labels) -> dict[str, float]:
    """Evaluates clusters as a classifier: each example has the class of its most probable cluster.

    Args:
        validation_probabilities: of each cluster, for the examples that name the clusters (`cluster_classes`).
        validation_labels: their classes.
        probabilities: of each cluster, for test examples, of shape `(num, num_clusters)`.
        labels: their classes.

    Returns:
        "error", the share of test examples with another class, and its "error_standard_error".
    """
    classes = cluster_classes(validation_probabilities, validation_labels)
    wrong = classes[np.argmax(probabilities, axis=1)] != np.asarray(labels)
    error = float(np.mean(wrong))
    return {"error": error, "error_standard_error": float(np.sqrt(error * (1.0 - error) / len(wrong)))}
